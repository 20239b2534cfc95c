"""A client that sends whatever bytes it is told to, also those that no well-kept client would."""

import json
import socket
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What came back until the connection was closed, or the reply was whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def fault(self) -> dict[str, Any]:
        """The reply as a fault; all of them have one form."""
        told = json.loads(self.body)
        assert sorted(told) == ["error", "mend"], told
        assert all(told.values())
        return told


def read_reply(connection: socket.socket) -> Reply:
    """Read one reply, by the length that it tells."""
    with connection.makefile("rb") as stream:
        line = stream.readline()
        while line.startswith(b"HTTP/1.1 100"):
            stream.readline()
            line = stream.readline()
        headers = {}
        while (head := stream.readline()) not in (b"\r\n", b""):
            name, _, value = head.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
    return Reply(int(line.split()[1]) if line else 0, headers, body)


def ask(port: int, *parts: bytes) -> Reply:
    """Send bytes as they are, and read one reply."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break  # it has heard enough
        return read_reply(connection)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Write a request; `_` in the name of a header stands for `-`."""
    usual = {"Host": "localhost"} | (
        {"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}
    )
    told = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
