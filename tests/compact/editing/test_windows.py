"""Windows to learn from. In: two small corpora and a pair. Out: features and labels that say what was written."""

import random

import numpy as np
import pytest

from hanpuri.compact.editing.edits import EditVocabulary
from hanpuri.compact.editing.windows import EditMixture, EditWindows
from hanpuri.hiding.alignment import align

SYLLABLES = "".join(chr(point) for point in range(ord("가"), ord("힣") + 1))
VOCABULARY = EditVocabulary(SYLLABLES, "\n.,!?ㅋㅠ")
CORPORA = {"short": ["가자!", "나도 가자"], "long": ["오랜만에 귀여운 고양이랑 누나가 왔다. " * 3]}
WEIGHTS = {"short": 0.5, "long": 0.5}


def windows(mixture: EditMixture, seed: int = 0, **more: object) -> EditWindows:
    return EditWindows(VOCABULARY, CORPORA, WEIGHTS, mixture=mixture, rng=random.Random(seed), **more)  # type: ignore[arg-type]


def test_a_window_has_the_length_that_was_asked_for():
    features, labels = windows(EditMixture()).draw(5, 64)
    assert features.shape == (5, 64, 6)
    assert labels.shape == (3, 5, 64)
    assert (features >= np.array(VOCABULARY.offsets[:-1])).all()
    assert (features < np.array(VOCABULARY.offsets[1:])).all()
    assert (labels.max((1, 2)) < VOCABULARY.sizes).all()


def test_clean_windows_say_that_everything_stays():
    features, (actions, inserts, spacings) = windows(EditMixture(clean=1.0, seasoned=0.3)).draw(20, 96)
    whole = features[..., 3] - VOCABULARY.offsets[3]
    is_syllable = features[..., 4] == VOCABULARY.offsets[4]  # a Hanja is read by a syllable, but is none
    assert (actions[is_syllable] == whole[is_syllable]).all()
    assert set(actions[~is_syllable]) <= {0, -100}
    assert (inserts == 0).all()
    spaced = (features[..., 5] - VOCABULARY.offsets[5]) & 1
    assert (spacings == spaced)[spacings >= 0].all()


def test_the_web_generator_changes_syllables_alone():
    _, (actions, inserts, _) = windows(EditMixture(clean=0.0, web=1.0, seasoned=0.0)).draw(20, 96)
    assert VOCABULARY.delete not in actions
    assert (inserts == 0).all()


def test_pairs_come_as_often_as_the_mixture_says():
    pair = align("ㅎㅏㄴ국", "한국")
    features, _ = windows(EditMixture(clean=1.0, pairs=1.0, seasoned=0.0), pairs=[pair]).draw(3, 30)
    assert set(np.unique(features[..., 3] - VOCABULARY.offsets[3])) == {0, SYLLABLES.index("국") + 1}


def test_the_same_seed_draws_the_same_windows():
    first, second = (windows(EditMixture(), seed=4).draw(3, 48) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert (first.features != windows(EditMixture(), seed=5).draw(3, 48).features).any()


@pytest.mark.parametrize("length", [2, 7])
def test_half_of_the_windows_begin_with_a_line(length):
    features, _ = windows(EditMixture(clean=1.0)).draw(200, length)
    begins = features[:, 0, 4] == VOCABULARY.encode("").features[0, 4]
    assert 0.4 < begins.mean() < 0.8
