"""
The temporary folder that the processes of a service share while it runs: what they sign with, what they count.

In: nothing. Out: a folder such as /tmp/hanpuri-service-k3x8 with the file `secret`, for as long as a `with`.

Every process of a service holds a lock on it. What finds no lock there finds a service that was killed: the next one
removes its folder. Systems that tidy up temporary folders by age (systemd) leave those alone that are locked.
"""

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hanpuri.errors import EngineError

try:
    import fcntl
except ImportError:  # there are no such locks on Windows, where nothing is tidied up
    fcntl = None  # type: ignore[assignment]

PREFIX = "hanpuri-service-"
SECRET = "secret"
SECRET_BYTES = 32


@contextmanager
def shared_folder() -> Iterator[Path]:
    """
    Make a folder that nobody else may read, and remove those of services that were killed.

    Raises:
        EngineError: if none can be made.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        found = f"no temporary folder can be made: {error.strerror}"
        raise EngineError(found, "set TMPDIR to a folder that may be written") from None
    with made as name, held(Path(name)):
        remove_left(Path(name).parent)
        (Path(name) / SECRET).write_bytes(secrets.token_bytes(SECRET_BYTES))
        yield Path(name)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, so that no other service takes it for one that was left."""
    with _locked(folder, alone=False):
        yield


def remove_left(place: Path) -> None:
    """Remove the folders of services of this user that were killed."""
    for folder in place.glob(f"{PREFIX}*"):
        if _is_ours(folder):
            with _locked(folder, alone=True) as is_left:
                if is_left:
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, alone: bool) -> Iterator[bool]:
    """Lock a folder, alone or beside others; gives whether it could be locked."""
    if fcntl is None:
        yield False
        return
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:  # somebody holds it, or the file system has no locks
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _is_ours(folder: Path) -> bool:
    """Say whether a folder is one that a service of this user made: its secret is written when it is held."""
    try:
        about, secret = folder.lstat(), (folder / SECRET).lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and secret.st_size == SECRET_BYTES
