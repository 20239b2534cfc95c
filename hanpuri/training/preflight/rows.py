"""
A Dataset ─► a few of its rows as they are trained, and figures over all of them.

In: the columns input_ids and labels, and position_ids for packs. Out: rows written from the tokens that really are
trained, not from the text that they were made of:

    ### 질문: 한강은 어디로 흐르나요?↵↵### 답변:⟦ 서해로 흐릅니다.</s>⟧        25 tokens, 9 trained

╎ stands where another document begins.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.examples import IGNORE
from hanpuri.data.tokenizers import Tokenizer

BORDER = "╎"
# Characters of a row that are shown: as many from its end as from its beginning.
SHOWN = 600
# Of larger sets so many tokens are looked at, in rows spread evenly.
MAX_TOKENS = 50_000_000
# Rows that are written out to count characters.
MAX_WRITTEN = 200
# Different tokens that are enough to see that not all are the same.
MAX_SEEN = 1000
BLOCK_ROWS = 1024

Ids = npt.NDArray[np.int64]
FIRST: Ids = np.zeros(1, np.int64)


@dataclass(frozen=True)
class ShownRow:
    """One row, written from its tokens."""

    place: int
    """In the Dataset, from 0 on."""
    text: str
    """What the model learns to write stands in ⟦…⟧."""
    tokens: int
    trained: int


@dataclass(frozen=True)
class Figures:
    """What the rows hold."""

    rows: int
    looked_at: int
    """Rows that the figures below are of; all of them, if the set is not very large."""
    tokens: int
    """Of all rows."""
    trained: int
    """Of the rows looked at: tokens that the model learns to write."""
    longest: int
    untrained_rows: tuple[int, ...]
    """Places of rows without a trained token."""
    wrong_labels: int
    """Trained labels that are another token than the one that stands there."""
    distinct: int
    """Different tokens among the trained ones, stop tokens left out."""
    texts: int
    """Rows, and for packs the rows inside them."""
    stops: int
    """Texts whose stop token is trained."""
    masked_stops: int
    """Texts that have it and do not train it."""
    unknown: int
    """Tokens that stand for what the tokenizer does not know."""
    tokens_per_character: float


class Table:
    """A Dataset's columns as arrays, a row at a time."""

    def __init__(self, dataset: Any) -> None:
        import pyarrow.compute as pc

        self._dataset = dataset.flatten_indices() if dataset._indices is not None else dataset
        data = self._dataset.data
        self.packed = "position_ids" in data.column_names
        column = data.column("input_ids")
        self.lengths: Ids = np.asarray(pc.list_value_length(column).to_numpy(), np.int64)
        self._columns = {name: data.column(name) for name in data.column_names}

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, place: int, name: str) -> Ids:
        """Give one row of a column."""
        return np.asarray(self._columns[name][place].values.to_numpy(zero_copy_only=False), np.int64)

    def blocks(self, max_tokens: int = MAX_TOKENS) -> Iterator[tuple[int, int]]:
        """Give stretches of rows, first and behind the last; of a very large set as many as hold so many tokens."""
        starts = range(0, len(self), BLOCK_ROWS)
        number = len(starts)
        if (total := int(self.lengths.sum())) > max_tokens:
            number = max(1, number * max_tokens // total)
        for place in np.linspace(0, len(starts) - 1, number).round().astype(int).tolist():
            yield starts[place], min(starts[place] + BLOCK_ROWS, len(self))

    def flat(self, name: str, start: int, stop: int) -> Ids:
        """Give a column's rows from `start` to before `stop` end to end."""
        lists = self._columns[name].slice(start, stop - start).combine_chunks()
        return np.asarray(lists.flatten().to_numpy(zero_copy_only=False), np.int64)

    def begins(self, place: int) -> Ids:
        """Give the places in a row where a text begins."""
        if not self.packed:
            return FIRST
        return np.flatnonzero(self.row(place, "position_ids") == 0)


def choose_rows(lengths: Ids) -> list[int]:
    """
    Choose five rows over the lengths: the shortest, the quartiles, the longest; each place once.

        >>> choose_rows(np.array([9, 2, 5, 7, 3, 4]))
        [1, 4, 5, 3, 0]
        >>> choose_rows(np.array([9, 2]))
        [1, 0]
    """
    order = np.argsort(lengths, kind="stable")
    places = [int(order[round(share * (len(order) - 1) - 1e-9)]) for share in (0, 0.25, 0.5, 0.75, 1)]
    return list(dict.fromkeys(places))


def show_rows(table: Table, tokenizer: Tokenizer, *, borders: Sequence[int] = ()) -> tuple[ShownRow, ...]:
    """
    Write out rows over all lengths.

    Args:
        table: the rows.
        tokenizer: theirs.
        borders: tokens behind which another document begins, in blocks.
    """
    return tuple(_shown(table, place, tokenizer, borders) for place in choose_rows(table.lengths))


def _shown(table: Table, place: int, tokenizer: Tokenizer, borders: Sequence[int]) -> ShownRow:
    ids, trains = table.row(place, "input_ids"), _trains(table.row(place, "labels"), FIRST)
    starts = set(table.begins(place).tolist()[1:])
    if borders:
        starts |= set((np.flatnonzero(np.isin(ids, borders)) + 1).tolist())
    seen = trains.copy()
    # Nothing foretells the first token of a block; cut off the others it might be half a syllable.
    seen[:1] = trains[1:2] if table.row(place, "labels")[0] != IGNORE else False
    text = mark(ids, seen, tokenizer, starts)
    return ShownRow(place, shortened(text), len(ids), int(trains.sum()))


def shortened(text: str) -> str:
    """Leave the middle of a long text out."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]} … {text[-SHOWN // 2 :]}"


def mark(ids: Ids, trains: npt.NDArray[np.bool_], tokenizer: Tokenizer, starts: Collection[int] = ()) -> str:
    """Write tokens as text, the trained ones in ⟦…⟧, a border before each token in `starts`."""
    written = []
    cuts = sorted({0, len(ids), *starts, *(np.flatnonzero(np.diff(trains)) + 1).tolist()})
    for start, end in pairwise(cuts):
        text = tokenizer.decode(ids[start:end].tolist(), continues=start > 0)
        border = BORDER if start in starts else ""
        written.append(f"{border}⟦{text}⟧" if trains[start] else f"{border}{text}")
    return "".join(written)


def count_rows(table: Table, tokenizer: Tokenizer, stop_ids: Sequence[int]) -> Figures:
    """
    Count what the rows hold.

    Args:
        table: the rows.
        tokenizer: theirs.
        stop_ids: tokens that end an answer.
    """
    trained = wrong = stops = masked = texts = unknown = looked_at = 0
    untrained: list[int] = []
    seen: set[int] = set()
    for start, stop in table.blocks():
        ids, labels = table.flat("input_ids", start, stop), table.flat("labels", start, stop)
        begins = np.cumsum(table.lengths[start:stop]) - table.lengths[start:stop]
        trains = _trains(labels, begins)
        looked_at += stop - start
        trained += int(trains.sum())
        wrong += int((trains & (labels != ids)).sum())
        unknown += int((ids == tokenizer.unk_id).sum()) if tokenizer.unk_id is not None else 0
        untrained += (start + np.flatnonzero(~np.logical_or.reduceat(trains, begins))).tolist()
        ends = np.isin(ids, stop_ids)
        if len(seen) < MAX_SEEN:
            seen.update(np.unique(ids[trains & ~ends]).tolist())
        own = np.flatnonzero(table.flat("position_ids", start, stop) == 0) if table.packed else begins
        there, learnt = np.logical_or.reduceat(ends, own), np.logical_or.reduceat(ends & trains, own)
        texts, stops, masked = texts + len(own), stops + int(learnt.sum()), masked + int((there & ~learnt).sum())
    return Figures(
        rows=len(table),
        looked_at=looked_at,
        tokens=int(table.lengths.sum()),
        trained=trained,
        longest=int(table.lengths.max(initial=0)),
        untrained_rows=tuple(untrained),
        wrong_labels=wrong,
        distinct=len(seen),
        texts=texts,
        stops=stops,
        masked_stops=masked,
        unknown=unknown,
        tokens_per_character=_tokens_per_character(table, tokenizer),
    )


def count_common(table: Table, others: Table) -> int:
    """Count the rows of `others` that stand in `table` token for token."""
    theirs = {_digest(others.row(place, "input_ids")) for place in range(len(others))}
    if not theirs:
        return 0
    lengths = set(others.lengths.tolist())
    ours = {
        _digest(table.row(place, "input_ids"))
        for start, stop in table.blocks()
        for place in range(start, stop)
        if int(table.lengths[place]) in lengths
    }
    return sum(_digest(others.row(place, "input_ids")) in ours for place in range(len(others)))


def _digest(ids: Ids) -> bytes:
    return hashlib.blake2b(ids.tobytes(), digest_size=16).digest()


def _trains(labels: Ids, begins: Ids) -> npt.NDArray[np.bool_]:
    """Tell which tokens are trained: the first of a row never is, because nothing foretells it."""
    trains: npt.NDArray[np.bool_] = np.not_equal(labels, IGNORE)
    trains[begins] = False
    return trains


def _tokens_per_character(table: Table, tokenizer: Tokenizer) -> float:
    places = np.unique(np.linspace(0, len(table) - 1, min(len(table), MAX_WRITTEN)).round().astype(int)).tolist()
    rows = [table.row(place, "input_ids").tolist() for place in places]
    texts = [[id for id in row if id not in tokenizer.special_ids] for row in rows]
    characters = sum(map(len, tokenizer.decode_batch(texts)))
    return sum(map(len, texts)) / characters if characters else 0.0
