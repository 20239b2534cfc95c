"""
Text as the network reads it.

In: "방 이". Out: four items (⏎ 방 이 ⏎), six features each, and where each of them stands in the text.
"""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.compact.vocabulary import (
    FIRST_OTHER,
    KEEP,
    MAX_OTHERS,
    MIN_SYLLABLE_COUNT,
    NO_LEAD,
    NO_TAIL,
    NO_VOWEL,
    NOT_OTHER,
    NUM_FEATURES,
    UNKNOWN_OTHER,
    Vocabulary,
    split_symbols,
    syllable_number,
)
from hanpuri.hangul import NUM_SYLLABLES, code_points, from_code_points, is_ks_x_1001, is_syllable

VOCABULARY = Vocabulary("방이", "\n!a")
ANY_TEXT = st.text(st.characters())
LEAD, VOWEL, TAIL, SYLLABLE, OTHER, SPACED = range(NUM_FEATURES)


def features(text: str, vocabulary: Vocabulary = VOCABULARY) -> list[list[int]]:
    """The six features of each item, each counted from its own zero."""
    return (vocabulary.encode(text).features - np.array(vocabulary.offsets[:-1])).tolist()


# --- items and their places


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("", [-1, -1]),
        ("방이", [-1, 0, 1, -1]),
        ("방 이", [-1, 0, 2, -1]),
        # spaces at the ends, several in a row, nothing else
        ("  방  이 ", [-1, 2, 5, -1]),
        ("   ", [-1, -1]),
        # only the plain space is no item of its own
        ("방\t이\u00a0\n", [-1, 0, 1, 2, 3, 4, -1]),
        # one item a code point, also outside the Basic Multilingual Plane
        ("😀방", [-1, 0, 1, -1]),
    ],
)
def test_every_character_but_the_space_is_an_item_at_its_place(text, positions):
    assert VOCABULARY.encode(text).positions.tolist() == positions


def test_a_space_is_a_mark_on_the_item_after_it():
    assert [item[SPACED] for item in features("방 이  방이")] == [0, 0, 1, 1, 0, 0]
    assert [item[SPACED] for item in features(" ")] == [0, 1]


@given(ANY_TEXT)
def test_the_items_of_any_text_are_its_characters_without_the_spaces(text):
    encoded = VOCABULARY.encode(text)
    assert "".join(text[place] for place in encoded.positions[1:-1]) == text.replace(" ", "")
    assert encoded.is_syllable[1:-1].tolist() == [is_syllable(character) for character in text.replace(" ", "")]


@given(ANY_TEXT)
def test_the_features_of_any_text_lie_each_in_its_own_part_of_the_table(text):
    found = VOCABULARY.encode(text).features
    assert found.dtype == np.int32
    for number in range(NUM_FEATURES):
        assert (found[:, number] >= VOCABULARY.offsets[number]).all()
        assert (found[:, number] < VOCABULARY.offsets[number + 1]).all()


def test_a_line_of_many_items_is_encoded_like_its_parts():
    text = "방 이a!" * 20_000  # 80,000 items, more than are worked on at a time
    assert features(text)[1:-1] == features("방 이a!")[1:-1] * 20_000


# --- features


NONE = [NO_LEAD, NO_VOWEL, NO_TAIL, KEEP]


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        # a syllable with a label, and one without: ㄱ ㅏ ㄲ
        ("이", [11, 20, 0, 2, NOT_OTHER, 0]),
        ("갂", [0, 0, 2, KEEP, NOT_OTHER, 0]),
        # other characters with a number of their own, and without
        ("\n", [*NONE, FIRST_OTHER, 0]),
        ("a", [*NONE, FIRST_OTHER + 2, 0]),
        ("b", [*NONE, UNKNOWN_OTHER, 0]),
        ("\u3147", [*NONE, UNKNOWN_OTHER, 0]),  # the letter ㅇ alone is no syllable
        ("\ud800", [*NONE, UNKNOWN_OTHER, 0]),
        ("\U0010ffff", [*NONE, UNKNOWN_OTHER, 0]),
    ],
)
def test_a_character_is_read_as(character, expected):
    assert features(character)[1] == expected


def test_a_text_stands_between_two_line_breaks():
    first, _, last = features("방")
    assert first == last == features("\n")[1]


# --- symbols


