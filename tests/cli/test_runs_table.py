"""
`hanpuri runs`: the list, one run, several of them beside each other.

In: folders of runs, some of them hostile. Out: what stands on the two channels.
"""

import json
from pathlib import Path

import pytest
import yaml

from hanpuri.cli import runs_table
from hanpuri.errors import DataError
from hanpuri.runs import write_json

NOON = 1_762_000_000.0


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


RUNS = Path("runs")


def write_run(name: str, accuracy: float = 0.9, learning_rate: float = 0.0002, message: str = "best so far") -> Path:
    """A small fine-tuning, finished."""
    folder = RUNS / name
    folder.mkdir(parents=True)
    recipe = {
        **{"kind": "sft", "name": "x", "model": {"path": "models/qwen3-0.6b"}, "data": {"path": "prepared/pairs"}},
        "training": {"steps": 20, "epochs": None, "learning_rate": learning_rate, "batch_size": 8},
        "watch": {"best_by": "char_accuracy", "log_every": 10, "generation": {"rows": 64}},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    start = {"time": "2025-11-01T12:00:00+00:00", "command": ["train", "x"], "python": "3.12.3", "num_cpus": 2}
    start |= {"git": {"commit": "1f0c" * 10, "dirty": True}, "libraries": {"trl": "1.16.0", "peft": "not installed"}}
    again = {**start, "command": ["train", "x", "--device", "cpu"], "recipe_changes": ["watch.trackers [] → 5"]}
    data = {"prepared/pairs/validation.parquet": "ab" * 32}
    write_json(folder / "environment.json", {"data": data, "hashes": {"template": "cd" * 32}, "starts": [start, again]})
    lines = [{"time": NOON + step, "step": step, "loss": 1 / step, "tokens_per_second": 500} for step in (10, 20)]
    lines.append({"time": NOON + 21, "step": 20, "event": "best", "message": message})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = {
        "finished": True,
        "best_step": 20,
        "scores": {"char_accuracy": accuracy},
        "seconds": 95.0,
        "method": "full",
    }
    write_json(folder / "result.json", result)
    return folder


def rows(printed: str) -> list[list[str]]:
    """The cells of a printed table: two spaces at least stand between any two."""
    return [[cell for cell in line.strip().split("  ") if cell] for line in printed.splitlines()]


# --- the list


def test_the_list_says_of_each_run_how_far_it_is_and_what_it_scored(capsys):
    write_run("mine", accuracy=0.9663)
    runs_table.list_runs(RUNS, as_json=False)
    head, mine = [[cell.strip() for cell in row] for row in rows(capsys.readouterr().out)]
    assert head == ["run", "kind", "model", "method", "state", "step", "best score", "last line", "time"]
    assert mine[:7] == ["mine", "sft", "qwen3-0.6b", "full", "finished", "20 / 20", "char_accuracy 0.9663"]
    assert mine[8] == "1 min 35 s"


def test_the_list_as_json_is_a_line_a_run(capsys):
    write_run("mine")
    write_run("한풀이")
    runs_table.list_runs(RUNS, as_json=True)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["name"] for one in found] == ["mine", "한풀이"]
    assert found[0] == {
        **{"name": "mine", "kind": "sft", "model": "qwen3-0.6b", "method": "full", "state": "finished"},
        **{"step": 20, "steps": 20, "best_step": 20, "scores": {"char_accuracy": 0.9}},
        **{"last_time": NOON + 21, "seconds": 95.0, "folder": "runs/mine"},
    }


def test_where_there_is_no_run_the_list_says_how_to_make_one(capsys):
    runs_table.list_runs(RUNS, as_json=False)
    assert capsys.readouterr().out == "runs holds no runs; `hanpuri train RECIPE` makes one\n"


# --- one run


def test_one_run_is_shown_with_all_that_a_number_came_from(capsys):
    write_run("mine")
    runs_table.show("mine", RUNS, as_json=False)
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if not line.startswith(" ")]
    assert titles == [
        "mine",
        "events",
        "recipe, where it is not the default",
        "data and hashes",
        "first start, 2025-11-01T12:00:00+00:00",
        "start 2, 2025-11-01T12:00:00+00:00",
        "files",
    ]
    told = [" ".join(line.split()) for line in shown.splitlines()]
    for line in (
        "state finished at step 20 of 20",
        "step 20 best: best so far",
        "training.learning_rate 0.0002",
        "watch.generation as by default",
        "prepared/pairs/validation.parquet abababababab",
        "template cdcdcdcdcdcd",
        "git 1f0c1f0c1f0c, files changed since",
        "libraries trl 1.16.0",
        "command hanpuri train x --device cpu",
        "recipe changed watch.trackers [] → 5",
        "metrics.jsonl runs/mine/metrics.jsonl",
    ):
        assert line in told
    assert "log_every" not in shown  # as by default


