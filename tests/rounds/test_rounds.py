"""
Two rounds of tiny stages from the first row to the table; then what is left alone, what is done again, what goes on.

All tests share one folder that was worked through once; who changes something does it in a copy.
"""

import csv
import json
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from hanpuri.errors import DataError, ModelError
from hanpuri.rounds.foreseen import foresee
from hanpuri.rounds.rounds import run_rounds
from hanpuri.runs.comparison import compare
from hanpuri.runs.listing import list_runs
from hanpuri.runs.reading import read_run
from tests.rounds.short_rounds import FIELDS, changed, pairs, write_rows

KILLED = Path(__file__).with_name("killed_rounds.py")
ROUND = ("prompts", "sample", "sft", "sft-score", "dpo-pairs", "dpo", "dpo-score")
STEPS = ["held-out", "round-0/score", *(f"round-{number}/{name}" for number in (1, 2) for name in ROUND)]


@pytest.fixture(scope="module")
def finished(place, recipe_of):
    """Two rounds, done once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        patched.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)
        return run_rounds(recipe_of(), Path("runs/tried"))


def test_rounds_that_were_killed_in_a_training_come_to_the_same_result(place, finished, recipe_of, monkeypatch):
    monkeypatch.chdir(place)
    fields = changed(FIELDS, rounds=1)
    command = [sys.executable, str(KILLED), str(place), json.dumps(fields)]
    ended = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert list(Path("runs/killed/round-1/dpo/checkpoints").iterdir())
    worked, outcome = done_in(recipe_of(rounds=1), Path("runs/killed"))
    assert worked == ["round-1/dpo", "round-1/dpo-score"]
    assert all(outcome.entries[name].made == finished.entries[name].made for name in outcome.entries)


@pytest.fixture
def copied(place, finished, monkeypatch):
    """A copy of the folder of these rounds."""
    monkeypatch.chdir(place)
    folder = Path("runs/copied")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(finished.folder, folder)
    return folder


def done_in(recipe, folder):
    """Do the rounds; which steps had to be worked at, and what came of it."""
    worked = []
    outcome = run_rounds(
        recipe, folder, done=lambda step, entry, skipped: None if skipped else worked.append(step.name)
    )
    return worked, outcome


def test_every_stage_of_every_round_is_done_and_scored(place, finished):
    assert list(finished.entries) == STEPS
    assert [[scored.stage for scored in one.scored] for one in finished.rounds] == [["start"], *[["sft", "dpo"]] * 2]
    assert all((place / finished.folder / name).is_dir() for name in STEPS)
    assert finished.finished


def test_each_training_stage_is_an_ordinary_run_that_goes_on_with_the_adapter_before_it(place, finished):
    folder = place / finished.folder
    runs = {run.name: run for run in list_runs(folder / "round-2")}
    assert {name: (run.kind, run.state) for name, run in runs.items()} == {
        "sft": ("sft", "finished"),
        "dpo": ("dpo", "finished"),
    }
    went_on = [runs[name].recipe["adapter"]["path"] for name in ("sft", "dpo")]
    assert went_on == ["runs/tried/round-1/dpo/adapter", "runs/tried/round-2/sft/adapter"]
    first = yaml.safe_load((folder / "round-1/sft/recipe.yaml").read_text(encoding="utf-8"))
    assert (first["adapter"]["path"], first["adapter"]["r"], first["model"]["path"]) == (None, 2, "base")


def test_rounds_stand_among_the_runs_with_their_scores_and_beside_others(place, finished, copied):
    (run,) = [one for one in list_runs(place / "runs") if one.name == "tried"]
    assert (run.kind, run.state, run.step, run.steps) == ("rounds", "finished", 2, 2)
    assert run.headline == "char_accuracy"
    assert run.best_step == finished.best.number
    assert run.scores["char_accuracy"] == pytest.approx(finished.best.last.score.value)
    assert [line["stage"] for line in run.lines] == ["start", *["sft", "dpo"] * 2]
    assert run.starts[0]["libraries"]["torch"]
    beside = compare([run, read_run(copied)])
    assert [(row.model, row.method, row.data) for row in beside.rows] == [("base", "lora", "train.jsonl")] * 2


def test_rounds_that_are_at_work_are_said_to_be_running(place, recipe_of, monkeypatch):
    monkeypatch.chdir(place)
    states = []

    def done(step, entry, skipped):
        states.append(read_run(Path("runs/watched")).state)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_rounds(recipe_of(), Path("runs/watched"), done=done)
    assert states == ["running"]
    assert read_run(Path("runs/watched")).state == "stopped"


def test_rounds_learn_from_other_rows_and_none_is_held_out(place, finished):
    def rows_of(name):
        lines = (place / finished.folder / name).read_text(encoding="utf-8").splitlines()
        return {json.loads(line)["clean"] for line in lines}

    rounds = [rows_of(f"round-{number}/prompts/prompts.jsonl") for number in (1, 2)]
    held = rows_of("held-out/rows.jsonl")
    assert [len(one) for one in rounds] == [12, 12]
    assert not rounds[0] & rounds[1]
    assert not held & (rounds[0] | rounds[1])


def test_the_shares_of_the_mix_stand_in_the_table_earlier_rounds_together(place, finished):
    with (place / finished.folder / "table.csv").open(encoding="utf-8") as file:
        lines = {(line["round"], line["stage"]): line for line in csv.DictReader(file)}
    assert list(lines) == [
        ("0", "start"),
        *((number, stage) for number in "12" for stage in ("sample", "sft", "dpo")),
    ]
    assert lines["1", "dpo"]["sources"] == "scores 1.0"
    names = [part.split()[0] for part in lines["2", "dpo"]["sources"].split("; ")]
    assert names == ["scores", "earlier_pairs"]
    assert lines["1", "sample"]["reached"].startswith("one answer ")
    assert "kl" in lines["1", "dpo"]["reached"]
    assert all(line["score"] for (_, stage), line in lines.items() if stage != "sample")


def test_the_result_names_the_best_model_and_holds_the_intervals(place, finished):
    result = json.loads((place / finished.folder / "result.json").read_text(encoding="utf-8"))
    assert (result["kind"], result["finished"], result["measure"]) == ("rounds", True, "char_accuracy")
    assert result["best"] == finished.best_folder
    assert [one["round"] for one in result["rounds"]] == [0, 1, 2]
    assert all(one["score"]["low"] <= one["score"]["value"] <= one["score"]["high"] for one in result["rounds"])
    assert set(result["rounds"][1]["over_the_round_before"]) == {"value", "low", "high", "p_value"}
    page = (place / finished.folder / "rounds.html").read_text(encoding="utf-8")
    assert "Score by round" in page
    assert "Shares of the sources" in page


def test_what_is_unchanged_is_not_done_again(copied, recipe_of):
    worked, outcome = done_in(recipe_of(), copied)
    assert worked == []
    assert list(outcome.entries) == STEPS


def test_a_setting_that_changes_no_result_does_nothing_again(copied, recipe_of):
    told = recipe_of(stages__1__watch__project="mine", stages__0__batch_size=8, held_out__to_read=1)
    assert done_in(told, copied)[0] == []


def test_a_change_of_one_setting_does_again_what_hangs_on_it_and_nothing_before(copied, recipe_of):
    changed = recipe_of(rounds=1, stages__2__dpo={"beta": 0.2})
    before = {one.name: one.told for one in foresee(changed, copied)}
    assert before["round-1/dpo-pairs"] == "unchanged"
    assert before["round-1/dpo"] == "done again: dpo.beta 0.1 → 0.2"
    assert before["round-1/dpo-score"] == "behind what is to do"
    assert done_in(changed, copied)[0] == ["round-1/dpo", "round-1/dpo-score"]
    assert (copied / "replaced/round-1-dpo-1/adapter").is_dir()
    assert done_in(changed, copied)[0] == []


def test_another_threshold_looks_at_the_answers_again_without_asking_for_them(copied, recipe_of, finished):
    answers = (copied / "round-1/sample/answers.jsonl").read_bytes()
    worked, outcome = done_in(recipe_of(rounds=1, stages__0__above=0.0), copied)
    # All best answers are above 0: the rows are the same to the byte, and nothing behind them is done again.
    assert worked == ["round-1/sample"]
    assert (copied / "round-1/sample/answers.jsonl").read_bytes() == answers
    assert outcome.rounds[1].last.score == finished.rounds[1].last.score


def test_a_stage_may_ask_some_of_the_rows_alone(copied, recipe_of):
    def done(step, entry, skipped):
        if step.work == "sample":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_rounds(recipe_of(stages__0__asked=5), copied, done=done)
    lines = (copied / "round-1/sample/samples.jsonl").read_text(encoding="utf-8").splitlines()
    places = [int(json.loads(line)["where"].rpartition(":")[2]) for line in lines]
    assert len(places) == 5
    assert places == sorted(places)


def test_a_judge_may_say_which_of_two_samples_is_better(copied, recipe_of):
    told = {"kind": "judge", "name": "tiny", "engine": "transformers:base", "by": "likelihood", "tie_within": 0.0}
    Path("judge.yaml").write_text(yaml.safe_dump({**told, "rubric": "짧을수록 낫다."}), encoding="utf-8")

    def done(step, entry, skipped):
        if step.work == "pairs":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_rounds(recipe_of(stages__2__mix={"judge": 1}, stages__2__judge="judge.yaml"), copied, done=done)
    made = copied / "round-1/dpo-pairs"
    judged = [json.loads(line) for line in (made / "judge-ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    pairs = [json.loads(line) for line in (made / "judge.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(pairs) == sum(one["outcome"] in ("first", "second") for one in judged)
    assert all(pair["source"] == "judge" for pair in pairs)
    assert judged


def test_a_file_that_somebody_removed_is_made_again(copied, recipe_of):
    (copied / "round-1/sample/best.jsonl").unlink()
    assert done_in(recipe_of(rounds=1), copied)[0] == ["round-1/sample"]


def test_more_rounds_go_on_behind_those_that_are_done(copied, recipe_of):
    names = [one.name for one in foresee(recipe_of(rounds=3), copied) if one.state != "done"]
    assert names == [f"round-3/{name}" for name in ROUND]


def test_ctrl_c_between_two_answers_loses_none_of_them(place, finished, recipe_of, monkeypatch):
    monkeypatch.chdir(place)
    folder = Path("runs/interrupted")

    @contextmanager
    def show(step, look):
        def progress(done, total):
            if step.work == "sample" and done == 20:
                raise KeyboardInterrupt

        yield progress, lambda step, steps, line: None

    with pytest.raises(KeyboardInterrupt):
        run_rounds(recipe_of(rounds=1), folder, show=show)
    kept = (folder / "round-1/sample/answers.jsonl").read_bytes()
    assert not (folder / "round-1/sample/best.jsonl").exists()
    assert {one.name: one.told for one in foresee(recipe_of(rounds=1), folder)}["round-1/sample"] == "goes on"
    stopped = run_rounds(recipe_of(rounds=1), folder, stop_after=0)
    assert (stopped.finished, stopped.rounds) == (False, ())
    _, outcome = done_in(recipe_of(rounds=1), folder)
    assert (folder / "round-1/sample/answers.jsonl").read_bytes().startswith(kept)
    assert {name: outcome.entries[name].made for name in STEPS[:9]} == {
        name: finished.entries[name].made for name in STEPS[:9]
    }


def test_nothing_to_learn_from_is_said_with_its_place(copied, recipe_of):
    with pytest.raises(DataError) as refused:
        run_rounds(recipe_of(rounds=1, stages__2__mix={"scores": 1}, stages__2__margin=9.0), copied)
    found = f"round-1/dpo: found nothing to learn from in scores ({copied}/round-1/dpo-pairs/scores.jsonl)"
    mend = "ask for less (`above`, `margin`), give more rows, or take the stage out"
    assert str(refused.value) == f"{found}; {mend}"


def test_a_mixed_in_file_with_a_held_out_row_is_refused_before_the_first_round(place, recipe_of, monkeypatch):
    monkeypatch.chdir(place)
    mine = write_rows(Path("mine.jsonl"), [*pairs(2, start=300), *pairs(1, start=402)])
    with pytest.raises(DataError) as refused:
        run_rounds(recipe_of(stages__1__mix={"mine.jsonl": 1}), Path("runs/leaking"))
    found = "mine.jsonl:3: found a row to learn from that is held out, as runs/leaking/held-out/rows.jsonl:3"
    assert str(refused.value) == f"{found}; take them out, or hold out other rows: held_out"
    assert not Path("runs/leaking/round-1").exists()
    mine.unlink()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        # a file, a model, an adapter, a template that is not there
        (
            {"prompts__path": "gone.jsonl"},
            DataError,
            "gone.jsonl: found no such file, expected rows; give a file, or a folder that `hanpuri prepare` made",
        ),
        (
            {"stages__1__mix": {"gone.jsonl": 1}},
            DataError,
            "gone.jsonl: found no such file, expected rows; give a file, or a folder that `hanpuri prepare` made",
        ),
        (
            {"model": {"path": "base", "adapter": "nowhere"}, "adapter": None},
            ModelError,
            "nowhere: found no such folder, expected one with an adapter; check adapter.path",
        ),
        (
            {"stages__1__mix": {"prompts": 1}, "stages__0__score": ["model:runs/nowhere"]},
            ModelError,
            "runs/nowhere: found no weights, expected model.safetensors; ",
        ),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_written(place, recipe_of, monkeypatch, changes, error, message):
    monkeypatch.chdir(place)
    with pytest.raises(error) as refused:
        run_rounds(recipe_of(**changes), Path("runs/refused"))
    assert str(refused.value).startswith(message)
    assert not Path("runs/refused").exists()


def test_two_processes_do_not_work_in_one_folder(copied, recipe_of):
    fcntl = pytest.importorskip("fcntl")
    with (copied / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ModelError) as refused:
            run_rounds(recipe_of(), copied)
    assert str(refused.value) == f"{copied}: another process is at work on these rounds; wait for it, or stop it"
