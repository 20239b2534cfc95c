"""
Which rules made a noisy text, held against what the rules and the generator make.

In: pairs of clean and noisy texts. Out: how often each rule was used.
"""

import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.hangul import LEADS, TAILS, compose
from hanpuri.noise.airbnb import Sliders, double, liaise
from hanpuri.noise.attribution import NAMES, OTHER, rules_used
from hanpuri.noise.obfuscate import obfuscate
from hanpuri.noise.rules import LETTER_TABLES, RULES

CASES = Path(__file__).parents[1] / "cases"
SYNTHETIC = [json.loads(line) for line in (CASES / "synthetic.jsonl").read_text(encoding="utf-8").splitlines()]
NEGATIVE = [json.loads(line) for line in (CASES / "negative.jsonl").read_text(encoding="utf-8").splitlines()]

REVIEW = "창문을 여니 바람이 들어와서 밤새 춥고 입학식 날처럼 떨었어요. 값이 아까워요!"
HANGUL = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))
# Runs of syllables between which something can pass, more often than a syllable drawn from all would allow.
NEIGHBOURS = st.builds(
    compose, st.sampled_from("ㅇㅎㄱㄲㅂㅆ"), st.sampled_from("ㅏㅣㅔㅢ"), st.sampled_from(["", *"ㄱㄳㅂㅄㅇㅎㅀㅆ"])
)
ANY_TEXT = st.text(st.characters() | HANGUL | NEIGHBOURS | st.sampled_from(" ㅋㅏ\u1100\u1161\ud800"), max_size=30)
SHARES = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1)


# --- one rule, one name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_example_of_each_rule_is_given_to_it_alone(rule):
    assert set(rules_used(rule.clean, rule.noisy)) == {rule.name}


def test_the_names_are_those_of_the_rules_and_one_more():
    assert list(NAMES) == [*(rule.name for rule in RULES), "other"]


@pytest.mark.parametrize("case", SYNTHETIC, ids=lambda case: case["clean"])
def test_what_a_step_across_syllables_made_is_given_to_the_steps_across(case):
    across = {"liaison": {"liaison", "aspiration"}, "doubling": {"doubling"}}
    allowed = set().union(*(across[step] for step in case["steps"]))
    assert set(rules_used(case["clean"], case["noisy"])) <= allowed, case["why"]


@pytest.mark.parametrize(
    ("clean", "noisy", "used"),
    [
        ("창문", "창문", {}),
        ("", "", {}),
        # a step is one, though two syllables changed; a letter is one
        ("값이", "갑시", {"liaison": 1}),
        ("값이 값이", "갑시 갑시", {"liaison": 2}),
        ("바람", "뺘람", {"lead": 1, "vowel": 1}),
        ("바람", "뺘랆", {"lead": 1, "vowel": 1, "tail": 1}),
        ("바다", "받따", {"doubling": 1, "lead": 1}),
        # the tail that liaison took away is filled again
        ("밤이", "반미", {"liaison": 1, "tail insertion": 1}),
        ("밖에", "박께", {"liaison": 1, "doubling": 1}),  # and not an insertion
        # across goes before within: 나나 has two ways to become this
        ("나나", "난나", {"doubling": 1}),
        ("나 나", "난 나", {"tail insertion": 1}),  # but never over a space
        ("나ㅋ나", "난ㅋ나", {"tail insertion": 1}),
        # fewer go before more: ㄱ did not pass over, or ㅋ would be a lead besides
        ("각하", "갘하", {"tail": 1}),
        ("각하", "가카", {"aspiration": 1}),
        # tables that only people who do it by ear use
        ("장", "잠", {"tail": 1}),
        ("하", "아", {"lead": 1}),
        # what no rule makes
        ("너무", "나무", {"other": 1}),
        ("강", "가", {"other": 1}),  # a tail never goes by itself
        ("강", "랑", {"other": 1}),
        ("강물", "랑뿔", {"other": 2}),
        ("강이", "가디", {"other": 2}),  # neither the tail nor the lead can have gone this way
        ("방이", "빵디", {"lead": 1, "other": 1}),
        ("가a", "나b", {"other": 2}),
        ("가", "a", {"other": 1}),
        ("각이", "각!", {"other": 1}),
    ],
)
def test_pairs_that_can_be_counted_by_hand(clean, noisy, used):
    assert rules_used(clean, noisy) == used


