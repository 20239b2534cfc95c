"""
A file of text on disk or standard input: opened, unpacked, its encoding found, decoded.

In: a path (None for standard input) and an encoding, or "auto". Out: pieces of text, or lines that keep their ends:

    reviews.txt.xz, "auto"  ─►  "쨰밌어요\\n", "별로\\n", and `encoding` says "cp949"

No more of the file is held than a chunk, a sample for the encoding, and the line that is being read.
"""

import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import cast

from hanpuri.data.files.encodings import (
    NUM_SAMPLE_BYTES,
    decode_text,
    fitting_encoding,
    split_lines,
    split_mark,
)
from hanpuri.data.files.formats import open_fault, suffixes
from hanpuri.errors import DataError

NUM_CHUNK_BYTES = 1 << 18


class TextFile:
    """
    A file of text, read from its begin by each call of `pieces` or `lines`.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "notes.txt")
        ...     _ = path.write_bytes("값이 싸요\\n".encode("cp949"))
        ...     file = TextFile(path, "auto")
        ...     list(file.lines()), file.encoding
        (['값이 싸요\\n'], 'cp949')
    """

    name: str
    """The path as given, or "stdin"."""
    mark: bytes
    """The byte order mark; b"" if there is none. Known, as is `encoding`, once a first piece was asked for."""
    encoding: str
    """The encoding of the bytes behind the mark: never "utf-16", always "utf-16-le" or "utf-16-be"."""
    num_bytes_read: int
    """How much of the file on disk was read so far."""

    def __init__(self, path: Path | None, encoding: str) -> None:
        self.path = path
        self.name = "stdin" if path is None else str(path)
        self.mark = b""
        self.encoding = encoding
        self.num_bytes_read = 0
        self._wanted_encoding = encoding

    def lines(self, max_length: int | None = None) -> Iterator[str]:
        """
        Read the lines, which keep their ends.

        Raises:
            DataError: as `pieces` does, and at a line longer than `max_length` characters, before it fills the memory.
        """
        return split_lines(self.pieces(), self.name, max_length)

    def pieces(self) -> Iterator[str]:
        """
        Read the text in pieces of no certain length.

        Raises:
            DataError: if the file cannot be read or unpacked to its end, or its bytes are not in the encoding.
        """
        self.num_bytes_read = 0
        with ExitStack() as stack:
            chunks = self._chunks(stack)
            head = next(chunks, b"")
            if self._wanted_encoding == "auto":
                while len(head) < NUM_SAMPLE_BYTES and (more := next(chunks, b"")):
                    head += more
            while len(head) < 4 and not head.endswith(b"\n") and (more := next(chunks, b"")):
                head += more  # a pipe may hand over a byte order mark in pieces
            self.mark, self.encoding = split_mark(head, self._encoding_of(head))
            yield from decode_text(_joined(head[len(self.mark) :], chunks), self.encoding, self.name)

    def _encoding_of(self, sample: bytes) -> str:
        if self._wanted_encoding != "auto":
            return self._wanted_encoding
        return fitting_encoding(sample) or "utf-8"  # where none fits, decoding names the first bad line

    def _chunks(self, stack: ExitStack) -> Iterator[bytes]:
        if self.path is None:
            stdin = cast(BufferedReader, sys.stdin.buffer)
            yield from iter(lambda: stdin.read1(NUM_CHUNK_BYTES), b"")
            return
        try:
            file = stack.enter_context(self.path.open("rb"))
        except OSError as error:
            raise open_fault(self.path, error) from None
        stream = stack.enter_context(_unpacked(file, self.path))
        try:
            is_file = self.path.is_file()
            while True:
                chunk = stream.read1(NUM_CHUNK_BYTES)
                self.num_bytes_read = file.tell() if is_file else 0  # also when a checksum alone was left to read
                if not chunk:
                    return
                yield chunk
        except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
            if stream is file:
                raise DataError(f"{self.name}: cannot be read to its end ({error})", "check the disk") from None
            found = f"{self.name}: found no sound {suffixes(self.path)[1]} file ({error})"
            raise DataError(found, "pack it anew, or take the suffix off if it is not packed") from None


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def _unpacked(file: BufferedReader, path: Path) -> BufferedReader | GzipFile | lzma.LZMAFile:
    compression = suffixes(path)[1]
    if compression == ".gz":
        return GzipFile(fileobj=file)
    return lzma.LZMAFile(file) if compression == ".xz" else file
