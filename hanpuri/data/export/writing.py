"""
Export: the file that a provider takes, and beside it the file with what that one cannot hold.

In: rows of one form. Out: two files, a line a row in both:

    train.jsonl               {"messages": [{"role": "user", "content": "…\\n\\n념뭄 좋핬써욘"}, …]}
    train.jsonl.rows.jsonl    {"form": "pairs", "input_at": 58, "system_added": false, "check": 2891336453,
                               "row": {"id": "7f3a", "source": "reviews.csv", "strength": 0.5}}

`check` is the CRC-32 of the line, so that rows are never joined with lines that were changed or moved since.
"""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hanpuri.data.export.lines import ROWS, Note, Wording, dump_line, row_schema, to_line
from hanpuri.data.export.rows import Row, RowFile, beside, named, open_rows
from hanpuri.data.export.schemas import LIMITS, SCHEMAS, ExportFormat, Strict, faults_of
from hanpuri.data.files.formats import Fault, suffixes
from hanpuri.data.files.targets import Target
from hanpuri.data.recipe import FORMS, Form
from hanpuri.data.templates import restoration_instruction
from hanpuri.errors import DataError

MAX_FAULTS_TOLD = 20
ARRAYS = ("alpaca", "koalpaca")  # the formats that are also known as one JSON array


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    format: ExportFormat
    form: Form
    num_rows: int
    num_bytes: int
    """Of the file as the provider reads it, unpacked."""
    num_long: int
    """Lines with more bytes than the provider takes tokens: those that may be too long."""
    path: Path
    rows_path: Path


@dataclass(slots=True)
class _Faults:
    """Counts all faults, and remembers as many as a person will read."""

    num_rows: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, name: str, faults: list[str]) -> None:
        self.num_rows += 1
        if len(self.told) < MAX_FAULTS_TOLD:
            self.told.append(f"{name}: {', '.join(faults)}")

    def raise_if_any(self, name: str, taker: str) -> None:
        if self.num_rows:
            rows = "1 row" if self.num_rows == 1 else f"{self.num_rows:,} rows"
            more = self.num_rows - len(self.told)
            told = "; ".join(self.told) + (f"; and {more:,} more" if more else "")
            raise DataError(f"{name}: found {rows} that {taker} does not take: {told}", "mend them or leave them out")


def export_data(
    source: Path,
    out: Path,
    format: ExportFormat,
    *,
    split: str | None = None,
    system: str | None = None,
    instruction: str | None = None,
    rows_path: Path | None = None,
    max_bytes: int | None = None,
) -> Exported:
    """
    Write rows in a provider's format, each line checked against its published schema.

    Both files take their places only if every line is sound; else all faults are told at once and nothing is written.

        >>> import tempfile
        >>> from hanpuri.data.export.reading import read_export
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pairs, out = Path(folder, "pairs.csv"), Path(folder, "alpaca.jsonl")
        ...     _ = pairs.write_text("id,noisy,clean\\n1,념뭄,너무\\n", encoding="utf-8")
        ...     exported = export_data(pairs, out, "alpaca")
        ...     exported.num_rows, list(read_export(out, "alpaca"))
        (1, [{'id': '1', 'noisy': '념뭄', 'clean': '너무'}])

    Args:
        source: the folder of a prepared set, or a file whose columns are the fields of a form.
        out: .jsonl, in Alpaca's formats also .json; both also as .gz and .xz.
        format: whose format.
        split: of a prepared set; "train" if not given.
        system: a text put before each conversation that has none of its own.
        instruction: what is asked of the model for each pair, in place of ours.
        rows_path: where the other columns go; beside `out` if not given.
        max_bytes: how large the file may be, in place of what the provider has published.

    Raises:
        DataError: if the format cannot carry the form, a row or the whole breaks a rule of the provider, or a file
            cannot be read or written.
    """
    rows = open_rows(source, split)
    wording = _wording(rows, format, system, instruction)
    _check_carried(rows, format)
    other_path = rows_path or beside(out)
    _check_name(out, format)
    _check_apart(rows.path, out, other_path)
    with ExitStack() as undo:
        target = Target(out)
        undo.callback(target.discard)
        other = Target(other_path)
        undo.callback(other.discard)
        writer = _Writer(target, other, is_array=suffixes(out)[0] == ".json")
        num_long = _write(rows, format, wording, writer)
        _check_limits(rows, format, writer, max_bytes)
        for one in (other, target):
            with _blamed(one):
                one.commit()
        undo.pop_all()
    return Exported(format, rows.form, writer.num_rows, writer.num_bytes, num_long, out, other_path)


def _wording(rows: RowFile, format: ExportFormat, system: str | None, instruction: str | None) -> Wording:
    for name, text in (("--system", system), ("--instruction", instruction)):
        if text is not None and faults_of(ROWS["pairs"], {"noisy": text, "clean": text}):
            raise DataError(f"found no sound text in {name}, expected some", "write one, or leave the option out")
    if system is not None and format in ARRAYS:
        raise DataError(f"found --system, but {format} has no place for it", "leave it out, or say it in --instruction")
    if instruction is not None and rows.form != "pairs":
        found = f"{rows.path}: found --instruction with rows of {rows.form}, expected pairs"
        raise DataError(found, "leave it out: only pairs have no words of their own")
    return Wording(restoration_instruction() if instruction is None else instruction, system)


