"""
The files that people have, a row at a time.

In: a path (or "-", standard input) to text, CSV, TSV, JSONL or Parquet; the text formats also as .gz and .xz.
Out: rows that can be written back. Line 2 of a CSV and what becomes of it:

    1,이 영화 쨰밌어요  ─►  Row(text="이 영화 쨰밌어요", record={"id": "1", "review": "이 영화 쨰밌어요"},
                              where="reviews.csv:2", ending="\\n")

No file is ever loaded whole. A file read here and written back unchanged by `sinks` is the same byte for byte: in text
always, in CSV and TSV where cells are in quotes only if they need them.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from os.path import exists, getsize, isdir, isfile
from pathlib import Path
from typing import Any

from hanpuri.data.files.encodings import check_encoding
from hanpuri.data.files.formats import (
    Fault,
    Format,
    Row,
    check_format,
    choose_field,
    told_format,
)
from hanpuri.data.files.tables import check_cells, check_text, read_csv, read_jsonl, split_ending
from hanpuri.data.files.textfiles import TextFile
from hanpuri.errors import DataError

MAX_FAULTS = 5


class Source:
    """
    A file of rows. Made by `open_source`; `rows()` may be called again, except on standard input or a pipe.

    `field`, `columns`, `encoding`, `mark` and `ending` are known once a first row was asked for; `open_source` does
    so itself for a file on disk.
    """

    name: str
    """The path as given, or "stdin"."""
    path: Path | None
    """None for standard input."""
    format: Format
    field: str | None
    """The field that holds the text; None in a text file."""
    columns: tuple[str, ...]
    """The names of the columns, in JSONL those of the first row; empty in a text file."""
    ending: str
    """The line end of the header of a CSV or TSV file."""
    schema: Any
    """The Arrow schema of a Parquet file, else None."""
    num_bytes: int | None
    """The size of the file on disk; None for standard input or a pipe."""

    def __init__(self, path: Path | None, format: Format, field: str | None, encoding: str) -> None:
        self.path = path
        self.name = "stdin" if path is None else str(path)
        self.format = format
        self.field = field
        self.columns = ()
        self.ending = "\n"
        self.schema = None
        # What is no file and yet there is a pipe or a terminal: <(zcat reviews.csv.gz), /dev/stdin.
        self.is_file = path is not None and (isfile(path) or isdir(path) or not exists(path))
        self.num_bytes = getsize(path) if path is not None and isfile(path) else None
        self._wanted_field = field
        self._file = TextFile(path, encoding)
        self._was_read = False

    @property
    def encoding(self) -> str:
        """The encoding of the bytes behind the mark: never "utf-16", always "utf-16-le" or "utf-16-be"."""
        return self._file.encoding

    @property
    def mark(self) -> bytes:
        """The byte order mark of the file; b"" if it has none."""
        return self._file.mark

    def rows(self) -> Iterator[Row]:
        """
        Read the rows, from the first one on.

            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "notes.txt")
            ...     _ = path.write_bytes("쨰밌어요\\r\\n별로".encode())
            ...     [(row.text, row.ending) for row in open_source(path).rows()]
            [('쨰밌어요', '\\r\\n'), ('별로', '')]

        Raises:
            DataError: at the first faulty row; it names the next few faulty rows of the file too.
            ValueError: if standard input or a pipe is read a second time.
        """
        if self._was_read and not self.is_file:
            raise ValueError(f"{self.name} can be read only once")
        self._was_read = True
        self._file.num_bytes_read = 0
        return self._sound_rows()

    def bytes_read(self) -> int | None:
        """
        Count the bytes on disk that the latest `rows()` has read so far; None where `num_bytes` is None.

            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "notes.txt")
            ...     _ = path.write_text("one\\ntwo\\n")
            ...     source = open_source(path)
            ...     texts = [row.text for row in source.rows()]
            ...     source.bytes_read(), source.num_bytes
            (8, 8)
        """
        return None if self.num_bytes is None else self._file.num_bytes_read

    def _sound_rows(self) -> Iterator[Row]:
        rows = self._rows()
        for row in rows:
            if isinstance(row, Fault):
                raise self._gathered(row, rows)
            yield row

    def _gathered(self, first: Fault, rest: Iterator[Row | Fault]) -> DataError:
        # A person mends a file once, not once a fault: look for more. But not in a pipe, which may never end.
        lines: list[int] = []
        if self.is_file:
            with suppress(DataError):  # what cannot be decoded further on comes up once this fault is mended
                faults = (row.line for row in rest if isinstance(row, Fault))
                lines.extend(islice(faults, MAX_FAULTS))
        more = ", ".join(str(line) for line in lines[: MAX_FAULTS - 1]) + (" ..." if len(lines) == MAX_FAULTS else "")
        also = f" (faulty too: line{'s' if len(lines) > 1 else ''} {more})" if lines else ""
        return DataError(f"{self.name}:{first.line}: {first.message}{also}", first.mend)

    def _rows(self) -> Iterator[Row | Fault]:
        if self.format == "text":
            return self._text_rows()
        if self.format == "jsonl":
            return self._jsonl_rows()
        if self.format == "parquet":
            return self._parquet_rows()
        return self._csv_rows("\t" if self.format == "tsv" else ",")

    def _text_rows(self) -> Iterator[Row | Fault]:
        for number, line in enumerate(self._file.lines(), 1):
            text, ending = split_ending(line)
            yield Row(text, None, f"{self.name}:{number}", ending)

    def _csv_rows(self, delimiter: str) -> Iterator[Row | Fault]:
        self.columns = ()
        for line, cells, ending in read_csv(self._file.lines(), delimiter):
            if isinstance(cells, Fault):
                yield cells
            elif not self.columns:
                self._set_columns(tuple(cells), f"{self.name}:{line}")
                self.ending = ending
            elif fault := check_cells(line, cells, self.columns):
                yield fault
            else:
                record = dict(zip(self.columns, cells, strict=True))
                yield Row(record[self.field or ""], record, f"{self.name}:{line}", ending)
        if not self.columns:
            raise DataError(f"{self.name}: found no line, expected a header", "name the columns in a first line")

    def _jsonl_rows(self) -> Iterator[Row | Fault]:
        self.columns = ()
        for line, record, ending in read_jsonl(self._file.lines()):
            if isinstance(record, Fault):
                yield record
                continue
            if not self.columns:
                self._set_columns(tuple(record), f"{self.name}:{line}")
            field = self.field or ""
            text = record.get(field) or ""
            yield check_text(line, record, field) or Row(str(text), record, f"{self.name}:{line}", ending)

    def _parquet_rows(self) -> Iterator[Row | Fault]:
        from hanpuri.data.files.parquet import open_parquet, read_parquet

        if self.path is None or not self.is_file:
            raise DataError(f"{self.name}: found Parquet in a pipe, expected a file", "save it to a file first")
        with open_parquet(self.path) as file:
            self.schema = file.schema_arrow
            self._set_columns(tuple(self.schema.names), self.name)
            for num_rows, row in enumerate(read_parquet(file, self.name, self.field or ""), 1):
                self._file.num_bytes_read = (self.num_bytes or 0) * num_rows // file.metadata.num_rows
                yield row

    def _set_columns(self, columns: tuple[str, ...], where: str) -> None:
        if self.format == "csv" and len(columns) == 1 and "\t" in columns[0]:
            raise DataError(f"{where}: found tabs, expected commas between the columns", "read it with --format tsv")
        twice = next((column for column in columns if columns.count(column) > 1), None)
        if twice is not None:
            found = f'{where}: found two columns named "{twice}", expected one'
            raise DataError(found, "give each column a name of its own")
        self.field = choose_field(where, columns, self._wanted_field)
        self.columns = columns


def open_source(
    path: str | os.PathLike[str], *, format: str | None = None, field: str | None = None, encoding: str = "utf-8"
) -> Source:
    """
    Open a file of rows; "-" is standard input, read as text unless `format` says otherwise.

    The format is told by the suffix: .csv, .tsv, .jsonl, .ndjson, .parquet, all else text; behind it may stand .gz or
    .xz. Of a file on disk the first row is read at once, so that a wrong file, field or encoding fails here.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "reviews.csv")
        ...     _ = path.write_text("id,review\\n1,쨰밌어요\\n", encoding="utf-8")
        ...     source = open_source(path)
        ...     source.field, [row.text for row in source.rows()]
        ('review', ['쨰밌어요'])

    Raises:
        DataError: if the file is not there or may not be read, its first row or its header is faulty, the field is not
            in it, or the encoding is unknown or does not fit.
        ValueError: if there is no such format.
    """
    file = None if os.fspath(path) == "-" else Path(path)
    checked = check_format(format) if format is not None else (told_format(file) if file else None) or "text"
    if checked == "text" and field is not None:
        found = f'{file or "stdin"}: found a text file, which has no field "{field}"'
        raise DataError(found, "leave out --field, or say what the file is with --format")
    source = Source(file, checked, field, check_encoding(encoding))
    if source.is_file:
        next(source.rows(), None)
    return source
