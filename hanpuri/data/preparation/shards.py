"""
Rows on disk on their way through the preparation: Parquet files of some thousand rows, each there whole or not at all.

In: columns. Out: `read/000-00002.parquet`, the third shard of the first source, and arrays of what is asked for:

    id                    where            text          cause           asked (16 bytes)
    61ee48a010194a08f8b3  reviews.csv:2    방이 넓어요     null            …
    5c1f0be6a1e8d40b7d11  reviews.csv:3    ㅋ            min_characters  …

Here and in `hanpuri.data.files.parquet` alone pyarrow is called.
"""

import bisect
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.preparation.deduplicate import Keys, Rows
from hanpuri.data.recipe import FORMS, Form
from hanpuri.data.records.preferences import as_messages, as_prompt
from hanpuri.errors import DataError

KEY_BYTES = 16
COUNTS = b"hanpuri.counts"


def arrow() -> Any:
    """
    Give pyarrow with its Parquet part.

    Raises:
        DataError: if it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise DataError("preparing data needs pyarrow", 'pip install "hanpuri[data]"') from None
    return pyarrow


def form_columns(form: Form) -> list[tuple[str, Any]]:
    """Name the columns of a form's fields with their Arrow types."""
    pa = arrow()
    messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    # A prompt may be a text or messages, and a column holds one of the two.
    nested = {"messages": "messages", "preference": "prompt"}.get(form)
    return [(field, messages if field == nested else pa.string()) for field in FORMS[form]]


def cells(fields: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """Write the fields of a row as its cells, in which a prompt is messages in any case."""
    return {**fields, "prompt": as_messages(fields["prompt"])} if form == "preference" else dict(fields)


def fields_of(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Read the fields of a row from its cells again, all of them or some."""
    return {**cells, "prompt": as_prompt(cells["prompt"])} if "prompt" in cells else dict(cells)


def about_columns() -> list[tuple[str, Any]]:
    """Name the columns that a row of any form has, with their Arrow types."""
    pa = arrow()
    names = pa.dictionary(pa.int32(), pa.string())
    return [("id", pa.string()), ("source", names), ("where", pa.string()), ("group", pa.string()), ("label", names)]


def write_table(path: Path, table: Any) -> None:
    """Write a table beside its place and rename it there, so that a shard that exists is whole."""
    # A worker may outlive the process that was killed, and still write what a second run makes, too.
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    arrow().parquet.write_table(table, beside, compression="zstd")
    beside.replace(path)


class Shards:
    """The shards of all sources in reading order: one long table whose rows have numbers."""

    def __init__(self, paths: Sequence[Path], form: Form) -> None:
        self.paths = tuple(paths)
        self.form = form

    @cached_property
    def starts(self) -> list[int]:
        """The number of each shard's first row, and at the end that of all rows."""
        sizes = [arrow().parquet.read_metadata(path).num_rows for path in self.paths]
        return [0, *np.cumsum(sizes).tolist()]

    def __len__(self) -> int:
        return self.starts[-1]

    def counts(self) -> Iterator[Mapping[str, int]]:
        """Read what each shard counted when it was made."""
        for path in self.paths:
            yield json.loads(arrow().parquet.read_schema(path).metadata[COUNTS])

    def column(self, name: str) -> npt.NDArray[Any]:
        """Read a column of numbers or texts, shape (len(self),)."""
        pa = arrow()
        parts = [self.table(number, [name])[name] for number in range(len(self.paths))]
        if parts and pa.types.is_dictionary(parts[0].type):
            parts = [part.cast(pa.string()) for part in parts]  # a dictionary of no values has no NumPy form
        return np.concatenate([part.to_numpy() for part in parts]) if parts else np.empty(0)

    def keys(self, name: str) -> Keys:
        """Read a column of bytes as numbers, shape (len(self), number of bytes / 8)."""
        return np.concatenate([_as_numbers(self.table(number, [name])[name]) for number in range(len(self.paths))])

    def table(self, number: int, columns: Sequence[str] | None = None) -> Any:
        """Read one shard, or some columns of it."""
        return arrow().parquet.read_table(self.paths[number], columns=columns and list(columns))

    def records(self, rows: Rows, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Fetch some columns of rows given in rising order."""
        for number, start, end in zip(range(len(self.paths)), self.starts, self.starts[1:], strict=False):
            wanted = rows[bisect.bisect_left(rows, start) : bisect.bisect_left(rows, end)] - start
            if len(wanted):
                yield from self.table(number, columns).take(wanted).to_pylist()


def _as_numbers(column: Any) -> Keys:
    array = column.combine_chunks()
    width = array.type.byte_width // 8
    numbers = np.frombuffer(array.buffers()[1], dtype="<u8").reshape(-1, width)
    return numbers[array.offset : array.offset + len(array)]
