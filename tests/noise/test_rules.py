"""
The tables of the rules, held against the description of the generator, and every rule against its own example.

In: the letters as the description writes them. Out: what `rules` makes of them.
"""

import random
import re
from dataclasses import replace

import pytest

from hanpuri.hangul import LEADS, TAILS, VOWELS
from hanpuri.noise.airbnb import Sliders, generate
from hanpuri.noise.rules import (
    AIRBNB,
    ALPHABETS,
    ASPIRATES,
    HAND,
    LAX_TAILS,
    LETTER_TABLES,
    RULES,
    TAIL_SPLITS,
    letter_tables,
)

# The candidates as the description of the public generator lists them, each letter with all that it may become.
LEAD_CANDIDATES = """
    ㄱ→ㄱㄲㅋ ㄲ→ㄲㅋ ㅋ→ㅋㄲ  ㄷ→ㄷㄸㅌ ㄸ→ㄸㅌ ㅌ→ㅌㄸ  ㅂ→ㅂㅃㅍ ㅃ→ㅃㅍ ㅍ→ㅍㅃ
    ㅅ→ㅅㅆ ㅆ→ㅆㅅ  ㅈ→ㅈㅉㅊ ㅉ→ㅉㅊ ㅊ→ㅊㅉ  ㄴ→ㄴ ㄹ→ㄹ ㅁ→ㅁ ㅇ→ㅇ ㅎ→ㅎ
"""
VOWEL_CANDIDATES = """
    ㅏ→ㅏㅑ ㅑ→ㅑㅏ ㅐ→ㅐㅒㅔ ㅒ→ㅒㅖ ㅓ→ㅓㅕ ㅕ→ㅕㅓ ㅔ→ㅔㅖㅞ ㅖ→ㅖㅒ ㅗ→ㅗㅛ ㅛ→ㅛㅗ ㅘ→ㅘ ㅙ→ㅙㅚㅞ ㅚ→ㅚㅙㅞ
    ㅜ→ㅜㅠ ㅠ→ㅠㅜ ㅝ→ㅝㅓ ㅞ→ㅞㅚㅙㅔ ㅟ→ㅟ ㅡ→ㅡㅜ ㅢ→ㅢㅟ ㅣ→ㅣㅟ
"""
TAIL_CANDIDATES = """
    ㄱ→ㄱㄳㅋ ㄲ→ㄲㅋ ㄳ→ㄳㄱㅋ ㅋ→ㅋㄱㄳ
    ㄴ→ㄴㄵㄶ ㄵ→ㄴㄵㄶ ㄶ→ㄴㄵㄶ
    ㄷ→ㄷㅅㅆㅈㅊㅌ ㅅ→ㄷㅅㅆㅈㅊㅌ ㅆ→ㄷㅅㅆㅈㅊㅌ ㅈ→ㄷㅅㅆㅈㅊㅌ ㅊ→ㄷㅅㅆㅈㅊㅌ ㅌ→ㄷㅅㅆㅈㅊㅌ
    ㄹ→ㄹㄺㄻㄼㄽㄾㄿㅀ ㄺ→ㄹㄺㄻㄼㄽㄾㄿㅀ ㄻ→ㄹㄺㄻㄼㄽㄾㄿㅀ ㄼ→ㄹㄺㄻㄼㄽㄾㄿㅀ
    ㄽ→ㄹㄺㄻㄼㄽㄾㄿㅀ ㄾ→ㄹㄺㄻㄼㄽㄾㄿㅀ ㄿ→ㄹㄺㄻㄼㄽㄾㄿㅀ ㅀ→ㄹㄺㄻㄼㄽㄾㄿㅀ
    ㅁ→ㅁㄻ  ㅂ→ㅂㅄㅍ ㅄ→ㅂㅄㅍ ㅍ→ㅂㅄㅍ  ㅇ→ㅇㅎ ㅎ→ㅎ
"""


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


@pytest.mark.parametrize(
    ("place", "letters", "listed"),
    [
        ("lead", LEADS, LEAD_CANDIDATES),
        ("vowel", VOWELS, VOWEL_CANDIDATES),
        ("tail", TAILS[1:], TAIL_CANDIDATES),
    ],
)
def test_the_candidates_are_those_of_the_public_generator(place, letters, listed):
    expected = dict(arrow.split("→") for arrow in listed.split())
    assert {letter: set(AIRBNB.candidates(place, letter)) for letter in letters} == {
        letter: set(candidates) for letter, candidates in expected.items()
    }


@pytest.mark.parametrize("tables", LETTER_TABLES.values(), ids=LETTER_TABLES)
@pytest.mark.parametrize("place", ALPHABETS)
def test_every_letter_may_stay_and_no_candidate_is_listed_twice_or_belongs_elsewhere(tables, place):
    for letter in filter(None, ALPHABETS[place]):
        candidates = tables.candidates(place, letter)
        assert letter in candidates
        assert len(set(candidates)) == len(candidates)
        assert set(candidates) <= set(ALPHABETS[place])


