"""
A run's folder: what stands in it, and what may come back to it.

In: settings, data files, metrics. Out: recipe.yaml, environment.json and metrics.jsonl, read back as they were.
"""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import DataError, HanpuriError, RecipeError
from hanpuri.recipe import Settings, read_recipe
from hanpuri.runs import Run, files, sha256_of, write_json
from hanpuri.runs import environment as environments
from hanpuri.runs.folder import is_running


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


def test_a_run_keeps_the_versions_the_machine_and_the_command_of_its_start(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["hanpuri", "train", "base", "--set", "litres=1"])
    monkeypatch.setattr(environments, "LIBRARIES", ("pydantic", "no-such-library"))
    Run.start(FOLDER, Recipe(), [])
    (kept,) = environment()["starts"]
    assert kept["command"] == ["train", "base", "--set", "litres=1"]
    assert kept["libraries"]["no-such-library"] == "not installed"
    assert kept["libraries"]["pydantic"][0].isdigit()
    assert kept["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(kept) == {"time", "python", "platform", "num_cpus", "libraries", "command", "git"}


def test_a_run_keeps_the_hashes_that_its_stage_hands_in():
    Run.start(FOLDER, Recipe(), [], {"template": "9f2c"})
    assert environment()["hashes"] == {"template": "9f2c"}


@pytest.mark.parametrize(
    ("change", "git"),
    [
        (None, {"dirty": False}),
        ("tracked.txt", {"dirty": True}),
        ("runs.txt", {"dirty": False}),  # git does not know this file
    ],
)
def test_the_state_of_the_code_is_kept(change, git):
    Path("tracked.txt").write_text("1", encoding="utf-8")
    commit = commit_all()
    if change:
        Path(change).write_text("2", encoding="utf-8")
    Run.start(FOLDER, Recipe(), [])
    assert environment()["starts"][0]["git"] == {"commit": commit, **git}


def commit_all() -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for arguments in (["init", "-q"], ["add", "tracked.txt"], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *arguments], check=True)
    return subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_where_there_is_no_commit_or_no_git_nothing_is_said_of_it(monkeypatch):
    subprocess.run(["git", "init", "-q"], check=True)
    assert environments.git_state() is None
    monkeypatch.setenv("PATH", "")
    assert environments.git_state() is None


def test_a_large_file_is_hashed_block_by_block(monkeypatch):
    monkeypatch.setattr(files, "BLOCK", 7)
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
        f"{FOLDER} holds a run of another recipe: litres 1.0 → 2.0; give the run another name, or remove that folder"
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


def test_another_template_or_tokenizer_is_refused_by_name():
    Run.start(FOLDER, Recipe(), DATA, {"template": "1", "tokenizer": "1", "chat": "1"})
    with pytest.raises(DataError) as caught:
        Run.start(FOLDER, Recipe(), DATA, {"template": "2", "tokenizer": "2", "chat": "1"})
    mend = "give the run another name, or remove that folder"
    assert str(caught.value) == f"{FOLDER} holds a run with another template, another tokenizer; {mend}"


class Deep(Settings):
    kind: str = "soup"
    pot: Recipe = Recipe()
    herbs: tuple[str, ...] = ()
    a: int = 0
    b: int = 0
    c: int = 0


def test_of_many_keys_that_differ_the_first_few_are_named():
    Run.start(FOLDER, Deep(), [])
    with pytest.raises(RecipeError) as caught:
        Run.start(FOLDER, Deep(pot=Recipe(litres=3), herbs=("파",), a=1, b=2, c=3), [])
    assert caught.value.message == (
        f"{FOLDER} holds a run of another recipe: pot.litres 1.0 → 3.0, herbs.0 (not there) → 파, a 0 → 1, b 0 → 2, "
        "and 1 more"
    )


def test_keys_that_do_not_change_the_result_may_differ_and_the_change_is_kept():
    Run.start(FOLDER, Deep(), [], may_change=["herbs"])
    with pytest.raises(RecipeError, match="another recipe: a 0 → 1;"):
        Run.start(FOLDER, Deep(herbs=("파",), a=1), [], may_change=["herbs", "a_long_name"])
    Run.start(FOLDER, Deep(herbs=("파",)), [], may_change=["herbs"])
    assert read_recipe(FOLDER / "recipe.yaml", {"soup": Deep}).herbs == ("파",)
    assert [start.get("recipe_changes") for start in environment()["starts"]] == [None, ["herbs.0 (not there) → 파"]]


def test_the_environment_of_each_start_is_kept_the_first_one_first(monkeypatch):
    for command in (["train", "base"], ["train", "base"], ["train", "base", "--device", "cpu"]):
        monkeypatch.setattr(sys, "argv", ["hanpuri", *command])
        Run.start(FOLDER, Recipe(), DATA)  # the second one is no other than the first
    assert [start["command"] for start in environment()["starts"]] == [
        ["train", "base"],
        ["train", "base", "--device", "cpu"],
    ]


