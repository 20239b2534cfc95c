"""
The readable generator: its steps one by one, and what it promises of any text.

In: tests/cases/synthetic.jsonl, where a step that is certain has one result; arbitrary texts. Out: noisy texts.
"""

import json
import math
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.hangul import is_ks_x_1001, is_syllable
from hanpuri.noise.airbnb import MAX_TRIES, SAMPLES, Options, Sliders, draw, generate
from hanpuri.noise.rules import AIRBNB, HAND

CASES = Path(__file__).parents[1] / "cases"
SYNTHETIC = [json.loads(line) for line in (CASES / "synthetic.jsonl").read_text(encoding="utf-8").splitlines()]
NEGATIVE = [json.loads(line) for line in (CASES / "negative.jsonl").read_text(encoding="utf-8").splitlines()]

REVIEW = "화장실이 너무 작고 물이 잘 안 빠져요. 그래도 값이 싸서 다시 올 것 같아요!"
HANGUL = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))
ANY_TEXT = st.text(
    st.characters() | HANGUL | st.sampled_from("ㅋㅏㄳ\u1100\u1161\u11a8\ud800\udfff👩‍❤️\u0301"), max_size=40
)
SHARES = st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0, 1)
SLIDERS = st.builds(Sliders, SHARES, SHARES, SHARES, SHARES)
TABLES = st.sampled_from([AIRBNB, HAND])
SEEDS = st.integers(0, 1_000)


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


# --- the steps


@pytest.mark.parametrize("case", SYNTHETIC, ids=lambda case: case["clean"])
def test_a_step_that_is_certain_has_one_result(case):
    sliders = Sliders(
        liaison="liaison" in case["steps"], doubling="doubling" in case["steps"], change=0, tail_insertion=0
    )
    for seed in range(3):
        assert generate(case["clean"], random.Random(seed), sliders) == case["noisy"], case["why"]


@pytest.mark.parametrize(
    ("step", "clean", "noisy"),
    [
        ({"liaison": 1.0}, "뷁이", "뷀기"),  # the left result is outside KS X 1001
        ({"liaison": 1.0}, "맛있어", "마시써"),  # the right one, of the first pair
        ({"doubling": 1.0}, "쪄서", "쪗서"),
    ],
)
def test_what_ks_x_1001_forbids_happens_without_it(step, clean, noisy):
    sliders = Sliders(**{"liaison": 0.0, "doubling": 0.0, "change": 0.0, "tail_insertion": 0.0, **step})
    assert generate(clean, random.Random(0), sliders) != noisy
    assert generate(clean, random.Random(0), sliders, ks_x_1001=False) == noisy


def test_a_step_is_taken_as_often_as_its_slider_says():
    text = "값이 " * 2_000
    noisy = generate(text, random.Random(0), Sliders(liaison=0.3, doubling=0, change=0, tail_insertion=0))
    assert noisy.count("갑시") / 2_000 == pytest.approx(0.3, abs=0.03)
    assert noisy.count("갑시") + noisy.count("값이") == 2_000


@pytest.mark.parametrize(
    ("slider", "num_places"),
    [
        (0.0, 0),
        (0.01, 1),
        (1 / 3, 1),
        (0.34, 2),
        (0.5, 2),  # the web page's middle
        (2 / 3, 2),
        (0.67, 3),
        (1.0, 3),
    ],
)
def test_the_change_slider_says_how_many_places_are_drawn(slider, num_places):
    assert Sliders(change=slider).num_changed_places == num_places


def frequencies(syllable: str, sliders: Sliders, *, ks_x_1001: bool) -> dict[str, float]:
    noisy = generate(" ".join(syllable * 6_000), random.Random(0), sliders, ks_x_1001=ks_x_1001)
    counts = Counter(noisy.replace(" ", ""))
    return {made: count / 6_000 for made, count in counts.items()}


def test_one_of_three_places_is_drawn_until_the_syllable_differs():
    # A third each: the lead becomes ㅃ or ㅍ, the vowel ㅑ, and a missing tail has nothing to become.
    expected = {"빠": 1 / 6, "파": 1 / 6, "뱌": 1 / 3, "바": 1 / 3}
    assert frequencies("바", Sliders(0, 0, 0.3, 0), ks_x_1001=False) == pytest.approx(expected, abs=0.02)


def test_what_ks_x_1001_lacks_is_drawn_again():
    # ㄱㄲㅋ · ㅏㅑ · ㄱㄳㅋ make 18 forms, of which KS X 1001 holds these and 각 itself.
    made = frequencies("각", Sliders(0, 0, 1, 0), ks_x_1001=True)
    expected = {"갹": 0.19, "깍": 0.19, "꺅": 0.19, "칵": 0.19, "캭": 0.19, "각": 0.04}
    assert made == pytest.approx(expected, abs=0.02)


def test_a_missing_tail_becomes_any_of_the_27_alike():
    made = frequencies("가", Sliders(0, 0, 0, 0.5), ks_x_1001=False)
    # Ten tries, each with a half: all but one in a thousand get a tail.
    assert made.pop("가", 0.0) < 0.005
    assert len(made) == 27
    assert all(share == pytest.approx(1 / 27, abs=0.012) for share in made.values())


