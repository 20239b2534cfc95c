"""Edit distances are those of others: of rapidfuzz over any sequence, of jiwer over words and characters."""

import random
import unicodedata

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from hanpuri.evaluation.metrics import cer, edit_distance, jamo_error_rate, wer

WORDS = st.lists(st.text("가나ab.", min_size=1, max_size=3), min_size=1, max_size=6)

KNOWN = [
    # hypothesis, reference, cer, wer, jamo error rate
    ("방이 좋아요", "방이 좋아요", 0.0, 0.0, 0.0),
    ("방이 조아요", "방이 좋아요", 1 / 6, 1 / 2, 1 / 13),  # a tail is missing: one of 12 letters and a space
    ("방이좋아요", "방이 좋아요", 1 / 6, 1.0, 1 / 13),  # one word in place of two
    ("", "방이", 1.0, 1.0, 1.0),
    ("방이 너무 좋아요", "방이", 7 / 2, 2.0, 13 / 5),  # more edits than characters
    (unicodedata.normalize("NFD", "방이"), "방이", 0.0, 0.0, 0.0),  # decomposed and precomposed are the same text
]


@pytest.mark.parametrize(("hypothesis", "reference", "characters", "words", "letters"), KNOWN)
def test_known_pairs_have_known_rates(hypothesis, reference, characters, words, letters):
    assert cer([hypothesis], [reference]) == pytest.approx(characters)
    assert wer([hypothesis], [reference]) == pytest.approx(words)
    assert jamo_error_rate([hypothesis], [reference]) == pytest.approx(letters)


@given(st.text(max_size=80), st.text(max_size=80))
def test_the_edit_distance_is_that_of_rapidfuzz(first, second):
    assert edit_distance(first, second) == Levenshtein.distance(first, second)


@given(st.text("가나 ", max_size=80), st.text("가나 ", max_size=80))
def test_the_edit_distance_of_texts_with_much_in_common_is_that_of_rapidfuzz(first, second):
    assert edit_distance(first, second) == Levenshtein.distance(first, second)


@given(WORDS, WORDS)
def test_the_edit_distance_of_words_is_that_of_rapidfuzz(first, second):
    assert edit_distance(first, second) == Levenshtein.distance(first, second)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_rates_are_those_of_jiwer(pairs):
    said, right = [[" ".join(words) for words in side] for side in zip(*pairs, strict=True)]
    assert wer(said, right) == pytest.approx(jiwer.wer(right, said))
    assert cer(said, right) == pytest.approx(jiwer.cer(right, said))
    letters = [[unicodedata.normalize("NFD", text) for text in side] for side in (right, said)]
    assert jamo_error_rate(said, right) == pytest.approx(jiwer.cer(*letters))


def test_a_text_of_ten_thousand_characters_is_measured_too():
    dice = random.Random(0)
    first, second = ("".join(dice.choices("가나다라마바사 ", k=10_000)) for _ in range(2))
    assert edit_distance(first, second) == Levenshtein.distance(first, second)