def test_one_run_as_json_holds_recipe_environment_result_and_events(capsys):
    write_run("mine")
    runs_table.show("mine", RUNS, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["recipe"]["training"]["learning_rate"] == 0.0002
    assert found["environment"]["hashes"] == {"template": "cd" * 32}
    assert found["result"]["scores"] == {"char_accuracy": 0.9}
    assert [event["event"] for event in found["events"]] == ["best"]


def test_a_wrong_name_is_answered_with_the_nearest():
    write_run("mine")
    with pytest.raises(DataError, match=r"^mien: found no such run in runs; did you mean mine\?$"):
        runs_table.show("mien", RUNS, as_json=False)


# --- several runs


def compare(*names: str, markdown: bool = False, html: Path | None = None, as_json: bool = False) -> None:
    runs_table.compare(names, RUNS, markdown=markdown, html=html, as_json=as_json)


def test_runs_stand_beside_each_other_with_the_best_marked_and_what_differs_below(capsys):
    write_run("mine", 0.95)
    write_run("base", 0.9, learning_rate=0.0001)
    compare("mine", "base")
    captured = capsys.readouterr()
    told = [" ".join(line.split()) for line in captured.out.splitlines()]
    assert told[0] == "mine base"
    assert "learning rate 0.0002 0.0001" in told
    assert "char_accuracy 0.9500 ★ 0.9000" in told
    assert told[-2:] == ["recipe keys that differ", "training.learning_rate: 0.0002 | 0.0001"]
    assert captured.err == ""


def test_what_must_not_be_compared_is_said_beside_the_table(capsys):
    write_run("mine")
    (write_run("base") / "result.json").unlink()
    compare("mine", "base")
    assert capsys.readouterr().err.splitlines() == [
        "hanpuri: base is stopped at step 20 of 20",
        "hanpuri: base has no char_accuracy",
    ]


def test_the_comparison_as_markdown_and_as_json(capsys):
    write_run("mine", 0.95)
    write_run("base", 0.9, learning_rate=0.0001)
    compare("mine", "base", markdown=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| run | model | method | data |")
    assert lines[-1] == "- training.learning\\_rate: 0.0002 · 0.0001"
    compare("mine", "base", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in found["runs"]] == ["mine", "base"]
    assert found["best"] == {"char_accuracy": 0.95}
    assert found["differing"] == {"training.learning_rate": {"mine": "0.0002", "base": "0.0001"}}
    assert found["warnings"] == []


def test_the_comparison_as_a_page(capsys):
    write_run("mine", 0.95)
    write_run("base", 0.9)
    compare("mine", "base", html=Path("page.html"))
    assert "<h1>Comparison of runs</h1>" in Path("page.html").read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"^none/page.html cannot be written: No such file or directory; give --html"):
        compare("mine", "base", html=Path("none/page.html"))


def test_one_run_alone_cannot_be_compared():
    write_run("mine")
    with pytest.raises(DataError) as caught:
        compare("mine", "mine")
    expected = "found one run to compare, expected two or more; name them: hanpuri runs compare A B"
    assert str(caught.value) == expected


# --- names and texts that try to get out of their place


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[bold red]빨강", "[bold red]빨강"),  # the markup of rich
        ("두\n줄\x1b[31m", "두\\n줄\\x1b[31m"),
        ("반쪽\udcff", "반쪽\\udcff"),  # a name of bytes that are no UTF-8
        ("<b>|`*", "<b>|`*"),
    ],
)
def test_a_name_is_shown_as_it_is_whatever_is_in_it(capsys, name, shown):
    write_run(name, message=f"{name}\ud800")
    write_run("other")
    runs_table.list_runs(RUNS, as_json=False)
    runs_table.show(name, RUNS, as_json=False)
    compare(name, "other", html=Path("page.html"))
    printed = capsys.readouterr().out
    assert printed.count(shown) >= 4
    assert "\x1b" not in printed
    printed.encode("utf-8")
    for print_json in (runs_table.list_runs, lambda folder, as_json: runs_table.show(name, folder, as_json=as_json)):
        print_json(RUNS, as_json=True)
        line = capsys.readouterr().out.splitlines()[0]
        assert json.loads(line)["name"] in (name, "other")
    compare(name, "other", markdown=True)
    row = capsys.readouterr().out.splitlines()[2]
    assert row.replace("\\|", "").count("|") == 11  # ten columns
