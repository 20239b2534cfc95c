"""
Which row goes where: what is left out as a repetition or an overlap, and the split of what stays.

In: the keys of all rows, from the shards. Out: one table, a row a row, and the clusters of near-duplicates:

    split   cause            of
    0                        -1     row 0 is for training
    -1      near_duplicate   0      row 1 is left out because row 0 says nearly the same
    2                        -1     row 2 is for the test

Of rows that say the same, one that a source puts into the test or the validation split stays before others; among the
others the one with the smallest hash of its id, source, group and label. So what stays does not hang on the order of
files and rows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.preparation.content import compared, said
from hanpuri.data.preparation.deduplicate import (
    Keys,
    Rows,
    first_of_each,
    join_pairs,
    normalise,
    number_groups,
    propose_pairs,
    similarities,
)
from hanpuri.data.preparation.overlap import NONE
from hanpuri.data.preparation.shards import Shards, arrow, write_table
from hanpuri.data.preparation.splitting import SPLITS, TRAIN, deal_out, length_classes
from hanpuri.data.recipe import FORMS, NearSettings, PrepareRecipe
from hanpuri.errors import DataError

LEFT_OUT = -1
CLEANED, OVERLAP, EXACT, NEAR, LEAK = range(1, 6)
CAUSES = (None, "cleaning", "evaluation_overlap", "exact_duplicate", "near_duplicate", "other_split")
MAX_LISTED = 20


@dataclass
class Decisions:
    """What becomes of each row, filled in step by step; all arrays of shape (N,)."""

    split: npt.NDArray[np.int8]
    """The number of its split in SPLITS, or LEFT_OUT."""
    cause: npt.NDArray[np.int8]
    """Why it is left out: a number in CAUSES, 0 if it stays."""
    of: Rows
    """The row that it repeats, -1 if there is none; that one stays, or was left out later for a cause of its own."""
    dealt: npt.NDArray[np.int8]
    """The number of the split that it was dealt into before it was left out."""
    cluster: Rows
    """The row that its cluster of near-duplicates is named after; itself, if it is alone."""

    @property
    def stays(self) -> npt.NDArray[np.bool_]:
        """Mark the rows that are not left out so far."""
        stays: npt.NDArray[np.bool_] = self.cause == 0
        return stays

    def leave_out(self, rows: npt.NDArray[np.bool_], cause: int, of: Rows | None = None) -> None:
        """Leave out the marked rows that were still in."""
        rows = rows & self.stays
        self.cause[rows] = cause
        if of is not None:
            self.of[rows] = of[rows]

    def most_frequent_cause(self) -> str:
        """Name what kept most rows from training: "split" if they went into validation or test."""
        return CAUSES[int(np.bincount(self.cause).argmax())] or "split"

    def order(self, splits: npt.NDArray[np.integer[Any]], ranks: Keys) -> Rows:
        """Order all rows so that the first of any group is the one to keep."""
        return np.lexsort((ranks[:, 0], -splits, ~self.stays))

    def write(self, path: Path) -> None:
        """Write the decisions as one table."""
        write_table(path, arrow().table(vars(self)))

    @classmethod
    def read(cls, path: Path) -> "Decisions":
        """Read what `write` wrote."""
        table = arrow().parquet.read_table(path)
        return cls(**{name: table[name].to_numpy().copy() for name in table.column_names})


def decide(shards: Shards, recipe: PrepareRecipe) -> Decisions:
    """
    Decide about every row.

    Raises:
        DataError: if two rows have the same id of their own.
    """
    _check_ids(shards, recipe)
    num_rows = len(shards)
    cause = np.where(_is_given(shards, "cause"), CLEANED, 0).astype(np.int8)
    splits = np.zeros(num_rows, np.int8)
    decisions = Decisions(splits, cause, np.full(num_rows, -1), splits, np.arange(num_rows))
    wanted, ranks = _wanted_splits(shards, recipe), shards.keys("rank_key")
    decisions.leave_out((shards.column("overlap") != NONE) & (wanted <= TRAIN), OVERLAP)
    if recipe.deduplicate.exact:
        _leave_out_exact(decisions, shards.keys("said_key"), decisions.order(wanted, ranks))
    if recipe.deduplicate.near:
        _leave_out_near(decisions, shards, decisions.order(wanted, ranks), recipe.deduplicate.near)
    _deal_out(decisions, shards, wanted, recipe)
    for name in ("unit_key", "asked_key"):
        _leave_out_leaks(decisions, shards.keys(name), decisions.order(decisions.split, ranks))
    decisions.dealt = decisions.split.copy()
    decisions.split[~decisions.stays] = LEFT_OUT
    return decisions


def _leave_out_exact(decisions: Decisions, keys: Keys, order: Rows) -> None:
    keeper = first_of_each(number_groups(keys), order)
    decisions.leave_out(keeper != np.arange(len(keys)), EXACT, keeper)


def _leave_out_near(decisions: Decisions, shards: Shards, order: Rows, near: NearSettings) -> None:
    keys = shards.keys("compared_key")
    texts = number_groups(keys)  # rows that compare as equal are one text: noisy versions of it are welcome
    heads = first_of_each(texts, order)
    candidates = np.flatnonzero(decisions.stays & (heads == np.arange(len(keys))))
    candidates = candidates[np.argsort(keys[candidates, 0])]  # which pairs are proposed hangs on this order
    pairs = propose_pairs(shards.keys("bands")[candidates])

    def texts_of(places: Rows) -> list[str]:
        return _compared_texts(shards, candidates[places])

    lengths = shards.column("num_characters")[candidates]
    alike = pairs[similarities(pairs, texts_of, near.shingle, lengths) >= near.similarity]
    clusters = np.arange(len(keys))
    clusters[candidates] = candidates[join_pairs(alike, len(candidates))]
    decisions.cluster = clusters[heads]
    keeper = first_of_each(np.unique(decisions.cluster, return_inverse=True)[1], order)
    decisions.leave_out(texts != texts[keeper], NEAR, keeper)


def _compared_texts(shards: Shards, rows: Rows) -> list[str]:
    """Fetch what rows in any order are compared by."""
    rising = np.argsort(rows)
    records = shards.records(rows[rising], FORMS[shards.form])
    parts = (compared(said(record, shards.form), shards.form) for record in records)
    texts = dict(zip(rising.tolist(), ("".join(map(normalise, part)) for part in parts), strict=True))
    return [texts[place] for place in range(len(rows))]


def _deal_out(decisions: Decisions, shards: Shards, wanted: Rows, recipe: PrepareRecipe) -> None:
    """Deal out the rows that stay and that no source puts anywhere; those that belong to training rows go there."""
    keys = shards.keys("unit_key")
    units = number_groups(keys)
    preset = np.full(len(units), -1)  # of each unit: the highest split that a source puts one of its rows into
    np.maximum.at(preset, units[decisions.stays], wanted[decisions.stays])
    free = np.flatnonzero(decisions.stays & (wanted < TRAIN) & (preset[units] != TRAIN))
    decisions.split[:] = np.maximum(wanted, TRAIN)
    decisions.split[free] = deal_out(keys[free], _strata(shards, recipe)[free], recipe.seed, recipe.split)


def _leave_out_leaks(decisions: Decisions, keys: Keys, order: Rows) -> None:
    """A group or a question of the test stays out of validation and training, one of validation out of training."""
    keeper = first_of_each(number_groups(keys), order)
    decisions.leave_out(decisions.split != decisions.split[keeper], LEAK, keeper)


def _wanted_splits(shards: Shards, recipe: PrepareRecipe) -> Rows:
    """Give the split that each row's source asks for, -1 if it asks for none."""
    splits = {source.title: SPLITS.index(source.split) if source.split else -1 for source in recipe.sources}
    return _of_source(shards, splits)


