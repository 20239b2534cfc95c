"""
What a training does when.

In: a step and the seconds spent. Out: the rate, which texts are drawn, whether it is over.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.compact.learning.schedule import FINAL_RATE, Schedule
from hanpuri.compact.settings import TrainingSettings


def schedule(**settings: float) -> Schedule:
    return Schedule(TrainingSettings.model_validate({"warmup_steps": 10, "learning_rate": 2.0, **settings}))


def test_the_rate_rises_over_the_warm_up_and_falls_to_a_hundredth():
    rates = [schedule(steps=100).learning_rate(step, 0) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(2.0 * FINAL_RATE)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("steps", [1, 5, 10])
def test_a_training_may_end_within_its_warm_up(steps):
    rates = [schedule(steps=steps).learning_rate(step, 0) for step in range(steps + 1)]
    assert all(2.0 * FINAL_RATE <= rate <= 2.0 for rate in rates)
    assert rates[-1] == pytest.approx(2.0 * FINAL_RATE)


@pytest.mark.parametrize(
    ("step", "seconds", "rate"),
    [
        (0, 0, 0.2),  # the warm-up counts steps here, too
        (4, 1, 1.0),
        (1_000, 0, 2.0),
        (1_000, 30, 1.0),  # a fast machine and a slow one are as far at the same time
        (20, 30, 1.0),
        (1_000, 60, 2.0 * FINAL_RATE),
        (1_000, 61, 2.0 * FINAL_RATE),
    ],
)
def test_the_rate_of_a_training_of_seconds_hangs_on_the_time_that_is_left(step, seconds, rate):
    assert schedule(seconds=60).learning_rate(step, seconds) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("settings", "at"),
    [({"steps": 100, "final_share": 0.25}, (75, 0)), ({"seconds": 60, "final_share": 0.25}, (0, 45))],
)
def test_the_last_part_and_the_end_come_by_the_same_measure(settings, at):
    found = schedule(**settings)
    nearly = tuple(max(0, value - 1) for value in at)
    assert found.is_last_part(*at)
    assert not found.is_last_part(*nearly)
    assert not found.is_over(*at)
    assert found.is_over(100, 60)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.integers(0, 10_000))
def test_later_is_never_less_done_and_beyond_the_warm_up_never_faster(one, other, step):
    found, earlier, later = schedule(seconds=1_000), min(one, other), max(one, other)
    assert 0 <= found.progress(step, earlier) <= found.progress(step, later) <= 1
    assert found.learning_rate(step, later) <= found.learning_rate(step, earlier)
