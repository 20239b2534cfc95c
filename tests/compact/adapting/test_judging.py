"""
What both models are asked, and when texts count as obfuscated.

In: clean texts. Out: the same questions for both, with noise that the seed decides.
"""

import pytest

from hanpuri.compact.adapting.judging import GENERAL, Examination, Gain, share_of_noisy
from hanpuri.hangul import is_syllable
from hanpuri.noise.obfuscate import obfuscate


def test_the_seed_decides_the_noise(texts):
    first, same, other = (Examination.prepare(texts[:20], seed) for seed in (0, 0, 1))
    assert first == same
    assert first.asked["own"] != other.asked["own"]
    assert first.right == other.right


def test_clean_texts_are_asked_as_they_are_and_the_others_are_obfuscated(texts):
    exam = Examination.prepare(texts[:20], 0)
    assert exam.asked["clean"] == exam.right["clean"] == exam.right["own"] == tuple(texts[:20])
    for name in ("own", "general"):
        assert all(map(str.__ne__, exam.asked[name], exam.right[name]))


def test_each_general_sentence_is_asked_in_different_forms(texts):
    general = Examination.prepare(texts[:20], 0).asked["general"]
    assert len(set(general)) == len(general) == 2 * len(GENERAL.read_text(encoding="utf-8").splitlines())


def test_the_general_sentences_are_whole_and_no_two_are_the_same():
    sentences = GENERAL.read_text(encoding="utf-8").splitlines()
    assert len(set(sentences)) == len(sentences) == 105
    assert all(sentence.endswith(".") for sentence in sentences)
    assert all(any(map(is_syllable, sentence)) and sentence == sentence.strip() for sentence in sentences)


def test_what_a_model_answers_is_held_against_what_is_right(texts):
    exam = Examination.prepare(texts[:20], 0)
    counts = exam.compare(exam.asked, exam.right, lambda before, after, right: Gain(0, float(after == right), 0, 0))
    assert counts["own"].after == counts["clean"].after == counts["general"].after == 1


@pytest.mark.parametrize(
    ("strength", "share"),
    [
        (0.0, 0.0),  # clean
        (1.0, 1.0),  # as the web generator makes them
        (0.05, 0.0),  # a syllable here and there may be a slip of the pen
    ],
)
def test_a_text_of_which_most_changes_when_it_is_restored_was_obfuscated(texts, strength, share):
    noisy = [obfuscate(text, seed=number, strength=strength).noisy for number, text in enumerate(texts[:50])]
    assert share_of_noisy(noisy, texts[:50]) == pytest.approx(share, abs=0.05)


def test_a_gain_is_certain_if_its_interval_is_above_nothing():
    assert Gain(0.9, 0.95, 0.01, 0.09).is_certain
    assert not Gain(0.9, 0.95, -0.01, 0.11).is_certain
    assert not Gain(0.9, 0.9, 0.0, 0.0).is_certain