def test_symbols_number_syllables_first_then_unknown_then_known_characters():
    symbols = VOCABULARY.symbols(code_points("가힣b\na"))
    assert symbols.tolist() == [
        *(0, NUM_SYLLABLES - 1),
        *(NUM_SYLLABLES + UNKNOWN_OTHER, NUM_SYLLABLES + FIRST_OTHER, NUM_SYLLABLES + FIRST_OTHER + 2),
    ]


@given(st.characters())
def test_the_symbol_of_any_character_splits_into_a_syllable_or_another_character(character):
    lead, vowel, tail, other = split_symbols(VOCABULARY.symbols(code_points(character)), np)
    if is_syllable(character):
        assert other == NOT_OTHER
        assert from_code_points(0xAC00 + syllable_number(lead, vowel, tail)) == character
    else:
        assert other == (FIRST_OTHER + "\n!a".index(character) if character in "\n!a" else UNKNOWN_OTHER)
        assert VOCABULARY.label_of_number[syllable_number(lead, vowel, tail)] == KEEP


@given(st.lists(st.text(st.sampled_from(" \n방이!?a\ud800")), max_size=6))
def test_texts_that_are_read_together_are_read_as_each_alone(texts):
    together, starts = VOCABULARY.encode_all(texts)
    assert len(starts) == len(texts) + 1
    assert starts[-1] == len(together.positions)
    for text, start, end in zip(texts, starts[:-1], starts[1:], strict=True):
        assert [part[start:end].tolist() for part in together] == [part.tolist() for part in VOCABULARY.encode(text)]


@given(st.text(st.sampled_from(" \n방이힣!?a\ud800"), max_size=12))
def test_features_are_those_that_are_reckoned_letter_by_letter(text):
    encoded = VOCABULARY.encode(text)
    points = [10 if place < 0 else ord(text[place]) for place in encoded.positions.tolist()]
    before = [text[max(place, 0) - 1 : max(place, 0)] for place in encoded.positions.tolist()[:-1]] + [text[-1:]]
    spaced = np.array([one == " " for one in before], dtype=int)
    symbols = VOCABULARY.symbols(np.array(points))
    reckoned = VOCABULARY.feature_numbers(*split_symbols(symbols, np), spaced, VOCABULARY.label_of_number)
    assert np.array_equal(encoded.features, np.stack(reckoned, -1))


# --- labels


def test_labels_and_syllables_are_each_others_inverse():
    numbers = VOCABULARY.point_of_label[1:] - 0xAC00
    assert VOCABULARY.label_of_number[numbers].tolist() == [1, 2]
    assert VOCABULARY.num_labels == 3
    assert [letters.tolist() for letters in VOCABULARY.letters_of_label] == [[7, 11], [0, 20], [21, 0]]  # ㅂㅏㅇ, ㅇㅣ


# --- choosing


def test_labels_are_ks_x_1001_and_what_is_frequent():
    chosen = Vocabulary.from_counts(Counter({"갃": MIN_SYLLABLE_COUNT, "뷁": MIN_SYLLABLE_COUNT - 1}))
    assert "갃" in chosen.syllables
    assert "뷁" not in chosen.syllables
    assert len(chosen.syllables) == 2351
    assert all(is_ks_x_1001(syllable) for syllable in chosen.syllables.replace("갃", ""))


def test_the_most_frequent_other_characters_get_a_number_and_the_line_break_always_does():
    counts = Counter({chr(0x4E00 + number): number + 1 for number in range(500)})
    others = Vocabulary.from_counts(counts + Counter(" " * 900)).others
    assert len(others) == MAX_OTHERS
    assert others[:2] == "\n" + chr(0x4E00 + 499)
    assert " " not in others


@given(st.lists(ANY_TEXT, max_size=5))
def test_a_vocabulary_of_any_texts_comes_back_from_its_file(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("vocabulary") / "vocabulary.json"
    vocabulary = Vocabulary.from_counts(Counter("".join(texts)))
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary


def test_the_file_of_a_vocabulary_can_be_read_by_people(tmp_path):
    VOCABULARY.save(tmp_path / "vocabulary.json")
    expected = '{"syllables": "방이", "others": "\\n!a"}\n'
    assert (tmp_path / "vocabulary.json").read_text(encoding="utf-8") == expected
