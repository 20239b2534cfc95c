"""
The runs of a folder, and the one that a name means.

In: a folder with runs and with other things. Out: their facts, or one line that names the nearest.
"""

from pathlib import Path

import pytest

from hanpuri.errors import DataError
from hanpuri.runs.listing import find_run, list_runs


def test_runs_are_listed_the_last_one_at_work_first(run_folder, kinds, tmp_path):
    run_folder("old", lines=[{"time": kinds.noon - 9, "step": 1}])
    run_folder("young", lines=[{"time": kinds.noon, "step": 1}])
    run_folder("without a line", lines=[])
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "notes.txt").touch()
    assert [run.name for run in list_runs(tmp_path / "runs")] == ["young", "old", "without a line"]


def test_a_folder_that_is_missing_has_no_runs_and_a_file_is_none(tmp_path):
    assert list_runs(tmp_path / "none") == []
    (tmp_path / "file").touch()
    with pytest.raises(DataError) as caught:
        list_runs(tmp_path / "file")
    expected = f"{tmp_path / 'file'} is a file, expected the folder that holds the runs; name it with --runs"
    assert str(caught.value) == expected


def test_a_run_is_found_by_its_name_and_by_its_path(run_folder, tmp_path, monkeypatch):
    folder = run_folder("mine")
    for name in ("mine", str(folder), "../runs/mine"):
        assert find_run(name, tmp_path / "runs").name == "mine"
    monkeypatch.chdir(folder)
    assert find_run(".", Path("elsewhere")).name == "mine"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("qwen-lorra", "qwen-lorra: found no such run in runs; did you mean qwen-lora?"),
        ("xyz", "xyz: found no such run in runs; runs has mine, qwen-lora"),
        ("a\nb", "a\\nb: found no such run in runs; runs has mine, qwen-lora"),
        ("\0", "\\x00: found no such run in runs; runs has mine, qwen-lora"),
        ("가" * 300, f"{'가' * 300}: found no such run in runs; runs has mine, qwen-lora"),
    ],
)
def test_of_a_wrong_name_the_nearest_is_named(run_folder, tmp_path, monkeypatch, asked, message):
    run_folder("mine")
    run_folder("qwen-lora")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        find_run(asked, Path("runs"))
    assert str(caught.value) == message


def test_where_there_are_no_runs_this_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        find_run("mine", Path("runs"))
    expected = "mine: found no such run, and none in runs; name a run's folder, or where they are with --runs"
    assert str(caught.value) == expected