@pytest.mark.parametrize("tables", LETTER_TABLES.values(), ids=LETTER_TABLES)
def test_the_tables_name_no_letter_that_cannot_stand_in_its_place(tables):
    # A row under a wrong letter (ㄸ as a tail) would never be looked up, in silence.
    for place, rows in (("lead", tables.leads), ("vowel", tables.vowels), ("tail", tables.tails)):
        assert set(rows) <= set(filter(None, ALPHABETS[place]))


def test_a_missing_tail_has_no_candidates():
    assert AIRBNB.candidates("tail", "") == HAND.candidates("tail", "") == ""


@pytest.mark.parametrize(
    ("clean", "noisy"),
    [
        ("장", "잠"),
        ("작", "잙"),  # not in KS X 1001
        ("해", "애"),
    ],
)
def test_by_hand_a_syllable_becomes_what_the_web_generator_never_makes_of_it(clean, noisy):
    change = Sliders(liaison=0, doubling=0, change=1, tail_insertion=0)
    made = {
        tables.name: {
            generate(clean, random.Random(seed), change, ks_x_1001=False, tables=tables) for seed in range(200)
        }
        for tables in (AIRBNB, HAND)
    }
    assert noisy in made["hand"]
    assert noisy not in made["airbnb"]


def test_every_tail_but_ㅇ_gives_away_its_last_letter():
    doubles = "ㄳㄱㅅ ㄵㄴㅈ ㄶㄴㅎ ㄺㄹㄱ ㄻㄹㅁ ㄼㄹㅂ ㄽㄹㅅ ㄾㄹㅌ ㄿㄹㅍ ㅀㄹㅎ ㅄㅂㅅ"
    expected = {tail: ("", tail) for tail in "ㄱㄲㄴㄷㄹㅁㅂㅅㅆㅈㅊㅋㅌㅍㅎ"}
    expected |= {double: (stays, moves) for double, stays, moves in doubles.split()}
    assert expected == TAIL_SPLITS
    assert set(TAILS) - set(TAIL_SPLITS) == {"", "ㅇ"}


def test_two_tails_melt_with_a_following_ㅎ():
    assert ASPIRATES == {"ㄱ": "ㅋ", "ㅂ": "ㅍ"}


def test_every_lead_but_ㅇ_is_copied_in_lax_form():
    lax = "ㄲㄱ ㅋㄱ ㄸㄷ ㅌㄷ ㅃㅂ ㅍㅂ ㅆㅅ ㅉㅈ"
    expected = {lead: lead for lead in "ㄱㄴㄷㄹㅁㅂㅅㅈㅊㅎ"} | dict(map(tuple, lax.split()))
    assert expected == LAX_TAILS
    assert set(LEADS) - set(LAX_TAILS) == {"ㅇ"}


# --- the rules one by one

# Only the rule's own step is taken, with certainty, and only its own letters are in the tables.
NO_LETTERS = replace(AIRBNB, leads={}, vowels={}, tails={})
OWN_STEP = {
    "liaison": (Sliders(1, 0, 0, 0), NO_LETTERS),
    "aspiration": (Sliders(1, 0, 0, 0), NO_LETTERS),
    "doubling": (Sliders(0, 1, 0, 0), NO_LETTERS),
    "lead": (Sliders(0, 0, 1, 0), replace(NO_LETTERS, leads=AIRBNB.leads)),
    "vowel": (Sliders(0, 0, 1, 0), replace(NO_LETTERS, vowels=AIRBNB.vowels)),
    "tail": (Sliders(0, 0, 1, 0), replace(NO_LETTERS, tails=AIRBNB.tails)),
    "tail insertion": (Sliders(0, 0, 0, 1), NO_LETTERS),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_makes_its_own_example_by_itself(rule):
    sliders, tables = OWN_STEP[rule.name]
    if rule.family == "across syllables":
        assert generate(rule.clean, random.Random(0), sliders, tables=tables) == rule.noisy
    else:  # each syllable draws for itself, so each is looked for by itself
        for clean, noisy in zip(rule.clean, rule.noisy, strict=True):
            assert noisy in {generate(clean, random.Random(seed), sliders, tables=tables) for seed in range(500)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_without_its_step_and_its_letters_a_rule_does_nothing(rule):
    assert generate(rule.clean, random.Random(0), Sliders(0, 0, 1, 0), tables=NO_LETTERS) == rule.clean


def test_every_rule_has_a_name_of_its_own():
    assert [rule.name for rule in RULES] == list(OWN_STEP)


def test_an_unknown_profile_is_named_with_the_known_ones():
    message = "no profile is called 'airbnc'; there are airbnb, hand"
    with pytest.raises(ValueError, match=exactly(message)):
        letter_tables("airbnc")
