"""
Rows back into files, each with its restored text.

In: a row and its text. Out: the row as it was, in the format of the output's name, with the text beside it:

    reviews.csv    id,review                 restored.csv    id,review,restored
                   1,이 영화 쨰밌어요    ─►                  1,이 영화 쨰밌어요,이 영화 재밌어요

Text becomes text, a line a line; text, CSV, TSV and JSONL become CSV, TSV and JSONL; Parquet becomes Parquet.
"""

import csv
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

from hanpuri.data.files.formats import Format, Row, suffixes, told_format
from hanpuri.data.files.sources import Source
from hanpuri.data.files.targets import Target
from hanpuri.errors import DataError

TABLES = ("csv", "tsv", "jsonl")


class Writer(Protocol):
    """What a sink needs of a format: a row written, the end written, or all of it let go."""

    def write(self, row: Row, text: str) -> None: ...  # noqa: D102

    def finish(self) -> None: ...  # noqa: D102

    def abandon(self) -> None: ...  # noqa: D102


class Sink:
    """
    An output file, for use with `with`: on leaving it the file takes its place, on an exception nothing is left of it.

    Made by `open_sink`.
    """

    def __init__(self, target: Target, writer: Writer) -> None:
        self._target = target
        self._writer = writer

    def write(self, row: Row, text: str) -> None:
        """
        Write a row of the source with its restored text; where the source holds a null, a null is written.

            >>> import tempfile
            >>> from hanpuri.data.files.sources import open_source
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "notes.txt")
            ...     _ = path.write_text("쨰밌어요\\n", encoding="utf-8")
            ...     source = open_source(path)
            ...     with open_sink(path, source) as sink:
            ...         for row in source.rows():
            ...             sink.write(row, "재밌어요")
            ...     path.read_text(encoding="utf-8")
            '재밌어요\\n'

        Raises:
            DataError: if the output cannot hold the text, or the disk is full.
            BrokenPipeError: if the reader of standard output has gone.
        """
        try:
            self._writer.write(row, text)
            if self._target.path is None:
                self._target.stream.flush()  # a reader in a pipe sees each row as soon as it is done
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._target.fault(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._writer.finish()
                self._target.commit()
            else:
                self._drop()
        except BaseException as fault:
            self._drop()
            if isinstance(fault, OSError) and not isinstance(fault, BrokenPipeError):
                raise self._target.fault(fault) from None
            raise

    def _drop(self) -> None:
        self._writer.abandon()
        self._target.discard()


def open_sink(path: str | os.PathLike[str], source: Source, *, into: str = "restored") -> Sink:
    """
    Open an output for the rows of `source`; "-" is standard output.

    The suffix says the format and the compression; one that says nothing, or is the source's own, and standard output
    keep the source's format. Tables keep all columns and get `into`, in place if there is such a column; texts that
    become a table have the columns text and `into`. The encoding is the source's, but utf-8 where JSONL is made of
    another format.

    The file is written beside `path` and renamed at the end, so `path` may be the source's own. That it can be written
    is known when this returns, before any row is read.

        >>> import tempfile
        >>> from hanpuri.data.files.sources import open_source
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "notes.txt")
        ...     _ = path.write_text("쨰밌어요\\n", encoding="utf-8")
        ...     source = open_source(path)
        ...     with open_sink(path.with_suffix(".csv"), source) as sink:
        ...         for row in source.rows():
        ...             sink.write(row, "재밌어요")
        ...     path.with_suffix(".csv").read_text(encoding="utf-8")
        'text,restored\\n쨰밌어요,재밌어요\\n'

    Raises:
        DataError: if the output cannot be written, or the source's rows not in its format.
    """
    file = None if os.fspath(path) == "-" else Path(path)
    format = _sink_format(file, source)
    target = Target(file)
    try:
        return Sink(target, _writer(target.stream, source, format, into))
    except BaseException:
        target.discard()
        raise


def _writer(stream: BinaryIO, source: Source, format: Format, into: str) -> Writer:
    if format != "parquet":
        return LineWriter(stream, source, format, into)
    from hanpuri.data.files.parquet import ParquetWriter

    return ParquetWriter(stream, source.schema, source.field or "", into)


def _sink_format(path: Path | None, source: Source) -> Format:
    format = source.format
    if path is not None and not (source.path and suffixes(path)[0] == suffixes(source.path)[0]):
        format = told_format(path) or source.format
    if source.format == "parquet" and (path is None or format != "parquet"):
        raise DataError(f"{path or 'stdout'}: found rows of Parquet, expected a Parquet output", "name it .parquet")
    if format == source.format or format in TABLES:
        return format
    kinds = ".txt, .csv, .tsv or .jsonl" if source.format == "text" else ".csv, .tsv or .jsonl"
    raise DataError(f"{path}: found rows of {source.format}, which do not become {format}", f"name the output {kinds}")


class LineWriter:
    """
    Writes text, CSV, TSV and JSONL.

    The byte order mark and the header wait for the first row, as those of a pipe are known only then.

        >>> import io
        >>> stream = io.BytesIO()
        >>> writer = LineWriter(stream, Source(None, "text", None, "utf-8"), "tsv", "restored")
        >>> writer.write(Row("쨰밌어요", None, "stdin:1"), "재밌어요")
        >>> stream.getvalue().decode()
        'text\\trestored\\n쨰밌어요\\t재밌어요\\n'
    """

    def __init__(self, stream: BinaryIO, source: Source, format: Format, into: str) -> None:
        self.stream = stream
        self.source = source
        self.format = format
        self.into = into
        # Rows keep their own line ends and the file its encoding, unless they go to a format of another kind.
        self.is_same = format == source.format or {format, source.format} == {"csv", "tsv"}
        self.columns: tuple[str, ...] = ()
        self.encoding: str | None = None  # until the first row
        self.gap = ""  # a line end that the row before has not got
        # "\r\n" whatever the file has: csv.writer then puts every cell with a "\r" or a "\n" in quotes.
        delimiter = "\t" if format == "tsv" else ","
        self.csv: Any = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\r\n")

    def write(self, row: Row, text: str) -> None:
        """
        Write one row.

        Raises:
            DataError: if the format or the encoding cannot hold the text.
        """
        encoding = self._begun()
        ending = row.ending if self.is_same else "\n"
        line = self._line(row, text)
        try:
            data = f"{self.gap}{line}{ending}".encode(encoding)
        except UnicodeEncodeError as error:
            if self.format != "jsonl":
                found = f"{row.where}: found {error.object[error.start]!r}, expected what {encoding} can hold"
                raise DataError(found, "name the output .jsonl, which can hold it") from None
            data = f"{self.gap}{json.dumps(self._record(row, text))}{ending}".encode(encoding)
        self.gap = "" if ending else "\n"
        self.stream.write(data)

    def finish(self) -> None:
        """Write the header, if there was no row to write it before."""
        self._begun()

    def abandon(self) -> None:
        """Do nothing: a line that was written is not held on to."""

    def _begun(self) -> str:
        if self.encoding is not None:
            return self.encoding
        is_utf_8 = self.format == "jsonl" and not self.is_same
        self.encoding = "utf-8" if is_utf_8 else self.source.encoding
        head = b"" if is_utf_8 else self.source.mark
        columns = self.source.columns or (("text",) if self.source.format == "text" else ())
        if self.format in ("csv", "tsv") and columns:
            self.columns = columns if self.into in columns else (*columns, self.into)
            ending = self.source.ending if self.is_same else "\n"
            head += (self._cells(self.columns) + ending).encode(self.encoding)
        self.stream.write(head)
        return self.encoding

    def _line(self, row: Row, text: str) -> str:
        if self.format == "jsonl":
            return json.dumps(self._record(row, text), ensure_ascii=False)
        if self.format != "text":
            record = self._record(row, text)
            self._check_columns(row, record)
            return self._cells(_cell(record.get(column)) for column in self.columns)
        if "\n" in text:
            found = f"{row.where}: found a line end in the restored text, expected one line"
            raise DataError(found, "name the output .csv or .jsonl, which can hold it")
        return text

    def _record(self, row: Row, text: str) -> dict[str, object]:
        if row.record is None:
            return {"text": row.text, self.into: text}
        is_null = row.record[self.source.field or ""] is None
        return {**row.record, self.into: None if is_null else text}

    def _check_columns(self, row: Row, record: Mapping[str, object]) -> None:
        # Only JSONL can do this. The header is long written: the column would be lost.
        unknown = next((name for name in record if name not in self.columns), None)
        if unknown is not None:
            found = f'{row.where}: found the field "{unknown}", expected those of the first row'
            raise DataError(f"{found} ({', '.join(self.columns)})", "name the output .jsonl, which can hold it")

    def _cells(self, cells: Iterable[str]) -> str:
        line: str = self.csv.writerow(cells)
        return line.removesuffix("\r\n")


class _Echo:
    """A file for csv.writer, which gives back what the file's write gives back: here the line itself."""

    def write(self, line: str) -> str:
        return line


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
