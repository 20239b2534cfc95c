"""
Long runs of combining marks: the same text in order, and in a time by its length.

In: texts with marks in any order. Out: canonically equivalent ones.
"""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.serving.restoring.marks import SHORT, order_marks

MARKS = (
    "\u0301\u0323\u0344\u0f71\u0f72\u0f74\u05b4\u3099\u0334\u0345"  # of many classes; two of them are made of others
)
runs = st.text(st.sampled_from(MARKS), max_size=12).map(lambda marks: marks * (2 * SHORT // max(1, len(marks))))


@given(st.lists(st.one_of(runs, st.text(), st.sampled_from(["각\u11a8", "é", "\ud800", "ᄒᆞᆫ글"])), max_size=5))
def test_the_ordered_text_has_the_same_normal_form(pieces):
    text = "".join(pieces)
    ordered = order_marks(text)
    for form in ("NFC", "NFD"):
        assert unicodedata.normalize(form, ordered) == unicodedata.normalize(form, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "확잠실읾 념뭄 잙앙욤" * 20,
        # as many marks as writing can have, in disorder: that is no trouble
        "a" + "\u0301\u0323" * (SHORT // 2 - 1),
        "WiFi 20MB " * 50,
    ],
)
def test_a_text_as_people_write_it_stays_as_it_is(text):
    assert order_marks(text) is text or order_marks(text) == text


@pytest.mark.parametrize(
    "marks", ["\u0301\u0323" * 15_000, "\u0f74\u0f72\u0f71" * 10_000, "\u0301" * 15_000 + "\u0323" * 15_000]
)
def test_marks_in_disorder_take_time_by_their_number(marks):
    start = time.process_time()
    unicodedata.normalize("NFC", order_marks(marks))
    assert time.process_time() - start < 0.15  # 1.5 s and more without
