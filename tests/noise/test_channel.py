"""
The noise read backwards, held against the noise made forwards.

In: clean texts and what the generator makes of them. Out: sets of originals that never miss the clean syllable, and
tables of probabilities whose entries can be counted by hand.
"""

import json
import random
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.hangul import LEADS, TAILS, VOWELS, code_points, compose, decompose, is_syllable
from hanpuri.noise.airbnb import Sliders, double, liaise
from hanpuri.noise.channel import feasible_letters, feasible_originals, fit_channel
from hanpuri.noise.obfuscate import obfuscate
from hanpuri.noise.rules import LETTER_TABLES

CASES = Path(__file__).parents[1] / "cases"
SYNTHETIC = [json.loads(line) for line in (CASES / "synthetic.jsonl").read_text(encoding="utf-8").splitlines()]
NEGATIVE = [json.loads(line) for line in (CASES / "negative.jsonl").read_text(encoding="utf-8").splitlines()]

REVIEW = "화장실이 너무 작고 물이 잘 안 빠져요. 그래도 값이 싸서 다시 올 것 같아요!"
HANGUL = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))
# Runs of syllables between which something can pass, more often than a syllable drawn from all would allow.
NEIGHBOURS = st.builds(
    compose, st.sampled_from("ㅇㅎㄱㄲㅂㅆ"), st.sampled_from("ㅏㅣㅔㅢ"), st.sampled_from(["", *"ㄱㄳㅂㅄㅇㅎㅀㅆ"])
)
HANGUL_TEXT = st.text(HANGUL | NEIGHBOURS | st.sampled_from(" ㅋ.1"), max_size=20)
ANY_TEXT = st.text(st.characters() | HANGUL | st.sampled_from("ㅋㅏ\u1100\u1161\ud800\udfff\u0301"), max_size=40)
SHARES = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1)
PROFILES = st.sampled_from(list(LETTER_TABLES))


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


# --- feasible originals: never too few


@given(
    HANGUL_TEXT,
    PROFILES,
    st.builds(Sliders, SHARES, SHARES, SHARES, SHARES),
    st.booleans(),
    SHARES,
    st.integers(0, 1_000),
)
@example("값이 입학 아까 악악악", "airbnb", Sliders(1, 1, 1, 1), False, 1.0, 0)
def test_the_clean_syllable_is_always_among_the_originals(text, profile, sliders, ks_x_1001, strength, seed):
    settings = {"profile": profile, "sliders": sliders, "ks_x_1001": ks_x_1001, "strength": strength, "seed": seed}
    result = obfuscate(text, **settings)
    originals = feasible_originals(result.noisy, profile)
    missed = [
        (position, clean, noisy)
        for position, (clean, noisy) in enumerate(zip(result.clean, result.noisy, strict=True))
        if clean not in originals[position]
    ]
    assert missed == []


@pytest.mark.parametrize("profile", LETTER_TABLES)
@pytest.mark.parametrize("ks_x_1001", [True, False])
def test_nor_is_it_missed_where_all_leads_and_tails_meet_in_random_order(profile, ks_x_1001):
    rng = random.Random(0)
    letters = [(lead, rng.choice(VOWELS), tail) for lead, tail in product(LEADS, TAILS)]
    for seed in range(8):
        rng.shuffle(letters)
        text = "".join(compose(*syllable) for syllable in letters)
        result = obfuscate(text, profile=profile, ks_x_1001=ks_x_1001, seed=seed)
        originals = feasible_originals(result.noisy, profile)
        assert all(clean in here for clean, here in zip(result.clean, originals, strict=True))


@pytest.mark.parametrize("case", SYNTHETIC, ids=lambda case: case["clean"])
def test_what_a_step_took_away_is_found_again(case):
    for clean, originals in zip(case["clean"], feasible_originals(case["noisy"]), strict=True):
        assert clean in originals, case["why"]


