"""
One source of rows ─► its two sides: rows to train on, and rows to watch by.

In: a prepared folder or a file, and a share to hold out. Out: Sides, each side a function that reads it from the first
row on:

    faq.jsonl, 1,000 rows, share 0.02  ─►  about 980 to train on, 20 to watch by: by a hash of what they ask

A row that asks the same as another is on the same side, and no row changes its side when others are added.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hanpuri.data.files.parquet import open_parquet
from hanpuri.data.preparation.content import BORDER, asked, said
from hanpuri.data.recipe import Form
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.records import Reading, Record
from hanpuri.errors import DataError

PREPARED = "train.parquet"
Records = Callable[[], Iterator[Record]]
Faults = Literal["error", "drop"]


@dataclass(frozen=True)
class Sides:
    """The two sides of a source."""

    form: Form
    files: tuple[Path, ...]
    """What is read."""
    train: Records
    validation: Records
    left_out: Callable[[], int]
    """Tells how many rows of the training side could not be read and were left out, once it was read."""


def open_sides(
    path: Path,
    validation: Path | None,
    share: float,
    form: Form | None,
    fields: Mapping[str, str],
    seed: int,
    faults: Faults = "error",
) -> Sides:
    """
    Open a prepared folder, which brings both sides, or a file, with another one beside it or a share held out.

    Args:
        path: the folder or the file.
        validation: the file to watch by, also in the place of the folder's own.
        share: of the rows of a file that has no other beside it.
        form: what a row is; told by its fields, if not given.
        fields: our field: their column.
        seed: decides which rows are held out.
        faults: rows that cannot be read: name them all, or leave them out.

    Raises:
        DataError: if a file cannot be read, a prepared folder is none, or the sides have two forms.
    """
    train, watched = _open(path, validation, form, fields, faults)
    if watched is not None and watched.form != train.form:
        found = f"{validation}: found rows of {watched.form}, expected {train.form} as in {path}"
        raise DataError(found, "give both files the same fields")
    files = (*train.files, *(watched.files if watched else ()))
    if watched is not None or path.is_dir():
        held_out = watched.records if watched else lambda: iter(())
        return Sides(train.form, files, train.records, held_out, lambda: train.num_faults)
    learnt, held_out = _parted(train, share, seed)
    return Sides(train.form, files, learnt, held_out, lambda: train.num_faults)


def question_draw(record: Record, form: Form, seed: int) -> float:
    """
    Give what a row asks its number from 0 to below 1: the same for all rows that ask the same.

        >>> rows = [Record({"noisy": noisy, "clean": "넓어요"}, "", "", "") for noisy in ("넓엎욘", "넙어요")]
        >>> len({question_draw(row, "pairs", seed=0) for row in rows})
        1
    """
    return draw(BORDER.join(asked(said(record.fields, form), form)), seed)


def name_of(record: Record) -> str:
    """Name a row: by its own id, or else by where it stands."""
    return record.id or record.where


def draw(text: str, seed: int) -> float:
    """Give a text its number from 0 to below 1."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") / 2**64


def _open(
    path: Path, other: Path | None, form: Form | None, fields: Mapping[str, str], faults: Faults
) -> tuple[Reading, Reading | None]:
    """Open the files of both sides; None where there is no file to watch by."""
    if not path.is_dir():
        return open_rows(path, form, fields, faults), open_rows(other, form, fields, faults) if other else None
    if not (path / PREPARED).is_file():
        found = f"{path}: found no {PREPARED} in this folder, expected a prepared set"
        raise DataError(found, "make one with `hanpuri prepare`, or give a file")
    if not _num_rows(path / PREPARED):
        found = f"{path}: found no rows in {PREPARED}, expected some"
        raise DataError(found, "see its report.html for the step that took them, and prepare it again")
    own = path / "validation.parquet"
    watched = other or (own if _num_rows(own) else None)
    learnt = open_rows(path / PREPARED, form, fields, faults)
    return learnt, open_rows(watched, form, fields, faults) if watched else None


def _num_rows(path: Path) -> int:
    if not path.is_file():
        return 0
    with open_parquet(path) as parquet:
        return int(parquet.metadata.num_rows)


def _parted(reading: Reading, share: float, seed: int) -> tuple[Records, Records]:
    """Part the rows of one file by a hash of what they ask."""

    def side(*, held_out: bool) -> Iterator[Record]:
        for record in reading.records():
            if (question_draw(record, reading.form, seed) < share) == held_out:
                yield record

    return lambda: side(held_out=False), lambda: side(held_out=True)
