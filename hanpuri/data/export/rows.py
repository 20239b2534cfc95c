"""
The rows that are exported: a split of a prepared set, or a file whose columns are the fields of a form.

In: `prepared/reviews` and a split, or a CSV, TSV, JSONL, JSON or Parquet file. Out: the form, each row with its place:

    "pairs"    ("pairs.jsonl:1", {"noisy": "념뭄 좋핬써욘", "clean": "너무 좋았어요"})
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from hanpuri.data.export.lines import ROWS
from hanpuri.data.files.folders import RowFormat, row_format
from hanpuri.data.files.formats import Fault, nearest
from hanpuri.data.files.jsonfiles import read_json
from hanpuri.data.files.parquet import open_parquet
from hanpuri.data.files.tables import check_cells, read_csv, read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.data.recipe import FORMS, OPTIONAL, Form, Split
from hanpuri.data.records.preferences import has_messages, read_preference
from hanpuri.errors import DataError

Row = dict[str, Any]
Placed = tuple[str, Row | Fault]


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file of rows of one form. Made by `open_rows`."""

    path: Path
    format: RowFormat
    form: Form
    is_training: bool
    """Whether the rows are, as far as is known, those to train on."""

    def rows(self) -> Iterator[Placed]:
        """
        Read each row with its place, "file:line"; a line that cannot be read is a `Fault`, and the reader goes on.

            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder, "pairs.csv")
            ...     _ = path.write_text("noisy,clean\\n념뭄,너무\\n", encoding="utf-8")
            ...     [row for _, row in open_rows(path).rows()]
            [{'noisy': '념뭄', 'clean': '너무'}]
        """
        rows = _read(self.path, self.format)
        return (_plain(where, row) for where, row in rows) if self.form == "preference" else rows


def _plain(where: str, row: Row | Fault) -> Placed:
    """Bring a preference that is written in messages to the fields of our own."""
    columns = FORMS["preference"]
    if isinstance(row, Fault) or not has_messages(row, columns):
        return where, row
    read = read_preference(row, {column: column for column in columns})
    if isinstance(read, tuple):
        return named(row, where), Fault(0, *read)
    return where, {**row, **read}


def open_rows(path: Path, split: str | None = None) -> RowFile:
    """
    Find the rows to export and tell their form by the columns.

    Args:
        path: a file, or the folder of a prepared set.
        split: which split of a prepared set; "train" if not given.

    Raises:
        DataError: if there is no such file or split, or its columns are those of no form.
    """
    file = path
    if path.is_dir():
        file = _split_file(path, split or "train")
    elif split is not None:
        found = f"{path}: found a file, expected the folder of a prepared set to take the split {split} from"
        raise DataError(found, "leave out --split")
    format = row_format(file)
    if format in (None, "text"):
        found = f"{file}: found no table, expected .jsonl, .json, .csv, .tsv, .parquet or the folder of a prepared set"
        raise DataError(found, "make one with `hanpuri prepare`")
    columns = _columns(file, format)
    return RowFile(file, format, _form(file, columns), split in (None, "train"))


def named(row: Row | Fault, where: str) -> str:
    """
    Name a row by its place, and by its own id if it has one.

        >>> named({"id": 7}, "pairs.jsonl:1")
        'pairs.jsonl:1 (id 7)'
    """
    given = None if isinstance(row, Fault) else row.get("id")
    return f"{where} (id {given})" if isinstance(given, str | int) and given != "" else where


def beside(out: Path) -> Path:
    """
    Give the place of the file that holds what an export cannot.

        >>> beside(Path("train.jsonl.gz")).name
        'train.jsonl.gz.rows.jsonl'
    """
    return out.with_name(f"{out.name}.rows.jsonl")


