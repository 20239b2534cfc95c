import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.training.loop.progress import Evaluation, Progress, find_best, find_rise, gain, without_gain

scores = st.lists(st.floats(), min_size=1, max_size=12)


def looks(values, by="loss"):
    return [Evaluation(step, step / 10, {by: value}) for step, value in enumerate(values, start=1)]


def test_progress_comes_back_as_it_was_saved(tmp_path):
    progress = Progress(looks([3.0, math.nan, 0.1 + 0.2]), {"loss": 7.0}, 812_340, 1820.4, 1 << 30, True, "overfitting")
    progress.save(tmp_path)
    back = Progress.load(tmp_path)
    assert repr(back) == repr(progress)  # nan is not equal to itself


@pytest.mark.parametrize(
    ("values", "by", "best"),
    [
        ([3.0, 2.0, 2.5], "loss", 2),
        ([0.1, 0.4, 0.3], "char_accuracy", 2),
        ([0.4, 0.4], "token_f1", 1),  # of equal ones the earlier
        ([math.nan, 9.0], "loss", 2),  # anything is better than no number
        ([9.0, math.nan], "loss", 1),
        ([9.0, math.inf], "loss", 1),
    ],
)
def test_the_best_step_is_found(values, by, best):
    assert find_best(looks(values, by), by).step == best


def test_the_best_is_looked_for_among_steps_that_have_a_checkpoint():
    assert find_best(looks([3.0, 1.0, 2.0]), "loss", {1, 3}).step == 3
    assert find_best(looks([3.0]), "loss", set()) is None
    assert find_best([], "loss") is None


def test_of_equal_answers_the_lower_loss_decides():
    told = [(0.0, 3.0), (0.0, 2.0), (0.0, 2.0), (0.0, 2.5)]
    evaluations = [
        Evaluation(step, 0.0, {"exact_match": score, "loss": loss}) for step, (score, loss) in enumerate(told)
    ]
    assert find_best(evaluations, "exact_match").step == 1


@given(scores)
def test_no_score_is_better_than_the_best(values):
    best = find_best(looks(values), "loss").scores["loss"]
    assert not any(gain(value, best, "loss") > 0 for value in values)


@pytest.mark.parametrize(
    ("values", "min_gain", "waited"),
    [
        ([3.0], 0.0, 0),
        ([3.0, 2.0, 1.0], 0.0, 0),
        ([1.0, 2.0, 3.0], 0.0, 2),
        ([1.0, 2.0, 0.5], 0.0, 0),  # a gain resets the count
        ([3.0, 2.9, 2.8], 0.15, 0),  # two small gains together are a large one
        ([3.0, 2.9, 2.9], 0.15, 2),
        ([math.nan, math.nan], 0.0, 2),
    ],
)
def test_evaluations_without_a_gain_are_counted(values, min_gain, waited):
    assert without_gain(looks(values), "loss", min_gain) == waited


@given(scores)
def test_waiting_is_over_at_most_all_evaluations(values):
    assert 0 <= without_gain(looks(values), "loss", 0.0) <= len(values)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([3.0, 2.0], None),
        ([2.0, 3.0], None),  # one rise may be chance
        ([3.0, 2.0, 2.1, 2.2], (2, 2)),
        ([2.0, 2.1, 2.2, 2.3], (1, 3)),
        ([2.0, 2.1, 2.2, 2.1], None),  # it fell again
        ([2.0, 2.0, 2.0], None),  # no rise
        ([2.0, math.nan, 2.2], None),
    ],
)
def test_two_rises_of_the_loss_in_a_row_are_found(values, found):
    rise = find_rise(looks(values))
    assert (rise and (rise[0].step, rise[1])) == found


def test_without_a_loss_nothing_rises():
    assert find_rise(looks([0.1, 0.2, 0.3], "token_f1")) is None
