"""Intervals and p-values, held against what can be reckoned exactly."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.evaluation.metrics.tallies import ratio
from hanpuri.evaluation.significance import Difference, difference, differences, interval, intervals

ROW = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda row: (min(row), max(row)))
TALLY = st.lists(ROW, min_size=1, max_size=12).map(lambda rows: np.array(rows, dtype=float))


def right(*rows: int) -> np.ndarray:
    return np.array([(row, 1) for row in rows], dtype=float)


def exact_p_value(first: np.ndarray, second: np.ndarray) -> float:
    """All ways of swapping, counted."""
    observed = abs(ratio(second.sum(0)) - ratio(first.sum(0)))
    ways = list(itertools.product([False, True], repeat=len(first)))
    as_large = 0
    for way in ways:
        swap = np.array(way)[:, None]
        gap = abs(ratio(np.where(swap, first, second).sum(0)) - ratio(np.where(swap, second, first).sum(0)))
        as_large += gap >= observed - 1e-12
    return as_large / len(ways)


@given(TALLY)
def test_a_share_and_its_bounds_are_shares_or_no_numbers(tally):
    found = interval(tally, resamples=50)
    if tally[:, 1].sum() == 0:
        assert math.isnan(found.value)
        assert math.isnan(found.low)
    else:
        assert 0 <= found.low <= found.high <= 1
        assert 0 <= found.value <= 1


def test_the_interval_of_a_share_is_that_of_its_binomial_distribution():
    # 500 of 1,000: a standard deviation is sqrt(0.25 / 1000) = 0.0158, and 1.96 of them lie to each side.
    found = interval(right(*[0, 1] * 500), resamples=4000)
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.0158, abs=0.003)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.0158, abs=0.003)


def test_a_higher_level_is_a_wider_interval():
    narrow, wide = (interval(right(*[0, 1] * 50), level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_same_seed_draws_the_same_files_and_another_draws_others():
    tally = right(*[0, 1, 1] * 20)
    assert interval(tally, seed=1) == interval(tally, seed=1)
    assert len({interval(tally, seed=seed, resamples=30) for seed in range(5)}) > 1


def test_many_rows_are_drawn_in_parts_to_the_same_end(monkeypatch):
    tally = right(*[0, 1, 1] * 20)
    whole = interval(tally)
    monkeypatch.setattr("hanpuri.evaluation.significance.MOST_CELLS", 1000)
    parts = interval(tally)
    assert (parts.value, parts.low, parts.high) == pytest.approx((whole.value, whole.low, whole.high), abs=0.05)


ALIKE = [
    (right(1), (1.0, 1.0, 1.0)),  # one row tells nothing of how rows differ
    (right(1, 1, 1), (1.0, 1.0, 1.0)),
    (right(0, 0), (0.0, 0.0, 0.0)),
    (np.array([[0.0, 0.0], [1.0, 1.0]]), (1.0, 1.0, 1.0)),  # a row that counts nothing, and files of it alone
]


@pytest.mark.parametrize(("tally", "bounds"), ALIKE)
def test_where_rows_do_not_differ_the_interval_has_no_width(tally, bounds):
    found = interval(tally)
    assert (found.value, found.low, found.high) == bounds


def test_several_scores_at_once_are_the_same_as_one_by_one():
    tallies = {"first": right(*[0, 1] * 10), "second": right(*[1, 1, 1, 0] * 5)}
    pools = dict.fromkeys(tallies, ratio)
    assert intervals(tallies, pools, seed=3) == {name: interval(tally, seed=3) for name, tally in tallies.items()}
    assert intervals({}, {}) == {}


PAIRED = [
    (right(0, 0, 0, 0, 0, 0), right(1, 1, 1, 1, 1, 1)),  # two of 64 ways
    (right(0, 1, 0, 1, 0, 0), right(1, 0, 1, 1, 1, 0)),
    (right(0, 1, 0, 1), right(1, 0, 1, 0)),  # no difference at all
    (np.array([[1.0, 9.0], [2.0, 3.0], [0.0, 5.0]]), np.array([[8.0, 9.0], [1.0, 3.0], [5.0, 5.0]])),
]


@pytest.mark.parametrize(("first", "second"), PAIRED)
def test_the_p_value_is_near_that_of_all_swappings(first, second):
    found = difference(first, second, resamples=4000)
    assert found.p_value == pytest.approx(exact_p_value(first, second), abs=0.03)


@settings(max_examples=30)
@given(TALLY)
def test_an_engine_does_not_differ_from_itself(tally):
    found = difference(tally, tally, resamples=50)
    assert found.p_value == 1.0
    assert not found.significant()
    assert found.num_rows == len(tally)


@settings(max_examples=30)
@given(st.lists(st.tuples(ROW, ROW), min_size=1, max_size=10))
def test_the_difference_turns_around_with_the_engines(rows):
    first, second = (np.array(side, dtype=float) for side in zip(*rows, strict=True))
    there, back = difference(first, second, resamples=50), difference(second, first, resamples=50)
    assert there.p_value == back.p_value
    assert (np.isnan(there.value) and np.isnan(back.value)) or there.value == pytest.approx(-back.value)


def test_a_small_gain_in_many_rows_is_seen_where_rows_are_the_same():
    # 40 of 1,000 rows get right and none wrong: alone, either score could as well be the other's.
    first = right(*[1] * 500, *[0] * 500)
    second = right(*[1] * 540, *[0] * 460)
    assert difference(first, second).significant()
    assert interval(first).high > interval(second).low


def test_two_engines_that_are_equally_good_differ_significantly_in_one_of_twenty_cases():
    dice = np.random.default_rng(0)
    found = [
        difference(right(*dice.integers(2, size=40)), right(*dice.integers(2, size=40)), resamples=200)
        for _ in range(200)
    ]
    assert sum(one.significant() for one in found) <= 20


def test_several_differences_at_once_are_the_same_as_one_by_one():
    first, second = {"a": right(0, 1, 0), "b": right(1, 1, 0)}, {"a": right(1, 1, 1), "c": right(1, 1, 1)}
    assert differences(first, second, {"a": ratio}) == {"a": difference(first["a"], second["a"])}
    assert differences({}, second, {}) == {}


WRONG_CALLS = [
    (lambda: interval(np.zeros((0, 2))), "the tally has no rows"),
    (lambda: interval(right(1), level=1.5), "level is 1.5, expected a share between 0 and 1"),
    (
        lambda: difference(right(1), right(1, 1)),
        r"the tallies have the shapes \(1, 2\) and \(2, 2\), expected the same rows",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()


def test_significance_is_asked_at_a_level():
    found = Difference(0.1, 0.0, 0.2, p_value=0.03, num_rows=10)
    assert (found.significant(), found.significant(alpha=0.01)) == (True, False)
