"""
What changed between two texts, whichever model changed it.

In: a noisy text and a restored one. Out: edits that lead from one to the other.
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.serving.restoring.restored import MOST_COMPARED, Edit, edits_between, of_engine

words = st.lists(st.sampled_from(["방이", "넓뭄", "너무", "좋타", "!", "  ", "\n", "가나다라"]), max_size=12)
texts = st.one_of(words.map(" ".join), st.text(max_size=30))


def put_in(noisy: str, edits: list[Edit]) -> str:
    """Follow the edits, from right to left, so that positions stay true."""
    for edit in reversed(edits):
        assert noisy[edit.position : edit.position + len(edit.noisy)] == edit.noisy
        noisy = noisy[: edit.position] + edit.restored + noisy[edit.position + len(edit.noisy) :]
    return noisy


@given(texts, texts)
def test_the_edits_put_in_give_the_restored_text(noisy, text):
    edits = list(edits_between(noisy, text))
    assert put_in(noisy, edits) == text
    assert all(edit.noisy != edit.restored for edit in edits)
    for left, right in pairwise(edits):
        assert left.position + len(left.noisy) <= right.position


@given(st.text(min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_texts_of_one_length_differ_by_single_characters(noisy, random):
    text = "".join(random.choice((character, "가")) for character in noisy)
    sure = tuple(random.random() for _ in text)
    for edit in edits_between(noisy, text, sure):
        assert edit == Edit(edit.position, noisy[edit.position], text[edit.position], sure[edit.position])


@pytest.mark.parametrize(
    ("noisy", "text", "expected"),
    [
        ("넓뭄 좋타", "너무 좋다", [(0, "넓", "너"), (1, "뭄", "무"), (4, "타", "다")]),
        # a word that grew, between words that did not
        ("방이 넓뭄 좋타 !", "방이 너무 좋습니다 !", [(3, "넓", "너"), (4, "뭄", "무"), (6, "좋타 ", "좋습니다 ")]),
        # an answer that says something else
        ("확잠", "", [(0, "확잠", "")]),
        ("", "네", [(0, "", "네")]),
        ("방이 좁아요", "방이 좁아요", []),
    ],
)
def test_edits_are_told_word_by_word_where_the_length_changed(noisy, text, expected):
    assert [edit[:3] for edit in edits_between(noisy, text)] == expected


def test_texts_too_long_to_compare_are_one_edit():
    noisy, text = "가 " * 1100, "나 " * 1000
    assert MOST_COMPARED < 1100 * 1000
    assert list(edits_between(noisy, text)) == [Edit(0, noisy, text, None)]


def test_confidences_that_do_not_fit_the_text_are_not_told():
    assert of_engine("확잠", "화장", ()).confidences is None
    assert of_engine("확잠", "화장", (0.9, 0.8)).edits == (Edit(0, "확", "화", 0.9), Edit(1, "잠", "장", 0.8))
    assert of_engine("확", "", ()).confidences == ()
