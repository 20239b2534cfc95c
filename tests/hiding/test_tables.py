"""The tables of look-alikes, Hanja, words and signs. In: the files. Out: rows that keep to what their heads say."""

import unicodedata

import pytest

from hanpuri.hangul import LEADS, TAILS, VOWELS, is_syllable
from hanpuri.hiding.tables import FOLDER, hanja_of, read_table, readings

NAMES = sorted(path.name for path in FOLDER.glob("*.tsv"))


@pytest.mark.parametrize("name", NAMES)
def test_a_table_says_what_it_is_and_has_no_row_twice(name):
    assert (FOLDER / name).read_text(encoding="utf-8").startswith("# ")
    rows = read_table(name)
    assert len(set(rows)) == len(rows)
    assert all(len(row) == 3 for row in rows)
    assert unicodedata.normalize("NFC", repr(rows)) == repr(rows)


def test_signs_stand_for_syllables():
    assert all(is_syllable(meant) and sign != meant for sign, meant, _ in read_table("signs.tsv"))


def test_look_alikes_are_syllables_that_differ():
    assert all(is_syllable(a) and is_syllable(b) and a != b for a, b, _ in read_table("swaps.tsv"))


def test_rotations_are_of_syllables():
    assert all(is_syllable(meant) and turned != meant for meant, turned, _ in read_table("rotations.tsv"))


def test_look_alike_letters_are_of_letters_that_stand_there():
    alphabets = {"lead": LEADS, "vowel": VOWELS, "tail": TAILS}
    assert all(letter in alphabets[where] for letter, _, where in read_table("letters.tsv"))


def test_every_letter_has_a_spelling_and_a_key():
    for letters, where in ((LEADS, "lead"), (VOWELS, "vowel"), (TAILS[1:], "tail")):
        assert {letter for letter, _, place in read_table("latin.tsv") if place == where} == set(letters)
    assert {letter for letter, _, place in read_table("latin.tsv") if place == "key"} == {*LEADS, *VOWELS, *TAILS[1:]}


def test_words_are_written_in_latin_and_in_hangul():
    for korean, english, hangul in read_table("words.tsv"):
        assert all(map(is_syllable, korean.replace(" ", "")))
        assert english or hangul


@pytest.mark.parametrize(("hanja", "reading"), [("水", "수"), ("樂", "락"), ("女", "녀"), ("金", "금")])
def test_a_hanja_has_its_usual_reading_first(hanja, reading):
    assert readings()[hanja][0] == reading
    assert hanja in hanja_of(reading)


def test_a_syllable_that_no_hanja_is_read_as_has_none():
    assert hanja_of("뷁") == ()
