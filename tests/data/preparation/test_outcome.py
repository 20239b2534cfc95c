"""
What is written of a preparation: the rows of each split, noise and all, and the ledger.

In: rows, a recipe. Out: Parquet files.
"""

import json
from pathlib import Path

import pyarrow.parquet
import pytest

from hanpuri.data.preparation.decisions import decide
from hanpuri.data.preparation.intake import take_in
from hanpuri.data.preparation.outcome import join_parts, part_path, slice_of, write_ledger, write_parts
from hanpuri.data.preparation.overlap import EvaluationTexts
from hanpuri.data.preparation.shards import COUNTS, Shards
from hanpuri.data.preparation.splitting import SPLITS
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.data.records.records import Record

LONG = "역에서 내려 골목을 따라 십 분쯤 걸으면 작은 마당이 있는 한옥이 나오고 주인이 차를 내어 줍니다"


class Made:
    """What was written of rows, two a shard; of a source in `fixed` all rows go into one split."""

    def __init__(self, folder: Path, form: str, sources: dict[str, list[dict]], **more: object) -> None:
        described = [{"path": name, "name": name, "split": name if name in SPLITS else None} for name in sources]
        whole = {"kind": "prepare", "name": "made", "form": form, "sources": described, **more}
        recipe = PrepareRecipe.model_validate(whole)
        records = [
            Record({key: value for key, value in row.items() if key != "id"}, row.get("id", ""), name, f"{name}:{line}")
            for name, rows in sources.items()
            for line, row in enumerate(rows, 1)
        ]
        for begin in range(0, len(records), 2):
            take_in(records[begin : begin + 2], recipe, EvaluationTexts.read((), 15), folder / f"{begin:05}.parquet")
        self.folder = folder
        self.shards = Shards(sorted(folder.glob("*.parquet")), recipe.form)
        decisions = decide(self.shards, recipe)
        parts = folder / "parts"
        parts.mkdir()
        numbers = range(len(self.shards.paths))
        for number in numbers:
            own = slice_of(decisions, *self.shards.starts[number : number + 2])
            write_parts(self.shards, number, own, recipe, parts)
        paths = {split: [part_path(parts, number, split) for number in numbers] for split in SPLITS}
        self.sizes = {split: join_parts(paths[split], folder / split) for split in SPLITS}
        metadata = {split: map(pyarrow.parquet.read_schema, paths[split]) for split in SPLITS}
        self.missing = {
            split: sum(json.loads(schema.metadata[COUNTS]).get("missing", 0) for schema in schemas)
            for split, schemas in metadata.items()
        }
        write_ledger(self.shards, decisions, folder / "ledger")

    def rows(self, name: str) -> list[dict]:
        return pyarrow.parquet.read_table(self.folder / name).to_pylist()


def texts(*lines: str) -> list[dict]:
    return [{"text": line} for line in lines]


def test_rows_are_written_in_reading_order_with_what_is_known_of_them(tmp_path):
    lines = [f"{number}호실은 {LONG[number:]}" for number in range(5)]
    made = Made(tmp_path, "text", {"train": texts(*lines), "test": texts("조식이 있어요")}, deduplicate={"near": None})
    assert made.sizes == {"train": 5, "validation": 0, "test": 1}
    assert [row["text"] for row in made.rows("train")] == lines
    assert made.rows("validation") == []
    [row] = made.rows("test")
    assert (row.pop("id"), row) == (
        made.shards.column("id")[5],
        {"source": "test", "where": "test:1", "group": None, "label": None, "text": "조식이 있어요"},
    )


