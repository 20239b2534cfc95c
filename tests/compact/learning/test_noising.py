"""
Training examples from clean windows.

In: symbols and spaces (B, T) of clean text. Out: features of a noisy form (B, T, 6), and the labels to learn (B, T).
"""

import random
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from hanpuri.compact.learning.noising import NOT_LEARNT, Noiser
from hanpuri.compact.settings import NoiseSettings
from hanpuri.compact.vocabulary import KEEP, NO_LEAD, NO_TAIL, NO_VOWEL, SPACE, UNKNOWN_OTHER, Vocabulary
from hanpuri.hangul import code_points, is_ks_x_1001, is_syllable
from hanpuri.noise.airbnb import generate
from hanpuri.noise.channel import feasible_originals

FULL = {"clean": 0, "partial": 0, "hand": 0, "sliders": 0, "any_syllable": 0, "hand_any_syllable": 0}
COUNT = 40


@pytest.fixture(scope="module")
def vocabulary(sentences) -> Vocabulary:
    return Vocabulary.from_counts(Counter("".join(sentences)))


@pytest.fixture(scope="module")
def text(sentences) -> str:
    """One window that holds syllables, spaces, line breaks, digits and punctuation."""
    return "\n".join(sentences) + "\n"


def noise(
    text: str, vocabulary: Vocabulary, seed: int = 0, masked: float = 0, **shares: float
) -> tuple[Tensor, Tensor]:
    """Noise the same window in COUNT rows: features, each counted from its own zero, and labels."""
    points = code_points("\n" + text)
    items = np.flatnonzero(points != SPACE)
    symbols = torch.from_numpy(vocabulary.symbols(points[items])).repeat(COUNT, 1)
    spaced = torch.from_numpy(np.concatenate([[False], points[:-1] == SPACE])[items]).repeat(COUNT, 1)
    torch.manual_seed(seed)
    features, labels = Noiser(NoiseSettings(**{**FULL, **shares}), vocabulary, masked)(symbols, spaced)
    return features - torch.tensor(vocabulary.offsets[:-1]), labels


def clean_features(text: str, vocabulary: Vocabulary) -> Tensor:
    """What the runtime would read: without the line break that it adds at the end."""
    found = vocabulary.encode(text).features[:-1] - np.array(vocabulary.offsets[:-1])
    return torch.from_numpy(found).long().repeat(COUNT, 1, 1)


def changed(features: Tensor, text: str, vocabulary: Vocabulary) -> Tensor:
    return (features != clean_features(text, vocabulary)).any(-1)


def syllables(text: str) -> Tensor:
    return torch.tensor([is_syllable(character) for character in "\n" + text.replace(" ", "")])


def spell(features: Tensor, text: str) -> str:
    """The noisy text that one row of features stands for."""
    places = [place for place, character in enumerate(text) if character != " "]
    out = list(text)
    for place, (lead, vowel, tail, *_) in zip(places, features[1:].tolist(), strict=True):
        if is_syllable(text[place]):
            out[place] = chr(0xAC00 + lead * 588 + vowel * 28 + tail)
    return "".join(out)


# --- clean rows


def test_a_clean_row_is_read_exactly_as_the_runtime_reads_it(text, vocabulary):
    features, _ = noise(text, vocabulary, clean=1)
    assert torch.equal(features, clean_features(text, vocabulary))


@pytest.mark.parametrize("shares", [{"clean": 1}, {}, {"partial": 1}, {"hand": 1, "sliders": 1, "any_syllable": 1}])
def test_labels_are_the_clean_syllables_whatever_the_noise(text, vocabulary, shares):
    _, labels = noise(text, vocabulary, **shares)
    expected = ["\n", *text.replace(" ", "")]
    points = vocabulary.point_of_label[labels.clamp(min=0).numpy()]
    for row in (0, COUNT - 1):
        learnt = [chr(point) if point else None for point in points[row].tolist()]
        assert learnt == [character if is_syllable(character) else None for character in expected]


def test_only_syllables_are_learnt(text, vocabulary):
    _, labels = noise(text, vocabulary, clean=0.5)
    assert torch.equal(labels != NOT_LEARNT, syllables(text).expand_as(labels))


def test_about_as_many_rows_stay_clean_as_the_recipe_says(text, vocabulary):
    rows = [changed(noise(text, vocabulary, seed, clean=0.25)[0], text, vocabulary).any(1) for seed in range(10)]
    assert torch.cat(rows).double().mean().item() == pytest.approx(0.75, abs=0.07)


# --- noise


def test_full_noise_changes_as_many_syllables_as_the_web_generator_and_nothing_else(text, vocabulary):
    where = changed(noise(text, vocabulary)[0], text, vocabulary)
    share = where[:, syllables(text)].double().mean().item()
    rng = random.Random(0)
    generated = [noisy != clean for _ in range(20) for noisy, clean in zip(generate(text, rng), text, strict=True)]
    assert share == pytest.approx(sum(generated) / 20 / int(syllables(text).sum()), abs=0.02)
    assert not where[:, ~syllables(text)].any()