def _split_file(folder: Path, split: str) -> Path:
    file = folder / f"{split}.parquet"
    if file.is_file():
        return file
    there = [name for name in get_args(Split) if (folder / f"{name}.parquet").is_file()]
    if not there:
        found = f"{folder}: found no {file.name}, expected the folder of a prepared set"
        raise DataError(found, "make one with `hanpuri prepare`, or name a file")
    guess = nearest(split, there)
    mend = f"did you mean --split {guess}?" if guess else f"name another with --split: {', '.join(there)}"
    raise DataError(f'{folder}: found no split "{split}", expected one of {", ".join(there)}', mend)


def _columns(path: Path, format: RowFormat) -> Sequence[str]:
    if format == "parquet":
        with open_parquet(path) as file:
            return tuple(file.schema_arrow.names)
    if format in ("csv", "tsv"):
        for _, cells, _ in read_csv(_text(path).lines(), _delimiter(format)):
            if not isinstance(cells, Fault):
                _check_names(path, cells)
                return cells
    for _, row in _read(path, format):
        if not isinstance(row, Fault):
            return tuple(row)
    raise DataError(f"{path}: found no row, expected one at least", "give a file that holds rows")


def _check_names(path: Path, columns: Sequence[str]) -> None:
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise DataError(
            f'{path}: found two columns named "{twice}", expected one', "give each column a name of its own"
        )


def _form(path: Path, columns: Sequence[str]) -> Form:
    # Text comes last: what has a text and more is exported with the more.
    for form in (*ROWS, "text"):
        if all(field in columns for field in FORMS[form] if field not in OPTIONAL):
            return form
    told = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    forms = ["/".join(field for field in FORMS[form] if field not in OPTIONAL) for form in ROWS]
    expected = f"those of a form: {', '.join(forms[:-1])} or {forms[-1]}"
    raise DataError(f"{path}: found the columns {told}, expected {expected}", _renaming(columns))


def _renaming(columns: Sequence[str]) -> str:
    """Say which column to rename, if a form is there but for one that is nearly named so."""
    free = [column for column in columns if not any(column in fields for fields in FORMS.values())]
    for form in ROWS:
        missing = [field for field in FORMS[form] if field not in (*columns, *OPTIONAL)]
        if len(missing) == 1 and (guess := nearest(missing[0], free)):
            return f'rename "{guess}" to "{missing[0]}", or let `hanpuri prepare` map it'
    return "name the columns so, or let `hanpuri prepare` map them"


def _text(path: Path) -> TextFile:
    return TextFile(path, "auto")


def _delimiter(format: RowFormat) -> str:
    return "\t" if format == "tsv" else ","


def _read(path: Path, format: RowFormat) -> Iterator[Placed]:
    if format == "parquet":
        return _read_parquet(path)
    if format == "jsonl":
        return ((f"{path}:{line}", row) for line, row, _ in read_jsonl(_text(path).lines()))
    if format == "json":
        return ((f"{path}:{line}", row) for line, row in read_json(_text(path).pieces(), str(path)))
    return _read_table(path, _delimiter(format))


def _read_table(path: Path, delimiter: str) -> Iterator[Placed]:
    columns: tuple[str, ...] = ()
    for line, cells, _ in read_csv(_text(path).lines(), delimiter):
        where = f"{path}:{line}"
        if isinstance(cells, Fault):
            yield where, cells
        elif not columns:
            columns = tuple(cells)
        else:
            yield where, check_cells(line, cells, columns) or dict(zip(columns, cells, strict=True))


def _read_parquet(path: Path) -> Iterator[Placed]:
    number = 0
    with open_parquet(path) as file:
        for batch in file.iter_batches(batch_size=512):
            try:
                rows = batch.to_pylist()
            except UnicodeDecodeError:
                where = f"rows {number + 1} to {number + batch.num_rows}"
                raise DataError(f"{path}: found bytes that are no utf-8, {where}", "write it anew") from None
            for number, row in enumerate(rows, number + 1):  # noqa: B020
                yield f"{path}:{number}", row
