"""
Noisy copies of clean rows: each can be made again, none is made twice, and no row depends on another.

In: (id, clean) of a row, a mix of noise, a seed. Out: noisy copies with what makes them again.
"""

import json
import pickle
import random
import unicodedata
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.data.preparation.augmentation import MAX_DRAWS, NoisyCopy, noisy_copies
from hanpuri.data.recipe import AugmentSettings, MixSettings
from hanpuri.hangul import is_ks_x_1001, is_syllable
from hanpuri.noise.obfuscate import obfuscate

CASES = Path(__file__).parents[2] / "cases"
NEGATIVE = [json.loads(line) for line in (CASES / "negative.jsonl").read_text(encoding="utf-8").splitlines()]

REVIEW = "밤에 도착했는데 현관 등이 꺼져 있어서 열쇠를 찾느라 한참 헤맸습니다."
ROWS = [
    (str(number), f"{number}호실은 {word} 편이었어요")
    for number, word in enumerate(["넓은", "좁은", "추운", "조용한"] * 5)
]

HANGUL = st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣"))
ANY_TEXT = st.text(st.characters() | HANGUL | st.sampled_from(" ㅋㅏ\u1100\u1161\u11a8\ud800\u0301"), max_size=20)
BOUNDS = st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)).map(lambda pair: (min(pair), max(pair)))
MIXES = st.builds(
    MixSettings,
    profile=st.sampled_from(["airbnb", "hand"]),
    weight=st.floats(0.1, 10),
    strength=BOUNDS,
    any_syllable=st.booleans(),
)
SETTINGS = st.builds(
    AugmentSettings,
    copies=st.integers(1, 6),
    mix=st.lists(MIXES, min_size=1, max_size=3).map(tuple),
    unchanged=st.sampled_from([0.0, 0.5, 1.0]),
)
SEEDS = st.integers(-5, 1_000)


def again(clean: str, copy: NoisyCopy) -> str:
    return obfuscate(
        clean, seed=copy.seed, profile=copy.profile, strength=copy.strength, ks_x_1001=not copy.any_syllable
    ).noisy


# --- any text


@given(ANY_TEXT, st.text(max_size=5), SETTINGS, SEEDS)
@example(unicodedata.normalize("NFD", REVIEW), "\ud800", AugmentSettings(unchanged=1), 0)
def test_each_copy_is_made_again_by_what_it_says_of_itself(clean, id, settings, seed):
    for copy in noisy_copies(clean, id, settings, seed):
        assert again(clean, copy) == copy.noisy


@given(ANY_TEXT, st.text(max_size=5), SETTINGS, SEEDS)
def test_no_two_copies_are_alike_and_none_but_copy_0_is_the_clean_text(clean, id, settings, seed):
    copies = noisy_copies(clean, id, settings, seed)
    texts = [copy.noisy for copy in copies]
    assert len(set(texts)) == len(texts) <= settings.copies + 1
    for copy in copies:
        assert (copy.noisy == unicodedata.normalize("NFC", clean)) == (copy.copy == 0)
        assert (copy.strength == 0) == (copy.copy == 0)
    assert [copy.copy for copy in copies] in (list(range(len(copies))), list(range(1, len(copies) + 1)))


@given(ANY_TEXT, SETTINGS, SEEDS)
def test_each_copy_is_of_a_manner_in_the_mix(clean, settings, seed):
    manners = [(mix.profile, mix.any_syllable, *mix.strength) for mix in settings.mix]
    for copy in noisy_copies(clean, "1", settings, seed):
        assert any(
            (copy.profile, copy.any_syllable) == (profile, any_syllable)
            and (copy.copy == 0 or low <= copy.strength <= high)
            for profile, any_syllable, low, high in manners
        )


@given(ANY_TEXT, SETTINGS, SEEDS, st.integers(0, 4))
def test_more_copies_leave_the_first_ones_as_they_are(clean, settings, seed, fewer):
    copies = noisy_copies(clean, "1", settings, seed)
    first = noisy_copies(clean, "1", settings, seed, num_copies=fewer)
    assert first == copies[: len(first)]
    assert len([copy for copy in first if copy.copy]) <= fewer


@given(st.text(HANGUL, min_size=1, max_size=10), SETTINGS, SEEDS)
def test_a_given_noisy_text_is_not_made_again(clean, settings, seed):
    copies = [copy.noisy for copy in noisy_copies(clean, "1", settings, seed) if copy.copy]
    rest = [copy.noisy for copy in noisy_copies(clean, "1", settings, seed, given=copies) if copy.copy]
    assert set(copies) & set(rest) == set()


# --- the same row, the same copies


def test_copies_are_the_same_everywhere():
    # Written down once: another machine, another Python or another day must not change them.
    mix = (MixSettings(strength=(0.5, 1.0)), MixSettings(profile="hand", any_syllable=True))
    settings = AugmentSettings(copies=2, mix=mix, unchanged=1)
    assert noisy_copies("열쇠를 찾느라", "guests.txt:3", settings, 0) == [
        ("열쇠를 찾느라", 0, "airbnb", 0.0, False, "0/guests.txt:3/0"),
        ("얼쇠룰 찾느라", 1, "airbnb", 0.671, False, "0/guests.txt:3/1/0"),
        ("얼쇮룱 잦늬란", 2, "hand", 1.0, True, "0/guests.txt:3/2/0"),
    ]