def test_spaces_and_other_characters_are_read_as_before(text, vocabulary):
    features, _ = noise(text, vocabulary, hand=0.5, sliders=0.5, any_syllable=0.5)
    assert torch.equal(features[..., 4:], clean_features(text, vocabulary)[..., 4:])


def test_partial_rows_change_by_anything_from_little_to_most(text, vocabulary):
    where = changed(noise(text, vocabulary, partial=1)[0], text, vocabulary)
    shares = where[:, syllables(text)].double().mean(1)
    assert shares.min() < 0.2
    assert shares.max() > 0.7


def test_every_row_draws_its_own_noise(text, vocabulary):
    features, _ = noise(text, vocabulary)
    assert len({row.numpy().tobytes() for row in features}) == COUNT


def test_the_noise_depends_on_torchs_seed_alone(text, vocabulary):
    assert torch.equal(noise(text, vocabulary, seed=4)[0], noise(text, vocabulary, seed=4)[0])
    assert not torch.equal(noise(text, vocabulary, seed=4)[0], noise(text, vocabulary, seed=5)[0])


@pytest.mark.parametrize(("profile", "hand"), [("airbnb", 0), ("hand", 1)])
def test_what_is_learnt_is_what_the_runtime_holds_to_be_feasible(text, vocabulary, profile, hand):
    features, _ = noise(text, vocabulary, hand=hand, sliders=0.5)
    for row in range(5):
        originals = feasible_originals(spell(features[row], text), profile)
        assert all(clean in allowed for clean, allowed in zip(text, originals, strict=True))


@pytest.mark.parametrize(
    ("shares", "held"),
    [
        ({}, True),
        ({"any_syllable": 1}, False),
        ({"hand": 1, "any_syllable": 1}, True),
        ({"hand": 1, "hand_any_syllable": 1}, False),
    ],
)
def test_noisy_syllables_are_held_to_ks_x_1001_unless_the_row_is_not(text, vocabulary, shares, held):
    features, _ = noise(text, vocabulary, **shares)
    noisy = "".join(spell(row, text) for row in features)
    assert all(is_ks_x_1001(character) for character in noisy if is_syllable(character)) is held


# --- hidden syllables


def test_as_many_syllables_are_hidden_as_is_asked_for_and_nothing_else(text, vocabulary):
    features, labels = noise(text, vocabulary, masked=0.3)
    hidden = changed(features, text, vocabulary) & (features[..., 4] == UNKNOWN_OTHER)
    assert hidden[:, syllables(text)].double().mean().item() == pytest.approx(0.3, abs=0.03)
    assert not hidden[:, ~syllables(text)].any()
    assert (features[hidden][:, :4] == torch.tensor([NO_LEAD, NO_VOWEL, NO_TAIL, KEEP])).all()
    assert torch.equal(labels, noise(text, vocabulary)[1])


def test_what_is_hidden_is_read_as_the_runtime_reads_a_character_without_a_number(vocabulary):
    features, _ = noise("방 이", vocabulary, clean=1, masked=0.999)
    unknown = vocabulary.encode("\u2603 \u2603").features[:-1] - np.array(vocabulary.offsets[:-1])
    assert torch.equal(features[0], torch.from_numpy(unknown).long())


def test_a_hidden_syllable_without_a_label_is_not_learnt():
    few = Vocabulary("방이", "\n")
    features, labels = noise("뷁이\n" * 10, few, clean=1, masked=0.5)
    hidden = features[..., 4] == UNKNOWN_OTHER
    unlabelled = torch.tensor([character == "뷁" for character in "\n" + "뷁이\n" * 10])
    assert (labels[hidden & unlabelled] == NOT_LEARNT).all()
    assert (labels[~hidden & unlabelled] == KEEP).all()


# --- syllables without a label


def test_a_syllable_without_a_label_is_learnt_only_where_it_was_left_alone():
    few = Vocabulary("방이", "\n")
    text = "방이 방갂 뷁이\n" * 10
    features, labels = noise(text, few, partial=1)
    where = changed(features, text, few)
    unlabelled = torch.tensor([character in "갂뷁" for character in "\n" + text.replace(" ", "")])
    assert where[:, unlabelled].any()
    assert not where[:, unlabelled].all()
    assert (labels[:, unlabelled][where[:, unlabelled]] == NOT_LEARNT).all()
    assert (labels[:, unlabelled][~where[:, unlabelled]] == KEEP).all()
    labelled = syllables(text) & ~unlabelled
    assert (labels[:, labelled] > KEEP).all()
