"""
Records ─► shards: each row cleaned, given its keys, and marked where it is left out.

In: a batch of records. Out: one shard, with what was counted on the way in its metadata:

    Record(fields={"text": " 방이 넓어요\\u200b"}, where="reviews.csv:2", …)
        ─►  id 61ee48a010194a08f8b3, text "방이 넓어요", cause null, keys of what it says and asks

A batch depends on nothing but its own rows, so batches are worked on side by side, and after a stop only those that are
missing are made.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.cleaning.characters import replacement
from hanpuri.data.cleaning.cleaner import Cleaner
from hanpuri.data.preparation.content import BORDER, asked, compared, content_id, said
from hanpuri.data.preparation.deduplicate import key_of, normalise, sign_bands
from hanpuri.data.preparation.overlap import EvaluationTexts
from hanpuri.data.preparation.shards import COUNTS, KEY_BYTES, about_columns, arrow, cells, form_columns, write_table
from hanpuri.data.recipe import FORMS, PrepareRecipe
from hanpuri.data.records.records import Record


@dataclass(frozen=True)
class Row:
    """A cleaned row: its record, its own id or the one made for it, and why it is left out (None if it is not)."""

    record: Record
    id: str
    fields: dict[str, Any]
    cause: str | None


def take_in(records: Sequence[Record], recipe: PrepareRecipe, evaluation: EvaluationTexts, path: Path) -> None:
    """Clean a batch, compute its keys and write it as a shard; what cannot be in the training set is only marked."""
    counts: Counter[str] = Counter(rows=len(records))
    rows = list(_clean(records, recipe, counts))
    overlaps = evaluation.find([[] if row.cause else said(row.fields, recipe.form) for row in rows])
    columns = _columns(rows, recipe) | {"overlap": overlaps}
    table = arrow().table(columns, schema=_schema(recipe))
    write_table(path, table.replace_schema_metadata({COUNTS: json.dumps(dict(sorted(counts.items())))}))


def _clean(records: Iterable[Record], recipe: PrepareRecipe, counts: Counter[str]) -> Iterable[Row]:
    cleaner = Cleaner(recipe.clean, recipe.form)
    for record in records:
        cleaning = cleaner.clean(record.fields)
        counts.update({f"changed.{change.step}" for change in cleaning.changes})
        counts.update(f"found.{finding}" for finding in cleaning.findings)
        if cleaning.dropped:
            counts[f"dropped.{cleaning.dropped}"] += 1
        yield Row(record, record.id or content_id(record.fields, recipe.form), dict(cleaning.fields), cleaning.dropped)


def _columns(rows: Sequence[Row], recipe: PrepareRecipe) -> dict[str, Any]:
    written = [cells(row.fields, recipe.form) for row in rows]
    return {
        "id": [replacement(row.id) for row in rows],  # half a surrogate pair cannot be written
        "source": [row.record.source for row in rows],
        "where": [row.record.where for row in rows],
        "group": [row.record.group and replacement(row.record.group) for row in rows],
        "label": [row.record.label and replacement(row.record.label) for row in rows],
        **{field: [row[field] for row in written] for field in FORMS[recipe.form]},
        "own_id": [bool(row.record.id) for row in rows],
        "cause": [row.cause for row in rows],
        "num_characters": [sum(map(len, compared(said(row.fields, recipe.form), recipe.form))) for row in rows],
        **_keys(rows, recipe),
    }


def _keys(rows: Sequence[Row], recipe: PrepareRecipe) -> dict[str, list[bytes]]:
    form = recipe.form
    texts = [[normalise(text) for text in said(row.fields, form)] for row in rows]
    questions = [BORDER.join(asked(parts, form)) for parts in texts]
    groups = [row.record.group for row in rows]
    columns = {
        "rank_key": [key_of(_rank(row)) for row in rows],
        "said_key": [key_of(BORDER.join(parts)) for parts in texts],
        "compared_key": [key_of(BORDER.join(compared(parts, form))) for parts in texts],
        "asked_key": [key_of(question) for question in questions],
        "unit_key": [
            key_of(question if group is None else f"{BORDER}{group}")
            for group, question in zip(groups, questions, strict=True)
        ],
    }
    if near := recipe.deduplicate.near:
        bands = sign_bands(["".join(compared(parts, form)) for parts in texts], near)
        columns["bands"] = [band.tobytes() for band in bands]
    return columns


def _rank(row: Row) -> str:
    """Name what decides which of equal rows stays: all that the row is but its place."""
    record = row.record
    return BORDER.join((row.id, record.source, record.group or "", record.label or ""))


def _schema(recipe: PrepareRecipe) -> Any:
    pa = arrow()
    keys = [(name, pa.binary(KEY_BYTES)) for name in ("rank_key", "said_key", "compared_key", "asked_key", "unit_key")]
    if near := recipe.deduplicate.near:
        num_bands = sign_bands([""], near).shape[1]
        keys.append(("bands", pa.binary(8 * num_bands)))
    names = pa.dictionary(pa.int32(), pa.string())
    marks = [("own_id", pa.bool_()), ("cause", names), ("num_characters", pa.int64()), ("overlap", pa.int16())]
    return pa.schema([*about_columns(), *form_columns(recipe.form), *marks, *keys])
