"""
Records from whatever files people have.

In: a source of the recipe and the form that its rows must have. Out: records, in the order of the files. Line 2 of a
CSV and what becomes of it with `fields: {text: document}`:

    9976970,아 쨰밌어요,0  ─►  Record(fields={"text": "아 쨰밌어요"}, id="9976970", source="reviews.csv",
                                      where="reviews.csv:2", group=None, label="0")

What is a fault, of which all in a file are told at once, or which `faults: drop` leaves out and counts:
a row that cannot be parsed or lacks cells; a needed field that is missing, null, "" or no string; a conversation that
is broken (see `conversations`); a preference that says nothing (see `preferences`). What is none: a missing or null
`input`, which is ""; a missing id, group or label; a blank line of a text file, which is no row. Texts of nothing but
white space are left to cleaning. A file that breaks off, or in which a quote is never closed, is refused as a whole
even with `faults: drop`: nobody could say what is lost.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from hanpuri.data.files.encodings import check_encoding
from hanpuri.data.files.folders import RowFormat, list_files
from hanpuri.data.files.formats import Fault
from hanpuri.data.files.hub import read_hub
from hanpuri.data.files.jsonfiles import read_json
from hanpuri.data.files.parquet import open_parquet, read_columns
from hanpuri.data.files.tables import UNCLOSED, check_cells, kind_of, read_csv, read_jsonl, split_ending
from hanpuri.data.files.textfiles import TextFile
from hanpuri.data.recipe import ABOUT, FORMS, OPTIONAL, Form, SourceSettings
from hanpuri.data.records.columns import choose_columns
from hanpuri.data.records.conversations import Problem, read_messages
from hanpuri.data.records.preferences import has_messages, missing_text, read_preference
from hanpuri.errors import DataError

MAX_LINE_LENGTH = 10_000_000  # in characters; no row of a training set is that long, a broken file may be
MAX_LISTED = 20
NUM_PEEKED = 1000  # rows of JSON that tell which columns there are: a row need not have all of them

Values = Mapping[str, object]


class Record(NamedTuple):
    """
    One row of a training set on its way through preparation.

        >>> Record({"text": "아 쨰밌어요"}, "", "reviews", "reviews.csv:2").group is None
        True
    """

    fields: dict[str, object]
    """Exactly the fields of its form, as `recipe.FORMS` lists them."""
    id: str
    """The user's own id; "" if there is none."""
    source: str
    """What the recipe calls the source."""
    where: str
    """"file:line", the line where the row begins, counted from 1; in Parquet and on the hub "file:row"."""
    group: str | None = None
    """Rows of one group go into one split."""
    label: str | None = None
    """What a split may be stratified by."""


