"""
The generator over tensors, held against the readable one.

In: the same clean texts for both. Out: the same noise where a step is certain, the same P(noisy letter | clean letter)
where it is drawn.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.hangul import (
    FIRST_SYLLABLE,
    NUM_SYLLABLES,
    TAILS,
    code_points,
    from_code_points,
    is_ks_x_1001,
    join,
    split,
)
from hanpuri.noise.airbnb import Sliders, generate
from hanpuri.noise.batched import BatchedGenerator, RowSettings
from hanpuri.noise.channel import LetterChannel, fit_channel
from hanpuri.noise.rules import AIRBNB, ALPHABETS, HAND, LETTER_TABLES, LetterTables

CASES = Path(__file__).parents[1] / "cases"
SYNTHETIC = [json.loads(line) for line in (CASES / "synthetic.jsonl").read_text(encoding="utf-8").splitlines()]

REVIEWS = """
화장실이 너무 작고 물이 잘 안 빠져요. 그래도 값이 싸서 다시 올 것 같아요!
바닷가 바로 앞이라 아침에 일어나 창문을 열면 파도 소리가 들려서 정말 좋았습니다.
사장님께서 친절하게 맞아 주시고 늦은 시간에 도착했는데도 귀찮은 내색 없이 안내해 주셨어요.
침대가 푹신해서 잠을 푹 잤고 이불도 깨끗했지만 옆방 소음이 조금 들렸던 것은 아쉬웠네요.
주차장이 넓어서 편했고 근처에 맛집과 편의점도 많아 걸어서 다니기 좋은 숙소였습니다.
사진과 똑같은 방이었고 특히 옥상에서 고기를 구워 먹으며 본 밤하늘을 잊지 못할 거예요.
수건이 부족해서 여쭤봤더니 바로 가져다주셨고 아이들 장난감까지 챙겨 주셔서 감동받았어요.
입학 축하 여행으로 왔는데 욕조도 있고 넷플릭스도 볼 수 있어 밖에 나가기 싫을 정도였답니다.
""".strip().splitlines()
KS_X_1001 = [chr(FIRST_SYLLABLE + n) for n in range(NUM_SYLLABLES) if is_ks_x_1001(chr(FIRST_SYLLABLE + n))]
ALL = [chr(FIRST_SYLLABLE + n) for n in range(NUM_SYLLABLES)]
MIDDLE, OFF = Sliders(), Sliders(0, 0, 0, 0)
PROFILES = tuple(LETTER_TABLES)


@pytest.fixture(scope="module")
def generator() -> BatchedGenerator:
    return BatchedGenerator(tuple(LETTER_TABLES.values()))


def rows(*settings: tuple[Sliders, str, bool]) -> RowSettings:
    """Settings of a batch from each row's sliders, profile and KS X 1001 switch."""

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values)[:, None]

    return RowSettings(
        liaison=column([float(sliders.liaison) for sliders, _, _ in settings]),
        doubling=column([float(sliders.doubling) for sliders, _, _ in settings]),
        num_changed_places=column([sliders.num_changed_places for sliders, _, _ in settings]),
        tail_insertion=column([float(sliders.tail_insertion) for sliders, _, _ in settings]),
        tables=column([PROFILES.index(profile) for _, profile, _ in settings]),
        ks_x_1001=column([ks_x_1001 for _, _, ks_x_1001 in settings]),
    )


def letters(texts: list[str]) -> tuple[torch.Tensor, ...]:
    """Texts of one length, of syllables alone, as leads, vowels and tails (B, T)."""
    numbers = np.stack([code_points(text) - FIRST_SYLLABLE for text in texts])
    return tuple(torch.from_numpy(part) for part in split(numbers))


def texts(noisy: tuple[torch.Tensor, ...]) -> list[str]:
    return [from_code_points(row) for row in join(*(part.numpy() for part in noisy)) + FIRST_SYLLABLE]


def make_noise(
    generator: BatchedGenerator,
    clean: list[str],
    sliders: Sliders = MIDDLE,
    profile: str = "airbnb",
    ks_x_1001: bool = True,
    active: torch.Tensor | None = None,
    adjacent: torch.Tensor | None = None,
) -> list[str]:
    """Noise of one kind for all rows."""
    parts = letters(clean)
    everywhere = torch.ones_like(parts[0], dtype=torch.bool)
    settings = rows(*[(sliders, profile, ks_x_1001)] * len(clean))
    masks = (everywhere if active is None else active, everywhere if adjacent is None else adjacent)
    return texts(generator(*parts, *masks, settings))


