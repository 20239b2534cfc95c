"""
Pieces of texts as numbers.

In: texts of any kind. Out: a number a piece, equal where the pieces are, and where the numbers of each text begin.
"""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.data.preparation.windows import hash_windows, mix, syllables_of
from hanpuri.hangul import is_syllable

ANY_TEXT = st.text(st.characters() | st.sampled_from("가나다 \0\ud83d\ude00😀ㅋ"), max_size=12)
FEW_LETTERS = st.text(st.sampled_from("가나 "), max_size=12)  # so that pieces repeat


@given(st.lists(ANY_TEXT | FEW_LETTERS, max_size=6), st.integers(1, 16))
@example(["방\ud83d", "\ude00방", "😀"], 1)  # two halves of an emoji in two texts are no emoji
@example(["", "", ""], 5)
@example([], 5)
def test_pieces_are_those_of_a_plain_loop_and_equal_exactly_where_their_numbers_are(texts, length):
    hashes, offsets = hash_windows(texts, length)
    pieces = [[text[at : at + length] for at in range(len(text) - length + 1)] for text in texts]
    assert np.diff(offsets).tolist() == list(map(len, pieces))
    assert offsets[0] == 0
    flat = list(itertools.chain(*pieces))
    named = set(zip(flat, hashes.tolist(), strict=True))
    assert len(named) == len(set(flat)) == len(set(hashes.tolist()))


@given(ANY_TEXT, st.lists(ANY_TEXT, max_size=3), st.integers(1, 8))
def test_a_text_has_the_same_numbers_wherever_it_stands(text, others, length):
    alone = hash_windows([text], length)[0].tolist()
    hashes, offsets = hash_windows([*others, text, *others], length)
    assert hashes[offsets[len(others)] : offsets[len(others) + 1]].tolist() == alone


def test_the_numbers_are_the_same_on_every_machine():
    hashes = hash_windows(["방이 넓어요"], 5)[0].tolist()
    assert list(map(hex, hashes)) == ["0xf8bb79e56912182a", "0x3caf2fadacf2875e"]


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=50))
def test_mixing_keeps_different_numbers_different(numbers):
    mixed = mix(np.array(numbers, dtype=np.uint64))
    assert mixed.dtype == np.uint64
    assert len(set(mixed.tolist())) == len(numbers)


@given(ANY_TEXT)
def test_only_syllables_are_left_of_a_text_in_their_order(text):
    left = syllables_of(text)
    assert all(map(is_syllable, left))
    assert syllables_of(left) == left
    kept = iter(left)
    assert all(character in kept for character in text if is_syllable(character))


@pytest.mark.parametrize(
    ("text", "syllables"),
    [
        ("방이 넓어요! (2층, LG TV)", "방이넓어요층"),
        ("ㅋㅋ 좋아요 ㅠㅠ", "좋아요"),  # letters by themselves are no syllables
        ("\u1112\u1161\u11ab풀이", "한풀이"),  # typed apart
        ("", ""),
        ("😀\ud83d", ""),
    ],
)
def test_what_is_left_of_a_text(text, syllables):
    assert syllables_of(text) == syllables
