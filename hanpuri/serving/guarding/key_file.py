"""
The file of API keys: who may ask, and how often; never the keys themselves.

In: a name. Out: a key, told once, and a line about it in a file that only its owner can read:

    hanpuri_3q2-7wAAQz…  ─►  {"keys": [{"name": "web", "sha256": "9f86d0…", "created": "2026-11-22T10:00:00Z",
                                        "requests_per_minute": 600}]}

A plain SHA-256 is enough: slow hashes, as for passwords, protect what people can think up and others can guess. A key
has 256 random bits, so that nobody finds it by trying, however fast. Whoever reads the file learns no key, but whoever
can write to it can let himself in: such a file is refused.
"""

import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from hanpuri.errors import DataError
from hanpuri.recipe import Settings

PREFIX = "hanpuri_"
KEY_BYTES = 32
OWNER_ONLY = 0o600
USUAL_RATE = 600
NAME = r"^\w[\w.@-]{0,63}$"
EXPECTED_NAME = "a name of 1 to 64 letters, digits, _, -, . and @ that begins with one of the first three"
MEND = "make one with: hanpuri keys add NAME --file"

KeyName = Annotated[str, Field(pattern=NAME)]


class StoredKey(Settings):
    """What is kept of a key."""

    name: KeyName = Field(description="Who has it.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="The key's SHA-256, in hexadecimal digits.")
    created: AwareDatetime = Field(description="When it was made.")
    requests_per_minute: int = Field(default=USUAL_RATE, ge=1, le=1_000_000, description="How often it may ask.")


class StoredKeys(Settings):
    """All of a key file."""

    keys: tuple[StoredKey, ...]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [key.name for key in self.keys]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"found one name twice: {', '.join(twice)}")
        return self


def read_keys(path: Path) -> tuple[StoredKey, ...]:
    """
    Read a key file.

    Raises:
        DataError: if it is missing or broken, or others than its owner can write to it.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # a device may have no end
            raise DataError(f"{path}: found no file there", "name a file of keys")
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file or directory", f"{MEND} {path}") from error
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or 'cannot be read').lower()}", "name a file of keys") from error
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        found = f"{path}: others than its owner can write to it (mode {stat.S_IMODE(mode):o}), and let themselves in"
        raise DataError(found, f"run: chmod 600 {path}")
    try:
        return StoredKeys.model_validate_json(content).keys
    except ValidationError as error:
        # What stands in the file is not repeated: it may be a key that somebody put there by hand.
        faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in error.errors()[:3]]
        raise DataError(f"{path}: {'; '.join(faults)}", f"move it away, and {MEND} {path}") from error


def is_read_by_others(path: Path) -> bool:
    """Say whether others than its owner can read a file."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def add_key(path: Path, name: str, requests_per_minute: int = USUAL_RATE) -> str:
    """
    Make a key and write its hash to the file, which is made if there is none.

    Returns:
        The key; nothing can tell it a second time.

    Raises:
        DataError: if there is one of that name already, or as `read_keys`.
    """
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    with _only_writer(path) as place:
        keys = read_keys(place) if os.path.exists(place) else ()
        if name in {one.name for one in keys}:
            raise DataError(f"{path}: there is a key named {name} already", "choose another name, or remove it first")
        now = datetime.now(UTC).replace(microsecond=0)
        try:
            new = StoredKey(name=name, sha256=hash_key(key), created=now, requests_per_minute=requests_per_minute)
        except ValidationError as error:
            raise DataError(f"found a key's name of {len(name)} characters", f"expected {EXPECTED_NAME}") from error
        _write(place, StoredKeys(keys=(*keys, new)))
    return key


def remove_key(path: Path, name: str) -> None:
    """
    Take a key out of the file; running services let it in no more.

    Raises:
        DataError: if there is none of that name, or as `read_keys`.
    """
    with _only_writer(path) as place:
        keys = read_keys(place)
        rest = tuple(key for key in keys if key.name != name)
        if len(rest) == len(keys):
            raise DataError(f"{path}: found no key named {name}", f"see: hanpuri keys list --file {path}")
        _write(place, StoredKeys(keys=rest))


def hash_key(key: str) -> str:
    """
    Hash a key as it is kept.

        >>> hash_key("hanpuri_x")[:8]
        '046b73f0'
    """
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


@contextmanager
def _only_writer(path: Path) -> Iterator[Path]:
    """Hold the file's folder, so that two that add a key at once lose none; a link is followed to what it names."""
    try:
        place = path.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself
        raise DataError(f"{path}: the path cannot be followed", "name another file") from error
    if not os.path.isdir(place.parent):
        raise DataError(f"{place.parent}: found no such folder", "make it first")
    if sys.platform == "win32":
        yield place
        return
    import fcntl

    try:
        descriptor = os.open(place.parent, os.O_RDONLY)
    except OSError as error:
        raise DataError(
            f"{place.parent}: {(error.strerror or 'cannot be read').lower()}", "name another one"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield place
    finally:
        os.close(descriptor)


def _write(path: Path, keys: StoredKeys) -> None:
    """Write the file whole, for the owner that it had: who adds a key as root takes it away from no service."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8") as file:
            file.write(keys.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            _give_as(beside, path.stat())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):  # on a file system that cannot be written to
            beside.unlink(missing_ok=True)
        raise DataError(f"{path}: {(error.strerror or 'cannot be written').lower()}", "choose another place") from error


def _give_as(path: Path, old: os.stat_result) -> None:
    path.chmod(stat.S_IMODE(old.st_mode))
    new = path.stat()
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        os.chown(path, old.st_uid, old.st_gid)
