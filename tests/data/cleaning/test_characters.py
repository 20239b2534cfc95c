"""
The steps of cleaning that look at characters.

In: any text. Out: a text in which nothing unseen is left, and in which the same step finds nothing more to do.
"""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.data.cleaning.characters import collapse, control_characters, lower_case, nfc, replacement, trim


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("가\x00나\x07\x7f\x9f", "가나"),  # controls of both ranges
        ("가\t나\n다", "가\t나\n다"),  # those that are text
        ("가\r\n나\r다\n\r라", "가\n나\n다\n\n라"),  # line ends of Windows and of old Macs
        ("가\v나\f다\x1c라\x1d마\x1e바\x1f사\x85아", "가\n나\n다\n라\n마\n바\n사\n아"),  # what parts lines or words
        ("\ufeff가\u200b나\u200c다\u2060라\xad마\u180e", "가나다라마"),  # without width
        ("\u200e가\u200f나\u202a\u202e다\u2066\u2069라\u061c", "가나다라"),  # direction of writing
        ("\u115f가\u1160나\u3164다\uffa0", "가나다"),  # Hangul fillers
        ("👨\u200d👩\u200d👧 ❤\ufe0f\u200d🔥 👩🏽\u200d🚀 🏃\u200d♀\ufe0f", None),  # joiners within emoji
        ("가\u200d나 👩\u200d \u200d👩", "가나 👩 👩"),  # joiners that join nothing
        ("👩\u200d\u200d🚀", "👩🚀"),  # a joiner that joins a joiner
        ("❤\ufe0f 1\ufe0f\u20e3 葛\U000e0100", None),  # variation selectors
        ("가\xa0나\u3000다\u2028라\u2029마", None),  # white space is the next step's
        ("\ue000\ufffd\ufff9", None),  # not seen, but not known to be nothing
    ],
)
def test_characters_that_show_nothing_are_taken_out(text, cleaned):
    assert control_characters(text) == (text if cleaned is None else cleaned)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\u1112\u1161\u11ab글", "한글"),  # as macOS writes it
        ("cafe\u0301 \u212b", "café \u00c5"),  # Latin letters
        ("ㅎㅏㄴ글 ﬁ ① ㈜", None),  # letters that are meant to stand alone, and forms that only look alike
        ("\u1112\u119e\u11ab", None),  # old Hangul
        ("q" + "\u0301" * 30, None),
        ("q" + "\u0301" * 31 + "가" + "\u0323" * 40, "q" + "\u0301" * 30 + "가" + "\u0323" * 30),  # too many marks
        ("★" * 50 + "😀" * 50, None),  # what is no letter either, but no mark
    ],
)
def test_letters_typed_apart_are_joined(text, cleaned):
    assert nfc(text) == (text if cleaned is None else cleaned)


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0f73", "\u0344", "\u3099\u0301"])
def test_a_hundred_thousand_marks_are_no_work(marks):
    text = nfc("가" + marks * (100_000 // len(marks)))  # sorting them all would take minutes
    assert len(text) == 31


@pytest.mark.parametrize(
    ("text", "trimmed", "collapsed"),
    [
        ("  가 나\n", "가 나", "가 나"),
        ("가  나 \t 다", "가  나 \t 다", "가 나 다"),  # runs within
        ("\u3000\xa0가\u3000나\xa0다\u2003라\u202f", "가\u3000나\xa0다\u2003라", "가 나 다 라"),  # spaces of all kinds
        ("가\t나", "가\t나", "가 나"),
        ("가\n나\n\n다", "가\n나\n\n다", "가\n나\n\n다"),  # lines and one blank line
        ("가 \n 나\n \n\t\n\n다", "가 \n 나\n \n\t\n\n다", "가\n나\n\n다"),  # blank lines that are not empty
        ("가\r\n나\r\n\r\n\r\n다", "가\r\n나\r\n\r\n\r\n다", "가\n나\n\n다"),  # where line ends were kept
        ("가\u2028나\u2029\u2029다", "가\u2028나\u2029\u2029다", "가\n나\n\n다"),  # lines and paragraphs of Unicode
        (" \u3000\n", "", ""),
    ],
)
def test_white_space_is_trimmed_or_also_collapsed(text, trimmed, collapsed):
    assert (trim(text), collapse(text)) == (trimmed, collapsed)


def test_half_a_surrogate_pair_is_a_lost_character():
    assert replacement("가\ud83d나\ude00😀") == "가�나�😀"


def test_letters_of_all_scripts_are_written_small():
    assert lower_case("LG ＴＶ ÉΩЖ ㄲ 가") == "lg ｔｖ éωж ㄲ 가"


some = st.text(
    alphabet=st.sampled_from(
        "가ㅎ\u1112\u1161\u11abaÉ\u0301\u0344\u0f73\u200b\u200d\u3164👩🚀\ufe0f \t\r\n\x85\u2028\xa0\x00"
    )
)
any_text = st.one_of(st.text(alphabet=st.characters()), some)  # lone surrogates too


@pytest.mark.parametrize("step", [replacement, control_characters, nfc, trim, collapse, lower_case])
@given(text=any_text)
@example(text="가" + "\u0344" * 20)  # twenty marks that are written as forty
@example(text="\u0344\u0301" * 40)
def test_a_step_taken_twice_does_what_it_does_once(step, text):
    once = step(text)
    assert step(once) == once


@given(any_text)
def test_no_control_character_is_left(text):
    left = {character for character in control_characters(text) if unicodedata.category(character) == "Cc"}
    assert left <= {"\n", "\t"}


@given(any_text)
def test_the_text_is_in_nfc(text):
    assert unicodedata.is_normalized("NFC", nfc(text))


@given(any_text)
def test_after_collapsing_every_space_is_one_space_or_at_most_two_line_feeds(text):
    collapsed = collapse(text)
    assert set(re.findall(r"\s+", collapsed)) <= {" ", "\n", "\n\n"}
    assert collapsed.split() == text.split()
