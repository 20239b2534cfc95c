"""
The rows of a file that engines are asked and scored by: questions without their answers, and the answers apart.

In:  a line of JSONL, JSON, CSV, TSV or Parquet: pairs, instructions or messages. Out: a row of a `RowSet`:

    {"noisy": "확잠실읾", "clean": "화장실이", "level": "easy"}  ─►
        EvalRow(id="1", where="pairs.jsonl:1", fields={"noisy": "확잠실읾"}, asked="확잠실읾", reference="화장실이",
                slices={"level": ("easy",), "length": ("1-20",)})

`fields` is all that an engine is given, and nothing of the answer is left in it. Of a conversation the last turn of the
assistant is the reference, and those before it are given. A file of questions alone has no references.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from hanpuri.data.files.encodings import check_encoding
from hanpuri.data.files.folders import row_format
from hanpuri.data.files.formats import Fault, open_fault, suffixes
from hanpuri.data.files.jsonfiles import read_json
from hanpuri.data.files.parquet import open_parquet, read_columns
from hanpuri.data.files.tables import check_cells, kind_of, read_csv, read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.data.recipe import Form
from hanpuri.data.records.columns import choose_columns, listed
from hanpuri.data.records.conversations import read_messages
from hanpuri.data.templates import Fields
from hanpuri.engines.questions import question_of
from hanpuri.errors import DataError
from hanpuri.evaluation.slices import LENGTH, SLICE_COLUMNS, length_bucket
from hanpuri.runs.files import sha256_of

Values = Mapping[str, object]
MAX_LISTED = 5
LISTED = re.compile(r"'([^']*)'|\"([^\"]*)\"|([^\s,'\"]+)")
"""What stands in a list that was written as a text, by JSON or by Python."""
ASKING: Mapping[Form, tuple[str, ...]] = {"pairs": ("noisy",), "instruction": ("instruction", "input")}
ANSWERING: Mapping[Form, str] = {"pairs": "clean", "instruction": "output"}
FORMS: tuple[Form, ...] = ("messages", "pairs", "instruction")


@dataclass(frozen=True)
class EvalRow:
    """One question, and the answer that it is scored by."""

    id: str
    """The file's own id; the number of the row, if there is none."""
    where: str
    """The file and the line, as errors name it."""
    fields: Fields
    """What an engine is given."""
    asked: str
    """The question as a person would type it."""
    reference: str | None
    """The right answer; None if the file has none."""
    slices: Mapping[str, tuple[str, ...]]
    """Where the row is counted: {"level": ("easy",), "rule": ("1-3", "5-1"), "length": ("1-20",)}."""


@dataclass(frozen=True)
class RowSet:
    """The rows of one file."""

    name: str
    """The file's name without the suffixes of its format: of `faq.test.jsonl.gz`, faq.test."""
    path: Path
    form: Form
    rows: tuple[EvalRow, ...]
    sha256: str
    """Of the file's bytes: what tells that two evaluations were of the same rows."""

    @property
    def has_references(self) -> bool:
        """Whether there is something to score by."""
        return bool(self.rows) and self.rows[0].reference is not None


def read_rows(
    path: Path,
    *,
    form: Form | None = None,
    fields: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    slice_columns: Sequence[str] = (),
) -> RowSet:
    """
    Read all rows of a file.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "faq.csv")
        ...     _ = path.write_text("question,answer\\n몇 시에 열어요?,아홉 시요.\\n", encoding="utf-8")
        ...     row = read_rows(path).rows[0]
        ...     row.fields, row.reference
        ({'instruction': '몇 시에 열어요?', 'input': ''}, '아홉 시요.')

    Args:
        path: JSONL, JSON, CSV, TSV or Parquet; the text formats also packed.
        form: pairs, instruction or messages; told by the columns, if not given.
        fields: our field: the file's column, where it has a name that is not known here.
        encoding: of the file.
        slice_columns: columns to slice by, besides the known ones (`slices.SLICE_COLUMNS`).

    Raises:
        DataError: if the file cannot be read, has the fields of no form or no row, or rows of it are faulty: a question
            that is empty or no text, an answer that is no text, or is missing where other rows have one.
    """
    values = list(_read(path, encoding))
    if not values:
        raise DataError(f"{path} holds no rows", "give a file with the fields noisy and clean")
    sound = [row for _, row in values if not isinstance(row, Fault)]
    columns = tuple(dict.fromkeys(chain.from_iterable(sound)))
    reader = _Reader(str(path), columns, form, fields or {}, slice_columns) if sound else None
    read: list[EvalRow | Fault] = []
    for number, (line, row) in enumerate(values, 1):
        if isinstance(row, Fault):
            read.append(row)
        elif reader:
            read.append(reader.read(number, line, row))
    _check(str(path), read)
    assert reader is not None  # without a sound row the check has raised
    rows = tuple(row for row in read if isinstance(row, EvalRow))
    name = path.name[: -len("".join(suffixes(path)))] or path.name
    return RowSet(name, path, reader.form, rows, sha256_of(path))