def _check_carried(rows: RowFile, format: ExportFormat) -> None:
    if rows.form in SCHEMAS[format]:
        return
    takes = ", ".join(SCHEMAS[format])
    others = [name for name, forms in SCHEMAS.items() if rows.form in forms]
    mend = f"write them as {' or '.join(others)}" if others else "make pairs of them: `augment` in a prepare recipe"
    raise DataError(f"{rows.path}: found rows of {rows.form}, {format} takes {takes}", mend)


def _check_name(out: Path, format: ExportFormat) -> None:
    allowed = (".jsonl", ".json") if format in ARRAYS else (".jsonl",)
    if suffixes(out)[0] not in allowed:
        found = f"{out}: found no suffix of a file for {format}, expected {' or '.join(allowed)}"
        raise DataError(found, f"call it {out.with_suffix('.jsonl')}")


def _check_apart(source: Path, out: Path, other: Path) -> None:
    places = [path.resolve() for path in (source, out, other)]
    for one, path in enumerate((out, other), 1):
        if places[one] in places[:one]:
            raise DataError(f"{path}: found one place for two files, expected a place each", "name another file")


class _Writer:
    """Writes lines and their notes, and counts the bytes."""

    def __init__(self, target: Target, other: Target, *, is_array: bool) -> None:
        self.target = target
        self.other = other
        self.is_array = is_array
        self.num_rows = 0
        self.num_bytes = 0

    def write(self, line: str, note: str) -> None:
        begin = (",\n" if self.num_rows else "[\n") if self.is_array else ""
        self._put(f"{begin}{line}" if self.is_array else f"{line}\n")
        with _blamed(self.other):
            self.other.stream.write(f"{note}\n".encode())
        self.num_rows += 1

    def finish(self) -> None:
        if self.is_array:
            self._put("\n]\n")

    def _put(self, text: str) -> None:
        data = text.encode()
        self.num_bytes += len(data)
        with _blamed(self.target):
            self.target.stream.write(data)


@contextmanager
def _blamed(target: Target) -> Iterator[None]:
    """Name the file that could not be written: a full disk is no fault of the source's."""
    try:
        yield
    except OSError as error:
        raise target.fault(error) from None


def _write(rows: RowFile, format: ExportFormat, wording: Wording, writer: _Writer) -> int:
    faults, num_long = _Faults(), 0
    schema = SCHEMAS[format][rows.form]
    max_tokens = LIMITS[format].max_tokens
    for where, row in rows.rows():
        line, note, told = _checked(row, rows.form, format, schema, wording)
        if told:
            faults.add(named(row, where), told)
        elif not faults.num_rows:
            writer.write(line, note)
            num_long += max_tokens is not None and len(line.encode()) > max_tokens
    faults.raise_if_any(str(rows.path), format)
    writer.finish()
    return num_long


def _checked(
    row: Row | Fault, form: Form, format: ExportFormat, schema: type[Strict], wording: Wording
) -> tuple[str, str, list[str]]:
    """Make a row's line and note, or the list of what is wrong with it."""
    if isinstance(row, Fault):
        return "", "", [row.message]
    fields = {name: row[name] for name in FORMS[form] if name in row}
    if fields.get("input", "") is None:
        fields["input"] = ""
    if told := faults_of(row_schema(fields, form), fields):
        return "", "", told
    made, note = to_line(fields, form, format, wording)
    others = {name: value for name, value in row.items() if name not in fields}
    if format == "koalpaca" and isinstance(others.get("url"), str):
        made["url"] = others["url"]
    line = dump_line(made)
    if told := faults_of(schema, line):
        return "", "", told
    try:
        return line, _noted(note, others, line), []
    except (TypeError, ValueError):  # a date or bytes from Parquet, a number that is none, half a surrogate pair
        names = [name for name, value in others.items() if not _is_held({name: value})]
        return "", "", [f"{name}: found what JSON cannot hold" for name in names]


def _is_held(column: Row) -> bool:
    try:
        dump_line(column).encode()
    except (TypeError, ValueError):
        return False
    return True


def _check_limits(rows: RowFile, format: ExportFormat, writer: _Writer, max_bytes: int | None) -> None:
    limits = LIMITS[format]
    largest = limits.max_rows if rows.is_training else limits.max_validation_rows
    least = limits.min_rows if rows.is_training else 1
    allowed = max_bytes if max_bytes is not None else limits.max_bytes
    found = f"{rows.path}: found {writer.num_rows:,} rows, {format} takes"
    if writer.num_rows < least:
        raise DataError(f"{found} {least:,} or more", "add rows")
    if largest is not None and writer.num_rows > largest:
        raise DataError(f"{found} {largest:,} at most", "export fewer rows")
    if allowed is not None and writer.num_bytes > allowed:
        found = f"{rows.path}: found {writer.num_bytes:,} bytes as {format}, expected {allowed:,} at most"
        raise DataError(found, "export fewer rows, or say --limit-bytes if more is taken by now")


def _noted(note: Note, others: Row, line: str) -> str:
    fields = {"form": note.form, "input_at": note.input_at, "system_added": note.system_added}
    text = dump_line({**fields, "check": zlib.crc32(line.encode()), "row": others})
    text.encode()  # so that half a surrogate pair is seen here, where its row is known
    return text
