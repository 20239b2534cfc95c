"""
Shards and decisions ─► train, validation and test rows, and the ledger of what became of every row.

In: cleaned rows, each with its split. Out: `train.parquet` with noisy copies beside the clean rows, and

    id                    source  where        split  cause           of
    61ee48a010194a08f8b3  nsmc    nsmc.txt:1   train
    5c1f0be6a1e8d40b7d11  nsmc    nsmc.txt:2          near_duplicate  61ee48a010194a08f8b3

in `ledger.parquet`. Parts are made side by side, one a shard, and joined in reading order.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hanpuri.data.preparation.augmentation import NoisyCopy, noisy_copies
from hanpuri.data.preparation.decisions import CAUSES, CLEANED, Decisions
from hanpuri.data.preparation.shards import COUNTS, Shards, about_columns, arrow, form_columns, write_table
from hanpuri.data.preparation.splitting import SPLITS
from hanpuri.data.recipe import FORMS, AugmentSettings, PrepareRecipe

LEDGER = "ledger"


def write_parts(shards: Shards, number: int, decisions: Decisions, recipe: PrepareRecipe, folder: Path) -> None:
    """Write what shard `number` gives to each split; `decisions` are those about its rows."""
    table = shards.table(number, [*(name for name, _ in about_columns()), *FORMS[recipe.form]])
    for place, split in enumerate(SPLITS):
        rows = table.filter(decisions.split == place)
        counts: Counter[str] = Counter()
        if recipe.augment:
            rows = _with_noise(rows.to_pylist(), recipe.augment, recipe.seed, split == "train", counts)
        rows = rows.replace_schema_metadata({COUNTS: json.dumps(dict(sorted(counts.items())))})
        write_table(part_path(folder, number, split), rows)


def part_path(folder: Path, number: int, split: str) -> Path:
    """Name the part that a shard gives to a split."""
    return folder / f"{number:05}-{split}.parquet"


def join_parts(paths: Sequence[Path], target: Path) -> int:
    """Join the parts of a split, in order, into one file; give its number of rows."""
    beside = target.with_name(target.name + ".part")
    parquet = arrow().parquet
    num_rows = 0
    schema = parquet.read_schema(paths[0]).remove_metadata()
    with parquet.ParquetWriter(beside, schema, compression="zstd") as writer:
        for path in paths:
            table = parquet.read_table(path).replace_schema_metadata()
            num_rows += table.num_rows
            if table.num_rows:
                writer.write_table(table)
    beside.replace(target)
    return num_rows


def write_ledger(shards: Shards, decisions: Decisions, target: Path) -> None:
    """Write what became of every row."""
    pa = arrow()
    ids = shards.column("id")
    beside = target.with_name(target.name + ".part")
    names = pa.dictionary(pa.int32(), pa.string())
    about = [("id", pa.string()), ("source", names), ("where", pa.string())]
    schema = pa.schema([*about, ("split", names), ("cause", names), ("of", pa.string())])
    with pa.parquet.ParquetWriter(beside, schema, compression="zstd") as writer:
        for number, start, end in zip(range(len(shards.paths)), shards.starts, shards.starts[1:], strict=False):
            table = shards.table(number, ["id", "source", "where", "cause"])
            cleaning = table["cause"].to_pylist()
            some = slice(start, end)
            columns = {
                "split": [SPLITS[split] if split >= 0 else None for split in decisions.split[some].tolist()],
                "cause": [
                    of_cleaning if cause == CLEANED else CAUSES[cause]
                    for cause, of_cleaning in zip(decisions.cause[some].tolist(), cleaning, strict=True)
                ],
                "of": [ids[row] if row >= 0 else None for row in decisions.of[some].tolist()],
            }
            columns |= {name: table[name] for name, _ in about}
            writer.write_table(pa.table(columns, schema=schema))
    beside.replace(target)


def noisy_columns() -> list[tuple[str, Any]]:
    """Name the columns that say how a noisy text was made, with their Arrow types; null in a pair that was given."""
    pa = arrow()
    names = pa.dictionary(pa.int32(), pa.string())
    return [
        ("copy", pa.int32()),
        ("profile", names),
        ("strength", pa.float64()),
        ("any_syllable", pa.bool_()),
        ("seed", pa.string()),
    ]


def _with_noise(
    rows: list[dict[str, Any]], settings: AugmentSettings, seed: int, is_train: bool, counts: Counter[str]
) -> Any:
    """
    Make pairs of texts, or add to pairs.

    Outside training a text gets one noisy version, since it cannot be measured without, and a pair is left as it is. A
    text that has no noisy form, such as ㅋㅋ, stands beside itself.
    """
    if not is_train:
        settings = settings.model_copy(update={"copies": 1, "unchanged": 0.0})
    made: list[dict[str, Any]] = []
    for row in rows:
        given = [row["noisy"]] if "noisy" in row else []
        clean = row["clean"] if given else row.pop("text")
        if given:
            made.append(row | dict.fromkeys(name for name, _ in noisy_columns()))
        if is_train or not given:
            copies = noisy_copies(clean, row["id"], settings, seed, given=given)
            counts["missing"] += settings.copies - sum(copy.copy > 0 for copy in copies)
            if not copies and not given:
                copies = noisy_copies(clean, row["id"], settings.model_copy(update={"unchanged": 1.0}), seed, 0)
            made.extend(row | {"clean": clean} | _provenance(copy) for copy in copies)
    schema = arrow().schema([*about_columns(), *form_columns("pairs"), *noisy_columns()])
    return arrow().Table.from_pylist(made, schema=schema)


def _provenance(copy: NoisyCopy) -> dict[str, Any]:
    return {name: getattr(copy, name) for name in ("noisy", *(name for name, _ in noisy_columns()))}


def slice_of(decisions: Decisions, start: int, end: int) -> Decisions:
    """Take the decisions about some rows."""
    return Decisions(**{name: np.asarray(values)[start:end] for name, values in vars(decisions).items()})