def _read(path: Path, encoding: str) -> Iterator[tuple[int, Values | Fault]]:
    """Read the rows of any format, all of their columns."""
    if not path.is_file():
        raise open_fault(path, IsADirectoryError() if path.is_dir() else FileNotFoundError())
    format = row_format(path) or "text"
    file = TextFile(path, check_encoding(encoding))
    if format == "parquet":
        with open_parquet(path) as parquet:
            yield from enumerate(read_columns(parquet, str(path), parquet.schema_arrow.names, []), 1)
    elif format == "json":
        yield from read_json(file.pieces(), str(path))
    elif format == "jsonl":
        yield from ((line, row) for line, row, _ in read_jsonl(file.lines()))
    elif format in ("csv", "tsv"):
        yield from _read_table(file, "\t" if format == "tsv" else ",")
    else:
        raise DataError(f"{path}: found a text file, expected rows with fields", "give JSONL, CSV, TSV or Parquet")


def _read_table(file: TextFile, delimiter: str) -> Iterator[tuple[int, Values | Fault]]:
    columns: tuple[str, ...] = ()
    for line, cells, _ in read_csv(file.lines(), delimiter):
        if isinstance(cells, Fault):
            yield line, cells
        elif not columns:
            columns = tuple(cells)
        else:
            yield line, check_cells(line, cells, columns) or dict(zip(columns, cells, strict=True))


def _check(name: str, read: Sequence[EvalRow | Fault]) -> None:
    """Refuse a file with faulty rows: the first ones are told, so that it is mended once."""
    faults = [row for row in read if isinstance(row, Fault)]
    if not faults:
        faults = [
            Fault(int(row.where.rpartition(":")[2]), "found no answer, and other rows have one", "fill it in")
            for row in read
            if isinstance(row, EvalRow) and row.reference is None
        ]
        if len(faults) == len(read):
            return
    if faults:
        first, *rest = faults
        lines = ", ".join(str(fault.line) for fault in rest[: MAX_LISTED - 1]) + " …" * (len(rest) >= MAX_LISTED)
        also = f" (faulty too: line{'s' * (len(rest) > 1)} {lines})" if rest else ""
        raise DataError(f"{name}:{first.line}: {first.message}{also}", first.mend)