@pytest.mark.parametrize("profile", LETTER_TABLES)
def test_between_two_neighbours_the_tables_hold_what_the_rules_can_make_and_no_more(profile):
    """Go forwards from every clean tail and the clean lead on its right through all three steps, and mark the ends."""
    tables = LETTER_TABLES[profile]
    leads, tails = np.zeros((29, 19, 19), dtype=bool), np.zeros((20, 28, 28), dtype=bool)
    for tail, lead in product(TAILS, LEADS):
        pairs = {(tail, lead)}
        for step in (liaise, double):
            for left, right in list(pairs):
                new_left, new_right = step(("ㄱ", "ㅏ", left), (right, "ㅏ", ""))
                pairs.add((new_left[2], new_right[0]))
        for left, right in pairs:
            for noisy_tail, noisy_lead in product(after_change(tables, left), tables.candidates("lead", right)):
                left_number, right_number = TAILS.index(noisy_tail), LEADS.index(noisy_lead)
                leads[left_number, right_number, LEADS.index(lead)] = True
                tails[right_number, left_number, TAILS.index(tail)] = True
    for lead in LEADS:  # no neighbour on the left
        leads[28, [LEADS.index(noisy) for noisy in tables.candidates("lead", lead)], LEADS.index(lead)] = True
    for tail in TAILS:  # no neighbour on the right
        tails[19, [TAILS.index(noisy) for noisy in after_change(tables, tail)], TAILS.index(tail)] = True
    feasible = feasible_letters(profile)
    assert (feasible.leads == leads).all()
    assert (feasible.tails == tails).all()


def after_change(tables, tail: str) -> tuple[str, ...]:
    """What a change makes of a tail; a missing one may stay missing or become any."""
    return tuple(tables.candidates("tail", tail)) if tail else TAILS


@pytest.mark.parametrize("profile", LETTER_TABLES)
def test_a_vowel_looks_back_along_its_candidates(profile):
    expected = [[noisy in LETTER_TABLES[profile].candidates("vowel", clean) for clean in VOWELS] for noisy in VOWELS]
    assert feasible_letters(profile).vowels.tolist() == expected


# --- feasible originals: not too many


@pytest.mark.parametrize(
    ("noisy", "position", "impossible"),
    [
        ("녀", 0, "노"),  # no vowel leads from ㅗ to ㅕ
        ("녀", 0, "더"),  # nor a lead from ㄷ to ㄴ
        ("냐", 0, "난"),  # a tail never goes by itself
        ("너무", 0, "널"),  # nor to a neighbour that does not hold it
        ("가이", 0, "각"),
        ("가 카", 0, "각"),  # a space parts neighbours
        ("가ㅋ카", 0, "각"),
        ("시", 0, "이"),  # nothing can have moved in
        ("가 시", 2, "이"),
        ("가 카", 2, "하"),
        ("가", 0, "카"),  # ㅋ becomes ㄲ, but never ㄱ
    ],
)
def test_what_no_rule_can_have_made_is_no_original(noisy, position, impossible):
    assert impossible not in feasible_originals(noisy)[position]


def test_few_syllables_of_eleven_thousand_are_left():
    noisy = obfuscate(REVIEW).noisy
    sizes = [
        len(originals)
        for character, originals in zip(noisy, feasible_originals(noisy), strict=True)
        if is_syllable(character)
    ]
    assert max(sizes) < 500
    assert sum(sizes) / len(sizes) < 60


# --- any text


@given(ANY_TEXT, PROFILES)
@example("", "airbnb")
def test_every_character_has_originals_and_one_that_is_no_syllable_only_itself(text, profile):
    originals = feasible_originals(text, profile)
    assert len(originals) == len(text)
    for character, here in zip(text, originals, strict=True):
        assert character in here
        assert all(map(is_syllable, here)) if is_syllable(character) else here == {character}


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case["why"])
def test_a_text_without_syllables_can_only_have_been_itself(case):
    assert feasible_originals(case["text"]) == [{character} for character in case["text"]]


@given(ANY_TEXT)
def test_the_masks_have_one_row_for_each_syllable(text):
    num_syllables = sum(map(is_syllable, text))
    leads, vowels, tails = feasible_letters().masks(code_points(text))
    assert (leads.shape, vowels.shape, tails.shape) == ((num_syllables, 19), (num_syllables, 21), (num_syllables, 28))