def random_texts(syllables: list[str], num_texts: int, length: int) -> list[str]:
    """Draw texts in which each tail is as frequent as the next: drawn evenly, some would hardly occur."""
    rng = random.Random(0)
    by_tail: dict[int, list[str]] = {}
    for syllable in syllables:
        by_tail.setdefault((ord(syllable) - FIRST_SYLLABLE) % len(TAILS), []).append(syllable)
    return ["".join(rng.choice(rng.choice(list(by_tail.values()))) for _ in range(length)) for _ in range(num_texts)]


# --- steps that are certain: the same text


@pytest.mark.parametrize("sliders", [Sliders(1, 0, 0, 0), Sliders(0, 1, 0, 0), Sliders(1, 1, 0, 0)])
@pytest.mark.parametrize("ks_x_1001", [True, False])
@pytest.mark.parametrize("syllables", [KS_X_1001, ALL, [c for c in ALL if "아" <= c <= "잏"]], ids=["ks", "all", "ㅇ"])
def test_liaison_and_doubling_are_those_of_the_readable_generator(generator, sliders, ks_x_1001, syllables):
    clean = random_texts(syllables, 40, 50)
    expected = [generate(text, random.Random(0), sliders, ks_x_1001=ks_x_1001) for text in clean]
    assert make_noise(generator, clean, sliders, ks_x_1001=ks_x_1001) == expected
    assert expected != clean or sliders.liaison == 0  # between leads ㅇ alone there is nothing to double


@pytest.mark.parametrize("case", SYNTHETIC, ids=lambda case: case["clean"])
def test_a_step_that_is_certain_has_one_result(generator, case):
    sliders = Sliders("liaison" in case["steps"], "doubling" in case["steps"], 0, 0)
    # What is no syllable reaches the network as numbers beyond the alphabets, here as in training.
    points = torch.from_numpy(code_points(case["clean"]))[None]
    is_syllable = (points >= FIRST_SYLLABLE) & (points < FIRST_SYLLABLE + NUM_SYLLABLES)
    parts = split(np.where(is_syllable, points - FIRST_SYLLABLE, 0))
    clean = [torch.where(is_syllable, torch.from_numpy(part), no) for part, no in zip(parts, (19, 21, 28), strict=True)]
    noisy = generator(*clean, is_syllable, torch.ones_like(is_syllable), rows((sliders, "airbnb", True)))
    made = torch.where(is_syllable, torch.from_numpy(join(*(part.numpy() for part in noisy))) + FIRST_SYLLABLE, points)
    assert from_code_points(made[0].numpy()) == case["noisy"], case["why"]


# --- steps that are drawn: the same probabilities


def worst_letter(one: LetterChannel, other: LetterChannel) -> float:
    """
    The largest difference of two P(noisy letter | clean letter), in standard deviations of what chance makes of it.

    The total variation alone would not see one candidate of one rare tail go missing: it is an average.
    """
    worst = 0.0
    for place, counts in one.counts.items():
        n, m = np.maximum(counts, 1)[:, None], np.maximum(other.counts[place], 1)[:, None]
        p, q = one.probabilities[place], other.probabilities[place]
        pooled = (n * p + m * q) / (n + m)
        deviation = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-9) * (1 / n + 1 / m))
        worst = max(worst, float((np.abs(p - q) / deviation).max()))
    return worst


def two_channels(
    generator: BatchedGenerator, clean: list[str], *, sliders: Sliders, profile: str, ks_x_1001: bool
) -> tuple[LetterChannel, LetterChannel]:
    """Fit what the readable generator makes of the texts, and what this one makes of five times as many."""
    torch.manual_seed(0)
    rng, tables = random.Random(0), LETTER_TABLES[profile]
    readable = [generate(text, rng, sliders, ks_x_1001=ks_x_1001, tables=tables) for text in clean]
    batched = [noisy for _ in range(5) for noisy in make_noise(generator, clean, sliders, profile, ks_x_1001)]
    return fit_channel(zip(readable, clean, strict=True)), fit_channel(zip(batched, clean * 5, strict=True))


def written_texts() -> list[str]:
    """Written sentences without what is no syllable, cut to one length."""
    return ["".join(filter(lambda c: "가" <= c <= "힣", text))[:28] for text in REVIEWS] * 80


