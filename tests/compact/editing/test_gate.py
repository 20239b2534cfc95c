"""
Which edits of a model that edits are taken, with edits written by hand.

In: a text, edits as a model would make them, what rules find. Out: the edits that may be.
"""

import time

import pytest

from hanpuri.compact.editing.gate import allowed, grouped
from hanpuri.compact.editing.reader import TextEdit
from hanpuri.unhiding.draft import Change

HIDES = [Change(0, 1, "그", "sign")]
CASES = [
    # syllables: the model is the judge, whatever rules find
    ("룸이", [TextEdit(0, 1, "방", 0.3)], [], True),
    # a sign goes only from a text that hides
    ("완♡전", [TextEdit(1, 2, "", 0.99)], [], False),
    ("완♡전", [TextEdit(1, 2, "", 0.99)], HIDES, True),
    ("김○○", [TextEdit(1, 3, "", 0.99)], [], False),
    # addresses, numbers and emoji stay in one, too
    ("15:00", [TextEdit(2, 3, "", 0.99)], HIDES, False),
    ("3.5점", [TextEdit(1, 2, "", 0.99)], HIDES, False),
    ("₩50,000", [TextEdit(3, 4, "", 0.99)], HIDES, False),
    ("https://a.kr/?q=b", [TextEdit(13, 14, "", 0.99)], HIDES, False),
    ("me@a.kr", [TextEdit(2, 3, "", 0.99)], HIDES, False),
    ("#방", [TextEdit(0, 1, "", 0.99)], HIDES, False),
    ("👩\u200d👧", [TextEdit(1, 2, "", 0.99)], HIDES, False),
    # Latin letters become Hangul if the model is sure enough, and do not just go
    ("nuna가", [TextEdit(0, 4, "누나", 0.8)], [], True),
    ("nuna가", [TextEdit(0, 4, "누나", 0.4)], [], False),
    ("smart한", [TextEdit(2, 3, "", 0.99)], [], False),
    # what touches is taken or left together: half a word is worse than none
    ("hotel", [TextEdit(0, 1, "숙", 0.9), TextEdit(1, 2, "소", 0.9), TextEdit(2, 5, "", 0.9)], [], True),
    ("hotel", [TextEdit(0, 1, "숙", 0.9), TextEdit(1, 2, "소", 0.4), TextEdit(2, 5, "", 0.9)], [], False),
]


@pytest.mark.parametrize(("text", "edits", "rules", "taken"), CASES)
def test_edits_are_taken_or_left(text, edits, rules, taken):
    assert list(allowed(text, edits, rules)) == (edits if taken else [])


def test_groups_are_edits_that_touch():
    first, second, third = TextEdit(0, 1, "가", 1.0), TextEdit(1, 2, "나", 1.0), TextEdit(3, 4, "다", 1.0)
    assert list(grouped([first, second, third])) == [[first, second], [third]]
    assert list(grouped([])) == []


@pytest.mark.parametrize("piece", ["1.", "👩", "a", "a@", "http", "#가", "9", "a.", "★", "1.2-", "₩1"])
def test_a_long_text_is_read_in_a_moment(piece):
    # From each of its characters on, a careless pattern would read to the end.
    text = piece * 20_000
    start = time.process_time()
    assert list(allowed(text, [TextEdit(0, 1, "", 1.0)], [])) == []
    assert time.process_time() - start < 1.0
