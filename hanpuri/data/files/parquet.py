"""
Parquet, a batch at a time. The other columns never become Python objects, so that they come back exactly as they were.

In: a Parquet file with a column of strings. Out: rows whose record looks into the Arrow batch they came in:

    id: int64   review: string          Row(text="쨰밌어요", record={"id": 1, "review": "쨰밌어요"},
    1           쨰밌어요            ─►      where="reviews.parquet:1")

This is the one module that calls pyarrow, and it does so inside its functions only: pyarrow is an extra.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from hanpuri.data.files.formats import Row, open_fault
from hanpuri.errors import DataError

NUM_BATCH_ROWS = 512
NUM_GROUP_BYTES = 1 << 24  # a row group of a batch each would make files that read slowly


class ParquetRecord(Mapping[str, object]):
    """A row of an Arrow batch, its cells turned into Python objects only when they are asked for."""

    def __init__(self, batch: Any, index: int) -> None:
        self.batch = batch
        self.index = index

    def __getitem__(self, column: str) -> object:
        place = self.batch.schema.get_field_index(column)
        if place < 0:
            raise KeyError(column)
        return self.batch.column(place)[self.index].as_py()

    def __iter__(self) -> Iterator[str]:
        return iter(self.batch.schema.names)

    def __len__(self) -> int:
        return int(self.batch.num_columns)


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """
    Open a Parquet file as a `pyarrow.parquet.ParquetFile`.

        >>> import tempfile, pyarrow.parquet
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "reviews.parquet")
        ...     pyarrow.parquet.write_table(pyarrow.table({"id": [1], "review": ["쨰밌어요"]}), path)
        ...     with open_parquet(path) as file:
        ...         file.schema_arrow.names, [dict(row.record) for row in read_parquet(file, path.name, "review")]
        (['id', 'review'], [{'id': 1, 'review': '쨰밌어요'}])

    Raises:
        DataError: if pyarrow is not installed, the file cannot be opened, or it is no Parquet, here or further on.
    """
    pyarrow = _import("pyarrow")
    parquet = _import("pyarrow.parquet")
    try:
        with path.open("rb") as stream, parquet.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20) as file:
            yield file
    except pyarrow.ArrowException as error:
        told = str(error).partition("\n")[0]
        raise DataError(f"{path}: found no sound Parquet ({told})", "write it anew, or say --format") from None
    except OSError as error:
        raise open_fault(path, error) from None


def read_parquet(file: Any, name: str, field: str) -> Iterator[Row]:
    """
    Read the rows of an open Parquet file, as `open_parquet` gives it; a null text is "".

        >>> import io, pyarrow.parquet
        >>> stream = io.BytesIO()
        >>> pyarrow.parquet.write_table(pyarrow.table({"review": ["쨰밌어요", None]}), stream)
        >>> file = pyarrow.parquet.ParquetFile(stream)
        >>> [(row.text, row.where) for row in read_parquet(file, "reviews.parquet", "review")]
        [('쨰밌어요', 'reviews.parquet:1'), ('', 'reviews.parquet:2')]

    Raises:
        DataError: if the column holds no strings, or bytes that are no UTF-8.
    """
    _check_strings(file.schema_arrow.field(field).type, name, field)
    number = 0
    for batch in file.iter_batches(batch_size=NUM_BATCH_ROWS):
        try:
            texts = batch.column(batch.schema.get_field_index(field)).to_pylist()
        except UnicodeDecodeError:
            rows = f"rows {number + 1} to {number + batch.num_rows}"
            raise DataError(f'{name}: found bytes that are no utf-8 in "{field}", {rows}', "write it anew") from None
        for index, text in enumerate(texts):
            number += 1
            yield Row(text or "", ParquetRecord(batch, index), f"{name}:{number}")


def read_columns(file: Any, name: str, columns: Sequence[str], texts: Sequence[str]) -> Iterator[dict[str, object]]:
    """
    Read some columns of an open Parquet file, nested ones too; those in `texts` must hold strings.

        >>> import io, pyarrow.parquet
        >>> stream = io.BytesIO()
        >>> table = pyarrow.table({"id": [1], "messages": [[{"role": "user", "content": "안녕"}]]})
        >>> pyarrow.parquet.write_table(table, stream)
        >>> file = pyarrow.parquet.ParquetFile(stream)
        >>> list(read_columns(file, "chats.parquet", ["messages"], []))
        [{'messages': [{'role': 'user', 'content': '안녕'}]}]

    Raises:
        DataError: if a column of texts holds no strings, or bytes that are no UTF-8.
    """
    for column in texts:
        _check_strings(file.schema_arrow.field(column).type, name, column)
    number = 0
    for batch in file.iter_batches(batch_size=NUM_BATCH_ROWS, columns=list(columns)):
        try:
            cells = [batch.column(batch.schema.get_field_index(column)).to_pylist() for column in columns]
        except UnicodeDecodeError:
            rows = f"rows {number + 1} to {number + batch.num_rows}"
            raise DataError(f"{name}: found bytes that are no utf-8, {rows}", "write it anew") from None
        number += batch.num_rows
        for row in zip(*cells, strict=True):
            yield dict(zip(columns, row, strict=True))


class ParquetWriter:
    """
    Writes the rows of a Parquet source back, with the texts as the column `into`.

        >>> import io, pyarrow
        >>> batch = pyarrow.record_batch({"id": [1], "text": ["쨰밌어요"]})
        >>> writer = ParquetWriter(io.BytesIO(), batch.schema, "text", "restored")
        >>> writer.write(Row("쨰밌어요", ParquetRecord(batch, 0), "reviews.parquet:1"), "재밌어요")
        >>> writer.finish()
        >>> writer.schema.names
        ['id', 'text', 'restored']
    """

    def __init__(self, stream: BinaryIO, schema: Any, field: str, into: str) -> None:
        self.pyarrow = _import("pyarrow")
        self.field = field
        self.place = schema.get_field_index(into)
        column = self.pyarrow.field(into, self.pyarrow.string())
        self.schema = schema.append(column) if self.place < 0 else schema.set(self.place, column)
        self.writer = _import("pyarrow.parquet").ParquetWriter(stream, self.schema)
        self.batch: Any = None  # where the latest rows came from
        self.indices: list[int] = []
        self.texts: list[str | None] = []
        self.group: list[Any] = []

    def write(self, row: Row, text: str) -> None:
        """
        Write one row.

        Raises:
            DataError: if the text holds half a surrogate pair.
            ValueError: if the row does not come from a Parquet source.
        """
        if not isinstance(row.record, ParquetRecord):
            raise ValueError(f"{row.where} is no row of a Parquet source")
        if row.record.batch is not self.batch:
            self._end_batch()
            self.batch = row.record.batch
        try:
            text.encode()
        except UnicodeEncodeError as error:
            found = f"{row.where}: found {text[error.start]!r} in the text, expected what utf-8 can hold"
            raise DataError(found, "take it out") from None
        self.indices.append(row.record.index)
        self.texts.append(None if row.record[self.field] is None else text)

    def finish(self) -> None:
        """Write what is still held back, and the file's foot."""
        self._end_batch()
        self._end_group()
        self.writer.close()

    def abandon(self) -> None:
        """Let go of the file: pyarrow would write the foot when the writer is collected, into a file long closed."""
        with suppress(Exception):
            self.writer.close()

    def _end_batch(self) -> None:
        if not self.indices:
            return
        batch = self.batch.take(self.pyarrow.array(self.indices))
        texts = self.pyarrow.array(self.texts, self.pyarrow.string())
        columns = batch.columns
        if self.place < 0:
            columns.append(texts)
        else:
            columns[self.place] = texts
        self.group.append(self.pyarrow.record_batch(columns, schema=self.schema))
        self.indices, self.texts = [], []
        if sum(batch.nbytes for batch in self.group) >= NUM_GROUP_BYTES:
            self._end_group()

    def _end_group(self) -> None:
        if self.group:
            self.writer.write_table(self.pyarrow.Table.from_batches(self.group))
        self.group = []


def _check_strings(kind: Any, name: str, field: str) -> None:
    types = _import("pyarrow").types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)):
        found = f'{name}: found {kind} in the column "{field}", expected strings'
        raise DataError(found, "name the text's column with --field")


def _import(module: str) -> ModuleType:
    try:
        importlib.import_module("pyarrow")
        return importlib.import_module(module)
    except ImportError:
        raise DataError(
            "found no pyarrow, expected it for Parquet files", 'install it: pip install "hanpuri[parquet]"'
        ) from None