# Chance alone, at these sizes: 2 to 4 standard deviations, 0.01 to 0.025.
WORST_LETTER, TOTAL_VARIATION = 5.0, 0.03


@pytest.mark.parametrize(
    ("clean", "settings"),
    [
        # as the web page stands, on sentences
        (written_texts(), {"sliders": MIDDLE, "profile": "airbnb", "ks_x_1001": True}),
        # the same where every letter is met
        (random_texts(KS_X_1001, 300, 100), {"sliders": MIDDLE, "profile": "airbnb", "ks_x_1001": True}),
        # every place drawn, nothing forbidden: every candidate of every letter shows
        (random_texts(ALL, 300, 100), {"sliders": Sliders(0, 0, 1, 0.3), "profile": "airbnb", "ks_x_1001": False}),
        (random_texts(ALL, 300, 100), {"sliders": Sliders(0, 0, 1, 0.3), "profile": "hand", "ks_x_1001": False}),
        # sliders of their own, one place drawn
        (
            random_texts(KS_X_1001, 300, 100),
            {"sliders": Sliders(0.8, 0.2, 0.3, 0.1), "profile": "hand", "ks_x_1001": True},
        ),
    ],
    ids=["sentences", "syllables", "candidates", "candidates by hand", "by hand"],
)
def test_both_generators_have_the_same_channel(generator, clean, settings):
    readable, batched = two_channels(generator, clean, **settings)
    assert worst_letter(readable, batched) < WORST_LETTER
    assert max(readable.total_variation(batched).values()) < TOTAL_VARIATION


def without(tables: LetterTables, tail: str, candidate: str) -> LetterTables:
    return replace(tables, tails={**tables.tails, tail: tables.candidates("tail", tail).replace(candidate, "")})


@pytest.mark.parametrize(
    ("tail", "candidate"),
    [
        ("ㅁ", "ㄻ"),  # one of two
        ("ㄱ", "ㄳ"),  # one of three
        ("ㄹ", "ㄿ"),  # one of eight
    ],
)
def test_a_candidate_that_is_missing_in_one_of_them_would_be_seen(tail, candidate):
    generator = BatchedGenerator((without(AIRBNB, tail, candidate), HAND))
    settings = {"sliders": Sliders(0, 0, 1, 0.3), "profile": "airbnb", "ks_x_1001": False}
    readable, batched = two_channels(generator, random_texts(ALL, 300, 100), **settings)
    assert worst_letter(readable, batched) > 2 * WORST_LETTER


@pytest.mark.parametrize("number", range(len(PROFILES)), ids=PROFILES)
@pytest.mark.parametrize("place", ALPHABETS)
def test_the_tensors_hold_the_candidates_of_the_tables(generator, number, place):
    tables, alphabet = LETTER_TABLES[PROFILES[number]], ALPHABETS[place]
    candidates, counts = (
        getattr(generator, f"{place}_candidates")[number],
        getattr(generator, f"{place}_counts")[number],
    )
    for row, count, letter in zip(candidates.tolist(), counts.tolist(), alphabet, strict=True):
        assert [alphabet[index] for index in row[:count]] == (list(tables.candidates(place, letter)) or [letter])


# --- promises

ROW = st.text(st.characters(min_codepoint=ord("가"), max_codepoint=ord("힣")), min_size=12, max_size=12)
SHARES = st.sampled_from([0.0, 0.5, 1.0])
SLIDERS = st.builds(Sliders, SHARES, SHARES, SHARES, SHARES)
SEEDS = st.integers(0, 1_000)
SHARED = BatchedGenerator(tuple(LETTER_TABLES.values()))


@given(st.lists(ROW, min_size=1, max_size=4), SLIDERS, st.sampled_from(PROFILES), SEEDS)
def test_what_changes_becomes_a_syllable_of_ks_x_1001(clean, sliders, profile, seed):
    torch.manual_seed(seed)
    noisy = make_noise(SHARED, clean, sliders, profile)
    changed = [after for before, after in zip("".join(clean), "".join(noisy), strict=True) if before != after]
    assert all(map(is_ks_x_1001, changed))


@given(st.lists(ROW, min_size=1, max_size=4), st.sampled_from(PROFILES), st.booleans(), SEEDS)
def test_with_every_slider_at_0_nothing_changes(clean, profile, ks_x_1001, seed):
    torch.manual_seed(seed)
    assert make_noise(SHARED, clean, OFF, profile, ks_x_1001) == clean