class Reading:
    """
    A source that is read; `records()` may be called again, and then begins anew.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "reviews.csv")
        ...     _ = path.write_bytes("document,stars\\n좋아요,5\\n".encode("cp949"))
        ...     settings = SourceSettings(path=path, fields={"text": "document", "label": "stars"})
        ...     reading = Reading(settings, "text")
        ...     [(record.fields, record.label) for record in reading.records()], len(reading.notes)
        ([({'text': '좋아요'}, '5')], 1)

    Raises:
        DataError: if the path is not there, holds files that are not read, or the encoding is unknown.
    """

    title: str
    """What rows from here are called."""
    files: list[Path]
    """The files, in the order in which they are read; none for a data set of the hub."""
    notes: list[str]
    """What a person should know, such as "reviews.csv: read as cp949"; complete after the last record."""
    num_faults: int
    """How many faulty rows were left out so far, with `faults: drop`."""

    def __init__(self, source: SourceSettings, form: Form) -> None:
        self.source = source
        self.form = form
        self.title = source.title
        self.notes = []
        self.num_faults = 0
        with _recipe_words():
            self._encoding = source.encoding if source.encoding == "auto" else check_encoding(source.encoding)
            self._formats = dict(list_files(source.path, source.format)) if source.path else {}
        self.files = list(self._formats)
        for file, format in self._formats.items():
            if format == "text":
                self._check_text_file(file)

    def records(self) -> Iterator[Record]:
        """
        Read the records of all files.

        Raises:
            DataError: at the first file that has faults; it names all of them. With `faults: drop` only for what is
                wrong with a file as a whole: its encoding, its columns, that it is empty.
        """
        self.notes, self.num_faults = [], 0
        num_left = self.source.rows
        places: list[Path | None] = [*self.files] or [None]
        for place in places:
            num_read = yield from self._file_records(place, num_left)
            if num_left is not None:
                num_left -= num_read
                if not num_left:
                    return

    def _file_records(self, file: Path | None, num_rows: int | None) -> Generator[Record, None, int]:
        """Give the sound ones of a file's first rows; the generator's result is how many rows were read."""
        name = str(file or self.title)
        text_file = TextFile(file, self._encoding) if file else None
        faults = _Faults(name, "row" if file is None or self._formats[file] == "parquet" else "line")
        drop = self.source.faults == "drop"
        num_read = 0
        with _recipe_words():
            try:
                for row in islice(self._rows(text_file, name), num_rows):
                    num_read += 1
                    if isinstance(row, Fault):
                        faults.add(row)
                    elif drop or not faults.number:
                        yield row
            except DataError:
                if drop or not faults.number:
                    raise  # else the row faults come first; what is wrong behind them comes up once they are mended
            self.num_faults += faults.number
            if faults.number and not drop:
                raise faults.error()
        if faults.number:
            self.notes.append(f"{name}: left out {faults.told()}")
        if text_file and self._encoding == "auto" and text_file.encoding not in ("auto", "utf-8"):
            self.notes.append(f"{name}: read as {text_file.encoding}")
        if not num_read:
            raise DataError(f"{name}: found no rows, expected at least one", "take it out of the recipe")
        return num_read

    def _rows(self, file: TextFile | None, name: str) -> Iterator[Record | Fault]:
        if file is None or file.path is None:
            return self._peeked(name, enumerate(read_hub(name, self.source.hub_split), 1))
        if file.path.is_file() and not file.path.stat().st_size:
            raise DataError(f"{name}: found an empty file (0 bytes), expected rows", "take it out of the recipe")
        format = self._formats[file.path]
        if format == "parquet":
            return self._parquet_rows(file.path)
        if format == "text":
            return self._text_rows(file)
        if format == "jsonl":
            lines = file.lines(MAX_LINE_LENGTH)
            return self._peeked(name, ((line, values) for line, values, _ in read_jsonl(lines)))
        if format == "json":
            return self._peeked(name, read_json(file.pieces(), name))
        return self._csv_rows(file, format)

    def _text_rows(self, file: TextFile) -> Iterator[Record | Fault]:
        name, title = file.name, self.title
        for number, line in enumerate(file.lines(MAX_LINE_LENGTH), 1):
            if text := split_ending(line)[0]:
                yield Record({"text": text}, "", title, f"{name}:{number}")

    def _csv_rows(self, file: TextFile, format: RowFormat) -> Iterator[Record | Fault]:
        rows = read_csv(file.lines(MAX_LINE_LENGTH), "\t" if format == "tsv" else ",")
        columns: tuple[str, ...] = ()
        for line, cells, _ in rows:
            if isinstance(cells, Fault):
                if cells.message == UNCLOSED:  # the rows behind it went into the cell: no fault of one row to leave out
                    raise DataError(f"{file.name}:{line}: {UNCLOSED}", cells.mend)
                yield cells
            elif not columns:
                columns = tuple(cells)
                if format == "csv" and len(columns) == 1 and "\t" in columns[0]:
                    found = f"{file.name}:{line}: found tabs, expected commas between the columns"
                    raise DataError(found, "read it with --format tsv")
                record = self._maker(file.name, f"{file.name}:{line}", columns)
            else:
                yield check_cells(line, cells, columns) or record(line, dict(zip(columns, cells, strict=True)))

    def _parquet_rows(self, file: Path) -> Iterator[Record | Fault]:
        with open_parquet(file) as parquet:
            schema = parquet.schema_arrow
            nested = [field.name for field in schema if field.type.num_fields] if self.form == "preference" else []
            record = self._maker(str(file), str(file), schema.names, nested)
            texts = [record.columns[field] for field in FORMS[self.form] if field in record.columns]
            texts = [column for column in texts if column not in nested] if self.form != "messages" else []
            wanted = dict.fromkeys(record.columns.values())
            rows = read_columns(parquet, str(file), list(wanted), texts)
            for number, values in enumerate(rows, 1):
                yield record(number, values)

    def _peeked(self, name: str, rows: Iterator[tuple[int, dict[str, object] | Fault]]) -> Iterator[Record | Fault]:
        """Make records of rows that need not have the same columns: the first of them tell which there are."""
        head: list[tuple[int, dict[str, object] | Fault]] = []
        columns: dict[str, None] = {}
        nested: dict[str, None] = {}
        sound = False
        for line, values in rows:
            head.append((line, values))
            if not isinstance(values, Fault):
                sound = True
                columns |= dict.fromkeys(values)
                nested |= dict.fromkeys(column for column in values if has_messages(values, [column]))
            if sound and len(head) >= NUM_PEEKED:
                break
        record = self._maker(name, name, tuple(columns), tuple(nested)) if sound else None
        for line, values in chain(head, rows):
            if isinstance(values, Fault):
                yield values._replace(mend=self._row_mend())  # the reader's own shows a row of plain text
            elif record is not None:
                yield record(line, values)

    def _maker(self, name: str, where: str, columns: Sequence[str], nested: Sequence[str] = ()) -> "_RecordMaker":
        """Choose the columns; those that hold messages may bring the prompt of a preference with them."""
        twice = next((column for column in columns if columns.count(column) > 1), None)
        if twice is not None:
            found = f'{where}: found two columns named "{twice}", expected one'
            raise DataError(found, "give each column a name of its own")
        mapped = self.source.fields
        brought = self.form == "preference" and mapped.get("chosen", "chosen") in nested
        unneeded = ("prompt",) if brought else ()
        return _RecordMaker(name, self.title, self.form, choose_columns(where, columns, self.form, mapped, unneeded))

    def _row_mend(self) -> str:
        if self.form == "messages":
            return 'write the row as {"messages": [{"role": "user", "content": "..."}, ...]}'
        needed = [field for field in FORMS[self.form] if field not in OPTIONAL]
        shape = ", ".join(f'"{self.source.fields.get(field, field)}": "..."' for field in needed)
        return f"write the row as {{{shape}}}"

    def _check_text_file(self, file: Path) -> None:
        if self.form != "text":
            found = f"{file}: found a text file, expected rows with {' and '.join(FORMS[self.form])}"
            raise DataError(found, "say what the file is: `format: tsv`")
        mapped = [column for field, column in self.source.fields.items() if (field, column) != ("text", "text")]
        if mapped:
            found = f'{file}: found a text file, which has no column "{mapped[0]}"'
            raise DataError(found, "leave out `fields`, or say what the file is: `format: tsv`")