def _of_source(shards: Shards, values: dict[str, int]) -> Rows:
    parts = []
    for number in range(len(shards.paths)):
        column = shards.table(number, ["source"])["source"].combine_chunks()
        by_name = np.array([values[name] for name in column.dictionary.to_pylist()], dtype=np.int64)
        parts.append(by_name[column.indices.to_numpy()])
    return np.concatenate(parts)


def _strata(shards: Shards, recipe: PrepareRecipe) -> Rows:
    if recipe.split.stratify == "length":
        return length_classes(shards.column("num_characters"))
    if recipe.split.stratify == "label":
        return np.unique(shards.column("label").astype(str), return_inverse=True)[1]
    return np.zeros(len(shards), dtype=np.int64)


def _is_given(shards: Shards, name: str) -> npt.NDArray[np.bool_]:
    parts = [shards.table(number, [name])[name].is_valid().to_numpy() for number in range(len(shards.paths))]
    return np.concatenate(parts)


def _check_ids(shards: Shards, recipe: PrepareRecipe) -> None:
    """Refuse ids of the user's own that stand twice; ids that are hashes may, as repeated rows have equal ones."""
    with_ids = {source.title: int("id" in source.fields) for source in recipe.sources}
    if not any(with_ids.values()):
        return
    rows = np.flatnonzero(_of_source(shards, with_ids) & shards.column("own_id"))
    ids = shards.column("id")[rows].astype(str)
    _, first, places = np.unique(ids, return_index=True, return_inverse=True)
    twice = np.flatnonzero(first[places] != np.arange(len(ids)))
    if len(twice):
        raise _twice(shards, rows[twice], rows[first[places[twice]]])


def _twice(shards: Shards, again: Rows, before: Rows) -> DataError:
    where, ids = shards.column("where"), shards.column("id")
    listed = [
        f"{where[row]}: found the id {ids[row]!r}, which {where[other]} has too"
        for row, other in list(zip(again.tolist(), before.tolist(), strict=True))[:MAX_LISTED]
    ]
    more = f"; and {len(again) - MAX_LISTED} more" if len(again) > MAX_LISTED else ""
    return DataError("; ".join(listed) + more, "give each row an id of its own, or leave `id` out of `fields`")