def test_equal_seeds_make_equal_noise_and_others_do_not(generator):
    def noise(seed: int) -> list[str]:
        torch.manual_seed(seed)
        return make_noise(generator, written_texts()[:8])

    assert noise(1) == noise(1) != noise(2)


@given(
    st.lists(st.tuples(ROW, st.lists(st.booleans(), min_size=12, max_size=12)), min_size=1, max_size=4), SLIDERS, SEEDS
)
def test_what_is_not_active_stays(marked, sliders, seed):
    torch.manual_seed(seed)
    clean, active = [text for text, _ in marked], [marks for _, marks in marked]
    noisy = make_noise(SHARED, clean, sliders, "hand", ks_x_1001=False, active=torch.tensor(active))
    for before, after, marks in zip(clean, noisy, active, strict=True):
        assert all(x == y for x, y, mark in zip(before, after, marks, strict=True) if not mark)


@given(st.lists(st.integers(-100, 1_000), min_size=6, max_size=6), SLIDERS, SEEDS)
def test_what_is_not_active_stays_whatever_it_is(numbers, sliders, seed):
    torch.manual_seed(seed)
    leads, vowels, tails = (torch.tensor([numbers[start:] + numbers[:start]]) for start in range(3))
    nowhere = torch.zeros_like(leads, dtype=torch.bool)
    noisy = SHARED(leads, vowels, tails, nowhere, ~nowhere, rows((sliders, "airbnb", True)))
    assert all(torch.equal(before, after) for before, after in zip((leads, vowels, tails), noisy, strict=True))


ACROSS = Sliders(1, 1, 0, 0)


@pytest.mark.parametrize("clean", ["값이", "입학", "아까"])
@pytest.mark.parametrize("active", [(True, False), (False, True)])
def test_a_step_across_two_syllables_needs_both(generator, clean, active):
    assert make_noise(generator, [clean], ACROSS) != [clean]
    assert make_noise(generator, [clean], ACROSS, active=torch.tensor([active])) == [clean]


def test_nothing_passes_between_syllables_that_do_not_touch(generator):
    clean = "값이값이아까아까"
    # The mark belongs to the left one of the two: 값 이값이 and 아 까아까.
    adjacent = torch.tensor([[False, True, True, True, False, True, True, True]])
    apart = " ".join(("값", "이값이아", "까아까"))
    expected = generate(apart, random.Random(0), ACROSS).replace(" ", "")
    assert make_noise(generator, [clean], ACROSS, adjacent=adjacent) == [expected]
    assert expected != generate(clean, random.Random(0), ACROSS)


def test_every_row_has_settings_of_its_own(generator):
    clean = ["값이장", "값이장", "아까장", "뷁이장", "뷁이장"]
    parts = letters(clean)
    everywhere = torch.ones_like(parts[0], dtype=torch.bool)
    liaison, doubling = Sliders(1, 0, 0, 0), Sliders(0, 1, 0, 0)
    settings = rows(
        (liaison, "airbnb", True),
        (OFF, "airbnb", True),
        (doubling, "airbnb", True),
        (liaison, "airbnb", True),
        (liaison, "airbnb", False),
    )
    assert texts(generator(*parts, everywhere, everywhere, settings)) == [
        "갑시장",
        "값이장",
        "악까장",
        "뷁이장",
        "뷀기장",
    ]


def test_every_row_has_letter_tables_of_its_own(generator):
    torch.manual_seed(0)
    clean = ["장" * 100] * 2
    parts = letters(clean)
    everywhere = torch.ones_like(parts[0], dtype=torch.bool)
    change = Sliders(0, 0, 1, 0)
    web, hand = texts(generator(*parts, everywhere, everywhere, rows((change, "airbnb", True), (change, "hand", True))))
    assert "잠" in hand
    assert "잠" not in web


@pytest.mark.parametrize("length", [0, 1])
def test_a_row_of_no_syllable_or_one_has_no_neighbours(generator, length):
    parts = tuple(torch.zeros(2, length, dtype=torch.long) for _ in range(3))
    everywhere = torch.ones(2, length, dtype=torch.bool)
    noisy = generator(*parts, everywhere, everywhere, rows((ACROSS, "airbnb", True), (ACROSS, "hand", False)))
    assert [part.shape for part in noisy] == [(2, length)] * 3
