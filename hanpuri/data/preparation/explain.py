"""
One row's way through a preparation, read again from its source.

In: a finished folder, and an id or a place such as `reviews.csv:17`. Out: what was read, each change, where it ended:

    Way(id="61ee48a010194a08f8b3", where="reviews.csv:17", read={"text": " 방이 넓어요"},
        changes=(Change("white_space", "text", " 방이 넓어요", "방이 넓어요"),), split="train", …)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.cleaning.cleaner import Change, Cleaner
from hanpuri.data.preparation.shards import arrow
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.data.records.records import Reading, Record
from hanpuri.errors import DataError


@dataclass(frozen=True)
class Way:
    """What became of one row that was read."""

    id: str
    source: str
    where: str
    read: Mapping[str, Any]
    """Its fields as they were read."""
    changes: tuple[Change, ...]
    """What cleaning did to them, in order."""
    findings: tuple[str, ...]
    """What was seen in it: U+FFFD, mojibake."""
    split: str | None
    """The split it is in; None if it was left out."""
    cause: str | None
    """Why it was left out."""
    of: str | None
    """The id of the row that it repeats; that one stays, or was left out later for a cause of its own."""
    rows: tuple[Mapping[str, Any], ...]
    """What is in the split: the row, or its noisy copies."""


def explain(recipe: PrepareRecipe, folder: Path, asked: str) -> list[Way]:
    """
    Tell the way of the row with an id, or of the one that was read at a place; rows that say the same may share an id.

    A place may leave out folders: `reviews.csv:17` finds `data/reviews.csv:17`.

    Raises:
        DataError: if the folder holds no finished preparation, or no such row was read.
    """
    ledger = folder / "ledger.parquet"
    if not (folder / "report.json").exists():
        raise DataError(f"{folder} holds no finished preparation", "run the same command without --explain first")
    pc = arrow().compute
    id, where = pc.field("id"), pc.field("where")
    filters = (id == asked) | (where == asked) | pc.ends_with(where, f"/{asked}")
    entries = arrow().parquet.read_table(ledger, filters=filters)
    if not entries.num_rows:
        found = f"no row that was read has the id or the place {asked!r}"
        raise DataError(found, f"ids and places stand in {ledger}, such as {_first(ledger)}")
    return [_way(recipe, folder, entry) for entry in entries.to_pylist()]


def _way(recipe: PrepareRecipe, folder: Path, entry: Mapping[str, Any]) -> Way:
    record = _read_again(recipe, entry["source"], entry["where"])
    cleaning = Cleaner(recipe.clean, recipe.form).clean(record.fields)
    rows = []
    if entry["split"]:
        rows = arrow().parquet.read_table(folder / f"{entry['split']}.parquet", filters=[("id", "==", entry["id"])])
        rows = [row for row in rows.to_pylist() if row["where"] == entry["where"]]
    return Way(read=record.fields, changes=cleaning.changes, findings=cleaning.findings, rows=tuple(rows), **entry)


def _read_again(recipe: PrepareRecipe, title: str, where: str) -> Record:
    (source,) = [source for source in recipe.sources if source.title == title]
    for record in Reading(source, recipe.form).records():
        if record.where == where:
            return record
    raise DataError(f"{where}: found no such row any more", "the file was changed since: prepare it anew")


def _first(ledger: Path) -> str:
    first = next(arrow().parquet.ParquetFile(ledger).iter_batches(1, columns=["id", "where"])).to_pylist()[0]
    return f"{first['id']} and {first['where']}"
