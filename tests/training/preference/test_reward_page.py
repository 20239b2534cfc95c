"""The page of a reward model: what a reader has to be told, and pairs of anybody's data that can do no harm."""

import re

import numpy as np
import pytest

from hanpuri.training.preference.pair_scores import PairScores, PairTexts
from hanpuri.training.preference.reward_page import write_page

HOSTILE = PairTexts("a.jsonl:1", "<script>쨰밌어요", "재밌어요 <b>", "째밌어요\ud800 <b>!")


def page_of(rows, **told):
    return write_page(PairScores(*np.array(rows, float).T), lambda place: HOSTILE, title="runs/<i>", **told)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # chosen, rejected, and their lengths
        ([(0, 3, 5, 5), (3, 0, 5, 5)], ["It is right no more often than a coin.", "Its probabilities are 45.3 % off"]),
        # sure of itself, and right in all that is short
        (
            [(4, 0, 9, 3), (0, 4, 3, 9), (4, 0, 9, 3)],
            ["The longer answer wins in 100 % of pairs, and is the better one"],
        ),
        ([(9, 0, 9, 3), (9, 0, 3, 9)], ["Nothing to warn of."]),
    ],
)
def test_what_makes_figures_doubtful_is_said_with_its_mend(rows, expected):
    page = page_of(rows)
    for told in expected:
        assert told in page


def test_texts_are_shown_as_texts_and_what_differs_is_marked():
    page = page_of([(0, 1, 5, 5)], intervals={"accuracy": (0.25, 0.75)})
    assert "<script" not in page
    assert "<b>" not in page
    assert "runs/&lt;i&gt;" in page
    assert "25.0 % to 75.0 %" in page
    worst = page[page.index("a.jsonl:1: -1.00") :]
    assert re.search(r"<mark[^>]*>째</mark>밌어요", worst)
    assert re.search(r"<del[^>]*>!</del>", worst)


def test_the_same_scores_give_the_same_page():
    assert page_of([(1, 0, 5, 5)]) == page_of([(1, 0, 5, 5)])
