"""
A run's folder: what stands in it, and what may come back to it.

In: settings, data files, metrics. Out: recipe.yaml, environment.json and metrics.jsonl, read back as they were.
"""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri import runs
from hanpuri.errors import DataError, RecipeError
from hanpuri.recipe import Settings, read_recipe
from hanpuri.runs import Run, sha256_of, write_json


class Recipe(Settings):
    kind: str = "soup"
    litres: float = 1.0


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, so that messages hold bare file names."""
    monkeypatch.chdir(tmp_path)
    Path("리뷰.txt").write_text("방이 좋아요\n", encoding="utf-8")
    Path("other.txt").write_text("", encoding="utf-8")


DATA = (Path("리뷰.txt"), Path("other.txt"))
FOLDER = Path("runs") / "base"


def environment() -> dict:
    return json.loads((FOLDER / "environment.json").read_text(encoding="utf-8"))


# --- what a run keeps


def test_a_run_keeps_its_recipe_with_every_default():
    Run.start(FOLDER, Recipe(), [])
    assert (FOLDER / "recipe.yaml").read_text(encoding="utf-8") == "kind: soup\nlitres: 1.0\n"
    assert read_recipe(FOLDER / "recipe.yaml", {"soup": Recipe}) == Recipe()


def test_a_run_keeps_the_hashes_of_its_data():
    Run.start(FOLDER, Recipe(), DATA)
    assert environment()["data"] == {
        "리뷰.txt": hashlib.sha256("방이 좋아요\n".encode()).hexdigest(),
        "other.txt": hashlib.sha256(b"").hexdigest(),
    }


def test_a_run_keeps_the_versions_the_machine_and_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["hanpuri", "train", "base", "--set", "litres=1"])
    monkeypatch.setattr(runs, "LIBRARIES", ("pydantic", "no-such-library"))
    Run.start(FOLDER, Recipe(), [])
    kept = environment()
    assert kept["command"] == ["train", "base", "--set", "litres=1"]
    assert kept["libraries"]["no-such-library"] == "not installed"
    assert kept["libraries"]["pydantic"][0].isdigit()
    assert kept["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(kept) == {"python", "platform", "num_cpus", "libraries", "command", "data"}


def test_a_large_file_is_hashed_block_by_block(monkeypatch):
    monkeypatch.setattr(runs, "BLOCK", 7)
    assert sha256_of(Path("리뷰.txt")) == hashlib.sha256("방이 좋아요\n".encode()).hexdigest()


# --- coming back


def test_the_same_run_may_go_on():
    Run.start(FOLDER, Recipe(), DATA).log(step=1)
    again = Run.start(FOLDER, Recipe(), DATA)
    again.log(step=2)
    assert [metrics["step"] for metrics in again.metrics()] == [1, 2]


def test_a_folder_of_another_recipe_is_refused_and_left_as_it_was():
    Run.start(FOLDER, Recipe(), DATA)
    before = {path: path.read_bytes() for path in FOLDER.iterdir()}
    with pytest.raises(RecipeError) as caught:
        Run.start(FOLDER, Recipe(litres=2.0), DATA)
    assert str(caught.value) == (
        f"{FOLDER} holds a run of another recipe; give the run another name, or remove that folder"
    )
    assert {path: path.read_bytes() for path in FOLDER.iterdir()} == before


def test_other_data_under_the_same_name_is_refused_and_the_old_hashes_stay():
    Run.start(FOLDER, Recipe(), DATA)
    before = environment()
    for path in DATA:
        path.write_text("changed", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        Run.start(FOLDER, Recipe(), DATA)
    assert str(caught.value) == (
        f"{FOLDER} holds a run on other data: 리뷰.txt, other.txt changed since; "
        "give the run another name, or remove that folder"
    )
    assert environment() == before


def test_a_run_that_cannot_start_leaves_no_folder():
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: 'none.txt'"):
        Run.start(FOLDER, Recipe(), [Path("none.txt")])
    assert not FOLDER.exists()


# --- metrics


def test_a_run_that_logged_nothing_has_no_metrics():
    assert list(Run.start(FOLDER, Recipe(), []).metrics()) == []


def test_every_line_of_metrics_has_its_time(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_762_000_000.123)
    run = Run.start(FOLDER, Recipe(), [])
    run.log(step=1, loss=0.5, note="처음")
    assert (FOLDER / "metrics.jsonl").read_text(encoding="utf-8") == (
        '{"time": 1762000000.1, "step": 1, "loss": 0.5, "note": "처음"}\n'
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\r\x85\u2028\u2029\x1c"))
METRICS = st.dictionaries(
    st.text("abcdefgh_", min_size=1), st.integers() | st.floats(allow_nan=False) | TEXTS, max_size=4
)


@given(st.lists(METRICS, max_size=4))
def test_metrics_are_read_back_as_they_were_logged(tmp_path_factory, logged):
    run = Run(tmp_path_factory.mktemp("run"))
    for metrics in logged:
        run.log(**metrics)
    read = list(run.metrics())
    for metrics in read:
        assert isinstance(metrics.pop("time"), float)
    assert read == logged


# --- JSON


def test_json_takes_the_place_of_the_old_file_and_leaves_nothing_beside_it():
    path = Path("a.json")
    write_json(path, {"이름": [1, 2]})
    write_json(path, {"이름": 3})
    assert path.read_text(encoding="utf-8") == '{\n  "이름": 3\n}\n'
    assert list(Path().glob("a.json*")) == [path]


def test_json_that_cannot_be_written_leaves_the_old_file():
    path = Path("a.json")
    write_json(path, {"a": 1})
    with pytest.raises(TypeError, match="Object of type object is not JSON serializable"):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
