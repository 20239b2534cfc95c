"""
`hanpuri train` for rounds as a user meets it: what a dry run says, what the end says, what is refused in which words.

In this process, as the libraries take seconds to load. The model is new, and learns nothing in two steps.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hanpuri.cli import main
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.training.recipe import ScratchSettings
from tests.cli.conftest import Outcome
from tests.rounds.short_rounds import FIELDS, changed, pairs, write_rows

SFT = {
    "stage": "sft",
    "examples": {"template": "plain"},
    "training": {"steps": 1, "batch_size": 2, "learning_rate": 1e-3},
    "watch": {"log_every": 1, "evaluate_every": 1},
}
STEPS = ["held-out", "round-0/score", "round-1/prompts", "round-1/sft", "round-1/sft-score"]
RECIPE = changed(FIELDS, rounds=1, stages=[SFT], held_out__max_new_tokens=2)


@pytest.fixture(scope="module")
def desk(tmp_path_factory, tokenizer_folder) -> Path:
    """A folder with a model, rows and a recipe."""
    from hanpuri.training.loading.models import quiet_loading
    from hanpuri.training.loading.scratch import make_model

    folder = tmp_path_factory.mktemp("desk")
    tokenizer = load_tokenizer(tokenizer_folder("bytes"))
    sizes = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "max_positions": 128}
    with quiet_loading():
        make_model(ScratchSettings(**sizes), None, tokenizer, 0).save_pretrained(folder / "base")
    tokenizer.fast.save_pretrained(folder / "base")
    write_rows(folder / "train.jsonl", pairs(14))
    write_rows(folder / "held.jsonl", pairs(3, start=400))
    (folder / "my.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    return folder


@pytest.fixture
def call(desk, monkeypatch, capsys) -> Callable[..., Outcome]:
    """Run `hanpuri` at the desk, in this process."""
    monkeypatch.chdir(desk)
    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["hanpuri", *arguments])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return Outcome(code, told.out, told.err)

    return run


def test_a_dry_run_lists_the_steps_and_leaves_nothing(call, desk):
    outcome = call("train", "my.yaml", "--dry-run", "--json")
    told = json.loads(outcome.out)
    assert (outcome.code, [one["step"] for one in told["steps"]]) == (0, STEPS)
    assert told["steps"][3] == {"step": "round-1/sft", "what": "sft on prompts", "state": "behind"}
    assert not (desk / "runs").exists()


def test_rounds_are_done_told_step_by_step_and_told_again_without_work(call, desk):
    first = call("train", "my.yaml")
    assert (first.code, first.err.splitlines()[0].split(":")[0]) == (0, "held-out")
    assert "round-1/sft-score: " in first.err
    assert first.out.splitlines()[0].split() == [
        *("round", "stage", "held-out", "over", "the", "model", "before", "learnt", "from", "reached", "time")
    ]
    assert "hanpuri chat " in first.out
    again = call("train", "my.yaml", "--json")
    assert [line.endswith("unchanged") for line in again.err.splitlines()] == [True] * len(STEPS)
    told = json.loads(again.out)
    assert (told["folder"], told["finished"], [one["stage"] for one in told["stages"]]) == (
        *("runs/tried", True),
        ["start", "sft"],
    )
    assert call("train", "my.yaml", "--dry-run").out.count("unchanged") == len(STEPS)


def test_ctrl_c_says_how_to_go_on(call, desk, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    (desk / "runs/tried").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr("hanpuri.rounds.rounds.run_rounds", interrupted)
    outcome = call("train", "my.yaml")
    assert outcome.code == 130
    assert outcome.err.startswith("the same command goes on from here\n")


def test_time_that_is_over_says_that_the_same_command_goes_on(call, desk):
    shutil.rmtree(desk / "runs", ignore_errors=True)
    outcome = call("train", "my.yaml", "--stop-after", "0")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "stopped; the same command goes on from there")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        # a key of a stage, with the nearest one named
        (
            "stages.0.trainin.steps=2",
            "my.yaml: stages.0.sft.trainin: no such key, did you mean training?; mend these keys, or see the shipped"
            " recipes",
        ),
        # a held-out row among those to learn from
        (
            "held_out.path=train.jsonl",
            "train.jsonl:1: found a row to learn from that is held out, as train.jsonl:1, and 13 more such rows; take"
            " them out, or hold out other rows: held_out",
        ),
        # fewer rows than a round wants
        (
            "prompts.rows=20",
            "train.jsonl: found 14 rows, and a round wants 20; give more rows, or lower prompts.rows",
        ),
        (
            "model.path=bsae",
            "bsae: found no such folder, nor a downloaded model of that name; did you mean base? ",
        ),
        (
            "stages.0.examples.template=plian",
            "no template is called 'plian'; ",
        ),
    ],
)
def test_a_fault_is_one_line(call, desk, override, message):
    outcome = call("train", "my.yaml", "--set", "name=refused", "--set", override)
    last = outcome.err.splitlines()[-1]
    assert (outcome.code, last.startswith(f"hanpuri: {message}")) == (2, True), outcome.err
    assert "Traceback" not in outcome.err


def test_several_processes_are_refused(call, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = call("train", "my.yaml")
    assert (outcome.code, outcome.err) == (
        2,
        "hanpuri: rounds are done in one process; leave the launcher out\n",
    )


def test_a_library_that_is_missing_is_named(call, monkeypatch):
    monkeypatch.setattr("hanpuri.cli.rounds.LIBRARIES", ("torch", "no_such_library"))
    assert call("train", "my.yaml").err == 'hanpuri: rounds need no_such_library; pip install "hanpuri[llm]"\n'
