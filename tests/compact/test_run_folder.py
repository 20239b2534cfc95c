"""
A restorer's training as `hanpuri runs` reads it: a real one, not a folder written by hand.

In: the tiny network, trained to its end. Out: the facts, the table and the curves of its folder.
"""

from hanpuri.runs.comparison import row_of
from hanpuri.runs.curves import write_curves
from hanpuri.runs.reading import read_run


def test_a_training_that_took_all_its_steps_is_finished_and_has_its_scores(run):
    facts = read_run(run.result.folder)
    assert (facts.kind, facts.step, facts.steps) == ("compact", 150, 150)
    assert facts.state == "finished"
    assert facts.scores == {"own": run.result.scores["own"]}


def test_its_row_names_what_it_was_trained_on_and_how_fast(run):
    row = row_of(read_run(run.result.folder))
    assert (row.model, row.method, row.data, row.batch, row.max_length) == (
        *("new encoder 2×64", "scratch", "four.txt"),
        *("768 items", 32),
    )
    assert row.seconds is not None
    assert row.engine.startswith("torch ")


def test_its_curves_can_be_drawn(run):
    page = write_curves(run.result.folder).read_text(encoding="utf-8")
    assert "own" in page
