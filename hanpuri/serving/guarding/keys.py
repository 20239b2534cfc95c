"""
Who may ask: the keys of a running service, read again when their file changes.

In:  the key that a request shows, "hanpuri_3q2-7w…".   Out: the StoredKey whose it is, or None.

A key that is removed from the file is let in no more, without a restart. While a new file is broken, the keys of the
one before stay good, and the log says so once.
"""

import hmac
import ipaddress
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hanpuri.errors import DataError
from hanpuri.serving.guarding.key_file import StoredKey, hash_key, is_read_by_others, read_keys
from hanpuri.serving.guarding.rates import Allowance, Rates

logger = logging.getLogger(__name__)

FAILURES_PER_MINUTE = 30
"""Wrong keys that an address may show in a minute; what comes beyond that is told to wait."""


class KeyRing:
    """The keys of a file, and how often each was used lately."""

    def __init__(self, path: Path, rates: Path) -> None:
        self.path = path
        self.signature = _signature(path)
        self.keys = read_keys(path)
        if not self.keys:
            logger.warning("%s holds no key: nobody can ask; hanpuri keys add makes one", path)
        if is_read_by_others(path):
            logger.warning("%s can be read by others; it tells no key, but who has one: chmod 600", path)
        rates.mkdir(exist_ok=True)
        # Apart, so that no crowd of addresses takes the place of keys.
        self.rates, self.failures = Rates(rates / "keys.db"), Rates(rates / "addresses.db")

    def find(self, shown: str) -> StoredKey | None:
        """Find whose key it is; that takes equally long for every key, wrong or right."""
        self._read_again()
        digest, found = hash_key(shown), None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def spend(self, key: StoredKey) -> Allowance:
        """Count a request with a key, if it may make one."""
        # By its hash: a new key of an old name starts anew.
        return self.rates.spend(key.sha256, key.requests_per_minute)

    def spend_failure(self, address: str) -> Allowance:
        """Count a request without a good key."""
        return self.failures.spend(neighbourhood(address), FAILURES_PER_MINUTE)

    def close(self) -> None:
        """Let the files go."""
        self.rates.close()
        self.failures.close()

    def _read_again(self) -> None:
        signature = _signature(self.path)
        if signature == self.signature:
            return
        self.signature = signature
        try:
            self.keys = read_keys(self.path)
            logger.info("%s was read again: %d keys", self.path, len(self.keys))
        except DataError as error:
            logger.warning("the %d keys read before stay good: %s", len(self.keys), error)


@contextmanager
def open_keys(path: Path, rates: Path) -> Iterator[KeyRing]:
    """
    Read a key file for a running service.

    Args:
        path: as `hanpuri keys add` wrote it.
        rates: the folder in which all workers of the service count together.

    Raises:
        DataError: if the file is missing or broken, or others can write to it.
    """
    ring = KeyRing(path, rates)
    try:
        yield ring
    finally:
        ring.close()


def neighbourhood(address: str) -> str:
    """
    Give what stands for all addresses of one client: of IPv6 whoever has one has 2⁶⁴ of them.

        >>> neighbourhood("192.0.2.7"), neighbourhood("2001:db8:1:2:3:4:5:6")
        ('192.0.2.7', '2001:db8:1:2::/64')
    """
    try:
        if ipaddress.ip_address(address).version == 4:
            return address
        return str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        return "unknown"


def _signature(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode
