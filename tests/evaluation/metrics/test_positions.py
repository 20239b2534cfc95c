"""What stands where it should: known values, bounds on arbitrary text, and agreement with a plain definition."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.evaluation.metrics import char_accuracy, char_f1, exact_match, word_accuracy, wrong_length, wrong_spacing
from hanpuri.hangul import is_syllable

TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=4)
KOREAN = st.text("가나다 ab.\n", max_size=12)
PAIRS = st.lists(st.tuples(KOREAN, KOREAN), min_size=1, max_size=4)

KNOWN = [
    # hypothesis, reference, char_accuracy, char_f1, exact_match, word_accuracy
    ("가나다", "가나다", 1.0, 1.0, 1.0, 1.0),
    ("가나라", "가나다", 2 / 3, 2 / 3, 0.0, 0.0),
    ("나다", "가나다", 0.0, 0.0, 0.0, 0.0),  # one syllable too few at the start: all after it stands wrong
    ("가 나!", "가 나.", 1.0, 3 / 4, 0.0, 1 / 2),  # the mark is no syllable
    ("가  나", "가 나", 1 / 2, 2 * 2 / 7, 0.0, 1.0),  # two spaces shift what follows, but words are the same
    ("", "가", 0.0, 0.0, 0.0, 0.0),
    ("가나", "가", 1.0, 2 / 3, 0.0, 0.0),  # what is too much behind the end costs F1
    (unicodedata.normalize("NFD", "가"), "가", 1.0, 1.0, 1.0, 1.0),  # decomposed and precomposed are the same text
]


@pytest.mark.parametrize(("hypothesis", "reference", "accuracy", "f1", "exact", "words"), KNOWN)
def test_known_pairs_have_known_scores(hypothesis, reference, accuracy, f1, exact, words):
    assert char_accuracy([hypothesis], [reference]) == pytest.approx(accuracy)
    assert char_f1([hypothesis], [reference]) == pytest.approx(f1)
    assert exact_match([hypothesis], [reference]) == exact
    assert word_accuracy([hypothesis], [reference]) == words


SHAPES = [
    # hypothesis, reference, wrong length, wrong spacing
    ("뱅이 죠아여", "방이 좋아요", 0.0, 0.0),  # letters are wrong, the shape is right
    ("방이좋아요", "방이 좋아요", 1.0, 1.0),
    ("방 이좋아요", "방이 좋아요", 0.0, 1.0),
    ("방이 좋아요.", "방이 좋아요", 1.0, 0.0),
    ("방이\t좋아요", "방이 좋아요", 0.0, 0.0),  # any white space is space
]


@pytest.mark.parametrize(("hypothesis", "reference", "length", "spacing"), SHAPES)
def test_a_wrong_shape_is_told_from_wrong_letters(hypothesis, reference, length, spacing):
    assert wrong_length([hypothesis], [reference]) == length
    assert wrong_spacing([hypothesis], [reference]) == spacing


def test_scores_are_pooled_so_that_a_long_row_counts_more():
    assert char_accuracy(["가나다라", "가"], ["가나다라", "나"]) == 0.8


@given(TEXTS)
def test_a_text_scores_perfectly_against_itself(texts):
    for measure in (char_accuracy, char_f1, exact_match, word_accuracy):
        assert measure(texts, texts) == 1.0
    assert wrong_length(texts, texts) == wrong_spacing(texts, texts) == 0.0


@given(PAIRS)
def test_scores_are_those_of_a_plain_definition(pairs):
    said, right = [list(side) for side in zip(*pairs, strict=True)]
    syllables = [
        (one, at, character) for one, text in pairs for at, character in enumerate(text) if is_syllable(character)
    ]
    good = sum(one[at : at + 1] == character for one, at, character in syllables)
    assert char_accuracy(said, right) == pytest.approx(good / len(syllables) if syllables else 1.0)
    same = sum(first == second for pair in pairs for first, second in zip(*pair, strict=False))
    total = sum(len(text) for pair in pairs for text in pair)
    assert char_f1(said, right) == pytest.approx(2 * same / total if total else 1.0)
    words = sum(
        first == second for one, text in pairs for first, second in zip(one.split(), text.split(), strict=False)
    )
    total = sum(len(text.split()) for text in right)
    assert word_accuracy(said, right) == pytest.approx(words / total if total else 1.0)


def test_different_numbers_of_texts_are_a_wrong_call():
    with pytest.raises(ValueError, match="zip"):
        char_accuracy(["가"], ["가", "나"])


def test_of_no_texts_nothing_is_wrong():
    assert char_accuracy([], []) == exact_match([], []) == 1.0
    assert wrong_length([], []) == 0.0
