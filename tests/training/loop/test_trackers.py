import os
import time
from types import SimpleNamespace

import pytest

from hanpuri.training.loop import trackers
from hanpuri.training.loop.arguments import make_arguments
from hanpuri.training.loop.next_token import NextToken
from hanpuri.training.loop.trainer import run_loop

from .conftest import lines_of

SETTINGS = ("WANDB_", "TRACKIO_", "TENSORBOARD_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No login, no order, and whatever a test leaves in the environment is taken back."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [*os.environ]:
        if name.startswith(SETTINGS):
            monkeypatch.delenv(name)
    before = {*os.environ}
    yield
    for name in {*os.environ} - before:
        del os.environ[name]


@pytest.fixture
def opened(recipe_of, material_of, tmp_path):
    """Open trackers as a run does; gives them, and what was said of those that could not begin."""

    def open_them(*names):
        recipe = recipe_of(watch={"trackers": names, "project": "tried"})
        arguments = make_arguments(recipe, tmp_path, NextToken, device="cpu", precision="fp32", learns_in_fp32=True)
        lost = []
        model = material_of().model
        return trackers.open_trackers(recipe.watch, tmp_path / "run", arguments, model, lost.append), lost

    return open_them


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_tensorboard_writes_into_the_run(opened, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tracker,), lost = opened("tensorboard")
    for step in (1, 2):
        assert tracker.log(step, {"loss": 1.0 / step, "eval_char_accuracy": 0.5}) is None
    assert tracker.end() is None
    assert lost == []
    kept = EventAccumulator(str(tmp_path / "run" / "trackers" / "tensorboard")).Reload()
    assert [(one.step, one.value) for one in kept.Scalars("train/loss")] == [(1, 1.0), (2, 0.5)]
    assert [one.value for one in kept.Scalars("eval/char_accuracy")] == [0.5, 0.5]


def test_trackio_writes_into_the_run(opened, tmp_path):
    (tracker,), lost = opened("trackio")
    assert tracker.log(1, {"loss": 1.0}) is None
    assert tracker.end() is None
    assert lost == []
    (kept,) = (tmp_path / "run" / "trackers" / "trackio").glob("*.db")
    import sqlite3

    with sqlite3.connect(kept) as database:
        rows = [str(row) for row in database.execute("select * from metrics")]
    assert any("train/loss" in row for row in rows)


def test_wandb_without_a_login_stays_on_this_machine_and_asks_nothing(opened, tmp_path):
    (tracker,), lost = opened("wandb")
    assert tracker.log(1, {"loss": 1.0}) is None
    assert tracker.end() is None
    assert lost == []
    assert os.environ["WANDB_MODE"] == "offline"
    (kept,) = [path for path in files_below(tmp_path / "run" / "trackers") if path.suffix == ".wandb"]
    until = time.monotonic() + 30  # wandb's own process writes the file, and may still be at it
    while b"train/loss" not in kept.read_bytes():
        assert time.monotonic() < until, f"{kept.name} has {kept.stat().st_size} bytes"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("environment", "netrc", "alone"),
    [
        ({}, "", True),
        ({"WANDB_API_KEY": "key"}, "", False),
        ({"WANDB_MODE": "online"}, "", False),  # an order is an order
        ({}, "machine api.wandb.ai login user password key", False),
        ({}, "machine elsewhere login user password key", True),
        ({"WANDB_BASE_URL": "https://elsewhere/x"}, "machine elsewhere login user password key", False),
        ({}, "no netrc at all", True),
    ],
)
def test_whether_wandb_has_a_login_is_seen(monkeypatch, tmp_path, environment, netrc, alone):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".netrc").write_text(netrc + "\n", encoding="utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    assert trackers.is_wandb_alone() == alone


class Callback:
    """One that does what a test wants at each event."""

    def __init__(self, **does):
        self.does = does

    def __getattr__(self, event):
        return lambda *_, **__: self.does.get(event, lambda: None)()


def fail(message="the line\nis dead", error=RuntimeError):
    def raises():
        raise error(message)

    return raises


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (fail(), "the line is dead"),
        (fail("", ConnectionError), "ConnectionError"),
        (fail("", SystemExit), "SystemExit"),  # libraries that end the program
        (lambda: time.sleep(2), "no answer in 0 seconds"),
    ],
)
def test_a_tracker_that_cannot_begin_is_dropped_with_one_line(opened, monkeypatch, does, said):
    monkeypatch.setattr(trackers, "SECONDS_TO_ANSWER", 0.2)
    made = SimpleNamespace(TensorBoardCallback=lambda: Callback(on_train_begin=does))
    monkeypatch.setattr("transformers.integrations.integration_utils", made)
    found, lost = opened("tensorboard")
    assert (found, lost) == ([], [f"tensorboard could not begin and is told nothing: {said}"])


def test_a_tracker_that_fails_on_the_way_does_not_stop_the_run(recipe_of, run_of, material_of, monkeypatch):
    calls = iter([lambda: None, fail()])
    made = SimpleNamespace(TensorBoardCallback=lambda: Callback(on_log=lambda: next(calls)()))
    monkeypatch.setattr("transformers.integrations.integration_utils", made)
    recipe = recipe_of({"steps": 4}, {"trackers": ["tensorboard"]})
    run = run_of(recipe)
    assert run_loop(recipe, run, material_of(), device="cpu").finished
    (lost,) = [line for line in lines_of(run, "event") if line["event"] == "tracker_lost"]
    assert (lost["step"], lost["message"]) == (2, "tensorboard is told no more: the line is dead")