class _Reader:
    """Makes rows of one file's columns."""

    def __init__(
        self, name: str, columns: Sequence[str], form: Form | None, mapped: Mapping[str, str], slices: Sequence[str]
    ) -> None:
        self.name = name
        self.form, self.columns = _choose_form(name, columns, form, mapped)
        for column in slices:
            if column not in columns:
                found = f"{name}: found no column {column} to slice by, expected one of: {', '.join(columns)}"
                raise DataError(found, "name one of them")
        known = {column: SLICE_COLUMNS[column] for column in columns if column in SLICE_COLUMNS}
        self.slices = {**known, **{column: f"column {column}" if column == LENGTH else column for column in slices}}

    def read(self, number: int, line: int, values: Values) -> EvalRow | Fault:
        found = self._conversation(line, values) if self.form == "messages" else self._question(line, values)
        if isinstance(found, Fault):
            return found
        fields, reference = found
        where = f"{self.name}:{line}"
        asked = question_of(fields, where)
        slices = {by: told for column, by in self.slices.items() if (told := _told(values.get(column)))}
        id = values.get(self.columns.get("id", ""))
        id = str(number if id is None or id == "" else id)
        return EvalRow(id, where, fields, asked, reference, {**slices, LENGTH: (length_bucket(asked),)})

    def _question(self, line: int, values: Values) -> tuple[Fields, str | None] | Fault:
        fields: dict[str, str] = {}
        for field in ASKING[self.form]:
            value = values.get(self.columns.get(field, ""))
            if not isinstance(value, str | None):
                return Fault(line, f"the field {field} is {kind_of(value)}, expected a text", "put it in quotes")
            fields[field] = value or ""
        asking = ASKING[self.form][0]
        column = self.columns[asking]
        if column not in values:
            return Fault(line, f'found no "{column}" but {listed(list(values))}', "give all rows the same fields")
        if not fields[asking].strip():
            return Fault(line, f"the field {column} is empty, expected a question", "take the row out")
        answering = self.columns.get(ANSWERING[self.form])
        reference = values.get(answering) if answering else None
        if not isinstance(reference, str | None):
            return Fault(line, f"the field {answering} is {kind_of(reference)}, expected a text", "put it in quotes")
        return fields, reference

    def _conversation(self, line: int, values: Values) -> tuple[Fields, str | None] | Fault:
        value, asks = _with_answer(values.get(self.columns["messages"]))
        messages = read_messages(value, self.columns["messages"])
        if isinstance(messages, tuple):
            return Fault(line, *messages)
        *turns, last = messages
        if not turns or turns[-1]["role"] != "user":
            return Fault(line, "found no question before the last answer", "give the assistant a turn to answer")
        return {"messages": turns}, None if asks else last["content"]


def _choose_form(
    name: str, columns: Sequence[str], form: Form | None, mapped: Mapping[str, str]
) -> tuple[Form, dict[str, str]]:
    """Tell the form by the columns, and the column of each field; first as rows with an answer, then without."""
    if form not in (None, *FORMS):
        raise DataError(f"{name}: rows of the form {form} have no right answer", f"give {', '.join(FORMS)}")
    refused: dict[str, DataError] = {}
    for answered in (True, False):
        for candidate in (form,) if form else FORMS:
            wanted = {**_usual(candidate, columns), **mapped}
            asking, answering = ASKING.get(candidate, ("messages",))[0], ANSWERING.get(candidate)
            if not answered and answering and answering not in mapped:
                wanted[answering] = wanted.get(asking) or _question_column(candidate, columns)
            try:
                chosen = choose_columns(name, columns, candidate, wanted)
            except DataError as error:
                refused.setdefault(candidate, error)
                continue
            if not answered and answering and answering not in mapped:
                del chosen[answering]
            return candidate, chosen
    if form or mapped:
        raise refused[form or "pairs"]
    expected = "noisy, clean; instruction, output; or messages"
    raise DataError(f"{name}: found the fields {', '.join(columns)}, expected {expected}", "rename the fields")


def _usual(form: Form, columns: Sequence[str]) -> dict[str, str]:
    """Know the columns of competitions: an ID in capitals; a noisy input and its clean output."""
    by_fold = {column.casefold(): column for column in reversed(columns)}
    usual = {"id": by_fold["id"]} if "id" in by_fold else {}
    if form == "pairs" and "noisy" not in columns and "input" in columns and "instruction" not in columns:
        usual |= {"noisy": "input"} | ({"clean": "output"} if "output" in columns else {})
    return usual


def _question_column(form: Form, columns: Sequence[str]) -> str:
    """Give a column that is surely there in place of the answer's, which is not."""
    names = ("instruction", "question", "prompt") if form == "instruction" else ("noisy",)
    return next((name for name in names if name in columns), names[0])


def _with_answer(value: object) -> tuple[object, bool]:
    """Close a conversation that ends with its question, and say whether it did."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value, False
    last = value[-1] if isinstance(value, list) and value else None
    if (
        isinstance(value, list)
        and isinstance(last, Mapping)
        and last.get("role", last.get("from")) in ("user", "human")
    ):
        return [*value, {"role": "assistant", "content": "?"}], True
    return value, False


def _told(value: object) -> tuple[str, ...]:
    """
    Read what a column says of a row: one value, a list of them, or such a list as a text.

        >>> _told("easy"), _told("['1-3', '5-1']"), _told(3), _told(None)
        (('easy',), ('1-3', '5-1'), ('3',), ())
    """
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        value = ["".join(quoted) for quoted in LISTED.findall(value[1:-1])]
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(str(one) for one in value))
    return () if value is None or value == "" else (str(value),)
