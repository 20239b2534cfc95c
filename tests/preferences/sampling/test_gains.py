"""What the best of k answers may be expected to score, held against drawing k of them in every way."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.preferences.sampling import gains_of
from hanpuri.preferences.sampling.gains import expected_best, expected_reached
from tests.preferences.drawn_rows import sampled

some_scores = st.lists(st.floats(-10, 10), min_size=1, max_size=7)


@given(some_scores)
def test_the_best_of_k_is_the_mean_over_all_ways_to_draw_k(scores):
    for k in range(1, len(scores) + 1):
        ways = [max(drawn) for drawn in combinations(scores, k)]
        assert expected_best(scores, k) == pytest.approx(math.fsum(ways) / len(ways))


@given(some_scores, st.floats(-10, 10))
def test_how_likely_one_of_k_reaches_a_threshold_is_the_share_of_ways_in_which_one_does(scores, threshold):
    for k in range(1, len(scores) + 1):
        ways = [max(drawn) >= threshold for drawn in combinations(scores, k)]
        assert expected_reached(scores, k, threshold) == pytest.approx(sum(ways) / len(ways))


@pytest.mark.parametrize("k", [0, 3])
def test_more_than_all_answers_cannot_be_drawn(k):
    with pytest.raises(ValueError, match=f"^k is {k}, expected 1 to 2$"):
        expected_best([0.0, 1.0], k)


def test_further_answers_gain_and_cost():
    found = gains_of([sampled(("가", 0.0), ("나", 1.0)), sampled(("다", 1.0), ("라", 1.0), number=2)], threshold=1.0)
    assert [(one.k, one.best.value, one.reached.value, one.num_tokens) for one in found.by_k] == [
        (1, 0.75, 0.75, 1.0),
        (2, 1.0, 1.0, 2.0),
    ]
    assert found.by_k[0].best.low == 0.5  # both rows the first
    assert (found.num_rows, found.num_alike, found.num_tokens, found.greedy) == (2, 0, 4, None)


def test_rows_that_teach_nothing_are_counted():
    found = gains_of(
        [
            sampled(("가", 1.0), ("가", 1.0), greedy=("가", 1.0)),  # a temperature too low
            sampled(("나", 0.0), ("!no server", None), greedy=("나", 0.0)),  # in no figure
            sampled(("다…", 0.0), ("", 0.0), greedy=("다", 0.5)),
        ]
    )
    assert (found.num_rows, found.num_unscored, found.num_alike) == (2, 1, 1)
    assert (found.num_cut, found.num_empty, found.num_failed) == (1, 1, 1)
    assert found.greedy.value == 0.75
    told = found.as_dict()
    assert told["best_of"][1] == {
        "k": 2,
        "score": {"value": 0.5, "low": 0.0, "high": 1.0},
        "reached": None,
        "num_tokens": 2.0,
    }


@pytest.mark.parametrize(
    ("greedy", "is_hot"),
    [
        (1.0, True),
        (0.4, False),  # within what the rows can tell
        (None, False),
    ],
)
def test_a_temperature_that_makes_answers_worse_than_the_greedy_one_is_seen(greedy, is_hot):
    first = None if greedy is None else ("다", greedy)
    rows = [sampled(("가", 0.2), ("나", number % 2), greedy=first, number=number) for number in range(20)]
    assert gains_of(rows).is_hot is is_hot


def test_where_nothing_was_scored_there_are_no_figures():
    found = gains_of([sampled(("가", None), ("나", None))])
    assert (found.by_k, found.greedy, found.num_unscored) == ((), None, 1)


@pytest.mark.parametrize(
    ("rows", "counts"), [([], "[]"), ([sampled(("가", 1.0)), sampled(("가", 1.0), ("나", 0.0))], "[1, 2]")]
)
def test_rows_have_as_many_answers_each(rows, counts):
    with pytest.raises(
        ValueError,
        match=rf"^found rows with {counts.replace('[', chr(92) + '[')} answers, expected rows with as many each$",
    ):
        gains_of(rows)
