"""
Where bytes are written: a file that is there whole or not at all, or standard output.

In: a path and bytes. Out: the file, once all is written. What lies in the folder meanwhile:

    restored.csv              the old file, untouched
    .hanpuri-5f0c81d2.tmp     the new one; renamed to restored.csv at the end, removed if anything fails
"""

import lzma
import os
import secrets
import stat
import sys
from contextlib import suppress
from gzip import GzipFile
from os.path import exists, isdir, isfile, realpath
from pathlib import Path
from typing import BinaryIO, cast

from hanpuri.data.files.formats import suffixes
from hanpuri.errors import DataError


class Target:
    """
    A file that is being written, through its `stream`; None is standard output.

    What is neither a file nor a folder, such as a pipe or /dev/null, is written into and not replaced.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     target = Target(Path(folder, "notes.txt"))
        ...     _ = target.stream.write(b"one")
        ...     before = Path(folder, "notes.txt").exists()
        ...     target.commit()
        ...     before, Path(folder, "notes.txt").read_bytes()
        (False, b'one')

    Raises:
        DataError: if the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.name = "stdout" if path is None else str(path)
        self.path: Path | None = None
        self.temporary: Path | None = None
        if path is None:
            self.file = self.stream = cast(BinaryIO, sys.stdout.buffer)
            return
        try:
            self.file = self._open(
                Path(realpath(path))
            )  # behind a link, the file itself is replaced and the link stays
        except OSError as error:
            raise _open_fault(path, error) from None
        self.stream = _packed(self.file, path)

    def commit(self) -> None:
        """Write what is still held back, and put the file in its place."""
        if self.path is None:
            self.stream.flush()
            return
        if self.stream is not self.file:
            self.stream.close()  # before the file: a packed file ends with a checksum
        self.file.flush()
        if self.temporary is None:
            self.file.close()
            return
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.temporary, self.path)

    def discard(self) -> None:
        """Remove what was written, and leave the old file as it was."""
        if self.path is None:
            return
        for stream in (self.stream, self.file):
            with suppress(OSError, ValueError):  # on a full disk, closing fails too
                stream.close()
        if self.temporary is not None:
            self.temporary.unlink(missing_ok=True)

    def fault(self, error: OSError) -> DataError:
        """Say why writing failed half way."""
        found = f"{self.name}: cannot be written to its end ({error.strerror or error})"
        return DataError(found, "make room, or write elsewhere")

    def _open(self, path: Path) -> BinaryIO:
        self.path = path
        with suppress(FileNotFoundError):
            path.stat()  # a name that is too long would fail only when the file is renamed, after all the work
        if isdir(path):
            raise IsADirectoryError
        if exists(path) and not os.access(path, os.W_OK):
            raise PermissionError  # renaming would go through: it asks the folder, not the file
        if exists(path) and not isfile(path):
            return path.open("wb")
        temporary = path.with_name(f".hanpuri-{secrets.token_hex(4)}.tmp")
        file = temporary.open("xb")
        self.temporary = temporary
        if exists(path):
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        return file


def _packed(file: BinaryIO, path: Path) -> BinaryIO:
    compression = suffixes(path)[1]
    if compression == ".gz":
        # No name and no time inside: the same rows give the same bytes.
        return cast(BinaryIO, GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6))
    return cast(BinaryIO, lzma.LZMAFile(file, "wb")) if compression == ".xz" else file


def _open_fault(path: Path, error: OSError) -> DataError:
    if isinstance(error, FileNotFoundError):
        folder = path.parent if not exists(path.parent) else Path(realpath(path)).parent  # a link may lead to nowhere
        return DataError(f"{path}: found no folder {folder}, expected one to write into", f"make it: mkdir -p {folder}")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{path}: found a folder, expected the name of a file to write", "name a file in it")
    if isinstance(error, PermissionError):
        locked = path if exists(path) else path.parent
        found = f"{path}: found no permission to write {'it' if locked == path else f'into {locked}'}"
        return DataError(found, f"name another file, or allow it: chmod u+w {locked}")
    return DataError(f"{path}: cannot be written ({error.strerror or error})", "name another file")