def test_the_ledger_has_a_line_for_each_row_with_its_cause_and_what_it_repeats(tmp_path):
    rows = [
        {"id": "1", "text": LONG},
        {"id": "2", "text": "ㅋ"},
        {"id": "3", "text": f"{LONG}!"},
        {"id": "4", "text": LONG.replace("줍니다", "줘요")},
        {"id": "5", "text": "조식이 있어요"},
    ]
    sources = {"test": [{"id": "0", "text": LONG}], "train": rows}
    made = Made(tmp_path, "text", sources, clean={"min_characters": 2})
    assert [tuple(row.values()) for row in made.rows("ledger")] == [
        ("0", "test", "test:1", "test", None, None),
        ("1", "train", "train:1", None, "exact_duplicate", "0"),
        ("2", "train", "train:2", None, "min_characters", None),
        ("3", "train", "train:3", None, "exact_duplicate", "0"),
        ("4", "train", "train:4", None, "near_duplicate", "0"),
        ("5", "train", "train:5", "train", None, None),
    ]
    assert list(made.rows("ledger")[0]) == ["id", "source", "where", "split", "cause", "of"]


@pytest.mark.parametrize("unchanged", [0.0, 1.0])
def test_texts_get_all_their_noisy_versions_in_training_and_one_elsewhere(unchanged, tmp_path):
    sources = {name: texts(f"{name} 방이 참 넓어요", f"{name} 조식이 맛있어요") for name in SPLITS}
    made = Made(tmp_path, "text", sources, augment={"copies": 3, "unchanged": unchanged})
    copies = {split: [row["copy"] for row in made.rows(split)] for split in SPLITS}
    in_training = [0, 1, 2, 3] if unchanged else [1, 2, 3]
    assert copies == {"train": in_training * 2, "validation": [1, 1], "test": [1, 1]}
    for split in SPLITS:
        assert "text" not in made.rows(split)[0]
        assert all((row["noisy"] == row["clean"]) == (row["copy"] == 0) for row in made.rows(split))
        assert made.missing[split] == 0


def test_a_text_without_a_noisy_form_stands_beside_itself_and_its_copies_are_missing(tmp_path):
    sources = {name: texts("ㅋㅋ" if name == "train" else "ok", "방이 넓어요") for name in ("train", "test")}
    made = Made(tmp_path, "text", sources, augment={"copies": 4})
    assert [(row["noisy"], row["copy"]) for row in made.rows("train") if row["clean"] == "ㅋㅋ"] == [("ㅋㅋ", 0)]
    assert [(row["noisy"], row["copy"]) for row in made.rows("test") if row["clean"] == "ok"] == [("ok", 0)]
    assert made.missing == {"train": 4, "validation": 0, "test": 1}


def test_pairs_keep_their_noise_and_get_more_in_training_alone(tmp_path):
    sources = {name: [{"noisy": "빵위 넒어욥", "clean": f"방이 넓어요 {name}"}] for name in SPLITS}
    made = Made(tmp_path, "pairs", sources, augment={"copies": 2})
    for split in ("validation", "test"):
        [row] = made.rows(split)
        assert (row["noisy"], row["clean"]) == ("빵위 넒어욥", f"방이 넓어요 {split}")
        assert [row[name] for name in ("copy", "profile", "strength", "any_syllable", "seed")] == [None] * 5
    given, *added = made.rows("train")
    assert (given["noisy"], given["copy"]) == ("빵위 넒어욥", None)
    assert [row["copy"] for row in added] == [1, 2]
    assert len({row["noisy"] for row in (given, *added)}) == 3
    assert {row["id"] for row in added} == {given["id"]}


def test_noise_does_not_hang_on_the_rows_beside_or_on_the_shard(tmp_path):
    lines = [f"{number}호실은 {LONG[number:]}" for number in range(6)]
    made: list[set[tuple[str, str]]] = []
    for name, some in (("all", lines), ("some", lines[3:])):
        (tmp_path / name).mkdir()
        settings = {"augment": {"copies": 2}, "deduplicate": {"near": None}}
        rows = Made(tmp_path / name, "text", {"train": texts(*some)}, **settings).rows("train")
        made.append({(row["clean"], row["noisy"]) for row in rows})
    assert made[1] < made[0]
