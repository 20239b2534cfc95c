"""
An address ─► a socket that is bound to it, or one line that says why it cannot be.

In: "127.0.0.1" and 8600. Out: a socket that does not listen yet: clients are refused until the service is ready.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from hanpuri.errors import EngineError


@contextmanager
def bind(host: str, port: int) -> Iterator[socket.socket]:
    """
    Bind a socket.

    Args:
        host: a name or an address, of IPv4 or IPv6.
        port: 0 takes a free one.

    Raises:
        EngineError: if there is no such address here, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise EngineError(f"no address is known of the host {host!r}", "give an address of this machine") from None
    with socket.socket(family, kind, protocol) as made:
        if os.name == "posix":  # elsewhere it would take a port that another one uses
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(address)
        except OSError as error:
            raise _fault(host, port, error) from None
        made.set_inheritable(True)
        yield made


def address_of(bound: socket.socket) -> str:
    """
    Write where a socket can be reached, as it stands in an address of the web.

        >>> with bind("127.0.0.1", 0) as bound:
        ...     address_of(bound).startswith("127.0.0.1:")
        True
    """
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _fault(host: str, port: int, error: OSError) -> EngineError:
    if error.errno == errno.EADDRINUSE:
        found = f"port {port} of {host} is in use"
        return EngineError(found, "stop what listens there, or choose another one (--port 0 takes a free one)")
    if error.errno == errno.EACCES:
        return EngineError(f"port {port} may not be taken by this user", "choose one above 1023")
    if error.errno == errno.EADDRNOTAVAIL:
        return EngineError(f"{host} is no address of this machine", "give one of its own, or 0.0.0.0 for all")
    return EngineError(f"port {port} of {host} cannot be taken: {error.strerror}", "choose another one")