@dataclass(frozen=True, slots=True)
class _RecordMaker:
    """Makes records of one file's rows."""

    name: str
    source: str
    form: Form
    columns: dict[str, str]

    def __call__(self, line: int, values: Values) -> Record | Fault:
        fields = read_preference(values, self.columns) if self.form == "preference" else self._fields(values)
        if isinstance(fields, tuple):
            return Fault(line, *fields)
        about: dict[str, str | None] = {}
        for field in ABOUT:
            told = self._about(field, values)
            if isinstance(told, tuple):
                return Fault(line, *told)
            about[field] = told
        where = f"{self.name}:{line}"
        return Record(fields, about["id"] or "", self.source, where, about["group"], about["label"])

    def _fields(self, values: Values) -> dict[str, object] | Problem:
        fields: dict[str, object] = {}
        for field in FORMS[self.form]:
            value = self._field(field, values)
            if isinstance(value, tuple):
                return value
            fields[field] = value
        return fields

    def _field(self, field: str, values: Values) -> object | Problem:
        column = self.columns.get(field)
        value = values.get(column) if column is not None else None
        if isinstance(value, str) and value and field != "messages":
            return value
        if field in OPTIONAL and (value is None or value == ""):
            return ""
        column = self.columns[field]
        if field == "messages" and column in values:
            return read_messages(value, column)
        return missing_text(column, values)

    def _about(self, field: str, values: Values) -> str | Problem | None:
        column = self.columns.get(field)
        value = values.get(column) if column is not None else None
        if value is None or value == "" or value != value:  # NaN, with which pandas fills a gap
            return None
        if isinstance(value, list | dict | bytes):
            return f'found {kind_of(value)} in "{column}", expected a text or a number', "name another column"
        return str(value)


class _Faults:
    """The faulty rows of a file: all counted, the first ones told."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.number = 0
        self.first: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.number += 1
        if len(self.first) < MAX_LISTED:
            self.first.append(fault)

    def told(self) -> str:
        rows = [f"{self.unit} {fault.line}: {fault.message}" for fault in self.first]
        if self.number > len(self.first):
            rows.append(f"and {self.number - len(self.first):,} more")
        return f"{self.number:,} faulty row{'s' * (self.number != 1)}: {'; '.join(rows)}"

    def error(self) -> DataError:
        mends = list(dict.fromkeys(fault.mend for fault in self.first))
        mend = "; ".join([*mends, "or leave such rows out: `faults: drop`"])
        if self.number == 1:
            return DataError(f"{self.name}:{self.first[0].line}: {self.first[0].message}", mend)
        return DataError(f"{self.name}: found {self.told()}", mend)


@contextmanager
def _recipe_words() -> Iterator[None]:
    # The readers of files serve `hanpuri restore` too, and their mends name its options.
    try:
        yield
    except DataError as error:
        mend = re.sub(r"--(encoding|format) ([\w-]+)", r"`\1: \2`", error.mend)
        mend = re.sub(r"--(encoding|format)", r"`\1`", mend).replace("--field", "`fields`")
        raise DataError(error.message, mend) from None
