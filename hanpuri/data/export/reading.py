"""
An export read back: the lines joined again with what stands beside them.

In: the two files that `export_data` wrote. Out: the rows as they were, one of them:

    {"id": "7f3a", "noisy": "념뭄 좋핬써욘", "clean": "너무 좋았어요", "strength": 0.5}
"""

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hanpuri.data.export.lines import Note, dump_line, from_line
from hanpuri.data.export.rows import Row, beside
from hanpuri.data.export.schemas import ExportFormat, Strict, faults_of, schema_of
from hanpuri.data.files.formats import Fault, suffixes
from hanpuri.data.files.jsonfiles import read_json
from hanpuri.data.files.tables import read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.data.recipe import Form
from hanpuri.errors import DataError


class RowLine(Strict):
    """A line of the file beside an export."""

    form: Form
    input_at: int | None
    system_added: bool
    check: int
    row: dict[str, Any]


def read_export(path: Path, format: ExportFormat, rows_path: Path | None = None) -> Iterator[Row]:
    """
    Read the rows of an export back, one after the other, as they were before it.

    Without the file beside it, as with an export from elsewhere, a row is what its line says: messages, instruction
    or preference.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "train.jsonl")
        ...     _ = path.write_text('{"instruction": "고치세요", "output": "너무"}\\n', encoding="utf-8")
        ...     list(read_export(path, "koalpaca"))
        [{'instruction': '고치세요', 'input': '', 'output': '너무'}]

    Args:
        path: the export.
        format: the format it was written in.
        rows_path: the file with the other columns; the one beside `path`, if there is one and none is given.

    Raises:
        DataError: if a line is not in that format, or is not the one that was written with its row.
    """
    other = rows_path or beside(path)
    records = read_jsonl(TextFile(other, "utf-8").lines()) if rows_path or other.is_file() else None
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}:{number}"
        if told := [line.message] if isinstance(line, Fault) else faults_of(schema_of(line, format), line):
            found = f"{where}: found no line of {format}: {', '.join(told)}"
            raise DataError(found, "name the format that the file is in, or export it anew")
        assert not isinstance(line, Fault)
        if records is None:
            yield _plain_row(line, format)
            continue
        _, record, _ = next(records, (0, Fault(0, "", ""), ""))
        beside_it = _row_line(record, line, where, other)
        note = Note(beside_it.form, beside_it.input_at, beside_it.system_added)
        yield {**beside_it.row, **from_line(line, format, note)}
    if records is not None and next(records, None) is not None:
        raise DataError(f"{path}: found fewer lines than {other} has rows", "export anew: lines are missing")


def _plain_row(line: Mapping[str, Any], format: ExportFormat) -> Row:
    url = {"url": line["url"]} if "url" in line else {}
    return {**url, **from_line(line, format, None)}


def _row_line(record: Mapping[str, Any] | Fault, line: Mapping[str, Any], where: str, other: Path) -> RowLine:
    if isinstance(record, Fault) or faults_of(RowLine, record):
        found = f"{where}: found no row for it in {other}"
        raise DataError(found, "export anew: the two files belong together")
    row_line = RowLine.model_validate(record)
    if row_line.check != zlib.crc32(dump_line(line).encode()):
        found = f"{where}: found another line than the one that was written with its row in {other}"
        raise DataError(found, "export anew, or move the rows file away to read the lines as they stand")
    return row_line


def _lines(path: Path) -> Iterator[dict[str, Any] | Fault]:
    text = TextFile(path, "utf-8")
    if suffixes(path)[0] == ".json":
        return (line for _, line in read_json(text.pieces(), str(path)))
    return (line for _, line, _ in read_jsonl(text.lines()))