def test_a_folder_of_an_older_hanpuri_goes_on_and_keeps_its_first_environment():
    FOLDER.mkdir(parents=True)
    (FOLDER / "recipe.yaml").write_text("kind: soup\nlitres: 1.0\n", encoding="utf-8")
    write_json(FOLDER / "environment.json", {"python": "3.11.0", "command": ["train"], "data": {"리뷰.txt": "00"}})
    with pytest.raises(DataError, match=r"holds a run on other data: 리뷰.txt changed since; give"):
        Run.start(FOLDER, Recipe(), DATA)
    Run.start(FOLDER, Recipe(), [])
    assert environment()["starts"][0] == {"python": "3.11.0", "command": ["train"]}
    assert environment()["data"] == {"리뷰.txt": "00"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("recipe.yaml", "", "runs/base/recipe.yaml cannot be read as the recipe of a run"),  # a crash left it empty
        ("recipe.yaml", "a: [", "runs/base/recipe.yaml cannot be read as the recipe of a run"),
        ("recipe.yaml", b"\xff\xfe", "runs/base/recipe.yaml cannot be read as the recipe of a run"),
        ("environment.json", "{", "runs/base/environment.json cannot be read as the environment of a run"),
        ("environment.json", "[]", "runs/base/environment.json cannot be read as the environment of a run"),
    ],
)
def test_a_damaged_folder_is_refused(name, content, message):
    Run.start(FOLDER, Recipe(), [])
    (FOLDER / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(HanpuriError) as caught:
        Run.start(FOLDER, Recipe(), [])
    assert str(caught.value) == f"{message}; give the run another name, or remove that folder"


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


def test_a_half_line_is_passed_over_and_the_next_one_begins_anew():
    run = Run.start(FOLDER, Recipe(), [])
    run.log(step=1)
    with (FOLDER / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"time": 1.0, "step": 2, "lo')  # kill -9
    assert [line["step"] for line in run.metrics()] == [1]
    run.log(step=2)
    assert [line["step"] for line in run.metrics()] == [1, 2]


def test_lines_beyond_a_step_can_be_cut(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1.0)
    run = Run.start(FOLDER, Recipe(), [])
    assert run.cut_metrics(0) == 0  # there is no file yet
    for step in (1, 2, 3):
        run.log(step=step, note="한\u2028줄")
    run.log(event="no step")
    with (FOLDER / "metrics.jsonl").open("ab") as file:
        file.write('{"step": 1, "half": "한'.encode()[:-1])
    assert run.cut_metrics(1) == 2
    assert (FOLDER / "metrics.jsonl").read_text(encoding="utf-8") == (
        '{"time": 1.0, "step": 1, "note": "한\u2028줄"}\n{"time": 1.0, "event": "no step"}\n'
    )
    assert sorted(path.name for path in FOLDER.iterdir()) == ["environment.json", "metrics.jsonl", "recipe.yaml"]


def test_half_a_surrogate_pair_is_logged_and_read_back():
    run = Run.start(FOLDER, Recipe(), [])
    assert run.log(step=1, message="반쪽\ud800")
    assert [line["message"] for line in run.metrics()] == ["반쪽\ud800"]


def test_a_disk_that_takes_nothing_costs_the_lines_and_one_warning(caplog, monkeypatch):
    run = Run.start(Path("runs") / "full", Recipe(), [])
    (run.folder / "metrics.jsonl").symlink_to("/dev/full")  # a file on a disk without room
    with caplog.at_level(logging.WARNING):
        assert [run.log(step=1), run.log(step=2)] == [False, False]
    path = run.folder / "metrics.jsonl"
    assert caplog.messages == [f"{path} cannot be written: No space left on device; the run goes on"]


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


# --- whether a run is at work


def test_a_run_counts_as_running_while_its_object_lives():
    run = Run.start(FOLDER, Recipe(), [])
    assert is_running(FOLDER)
    del run
    assert not is_running(FOLDER)


def test_a_run_that_has_finished_is_let_go():
    run = Run.start(FOLDER, Recipe(), [])
    run.finish({"finished": True, "scores": {"char_accuracy": 0.9}})
    assert not is_running(FOLDER)
    assert json.loads((FOLDER / "result.json").read_text(encoding="utf-8"))["scores"] == {"char_accuracy": 0.9}


def test_a_run_in_another_process_is_seen_and_after_kill_9_it_is_not():
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from hanpuri.recipe import Settings\nfrom hanpuri.runs import Run\n"
        "run = Run.start(Path(sys.argv[1]), Settings(), [])\nprint('started', flush=True)\ntime.sleep(60)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(FOLDER.resolve())]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        assert is_running(FOLDER)
        os.kill(process.pid, signal.SIGKILL)
    assert not is_running(FOLDER)


def test_a_folder_that_is_none_is_not_running():
    assert not is_running(Path("none"))


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


def test_several_processes_of_one_run_can_start_at_once():
    program = (
        "import sys\nfrom pathlib import Path\nfrom hanpuri.recipe import Settings\nfrom hanpuri.runs import Run\n"
        "for _ in range(10): Run.start(Path(sys.argv[1]), Settings(), [])"
    )
    command = [sys.executable, "-c", program, str(FOLDER.resolve())]
    root = Path(__file__).parents[2]
    both = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[1] for process in both] == ["", ""]
    assert len(environment()["starts"]) == 1
    assert sorted(path.name for path in FOLDER.iterdir()) == ["environment.json", "recipe.yaml"]