def test_texts_of_different_length_are_not_compared():
    assert rules_used("너무", "넘") is None


# --- every tail and lead that can meet


def test_each_step_by_itself_is_given_one_name_wherever_it_acts():
    for tail, lead in product(TAILS, LEADS):
        clean = compose("ㄱ", "ㅏ", tail) + compose(lead, "ㅏ", "")
        for step, names in ((liaise, {"liaison", "aspiration"}), (double, {"doubling"})):
            left, right = step(("ㄱ", "ㅏ", tail), (lead, "ㅏ", ""))
            used = rules_used(clean, compose(*left) + compose(*right))
            assert used.total() <= 1
            assert set(used) <= names


@pytest.mark.parametrize("tables", LETTER_TABLES.values(), ids=LETTER_TABLES)
def test_each_letter_of_the_tables_is_given_to_its_place(tables):
    for lead in LEADS:
        for noisy in set(tables.candidates("lead", lead)) - {lead}:
            assert rules_used(compose(lead, "ㅏ"), compose(noisy, "ㅏ")) == {"lead": 1}
    for tail in TAILS[1:]:
        for noisy in set(tables.candidates("tail", tail)) - {tail}:
            assert rules_used(compose("ㄱ", "ㅏ", tail), compose("ㄱ", "ㅏ", noisy)) == {"tail": 1}
    for tail in TAILS[1:]:
        assert rules_used("가", compose("ㄱ", "ㅏ", tail)) == {"tail insertion": 1}


# --- any text


@given(
    ANY_TEXT,
    st.sampled_from(list(LETTER_TABLES)),
    st.builds(Sliders, SHARES, SHARES, SHARES, SHARES),
    st.booleans(),
    SHARES,
    st.integers(0, 1_000),
)
@example("값이 입학 아까 악악악", "airbnb", Sliders(1, 1, 1, 1), False, 1.0, 0)
def test_what_the_generator_makes_is_never_other(text, profile, sliders, ks_x_1001, strength, seed):
    settings = {"profile": profile, "sliders": sliders, "ks_x_1001": ks_x_1001, "strength": strength, "seed": seed}
    result = obfuscate(text, **settings)
    used = rules_used(result.clean, result.noisy)
    assert used[OTHER] == 0
    assert (used.total() > 0) == (result.clean != result.noisy)


@pytest.mark.parametrize("profile", LETTER_TABLES)
def test_nor_is_it_where_every_two_syllables_meet(profile):
    clean = "".join(compose(lead, "ㅏ", tail) for tail, lead in product(TAILS, LEADS))
    for seed in range(20):
        assert rules_used(clean, obfuscate(clean, profile=profile, ks_x_1001=False, seed=seed).noisy)[OTHER] == 0


@pytest.mark.parametrize(
    ("sliders", "silent"),
    [
        (Sliders(0, 0, 1, 0), {"liaison", "aspiration", "doubling", "tail insertion"}),
        (Sliders(1, 0, 0, 0), {"doubling", "lead", "vowel", "tail", "tail insertion"}),
        (Sliders(0, 1, 0, 0), {"liaison", "aspiration", "lead", "vowel", "tail", "tail insertion"}),
    ],
    ids=["change", "liaison", "doubling"],
)
def test_a_step_that_is_off_is_not_named(sliders, silent):
    used = Counter()
    for seed in range(50):
        used += rules_used(REVIEW, obfuscate(REVIEW, sliders=sliders, seed=seed).noisy)
    assert used.total() > 0
    assert set(used) & silent == set()


@given(ANY_TEXT, ANY_TEXT)
def test_any_two_texts_can_be_compared(clean, noisy):
    used = rules_used(clean, noisy)
    assert (used is None) == (len(clean) != len(noisy))
    if used is not None:
        assert set(used) <= set(NAMES)
        assert min(used.values(), default=1) > 0
        assert (used.total() > 0) == (clean != noisy)


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case["why"])
def test_where_nothing_changed_nothing_was_used(case):
    assert rules_used(case["text"], case["text"]) == {}
