"""
Whether an engine knows when it is wrong.

In: a confidence for each character, and whether it is right. Out: bins, the calibration error, what is caught.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.engines.base import Answer
from hanpuri.evaluation.report.calibration import Bin, calibrate, calibration_blocks, calibration_of
from hanpuri.evaluation.report.compared import compare
from hanpuri.pages.page import Paragraph, Plots, Table


def answer(text: str, *confidence: float) -> Answer:
    return Answer(text, len(text), finished=True, confidence=confidence)


def found(confidences, right):
    return calibrate(np.array(confidences, dtype=float), np.array(right, dtype=bool))


def test_bins_are_a_tenth_wide_and_the_error_is_weighted():
    one = found([0.05, 0.31, 0.39, 1.0], [False, True, False, True])
    assert one.bins == (Bin(0.05, 0.0, 1), Bin(pytest.approx(0.35), 0.5, 2), Bin(1.0, 1.0, 1))
    assert one.error == pytest.approx((1 * 0.05 + 2 * 0.15 + 1 * 0.0) / 4)
    assert (one.confidence, one.right, one.num_syllables) == (pytest.approx(0.4375), 0.5, 4)


def test_what_is_caught_are_the_wrong_ones_among_the_least_sure():
    sure = [0.9] * 36 + [0.1, 0.2, 0.5, 0.5]
    right = [True] * 36 + [False, True, False, True]
    assert found(sure, right).caught == 0.5  # of 40, the two least sure: one of two mistakes
    assert found([0.9], [True]).caught is None


def test_nothing_is_said_without_a_syllable():
    assert found([], []) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_no_syllable_gets_lost_and_the_error_is_a_share(pairs):
    one = found(*zip(*pairs, strict=True))
    assert sum(part.num_syllables for part in one.bins) == one.num_syllables == len(pairs)
    assert 0 <= one.error <= 1
    assert math.isclose(
        sum(part.right * part.num_syllables for part in one.bins), one.right * one.num_syllables, abs_tol=1e-9
    )


def test_only_syllables_count_and_one_that_is_too_much_is_wrong(restored):
    said = answer("방이요 작아오!", 0.8, 0.9, 0.2, 1, 0.9, 0.9, 0.4, 1)
    one = calibration_of([compare(restored(("방이 작아요!", said)))])
    assert (one.num_syllables, round(one.right * 6)) == (6, 4)  # 요 is too much, 오 is wrong
    assert one.bins[0] == Bin(0.2, 0.0, 1)


def test_answers_without_confidence_and_rows_without_an_answer_are_left_out(restored):
    rows = (
        ("방이", answer("방이", 0.9, 0.8)),
        ("작아요", "작아요"),
        ("문", Answer.failed("down")),
        ("창", answer("", 0.5)),
    )
    assert calibration_of([compare(restored(*rows))]).num_syllables == 2
    assert calibration_of([compare(restored(("방이", "방이")))]) is None
    assert calibration_of([]) is None


def test_who_tells_no_confidence_is_named(restored):
    sure = calibration_of([compare(restored(("방이", answer("방이", 0.95, 0.4))))])
    silent, plots, table, bins = calibration_blocks({"base": sure, "echo": None})
    assert silent == Paragraph("No confidence is told by: echo.")
    assert isinstance(plots, Plots)
    assert plots.plots[0].legend == ("base",)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["base"]
    assert [row[0] for row in bins.rows] == ["40 to 50 %", "90 to 100 %"]
    assert list(calibration_blocks({"echo": None})) == [Paragraph("No confidence is told by: echo.")]


def test_more_engines_than_colours_take_several_plots(restored):
    sure = calibration_of([compare(restored(("방이", answer("방이", 0.95, 0.4))))])
    blocks = list(calibration_blocks({str(number): sure for number in range(8)}))
    titles = [plot.title for block in blocks if isinstance(block, Plots) for plot in block.plots]
    assert titles == ["Confidence and truth (1)", "Confidence and truth (2)"]