class CountingRandom(random.Random):
    """Counts how often it was asked for a share, which is once for each pair of neighbours and each try of a tail."""

    num_shares = 0

    def random(self) -> float:
        self.num_shares += 1
        return super().random()


def test_after_ten_tries_a_syllable_stays_as_it_is():
    rng = CountingRandom(0)
    # KS X 1001 holds 쮜 with no tail at all.
    assert generate("쮜", rng, Sliders(0, 0, 0, tail_insertion=1.0)) == "쮜"
    assert rng.num_shares == MAX_TRIES == 10


def test_at_its_middle_the_generator_changes_most_syllables_but_not_all():
    syllables = [character for character in REVIEW * 40 if is_syllable(character)]
    noisy = [character for character in generate(REVIEW * 40, random.Random(0)) if is_syllable(character)]
    changed = sum(before != after for before, after in zip(syllables, noisy, strict=True)) / len(syllables)
    assert 0.8 < changed < 1  # 0.87 in the official pairs; the share depends on how many syllables have kin


# --- any text


@given(ANY_TEXT, SLIDERS, TABLES, st.booleans(), SEEDS)
def test_length_stays_and_nothing_but_syllables_changes(text, sliders, tables, ks_x_1001, seed):
    noisy = generate(text, random.Random(seed), sliders, ks_x_1001=ks_x_1001, tables=tables)
    assert len(noisy) == len(text)
    for before, after in zip(text, noisy, strict=True):
        assert before == after or (is_syllable(before) and is_syllable(after))


@given(st.text(HANGUL, max_size=30), SLIDERS, TABLES, SEEDS)
def test_what_changes_becomes_a_syllable_of_ks_x_1001(text, sliders, tables, seed):
    noisy = generate(text, random.Random(seed), sliders, tables=tables)
    assert all(is_ks_x_1001(after) for before, after in zip(text, noisy, strict=True) if before != after)


@given(ANY_TEXT, SLIDERS, TABLES, st.booleans(), SEEDS)
def test_equal_random_numbers_make_equal_noise(text, sliders, tables, ks_x_1001, seed):
    first, second = (generate(text, random.Random(seed), sliders, ks_x_1001=ks_x_1001, tables=tables) for _ in range(2))
    assert first == second


@given(ANY_TEXT, TABLES, st.booleans(), SEEDS)
def test_with_every_slider_at_0_nothing_changes(text, tables, ks_x_1001, seed):
    assert generate(text, random.Random(seed), Sliders(0, 0, 0, 0), ks_x_1001=ks_x_1001, tables=tables) == text


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case["why"])
@pytest.mark.parametrize("sliders", [Sliders(), Sliders(1, 1, 1, 1)], ids=["middle", "full"])
def test_a_text_without_syllables_never_changes(case, sliders):
    assert generate(case["text"], random.Random(0), sliders, ks_x_1001=False, tables=HAND) == case["text"]


# --- which characters may change


@given(st.lists(st.tuples(HANGUL | st.just(" "), st.booleans()), max_size=30), SLIDERS, TABLES, SEEDS)
def test_what_is_not_active_stays(marked, sliders, tables, seed):
    text = "".join(character for character, _ in marked)
    active = [mark for _, mark in marked]
    noisy = generate(text, random.Random(seed), sliders, ks_x_1001=False, tables=tables, active=active)
    assert all(before == after for before, after, mark in zip(text, noisy, active, strict=True) if not mark)


@pytest.mark.parametrize("active", [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("clean", ["값이", "입학", "아까"])
def test_a_step_across_two_syllables_needs_both(clean, active):
    across = Sliders(liaison=1, doubling=1, change=0, tail_insertion=0)
    assert generate(clean, random.Random(0), across, active=(True, True)) != clean
    assert generate(clean, random.Random(0), across, active=active) == clean


def test_marks_that_do_not_fit_the_text_are_refused():
    with pytest.raises(ValueError, match=r"^zip\(\) argument 2 is shorter than argument 1$"):
        generate("값이", random.Random(0), active=[True])


# --- the same draws as those of `random`, on which every seed rests


@given(st.integers(1, 40), SEEDS)
def test_options_are_drawn_as_random_choice_draws(num_options, seed):
    ours, theirs = random.Random(seed), random.Random(seed)
    options = range(num_options)
    for _ in range(5):
        assert draw(Options.of(options), ours.getrandbits) == theirs.choice(options)
    assert ours.getstate() == theirs.getstate()


@given(st.integers(0, 3), SEEDS)
def test_places_are_drawn_as_random_sample_draws(num_places, seed):
    ours, theirs = random.Random(seed), random.Random(seed)
    places = SAMPLES[num_places]
    for _ in range(num_places):
        places = draw(places, ours.getrandbits)
    assert places == tuple(sorted(theirs.sample((0, 1, 2), num_places)))
    assert ours.getstate() == theirs.getstate()


# --- wrong sliders


@pytest.mark.parametrize("slider", ["liaison", "doubling", "change", "tail_insertion"])
@pytest.mark.parametrize("value", [-0.1, 1.1, 50, math.nan, math.inf])
def test_a_slider_outside_0_to_1_is_refused(slider, value):
    message = f"the slider {slider} is {value}; it is a probability from 0 to 1"
    with pytest.raises(ValueError, match=exactly(message)):
        Sliders(**{slider: value})
