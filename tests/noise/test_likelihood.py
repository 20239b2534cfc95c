"""
The likelihood held against the generator: it sums to one, agrees with how often what is made, and knows the impossible.

In: clean texts, what the generator makes of them, and all that it can make of short words. Out: probabilities.
"""

import math
import random
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.hangul import FIRST_SYLLABLE, NUM_SYLLABLES, code_points, compose, ks_x_1001_mask
from hanpuri.noise.airbnb import MIDDLE, Sliders, generate
from hanpuri.noise.changes import change_table
from hanpuri.noise.channel import feasible_originals
from hanpuri.noise.likelihood import Channel, Paths
from hanpuri.noise.obfuscate import obfuscate
from hanpuri.noise.rules import letter_tables

REVIEW = "화장실이 너무 작고 물이 잘 안 빠져요. 그래도 값이 싸서 다시 올 것 같아요!"
HANGUL = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))
# Syllables between which something can pass, more often than one drawn from all would allow.
NEIGHBOURS = st.builds(
    compose, st.sampled_from("ㅇㅎㄱㄲㅂㅆ"), st.sampled_from("ㅏㅣㅔㅢ"), st.sampled_from(["", *"ㄱㄳㅂㅄㅇㅎㅀㅆ"])
)
TEXT = st.text(HANGUL | NEIGHBOURS | st.sampled_from(" ㅋ.1\ud800👩"), max_size=16)
# A table takes a second to make, so the sliders are drawn from a few.
SETTINGS = [
    (MIDDLE, True, "airbnb"),
    (Sliders(1.0, 1.0, 1.0, 0.0), True, "airbnb"),
    (Sliders(0.3, 0.0, 0.2, 1.0), False, "hand"),
    (Sliders(0.0, 0.7, 0.0, 0.4), True, "hand"),
]
MIDDLE_CHANNEL = Channel()


def numbers(text: str):
    return code_points(text) - FIRST_SYLLABLE


def channel_of(setting, strengths=None) -> Channel:
    sliders, ks_x_1001, profile = setting
    return Channel(sliders, strengths=strengths or {1.0: 1.0}, ks_x_1001=ks_x_1001, profile=profile)


def read(channel: Channel, noisy: str, clean: str) -> Paths:
    """Read a run of syllables one by one."""
    paths = channel.begin(1)
    for place, (after, before) in enumerate(zip(numbers(noisy), numbers(clean), strict=True)):
        paths = channel.extend(paths, np.array([before]), np.array([after]), np.array([place > 0]))
    return paths


def spread(paths: Paths, outcomes) -> Paths:
    """Let the last noisy syllable of every reading be each of the outcomes."""
    places = np.repeat(np.arange(len(paths.clean)), len(outcomes))
    return replace(paths.take(places), noisy=np.tile(outcomes, len(paths.clean)))


# --- a probability


@pytest.mark.parametrize(
    ("word", "strengths"),
    [
        ("너무", {1.0: 1.0}),  # a doubling, and a tail put in
        ("값이", {1.0: 1.0}),  # a tail of two letters moves in part
        ("입학", {1.0: 1.0}),  # two letters melt into one
        ("입학생", {1.0: 1.0}),  # three, of which the first two melt
        ("뷁이", {1.0: 1.0}),  # a syllable that may stay but not be made
        ("갈왰", {1.0: 1.0}),  # whether a tail may move hangs on the syllable that it makes
        ("값이", {0.7: 0.5, 0.1: 0.3, 0.0: 0.2}),  # rows of many strengths
    ],
)
def test_the_probabilities_of_all_that_can_become_of_a_word_sum_to_one(word, strengths):
    channel = Channel(strengths=strengths)
    outcomes = np.unique(np.concatenate([np.flatnonzero(ks_x_1001_mask()), numbers(word)]))
    paths = channel.begin(1)
    for place, number in enumerate(numbers(word)):
        count = len(paths.clean)
        paths = channel.extend(paths, np.full(count, number), np.zeros(count, int), np.full(count, place > 0))
        possible = paths.take(np.flatnonzero(np.isfinite(paths.log_likelihood)))
        paths = spread(possible, outcomes)
    assert np.exp(channel.end(paths)).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_syllable_becomes_something(setting):
    sliders, ks_x_1001, profile = setting
    table = change_table(profile, sliders, ks_x_1001=ks_x_1001)
    assert table.flat.reshape(NUM_SYLLABLES, -1).sum(1) == pytest.approx(1.0, abs=1e-12)


# --- the generator's own


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("word", ["값이", "입학", "갈왰", "뷁이"])
def test_what_is_likely_is_made_as_often(word, setting):
    sliders, ks_x_1001, profile = setting
    channel, count, rng = channel_of(setting), 4_000, random.Random(word)
    made = Counter(
        generate(word, rng, sliders, ks_x_1001=ks_x_1001, tables=letter_tables(profile)) for _ in range(count)
    )
    likely = {noisy: math.exp(channel.log_likelihood(noisy, word)) for noisy in made}
    unseen = max(0.0, 1.0 - sum(likely.values()))
    distance = 0.5 * (sum(abs(made[noisy] / count - share) for noisy, share in likely.items()) + unseen)
    # The mean distance of a sample of this size is at most this (Cauchy-Schwarz, each outcome by itself; what was not
    # seen counts once), and one farther by 0.035 comes up once in 18,000 (McDiarmid).
    chance = 0.5 * sum(math.sqrt(share / count) for share in likely.values()) + unseen
    assert distance < chance + 0.035


