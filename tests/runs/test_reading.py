"""
A run read back: how far it is, in which state, what it scored.

In: folders as the kinds of runs leave them, whole, half done and damaged. Out: RunFacts.
"""

import math

import pytest

from hanpuri.recipe import Settings
from hanpuri.runs import Run
from hanpuri.runs.reading import read_run

# --- the state


def test_a_run_with_a_result_is_finished(run_folder, kinds):
    assert read_run(run_folder(result=kinds.result)).state == "finished"


def test_a_run_that_was_left_can_go_on(run_folder, kinds):
    assert read_run(run_folder()).state == "stopped"
    assert read_run(run_folder("sliced", result={**kinds.result, "finished": False})).state == "stopped"


def test_a_run_that_somebody_works_on_is_running(tmp_path):
    run = Run.start(tmp_path / "mine", Settings(), [])
    assert read_run(run.folder).state == "running"


@pytest.mark.parametrize(
    "line",
    [
        {"step": 41, "loss": math.nan},
        {"step": 41, "event": "failed", "message": "out of memory"},
    ],
)
def test_a_run_whose_loss_is_lost_or_that_says_so_has_failed(run_folder, written_lines, line):
    assert read_run(run_folder(lines=[*written_lines.sft(), line])).state == "failed"


def test_a_run_that_went_on_after_a_failure_has_not_failed(run_folder, written_lines):
    lines = [{"step": 1, "event": "failed"}, {"step": 1, "event": "resumed"}, *written_lines.sft()]
    assert read_run(run_folder(lines=lines)).state == "stopped"


def test_a_restorer_without_a_result_is_finished_at_its_last_step_with_a_model(run_folder, kinds, written_lines):
    folder = run_folder("tiny", kinds.compact, written_lines.compact())
    assert read_run(folder).state == "stopped"
    (folder / "model").mkdir()
    assert read_run(folder).state == "finished"


# --- how far


def test_steps_come_from_the_recipe_or_from_the_epochs_or_from_nowhere(run_folder, kinds):
    assert read_run(run_folder("a", kinds.pretrain, [])).steps == 100
    assert read_run(run_folder("b")).steps == 40
    assert read_run(run_folder("c", lines=[])).steps is None


def test_time_is_that_of_the_result_or_that_between_the_lines_without_pauses(run_folder, kinds, written_lines):
    assert read_run(run_folder(result=kinds.result)).seconds == 7440
    later = [{**line, "time": line["time"] + 86_400} for line in written_lines.sft()]
    assert read_run(run_folder("again", lines=[*written_lines.sft(), *later])).seconds == 80
    assert read_run(run_folder("new", lines=[])).seconds is None


# --- scores


def test_scores_are_those_of_the_result_and_of_the_best_step_besides(run_folder, kinds, written_lines):
    lines = [{**line, "eval_token_f1": 0.8} if "eval_loss" in line else line for line in written_lines.sft()]
    facts = read_run(run_folder(lines=lines, result=kinds.result))
    assert (facts.best_step, facts.headline) == (20, "char_accuracy")
    assert facts.scores == {"eval_loss": 1.5, "char_accuracy": 0.9663, "token_f1": 0.8}


def test_without_a_result_the_best_step_that_was_told_of_counts_or_else_the_last(run_folder, written_lines):
    assert read_run(run_folder()).scores == {"eval_loss": 1.7, "char_accuracy": 0.88}
    best = {"step": 20, "event": "best", "message": "best so far"}
    facts = read_run(run_folder("told", lines=[*written_lines.sft(), best]))
    assert facts.scores == {"eval_loss": 1.5, "char_accuracy": 0.9}


def test_a_pre_training_is_known_by_its_bits_per_byte(run_folder, kinds):
    lines = [{"step": 100, "eval_loss": 4.0, "eval_bits_per_byte": 1.75}]
    facts = read_run(run_folder("small", kinds.pretrain, lines))
    assert (facts.headline, facts.scores["bits_per_byte"]) == ("bits_per_byte", 1.75)


def test_a_restorer_is_known_by_its_first_file_of_pairs(run_folder, kinds, written_lines):
    facts = read_run(run_folder("tiny", kinds.compact, written_lines.compact()))
    assert (facts.headline, facts.scores) == ("own", {"own": 0.91})


# --- what is damaged


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b"{", b'"text"', b"a: [\n"])
def test_a_damaged_file_is_an_empty_one(run_folder, kinds, content):
    folder = run_folder(result=kinds.result)
    for name in ("recipe.yaml", "environment.json", "result.json", "metrics.jsonl"):
        (folder / name).write_bytes(content)
    facts = read_run(folder)
    assert (facts.kind, facts.state, facts.step, facts.steps, facts.scores) == ("?", "stopped", 0, None, {})
    assert facts.starts == []


def test_sections_that_are_none_do_not_break_the_reading(run_folder):
    recipe = {"kind": ["a"], "training": 5, "watch": None, "model": "text", "data": 7}
    lines = [{"step": "one", "loss": None, "time": "now"}, {"event": 3}, {"step": True, "eval_loss": "low"}]
    facts = read_run(run_folder(recipe=recipe, lines=lines, result={"scores": 3, "best_step": "x"}))
    assert (facts.step, facts.steps, facts.scores, facts.seconds, facts.best_step) == (0, None, {}, None, None)
