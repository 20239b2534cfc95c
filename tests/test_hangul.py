"""
The arithmetic of syllables, held against what Unicode and EUC-KR say of them.

In: every syllable there is, and any text. Out: letters, indices and code points that lead back to where they came from.
"""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.hangul import (
    FIRST_SYLLABLE,
    LEADS,
    NUM_SYLLABLES,
    TAILS,
    VOWELS,
    code_points,
    compose,
    decompose,
    from_code_points,
    is_ks_x_1001,
    is_syllable,
    join,
    ks_x_1001_mask,
    split,
    syllable_mask,
)

SYLLABLES = [chr(code_point) for code_point in range(ord("가"), ord("힣") + 1)]
ANY_TEXT = st.text(
    st.characters()
    | st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))
    | st.sampled_from("ㄱㅏㄳ\u1100\u1161\u11a8\ud800\udfff\ud83d\ude00\u0301\u200b"),
    max_size=40,
)


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


# --- one syllable


def test_every_syllable_is_put_together_again_from_its_letters():
    assert [compose(*decompose(syllable)) for syllable in SYLLABLES] == SYLLABLES
    assert len({decompose(syllable) for syllable in SYLLABLES}) == NUM_SYLLABLES == 11_172


def named_letters(syllable: str) -> list[tuple[str, str]]:
    """The parts of a syllable's canonical decomposition by their Unicode names: ("CHOSEONG", "KIYEOK")."""
    names = [unicodedata.name(jamo).split(" ") for jamo in unicodedata.normalize("NFD", syllable)]
    return [(place, letter) for _, place, letter in names]


def test_the_letters_are_those_of_unicodes_own_decomposition():
    for syllable in SYLLABLES:
        letters = [letter for letter in decompose(syllable) if letter]
        names = [unicodedata.name(letter).removeprefix("HANGUL LETTER ") for letter in letters]
        assert named_letters(syllable) == list(zip(("CHOSEONG", "JUNGSEONG", "JONGSEONG"), names, strict=False))


@pytest.mark.parametrize(
    "character",
    [
        "",
        "ㄱ",  # a letter by itself
        "a",
        "값이",  # two syllables
        "\u1100\u1161",  # 가, but not precomposed
        chr(ord("가") - 1),
        chr(ord("힣") + 1),
        "\ud800",
    ],
)
def test_what_is_not_one_syllable_is_not_split(character):
    assert not is_syllable(character)
    assert not is_ks_x_1001(character)
    message = f"{character!r} is not one Hangul syllable (가 to 힣)"
    with pytest.raises(ValueError, match=exactly(message)):
        decompose(character)


@pytest.mark.parametrize(
    ("lead", "vowel", "tail"),
    [
        ("ㄳ", "ㅏ", ""),  # no lead
        ("ㄱ", "ㅏ", "ㄸ"),  # no tail
        ("ㅏ", "ㅏ", ""),
        ("ㄱ", "ㄱ", ""),
        ("ㄱ", "ㅏ", "ㅏ"),
        ("", "ㅏ", ""),  # nothing where a letter has to be
        ("ㄱ", "", ""),
        ("ㄱㄲ", "ㅏ", ""),  # two letters that stand side by side in the alphabet
        ("ㄱ", "ㅏㅐ", ""),
        ("ㄱ", "ㅏ", "ㄱㄲ"),
        ("\u1100", "\u1161", "\u11a8"),  # conjoining jamo
    ],
)
def test_letters_that_cannot_stand_in_their_place_are_refused(lead, vowel, tail):
    message = f"no syllable has the lead {lead!r}, the vowel {vowel!r} and the tail {tail!r}"
    with pytest.raises(ValueError, match=exactly(message)):
        compose(lead, vowel, tail)


# --- millions of them


@given(ANY_TEXT)
def test_any_text_comes_back_from_its_code_points(text):
    points = code_points(text)
    assert points.tolist() == [ord(character) for character in text]
    assert from_code_points(points) == text


@given(ANY_TEXT)
def test_the_mask_says_of_every_character_what_is_syllable_says(text):
    assert syllable_mask(code_points(text)).tolist() == [is_syllable(character) for character in text]


def test_arrays_are_split_as_single_syllables_are_and_joined_again():
    numbers = np.arange(NUM_SYLLABLES)
    leads, vowels, tails = split(numbers)
    letters = [(LEADS[x], VOWELS[y], TAILS[z]) for x, y, z in zip(leads, vowels, tails, strict=True)]
    assert letters == [decompose(chr(FIRST_SYLLABLE + number)) for number in numbers]
    assert (join(leads, vowels, tails) == numbers).all()


def test_splitting_keeps_the_shape():
    assert [part.shape for part in split(np.zeros((2, 3), dtype=np.int64))] == [(2, 3)] * 3


# --- KS X 1001


def test_the_syllables_of_ks_x_1001_are_those_of_its_rows_16_to_40():
    rows, cells = range(0xB0, 0xC9), range(0xA1, 0xFF)
    standard = {bytes([row, cell]).decode("euc_kr") for row in rows for cell in cells}
    assert {syllable for syllable in SYLLABLES if is_ks_x_1001(syllable)} == standard
    assert ks_x_1001_mask().tolist() == [syllable in standard for syllable in SYLLABLES]


def test_the_shared_mask_cannot_be_written_to():
    with pytest.raises(ValueError, match="assignment destination is read-only"):
        ks_x_1001_mask()[0] = False
