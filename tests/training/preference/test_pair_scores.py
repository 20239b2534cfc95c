"""Figures of held-out pairs: right, torn and wrong, believed or not, long or short."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.training.preference.pair_scores import LENGTHS, PairScores

rewards = st.floats(-30, 30)
pairs = st.lists(st.tuples(rewards, rewards, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40)


def scored(rows):
    return PairScores(*np.array(rows, float).T)


@pytest.mark.parametrize(
    ("chosen", "rejected", "accuracy", "loss"),
    [
        (1.0, 0.0, 1.0, math.log(1 + math.exp(-1))),
        (0.0, 1.0, 0.0, math.log(1 + math.exp(1))),
        (0.5, 0.5, 0.5, math.log(2)),  # of a tie half is right
        (900.0, -900.0, 1.0, 0.0),  # no overflow
        (-900.0, 900.0, 0.0, 1800.0),
    ],
)
def test_one_pair_is_right_torn_or_wrong(chosen, rejected, accuracy, loss):
    figures = scored([(chosen, rejected, 3, 3)]).figures()
    assert (figures["accuracy"], figures["loss"]) == (accuracy, pytest.approx(loss))
    assert figures["margin"] == chosen - rejected


def test_a_model_that_says_eighty_and_is_right_eight_times_in_ten_is_calibrated():
    margin = math.log(0.8 / 0.2)
    told = scored([(margin, 0, 1, 1)] * 8 + [(0, margin, 1, 1)] * 2)
    assert [(one.confidence, one.right, one.pairs) for one in told.bins()] == [(pytest.approx(0.8), 0.8, 10)]
    assert told.calibration_error() == pytest.approx(0.0, abs=1e-9)
    boasting = scored([(9, 0, 1, 1), (0, 9, 1, 1)])
    assert boasting.calibration_error() == pytest.approx(0.5, abs=1e-3)


def test_a_model_that_only_likes_long_answers_is_found_out():
    told = scored([(1, 0, 9, 3), (0, 1, 3, 9), (0, 1, 2, 4), (1, 0, 5, 5)])
    assert told.by_length() == dict(zip(LENGTHS, [(1, 1.0), (1, 1.0), (2, 0.0)], strict=True))
    assert (told.longer_wins(), told.longer_chosen()) == (1.0, pytest.approx(1 / 3))
    alike = scored([(1, 0, 5, 5)])
    assert (alike.longer_wins(), alike.longer_chosen()) == (None, None)
    assert alike.by_length()[LENGTHS[0]] == (0, None)


@given(pairs)
def test_figures_are_within_their_bounds_and_every_pair_is_in_one_bin(rows):
    told = scored(rows)
    figures = told.figures()
    assert 0 <= figures["accuracy"] <= 1
    assert figures["loss"] >= 0
    assert 0 <= figures["calibration_error"] <= 1
    assert sum(one.pairs for one in told.bins()) == len(rows) == sum(n for n, _ in told.by_length().values())
    assert sum(one.right * one.pairs for one in told.bins()) == pytest.approx(figures["accuracy"] * len(rows))


@given(pairs)
def test_to_turn_every_pair_round_turns_the_figures_round(rows):
    turned = scored([(rejected, chosen, r, c) for chosen, rejected, c, r in rows]).figures()
    figures = scored(rows).figures()
    assert turned["accuracy"] == pytest.approx(1 - figures["accuracy"])
    assert turned["margin"] == pytest.approx(-figures["margin"])
    assert turned["mean_reward"] == pytest.approx(figures["mean_reward"])
