"""Which round is the best, when no more are done, and what the table and the page show of them."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from hanpuri.evaluation.metrics import KNOWN
from hanpuri.evaluation.significance import interval
from hanpuri.rounds.ledger import Entry
from hanpuri.rounds.outcome import LIKELIEST, NOTE, Outcome, RoundResult, Scored, best_round, no_better, note_on_samples
from hanpuri.rounds.page import write_page
from hanpuri.rounds.plan import Policy
from hanpuri.rounds.table import HEAD, as_csv, cells, lines_of

HOSTILE = "<script>alert('빵')</script>"


def scored(stage, right, measure="char_accuracy", answer="방이"):
    """A score of so many right of ten characters, on four rows."""
    tally = np.array([[right, 10.0]] * 4)
    score = interval(tally, pool=KNOWN[measure].pool)
    rows = [{"id": str(n), "asked": "빵이", "reference": "방이", "answer": answer} for n in range(4)]
    return Scored(stage, measure, score, tally, {measure: score}, rows)


def rounds_of(*rights, measure="char_accuracy", answer="방이"):
    """The model before the first round, and rounds of one stage."""
    names = ("start", *["sft"] * (len(rights) - 1))
    return [
        RoundResult(number, Policy("base", Path(f"runs/x/round-{number}/sft/adapter")), (one,))
        for number, one in enumerate(
            scored(name, right, measure, answer) for name, right in zip(names, rights, strict=True)
        )
    ]


def outcome_of(recipe, rounds, **about):
    entry = Entry({}, {}, True, {}, 12.0, {"rows": 8, "sources": [{"name": "prompts", "given": 1.0}]})
    entries = {f"round-{number}/sft": entry for number in range(1, len(rounds))}
    return Outcome(Path("runs/x"), recipe, tuple(rounds), entries, **{"finished": True, "stopped": "", **about})


@pytest.mark.parametrize(
    ("rights", "best"),
    [
        ((5, 6, 7), 2),
        ((5, 7, 6), 1),
        # of equal ones the first: less was done for it
        ((5, 7, 7), 1),
        # no round did any good
        ((7, 6, 5), 0),
    ],
)
def test_the_best_round_has_the_best_score(recipe_of, rights, best):
    assert best_round(recipe_of(), rounds_of(*rights)).number == best


def test_less_is_better_where_errors_are_counted(recipe_of):
    rounds = rounds_of(5, 3, 4, measure="cer")
    recipe = recipe_of(measure="cer")
    assert best_round(recipe, rounds).number == 1
    assert outcome_of(recipe, rounds).gain(rounds[1].last, rounds[0].last).value == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("rights", "stop", "told"),
    [
        ((5, 6, 7), {}, ""),
        ((5, 6, 6), {}, "stopped behind round 2, whose held-out score is no better"),
        # a gain that is too small is none
        ((5, 6), {"min_gain": 0.2}, "stopped behind round 1, whose held-out score is no better by more than 0.2"),
        # one idle round is borne, two are not
        ((5, 6, 5), {"patience": 2}, ""),
        ((5, 6, 5, 6), {"patience": 2}, "stopped behind round 3: 2 rounds in a row without a better held-out score"),
        # a better one in between begins the count anew
        ((5, 4, 6, 5), {"patience": 2}, ""),
        # nobody wants to stop
        ((5, 4, 3, 2), None, ""),
    ],
)
def test_when_no_more_rounds_are_done(recipe_of, rights, stop, told):
    assert no_better(recipe_of(stop=stop), rounds_of(*rights)) == told


def test_the_table_says_what_a_round_gained_over_the_model_that_it_began_with(recipe_of):
    rounds = rounds_of(5, 7, 6)
    best, last = (lines_of(outcome_of(recipe_of(go_on_from=told), rounds)) for told in ("best", "last"))
    assert [line.gain.value for line in best[1:]] == pytest.approx([0.2, -0.1])
    assert [line.gain.value for line in last[1:]] == pytest.approx([0.2, -0.1])
    rounds = rounds_of(7, 6, 5)
    best, last = (lines_of(outcome_of(recipe_of(go_on_from=told), rounds)) for told in ("best", "last"))
    assert [line.gain.value for line in best[1:]] == pytest.approx([-0.1, -0.2])
    assert [line.gain.value for line in last[1:]] == pytest.approx([-0.1, -0.1])


def test_the_terminal_marks_the_best(recipe_of):
    stages = [{"stage": "sft", "training": {"steps": 2, "learning_rate": 1e-3}}]
    table = cells(outcome_of(recipe_of(stages=stages), rounds_of(5, 7, 6)))
    assert [len(row) for row in table] == [len(HEAD)] * 3
    assert [cell.text for cell in table[1]] == [
        *("1", "sft", "0.7000 ±0.0000", "+0.2000 ±0.0000, p 0.121"),
        *("8 rows: prompts 100%", "–", "12 s"),
    ]
    assert [[cell.best for cell in row].count(True) for row in table] == [0, 1, 0]


def test_csv_has_figures_in_columns_of_their_own(recipe_of):
    rows = list(csv.DictReader(io.StringIO(as_csv(outcome_of(recipe_of(), rounds_of(5, 7))))))
    assert [(row["round"], row["stage"], row["score"], row["gain"], row["best"]) for row in rows] == [
        ("0", "start", "0.5", "", "0"),
        ("1", "sft", "0.7", "0.2", "1"),
    ]


def test_notes_say_that_nothing_was_gained_and_that_a_stage_did_harm(recipe_of):
    start, one = rounds_of(7, 5)
    one = RoundResult(1, one.policy, (scored("sft", 6), scored("dpo", 5)))
    assert outcome_of(recipe_of(), [start, one]).notes == [
        "no round is better than the model that the rounds began with, which is the result",
        "round 1: sft scored 0.6000, and dpo, with which the round ended, 0.5000",
    ]


SAMPLING = {"stage": "sample", "samples": 4, "score": ["char_accuracy"]}


@pytest.mark.parametrize(
    ("likeliest", "held_out", "score", "known"),
    [
        (0.96, 6, ["char_accuracy"], True),
        (0.96, 9, ["char_accuracy"], False),
        (0.8, 5, ["char_accuracy"], False),
        # what the samples are scored by is no figure of the held-out rows
        (0.96, 6, ["char_accuracy", "same_length"], False),
    ],
)
def test_samples_of_a_model_that_knows_its_prompts_by_heart_are_noted(recipe_of, likeliest, held_out, score, known):
    sft = {"stage": "sft", "mix": {"samples": 1.0}, "training": {"steps": 2, "learning_rate": 1e-3}}
    recipe = recipe_of(stages=[{**SAMPLING, "score": score}, sft])
    start, *_ = rounds_of(held_out)
    note = note_on_samples(recipe, recipe.stages[0], {LIKELIEST: likeliest}, start)
    assert ("char_accuracy is 0.960 on them and 0.600 on held-out rows" in note) == known
    assert not note_on_samples(recipe, recipe.stages[1], {LIKELIEST: likeliest}, start)
    assert not note_on_samples(recipe, recipe.stages[0], {}, start)


def test_a_note_on_a_step_is_told_at_the_end_with_the_name_of_the_step(recipe_of):
    entries = {f"round-{n}/sample": Entry({}, {}, True, {}, 12.0, {NOTE: f"known {n}"}) for n in (1, 2)}
    start, one = rounds_of(5, 7)
    outcome = Outcome(Path("runs/x"), recipe_of(), (start, one), entries, finished=True, stopped="")
    assert outcome.notes == ["round-1/sample: known 1"]
    assert "round-1/sample: known 1" in write_page(outcome)


def test_answers_on_the_page_do_nothing(recipe_of):
    page = write_page(outcome_of(recipe_of(), rounds_of(5, 7, answer=HOSTILE)))
    assert "<script" not in page
    assert "alert" in page


def test_rounds_that_only_began_have_a_page_too(recipe_of):
    outcome = outcome_of(recipe_of(), rounds_of(5), finished=False)
    assert "the rounds are not at their end" in write_page(outcome)
    assert outcome.as_dict()["best_round"] == 0