@pytest.mark.parametrize("ask", [feasible_letters, lambda profile: feasible_originals("너무", profile)])
def test_an_unknown_profile_is_refused(ask):
    message = "no profile is called 'ear'; there are airbnb, hand"
    with pytest.raises(ValueError, match=exactly(message)):
        ask("ear")


# --- the fitted channel


def entry(channel, place: str, clean: str, noisy: str) -> float:
    alphabet = {"lead": list(LEADS), "vowel": list(VOWELS), "tail": list(TAILS)}[place]
    return float(channel.probabilities[place][alphabet.index(clean), alphabet.index(noisy)])


def test_letters_are_counted_place_by_place():
    channel = fit_channel([("뼝", "병"), ("병까", "병가"), ("각 뱌", "가 바")])
    assert entry(channel, "lead", "ㅂ", "ㅃ") == pytest.approx(1 / 3)
    assert entry(channel, "lead", "ㅂ", "ㅂ") == pytest.approx(2 / 3)
    assert entry(channel, "lead", "ㄱ", "ㄲ") == 0.5
    assert entry(channel, "vowel", "ㅏ", "ㅑ") == pytest.approx(1 / 3)
    assert entry(channel, "tail", "", "ㄱ") == pytest.approx(1 / 3)
    assert entry(channel, "tail", "ㅇ", "ㅇ") == 1
    assert channel.counts["lead"][LEADS.index("ㅂ")] == 3
    assert channel.counts["tail"][TAILS.index("")] == 3


def test_only_syllables_on_both_sides_are_counted():
    channel = fit_channel([("가a1 \ud800ㄱ", "가나1 \ud800가"), ("", "")])
    assert {place: counts.sum() for place, counts in channel.counts.items()} == {"lead": 1, "vowel": 1, "tail": 1}
    assert entry(channel, "lead", "ㄴ", "ㄴ") == 0  # it was never clean: a row of zeros


@given(st.lists(st.tuples(HANGUL, HANGUL), max_size=30))
def test_every_letter_that_was_clean_has_probabilities_that_sum_to_1(pairs):
    channel = fit_channel(pairs)
    for place, counts in channel.counts.items():
        assert counts.sum() == len(pairs)
        assert channel.probabilities[place].sum(1) == pytest.approx((counts > 0).astype(float))
    assert {decompose(clean)[0] for _, clean in pairs} == {
        LEADS[number] for number in np.flatnonzero(channel.counts["lead"])
    }


def test_sides_of_different_length_are_refused():
    message = "the sides of a pair differ in length: '가나' and '가'"
    with pytest.raises(ValueError, match=exactly(message)):
        fit_channel([("가", "가"), ("가나", "가")])


@pytest.mark.parametrize(
    ("one", "other", "lead", "vowel", "tail"),
    [
        # the same
        ([("가", "가")], [("가", "가")], 0, 0, 0),
        # nothing shared in the lead
        ([("가", "가")], [("까", "가")], 1, 0, 0),
        # half of the vowels, all of the tails
        ([("가", "가")], [("각", "가"), ("갹", "가")], 0, 0.5, 1),
        # a letter weighs as much as `one` saw it: ㄱ three times of four
        ([("가", "가")] * 3 + [("나", "나")], [("까", "가"), ("나", "나")], 0.75, 0, 0),
        ([("가", "가"), ("나", "나")], [("까", "가")] * 3 + [("나", "나")], 0.5, 0, 0),
        # a lead that `other` never saw
        ([("가", "가"), ("나", "나")], [("가", "가")], 0.25, 0, 0),
    ],
)
def test_total_variation_is_half_of_what_differs(one, other, lead, vowel, tail):
    distances = fit_channel(one).total_variation(fit_channel(other))
    assert distances == {"lead": lead, "vowel": vowel, "tail": tail}


def test_a_channel_of_no_syllables_is_not_compared():
    message = "this channel was fitted to pairs without a syllable; there is nothing to compare"
    with pytest.raises(ValueError, match=exactly(message)):
        fit_channel([("abc", "abc")]).total_variation(fit_channel([("가", "가")]))
