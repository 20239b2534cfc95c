import logging
import math

import pytest

from hanpuri.runs import curves
from hanpuri.training.loop.watching import Watch, logging_to

from .conftest import lines_of


class Listener:
    name = "listener"

    def __init__(self, fault=None):
        self.fault, self.told = fault, []

    def log(self, step, figures):
        self.told.append((step, figures))
        return self.fault

    def end(self):
        return self.fault


@pytest.fixture
def watched(recipe_of, run_of):
    """A run, its watch, and what it reports."""
    told = []
    run = run_of(recipe_of())
    watch = Watch(run, lambda *one: told.append(one), is_first=True, seconds_before=100.0)
    watch.begin(6, 0)
    return run, watch, told


def test_figures_are_logged_and_reported(watched):
    run, watch, told = watched
    watch.training_line(2, 0.5, {"loss": 1.23456789, "learning_rate": 1.23456789e-9}, 100)
    (line,) = run.metrics()
    assert line["loss"] == 1.234568
    assert line["learning_rate"] == 1.234568e-09
    assert (line["tokens"], line["tokens_per_second"] > 0) == (100, True)
    assert [(step, steps, logged["loss"]) for step, steps, logged in told] == [(2, 6, 1.234568)]


def test_time_that_went_into_looking_is_not_in_the_speed(watched, monkeypatch):
    run, watch, _ = watched
    clock = iter([watch._last_log + 10.0, watch._last_log + 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    watch.training_line(1, 0.1, {}, 1000)
    watch.pause(5.0)
    watch.training_line(2, 0.2, {}, 2000)
    assert [line["tokens_per_second"] for line in run.metrics()] == [100.0, 200.0]


def test_what_happens_is_said_and_kept(watched, caplog):
    run, watch, _ = watched
    caplog.set_level(logging.INFO, "hanpuri.training")
    watch.event("best", 3, "best so far: loss 1.2")
    watch.event("overfitting", 6, "overfitting from epoch 1.00 on")
    assert lines_of(run) == [
        {"step": 3, "event": "best", "message": "best so far: loss 1.2"},
        {"step": 6, "event": "overfitting", "message": "overfitting from epoch 1.00 on"},
    ]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "step 3: best so far: loss 1.2"),
        ("WARNING", "step 6: overfitting from epoch 1.00 on"),
    ]


def test_a_tracker_that_fails_is_told_no_more_and_the_others_are(watched):
    run, watch, _ = watched
    broken, sound = Listener("the line is dead"), Listener()
    watch.trackers = [broken, sound]
    for step in (1, 2):
        watch.line(step, 0.1, {"loss": 1.0})
    assert ([step for step, _ in broken.told], [step for step, _ in sound.told]) == ([1], [1, 2])
    (said,) = lines_of(run, "event")
    assert said["message"] == "listener is told no more: the line is dead"


def test_processes_beside_the_first_tell_nothing(recipe_of, run_of, caplog):
    run, told = run_of(recipe_of()), []
    watch = Watch(run, lambda *one: told.append(one), is_first=False, seconds_before=0.0)
    watch.training_line(1, 0.1, {"loss": 1.0}, 10)
    watch.event("best", 1, "best so far")
    watch.tick(1)
    assert (list(run.metrics()), told, caplog.records) == ([], [], [])


def test_a_disk_that_takes_nothing_stops_nothing(watched, caplog):
    run, watch, told = watched
    (run.folder / "metrics.jsonl").mkdir()
    with logging_to(run.folder):  # a folder cannot be written to, as little as a full disk can
        watch.line(1, 0.1, {"loss": 1.0})
        watch.event("best", 1, "best so far")
    assert len(told) == 2


def test_what_is_said_stands_in_the_log_file(tmp_path):
    logger = logging.getLogger("hanpuri.training")
    before = logger.level, [*logger.handlers]
    with logging_to(tmp_path / "train.log"):
        logger.info("한 줄")
        logger.debug("nothing for a file")
    assert (logger.level, logger.handlers) == before
    (line,) = (tmp_path / "train.log").read_text(encoding="utf-8").splitlines()
    assert line.endswith(" INFO 한 줄")


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, 7])
def test_what_cannot_be_rounded_is_left(watched, value):
    run, watch, _ = watched
    watch.line(1, 0.1, {"eval_loss": value})
    (line,) = run.metrics()
    assert repr(line["eval_loss"]) == repr(value)


class TestCurves:
    @pytest.fixture(autouse=True)
    def no_curves(self):
        """Draw them here."""

    def test_the_page_of_curves_is_drawn_at_once_and_then_not_too_often(self, watched, monkeypatch):
        run, watch, _ = watched
        drawn = []
        monkeypatch.setattr(curves, "write_curves", drawn.append)
        for now in (False, False, True):
            watch.draw_curves(now=now)
        assert drawn == [run.folder] * 2

    def test_a_page_that_cannot_be_drawn_costs_the_page_alone(self, watched, monkeypatch):
        def fail(folder):
            raise OSError("no space left")

        monkeypatch.setattr(curves, "write_curves", fail)
        watched[1].draw_curves()

    def test_the_page_shows_what_was_logged(self, watched):
        run, watch, _ = watched
        for step in (1, 2, 3):
            watch.line(step, step / 3, {"loss": 3.0 - step, "learning_rate": 1e-3})
        watch.draw_curves()
        assert "<svg" in (run.folder / "curves.html").read_text(encoding="utf-8")
