"""
The learning curve: a known law is foretold within its interval, a flat one as flat, and nothing is promised beyond.

In: made-up models whose share of right answers follows a law. Out: what twice the data would bring.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.errors import DataError
from hanpuri.evaluation.metrics import MEASURES
from hanpuri.evaluation.verdict.learning_curve import TrainedPoint, count_training_rows, fit_curve

EXACT = MEASURES["exact_match"]
COUNTS = (300, 900, 3000)


def point(num_rows, share, num_test=500, better="high"):
    """A model that has a share of the rows right: always the first ones, as models of one kind do."""
    right = np.arange(num_test) < round(share * num_test)
    counted = right if better == "high" else ~right
    return TrainedPoint(num_rows, np.stack([counted, np.ones(num_test)], axis=1).astype(np.float64))


def law(num_rows, start=0.6, steepness=0.25):
    return 1 - start * (num_rows / 300) ** -steepness


def test_a_known_law_is_foretold_within_its_interval():
    found = fit_curve([point(count, law(count)) for count in COUNTS], EXACT, 0.9)
    ahead = found.forecast
    assert ahead.num_rows == 6000
    assert ahead.score.low <= law(6000) <= ahead.score.high
    assert ahead.score.value == pytest.approx(law(6000), abs=0.01)
    assert ahead.gain.value == pytest.approx(law(6000) - law(3000), abs=0.01)
    assert 0 < ahead.gain.low < ahead.gain.value < ahead.gain.high
    assert found.rise.value == pytest.approx(law(3000) - law(300), abs=0.003)


def test_where_less_is_better_the_same_curve_gains_the_same():
    high = fit_curve([point(count, law(count)) for count in COUNTS], EXACT, 0.9)
    low = fit_curve([point(count, law(count), better="low") for count in COUNTS], MEASURES["wer"], 0.1)
    assert low.forecast.gain.value == pytest.approx(high.forecast.gain.value)
    assert low.forecast.score.value == pytest.approx(1 - high.forecast.score.value)
    assert low.rise.value == pytest.approx(high.rise.value)
    assert low.forecast.rows_to_reach == high.forecast.rows_to_reach


def test_a_curve_that_flattens_is_followed_along_its_last_step():
    found = fit_curve([point(300, 0.2), point(900, 0.6), point(3000, 0.61)], EXACT, 0.9)
    assert found.forecast.gain.value < 0.01
    assert found.forecast.rows_to_reach is None


def test_a_curve_that_falls_promises_nothing():
    found = fit_curve([point(300, 0.5), point(900, 0.6), point(3000, 0.55)], EXACT, 0.9)
    assert found.forecast.gain.high < 0
    assert found.forecast.rows_to_reach is None


def test_the_rows_to_reach_a_score_are_those_of_the_law_up_to_four_times_the_data():
    points = [point(count, law(count)) for count in COUNTS]
    assert fit_curve(points, EXACT, law(9000)).forecast.rows_to_reach == pytest.approx(9000, rel=0.05)
    assert fit_curve(points, EXACT, law(13_000)).forecast.rows_to_reach is None
    assert fit_curve(points, EXACT, law(2000)).forecast.rows_to_reach == 3000


@settings(max_examples=40)  # each draws a thousand times
@given(st.lists(st.floats(0, 1), min_size=2, max_size=4), st.floats(0.01, 1))
def test_whatever_models_score_the_forecast_is_a_score(shares, good_enough):
    points = [point(100 * 3**number, share, 20) for number, share in enumerate(shares)]
    found = fit_curve(points, EXACT, good_enough)
    score = found.forecast.score
    assert -1e-9 <= score.low <= score.high <= 1
    assert len(found.points) == len(shares)


@pytest.mark.parametrize("counts", [(300,), (300, 300), (300, 300, 900)])
def test_a_curve_needs_two_numbers_of_rows(counts):
    with pytest.raises(ValueError, match="expected two numbers or more, each once"):
        fit_curve([point(count, 0.5) for count in counts], EXACT, 0.9)


def test_the_training_rows_of_a_run_are_read_from_its_result(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({"finished": True, "train_rows": 480}), encoding="utf-8")
    assert count_training_rows(tmp_path) == 480


@pytest.mark.parametrize("result", [None, {"finished": False, "train_rows": 480}, {"finished": True}])
def test_a_run_that_is_not_finished_is_said(tmp_path, result):
    if result is not None:
        (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        count_training_rows(tmp_path)
    found = f"{tmp_path}: found no finished fine-tuning in this folder; leave it out, or finish it"
    assert str(caught.value) == found
