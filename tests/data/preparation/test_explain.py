"""
One row's way through a preparation.

In: a finished folder, an id or a place. Out: what was read, what was done to it, where it ended.
"""

import json
from pathlib import Path

import pytest

from hanpuri.data.cleaning.cleaner import Change
from hanpuri.data.preparation.content import content_id
from hanpuri.data.preparation.explain import Way, explain
from hanpuri.data.preparation.prepare import prepare
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.errors import DataError

LONG = "역에서 내려 골목을 따라 십 분쯤 걸으면 작은 마당이 있는 한옥이 나오고 주인이 차를 내어 줍니다"
ROWS = [
    {"id": "a", "text": f" {LONG}\u200b "},
    {"id": "b", "text": LONG.replace("줍니다", "줘요")},
    {"id": "c", "text": "ㅋ"},
    {"text": "조식이 맛있어요"},
    {"text": "조식이 맛있어요"},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[PrepareRecipe, Path]:
    """Rows of two files, the first of them for the test, made into pairs."""
    folder = tmp_path_factory.mktemp("explained")
    for name, rows in (("held.jsonl", ROWS[:1]), ("후기.jsonl", ROWS[1:])):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text("".join(lines), encoding="utf-8")
    whole = {
        **{"kind": "prepare", "name": "made", "form": "text", "split": {"validation": 0, "test": 0}},
        "sources": [{"path": str(folder / "held.jsonl"), "split": "test"}, {"path": str(folder / "후기.jsonl")}],
        "clean": {"min_characters": 2},
        "augment": {"copies": 2},
    }
    recipe = PrepareRecipe.model_validate(whole)
    prepare(recipe, folder / "made", processes=1)
    return recipe, folder


def way_of(made: tuple[PrepareRecipe, Path], asked: str) -> Way:
    [way] = explain(made[0], made[1] / "made", asked)
    return way


def test_a_row_that_stays_is_told_with_its_changes_and_what_was_made_of_it(made):
    way = way_of(made, "a")
    assert (way.id, way.source, way.where) == ("a", "held.jsonl", f"{made[1] / 'held.jsonl'}:1")
    assert way.read == {"text": f" {LONG}\u200b "}
    assert way.changes == (
        Change("control_characters", "text", f" {LONG}\u200b ", f" {LONG} "),
        Change("white_space", "text", f" {LONG} ", LONG),
    )
    assert (way.split, way.cause, way.of, way.findings) == ("test", None, None, ())
    assert [(row["clean"], row["copy"]) for row in way.rows] == [(LONG, 1)]


def test_a_row_that_is_left_out_is_told_with_the_one_that_it_repeats(made):
    way = way_of(made, "b")
    assert (way.split, way.cause, way.of, way.rows) == (None, "near_duplicate", "a", ())
    assert way_of(made, "c").cause == "min_characters"


@pytest.mark.parametrize("folders", [True, False])
def test_a_row_is_found_by_its_place_too_with_its_folder_or_without(folders, made):
    place = f"{made[1] / '후기.jsonl'}:2" if folders else "후기.jsonl:2"
    assert way_of(made, place) == way_of(made, "c")


def test_rows_that_share_an_id_are_all_told_each_with_its_own_place(made):
    first, second = explain(made[0], made[1] / "made", content_id({"text": "조식이 맛있어요"}, "text"))
    assert [Path(way.where).name for way in (first, second)] == ["후기.jsonl:3", "후기.jsonl:4"]
    assert (first.split, first.cause, [row["copy"] for row in first.rows]) == ("train", None, [1, 2])
    assert (second.split, second.cause, second.of, second.rows) == (None, "exact_duplicate", first.id, ())


@pytest.mark.parametrize("asked", ["d", "", "sonl:1", "후기.jsonl:99", "후기.jsonl"])
def test_a_row_that_is_not_there_is_said_not_to_be(asked, made):
    with pytest.raises(DataError) as caught:
        explain(made[0], made[1] / "made", asked)
    assert str(caught.value) == (
        f"no row that was read has the id or the place {asked!r}; "
        f"ids and places stand in {made[1] / 'made' / 'ledger.parquet'}, such as a and {made[1] / 'held.jsonl'}:1"
    )


def test_before_the_preparation_is_finished_nothing_is_told(made, tmp_path):
    with pytest.raises(DataError) as caught:
        explain(made[0], tmp_path, "a")
    assert str(caught.value) == (
        f"{tmp_path} holds no finished preparation; run the same command without --explain first"
    )


def test_a_row_whose_file_was_cut_since_is_said_to_be_gone(made, tmp_path):
    cut = tmp_path / "held.jsonl"
    cut.write_text('\n{"text": "조식"}\n', encoding="utf-8")
    recipe, folder = made
    source = recipe.sources[0].model_copy(update={"path": cut})
    moved = recipe.model_copy(update={"sources": (source, *recipe.sources[1:])})
    with pytest.raises(DataError) as caught:
        explain(moved, folder / "made", "a")
    assert str(caught.value) == (
        f"{folder / 'held.jsonl'}:1: found no such row any more; the file was changed since: prepare it anew"
    )
