"""
Token arrays ─► the tables that a trainer reads, and the batches that a model is fed.

In: examples, packs or blocks. Out: a `datasets.Dataset` with the columns input_ids and labels, and position_ids for
packs; then batches of tensors. A pack of two rows beside one of a single row, the pad token being 9:

    input_ids     5 6 0 8 0     position_ids  0 1 2 0 1     labels  -100 6 0 -100 0
                  7 0 9 9 9                   0 1 0 0 0             -100 0 -100 -100 -100

Padding is told by its place and never by its id. In packs each padding token is a sequence of its own (its position is
0), and there is no attention mask: transformers cuts attention where positions begin anew, in full and in sliding
windows alike. It does so only where no cache is kept: a model that is fed packs has to be told `use_cache=False`. Flash
attention does so only for one row, so packs for it are laid end to end, without any padding.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.examples import IGNORE, Example, Ids
from hanpuri.data.packing import Pack

BLOCKS_AT_ONCE = 1024

Rows = Sequence[Mapping[str, Any]]


def from_examples(examples: Iterable[Example]) -> Any:
    """Give examples as a Dataset in memory; columns input_ids and labels."""
    rows = list(examples)
    return in_memory({"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]})


def from_packs(packs: Iterable[Pack]) -> Any:
    """Give packs as a Dataset in memory; columns input_ids, labels and position_ids."""
    rows = list(packs)
    return in_memory(
        {
            "input_ids": [row.input_ids for row in rows],
            "labels": [row.labels for row in rows],
            "position_ids": [row.position_ids for row in rows],
        }
    )


def from_blocks(blocks: Iterable[Ids], cache: Path) -> Any:
    """
    Give blocks as a Dataset that is read from a file as it is needed; every token of a block is trained.

    Args:
        blocks: token ids; not looked at if `cache` is there already.
        cache: the file. Its name has to tell what the blocks came from: a file that is there is taken as it is. It is
            written beside and renamed, so that half a file is never taken.
    """
    import pyarrow as pa
    from datasets import Dataset

    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        beside = cache.with_name(cache.name + ".part")
        schema = pa.schema([("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])
        waiting = iter(blocks)
        with beside.open("wb") as file, pa.ipc.new_stream(file, schema) as stream:
            while some := list(islice(waiting, BLOCKS_AT_ONCE)):
                column = _lists(some)
                stream.write_batch(pa.record_batch([column, column], schema=schema))
        beside.replace(cache)
    return Dataset.from_file(str(cache))


@dataclass(frozen=True)
class Collator:
    """
    Rows of a Dataset ─► one batch of tensors, (B, T) of int64.

    Examples and blocks get an attention_mask, packs their position_ids in its place.
    """

    pad_id: int
    """What stands in the padding; any token will do."""
    end_to_end: bool = False
    """Packs in one long row, (1, B·T), as flash attention wants them."""

    def __call__(self, rows: Rows) -> dict[str, Any]:
        """
        Lay rows side by side, padded on the right to the longest.

        Raises:
            ValueError: if there is no row.
        """
        import torch

        if not rows:
            raise ValueError("found no row, expected at least one")
        packed = "position_ids" in rows[0]
        padding = {"input_ids": self.pad_id, "labels": IGNORE} | ({"position_ids": 0} if packed else {})
        lay = _end_to_end if packed and self.end_to_end else _side_by_side
        batch = {key: lay([row[key] for row in rows], value) for key, value in padding.items()}
        if not packed:
            batch["attention_mask"] = _side_by_side([np.ones(len(row["input_ids"]), np.int64) for row in rows], 0)
        return {key: torch.from_numpy(array) for key, array in batch.items()}


def count_tokens(batch: Mapping[str, Any]) -> int:
    """Count the tokens of a batch of a Collator, padding left out."""
    if "attention_mask" in batch:
        return int(batch["attention_mask"].sum())
    # A row of a pack begins at position 0 and goes on; a run of zeros at the end is padding.
    positions = batch["position_ids"]
    return int(positions.numel() - (positions.flip(-1).cumsum(-1) == 0).sum())


def _side_by_side(rows: Sequence[Sequence[int] | npt.NDArray[Any]], padding: int) -> npt.NDArray[np.int64]:
    laid = np.full((len(rows), max(map(len, rows))), padding, np.int64)
    for place, row in enumerate(rows):
        laid[place, : len(row)] = row
    return laid


def _end_to_end(rows: Sequence[Sequence[int] | npt.NDArray[Any]], padding: int) -> npt.NDArray[np.int64]:
    return np.concatenate([np.asarray(row, np.int64) for row in rows])[None]


def in_memory(columns: Mapping[str, Sequence[Ids]]) -> Any:
    """Give arrays as a Dataset in memory: each column has one array of token ids a row."""
    import pyarrow as pa
    from datasets import Dataset

    return Dataset(pa.table({name: _lists(rows) for name, rows in columns.items()}))


def _lists(rows: Sequence[Ids]) -> Any:
    """Give arrays as one column of lists, without a Python number for each token."""
    import pyarrow as pa

    ends = np.cumsum([0, *map(len, rows)], dtype=np.int32)
    flat = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else np.empty(0, np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat))