def test_the_order_of_rows_and_how_they_are_dealt_out_changes_nothing():
    settings = AugmentSettings(
        copies=2, mix=(MixSettings(strength=(0.2, 1)), MixSettings(profile="hand")), unchanged=0.5
    )
    copies = {id: noisy_copies(clean, id, settings, 3) for id, clean in ROWS}
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    assert {id: noisy_copies(clean, id, settings, 3) for id, clean in shuffled} == copies


def test_a_pool_of_processes_makes_the_same():
    work = partial(noisy_copies, settings=AugmentSettings(copies=2), seed=3)
    ids, texts = zip(*ROWS, strict=True)
    made = list(map(work, texts, ids))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(work, texts, ids, chunksize=10)) == made
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize(
    ("clean", "id", "seed"),
    [
        (REVIEW, "1", 1),  # another seed
        (REVIEW, "2", 0),  # another row with the same text
        (REVIEW[:-1], "1", 0),  # another text
        (REVIEW, "1/1", 0),  # an id that looks like a copy of another
    ],
)
def test_another_seed_row_or_text_gets_noise_of_its_own(clean, id, seed):
    settings = AugmentSettings(copies=5)
    first = {copy.noisy[:-1] for copy in noisy_copies(REVIEW, "1", settings, 0)}
    assert first & {copy.noisy[: len(REVIEW) - 1] for copy in noisy_copies(clean, id, settings, seed)} == set()


# --- how many


def test_a_row_of_pairs_comes_with_its_noisy_text():
    copies = noisy_copies("너무", "1", AugmentSettings(copies=3), 0)
    beside = noisy_copies("너무", "1", AugmentSettings(copies=3), 0, given=[copies[0].noisy])
    assert len(beside) == 3
    assert copies[0].noisy not in {copy.noisy for copy in beside}


@pytest.mark.parametrize(
    ("clean", "forms"),
    [
        ("맛", "맏맞맡"),  # KS X 1001 holds none of the others: 먓, 맜, 맟, …
        ("퓟", ""),
    ],
)
def test_a_short_text_gets_no_more_copies_than_it_has_noisy_forms(clean, forms):
    copies = noisy_copies(clean, "1", AugmentSettings(copies=100), 0)
    assert sorted(copy.noisy for copy in copies) == sorted(forms)
    assert [copy.copy for copy in copies] == list(range(1, len(forms) + 1))


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case["why"])
def test_a_text_without_syllables_has_no_noisy_form(case):
    assert noisy_copies(case["text"], "1", AugmentSettings(), 0) == []


def test_a_short_text_at_a_low_strength_is_drawn_until_it_changes():
    settings = AugmentSettings(copies=1, mix=(MixSettings(strength=(0.1, 0.1)),))
    batches = [noisy_copies("아니요", str(number), settings, 0) for number in range(200)]
    assert sum(map(len, batches)) == 200
    assert {copy.seed.rsplit("/")[-1] for [copy] in batches} > {"0", "1", "2"}
    assert MAX_DRAWS == 50


# --- the mix


def test_manners_are_mixed_by_weight_and_strengths_between_their_bounds():
    mix = (MixSettings(weight=3, strength=(0.4, 0.6)), MixSettings(profile="hand", any_syllable=True))
    settings = AugmentSettings(copies=2, mix=mix)
    batches = [noisy_copies(REVIEW, str(number), settings, 0) for number in range(400)]
    copies = [copy for batch in batches for copy in batch]
    share = Counter((copy.profile, copy.any_syllable) for copy in copies)
    assert share["airbnb", False] / 800 == pytest.approx(0.75, abs=0.04)
    assert share["hand", True] == 800 - share["airbnb", False]
    strengths = [copy.strength for copy in copies if copy.profile == "airbnb"]
    assert sum(strengths) / len(strengths) == pytest.approx(0.5, abs=0.01)
    assert 0.4 <= min(strengths) < 0.41
    assert 0.59 < max(strengths) <= 0.6
    assert {copy.strength for copy in copies if copy.profile == "hand"} == {1.0}


@pytest.mark.parametrize("any_syllable", [True, False])
def test_only_where_the_mix_says_so_syllables_outside_ks_x_1001_are_made(any_syllable):
    settings = AugmentSettings(copies=20, mix=(MixSettings(any_syllable=any_syllable),))
    syllables = {made for copy in noisy_copies(REVIEW, "1", settings, 0) for made in copy.noisy if is_syllable(made)}
    assert all(map(is_ks_x_1001, syllables)) is not any_syllable


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_so_many_rows_get_one_more_copy_without_noise(share):
    settings = AugmentSettings(copies=1, unchanged=share)
    batches = [noisy_copies(REVIEW, str(number), settings, 0) for number in range(400)]
    unchanged = [batch[0] for batch in batches if batch[0].copy == 0]
    assert len(unchanged) / 400 == pytest.approx(share, abs=0.05)
    assert {copy.noisy for copy in unchanged} <= {REVIEW}
    assert all(len(batch) == 1 + (batch[0].copy == 0) for batch in batches)
