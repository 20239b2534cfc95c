"""
What else a syllable could be, where the model is unsure.

In: scores of labels, or texts. Out: the likeliest syllables, the one that was taken first.
"""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.compact.restoring.alternatives import UNSURE, Alternative, find_likeliest, name_alternatives
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.noise.airbnb import generate

LABELS = "\0방밥밤"  # the first one is KEEP
UNCLEAR = ("빵 옌 냄쌔", "볌 잇가 엇젼 숩햇써", "깍 흴뤼 겆 낡쉐")


def named(shares: list[float], own: str, most: int) -> list[tuple[str, float]]:
    with np.errstate(divide="ignore"):
        scores = np.log(np.array([shares], dtype=np.float32))
    sure = np.array([max(shares)], dtype=np.float32)
    labels, shares = find_likeliest(scores, sure, most + 1)
    points = np.array([ord(label) for label in LABELS])
    (found,) = name_alternatives(np.where(labels == 0, ord(own), points[labels]), shares, most)
    return [tuple(one) for one in found]


@pytest.mark.parametrize(
    ("shares", "own", "most", "expected"),
    [
        # the likeliest first; what is kept is the noisy syllable itself
        ([0.2, 0.5, 0.2, 0.1], "받", 2, [("방", 0.5), ("받", 0.2)]),
        ([0.6, 0.1, 0.3, 0.0], "받", 4, [("받", 0.6), ("밥", 0.3), ("방", 0.1)]),
        # a syllable that is kept and a label too is named once
        ([0.5, 0.3, 0.15, 0.05], "방", 3, [("방", 0.5), ("밥", 0.15), ("밤", 0.05)]),
        # the noise cannot have made the others of it
        ([0.0, 1.0, 0.0, 0.0], "받", 3, [("방", 1.0)]),
        # less than the last digit that is told
        ([0.00004, 0.99993, 0.00003, 0.0], "받", 3, [("방", 0.9999)]),
        # what is not the first is cut off, so that the sum stays under 1
        ([0.0, 0.60006, 0.39994, 0.0], "받", 3, [("방", 0.6001), ("밥", 0.3999)]),
    ],
)
def test_the_likeliest_are_named(shares, own, most, expected):
    assert named(shares, own, most) == expected


@settings(max_examples=30)
@given(
    st.lists(
        st.one_of(st.sampled_from(UNCLEAR), st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))),
        max_size=4,
    ),
    st.integers(1, 5),
    st.sampled_from([None, "airbnb"]),
)
def test_naming_alternatives_changes_no_text(small, feasible, texts, most, profile):
    restorer = small if profile is None else feasible
    plain, told = restorer.restore(texts), restorer.restore(texts, alternatives=most)
    for one, other in zip(plain, told, strict=True):
        assert (other.noisy, other.text, one.alternatives) == (one.noisy, one.text, {})
        assert other.confidence == pytest.approx(one.confidence, abs=1.01e-4)
        unsure = {position for position, sure in enumerate(other.confidence) if sure < UNSURE}
        assert set(other.alternatives) == unsure
        for position, choices in other.alternatives.items():
            assert choices[0] == Alternative(other.text[position], other.confidence[position])
            assert 1 <= len(choices) <= most
            assert len({choice.text for choice in choices}) == len(choices)
            assert sum(choice.confidence for choice in choices) <= 1 + 1e-9
            assert list(choices) == sorted(choices, key=lambda choice: -choice.confidence)


def test_a_place_in_a_long_text_has_the_alternatives_of_its_window(small):
    long = " ".join([UNCLEAR[0]] * 150)
    assert len(long) > 1000
    (restored,) = small.restore([long], alternatives=3)
    assert len(restored.alternatives) > 100
    for position, choices in restored.alternatives.items():
        assert choices[0].text == restored.text[position]


def test_most_wrong_syllables_can_be_put_right_by_a_choice_of_five(small, sentences):
    rng = random.Random(2)
    clean = [word for text in sentences for word in text.split()]
    found = []
    for one, right in zip(small.restore([generate(text, rng) for text in clean], alternatives=5), clean, strict=True):
        wrong = [position for position, pair in enumerate(zip(one.text, right, strict=True)) if len({*pair}) == 2]
        choices = [{choice.text for choice in one.alternatives.get(position, ())} for position in wrong]
        found += [right[position] in some for position, some in zip(wrong, choices, strict=True)]
    assert len(found) > 8
    assert np.mean(found) > 0.7


def test_a_restoration_can_still_be_kept_in_a_set(small):
    assert len({*small.restore([UNCLEAR[0]] * 2, alternatives=2)}) == 1


def test_a_negative_number_of_alternatives_is_refused(small):
    message = "alternatives is -1; it has to be at least 0"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        small.restore(["방"], alternatives=-1)


@pytest.fixture(scope="module")
def feasible() -> Restorer:
    return Restorer("small", threads=1, feasible="airbnb")