@given(TEXT, st.sampled_from(SETTINGS), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 1_000))
def test_nothing_that_was_made_is_impossible(text, setting, strength, seed):
    sliders, ks_x_1001, profile = setting
    how = {"sliders": sliders, "ks_x_1001": ks_x_1001, "profile": profile, "strength": strength, "seed": seed}
    result = obfuscate(text, **how)
    assert channel_of(setting, {strength: 1.0}).log_likelihood(result.noisy, result.clean) > -math.inf


@given(TEXT, st.integers(0, 1_000), st.lists(st.tuples(st.integers(0, 15), NEIGHBOURS), max_size=2))
def test_what_is_possible_is_feasible(text, seed, replaced):
    noisy = obfuscate(text, seed=seed).noisy
    originals = feasible_originals(noisy)
    clean = list(obfuscate(text, seed=seed).clean)
    for place, syllable in replaced:
        if place < len(clean):
            clean[place] = syllable
    if MIDDLE_CHANNEL.log_likelihood(noisy, "".join(clean)) > -math.inf:
        assert all(character in allowed for character, allowed in zip(clean, originals, strict=True))


@pytest.mark.parametrize(
    ("noisy", "clean"),
    [
        ("념뭄", "나무"),  # ㅏ never becomes ㅕ
        ("넘무요", "너무"),  # longer
        ("넓무", "너 무"),  # a space is lost, and lengths agree
        ("너무!", "너무?"),  # a sign changes
        ("ㄴㅓ", "너무"),  # letters alone are no syllables
        ("갃", "가"),  # all tails can be put in, but this is no syllable of KS X 1001
    ],
)
def test_what_cannot_be_made_has_no_likelihood(noisy, clean):
    assert MIDDLE_CHANNEL.log_likelihood(noisy, clean) == -math.inf


def test_a_text_that_was_left_alone_is_possible_only_below_full_strength():
    assert MIDDLE_CHANNEL.log_likelihood("깨끗", "깨끗") < math.log(0.01)
    assert Channel(strengths={0.0: 1.0}).log_likelihood("깨끗", "깨끗") == 0.0
    assert Channel(strengths={0.0: 1.0}).log_likelihood("께끗", "깨끗") == -math.inf


def test_texts_of_two_strengths_are_mixed_as_told():
    noisy = obfuscate(REVIEW, seed=1, strength=0.5).noisy
    each = [math.exp(Channel(strengths={strength: 1.0}).log_likelihood(noisy, REVIEW)) for strength in (0.4, 0.8)]
    mixed = Channel(strengths={0.4: 0.25, 0.8: 0.75}).log_likelihood(noisy, REVIEW)
    assert mixed == pytest.approx(math.log(0.25 * each[0] + 0.75 * each[1]))


def test_a_long_text_does_not_underflow():
    clean = REVIEW * 100
    assert -1e6 < MIDDLE_CHANNEL.log_likelihood(obfuscate(clean).noisy, clean) < -5e3


# --- step by step


@given(st.text(HANGUL | NEIGHBOURS, min_size=1, max_size=8), st.integers(0, 100))
def test_reading_step_by_step_gives_the_same_as_reading_at_once(clean, seed):
    noisy = obfuscate(clean, seed=seed).noisy
    by_steps = MIDDLE_CHANNEL.end(read(MIDDLE_CHANNEL, noisy, clean))
    assert by_steps == pytest.approx(MIDDLE_CHANNEL.log_likelihood(noisy, clean))


def test_of_two_readings_one_can_be_taken():
    first, second = read(MIDDLE_CHANNEL, "념뭄", "너무"), read(MIDDLE_CHANNEL, "녀뮤", "너무")
    both = first.where(np.array([False]), second).take(np.array([0, 0]))
    assert MIDDLE_CHANNEL.end(both) == pytest.approx([MIDDLE_CHANNEL.log_likelihood("념뭄", "너무")] * 2)


def test_what_follows_is_foreseen_as_the_mean_of_what_can_follow():
    paths = read(MIDDLE_CHANNEL, "념", "너")
    nothing, following = np.array([[-1, -1]]), numbers("마바")[None]
    each = [MIDDLE_CHANNEL.foresee(paths, following[:, [place, place]])[0] for place in (0, 1)]
    assert MIDDLE_CHANNEL.foresee(paths, nothing) == pytest.approx(MIDDLE_CHANNEL.end(paths))
    assert MIDDLE_CHANNEL.foresee(paths, following) == pytest.approx([math.log(np.exp(each).mean())])
    assert each[0] > each[1]  # 념 hints at the ㅁ that follows
    assert MIDDLE_CHANNEL.foresee(paths, np.array([[*numbers("마"), -1]])) == pytest.approx([each[0]])


# --- wrong calls


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strengths": {1.5: 1.0}}, "the strength is 1.5; it is a share from 0 to 1"),
        ({"strengths": {1.0: 0.5}}, "the shares of the strengths sum to 0.5, expected 1"),
        ({"profile": "ear"}, "no profile is called 'ear'; there are airbnb, hand"),
    ],
)
def test_a_wrong_call_says_so(wrong, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Channel(**wrong)
