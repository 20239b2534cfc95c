"""
Scores of labels ─► what else a syllable could be: the few likeliest, from the likeliest down.

In:  scores (N, num_labels) of N syllables of which the model is unsure.   Out: for each such as

    (Alternative("방", 0.62), Alternative("밥", 0.31), Alternative("빵", 0.04))
"""

from typing import NamedTuple

import numpy as np

from hanpuri.compact.restoring.phrases import Probabilities
from hanpuri.compact.restoring.predictor import Confidences
from hanpuri.hangul import Indices

UNSURE = 0.9
"""
Below this confidence alternatives are named: of the sentences of our tests under twelve noises these are 2 % of the
syllables, and among them are nine of ten that are wrong. At 0.95 it would be 3 %, with three of four right already.
"""
DIGITS = 4
"""Of a confidence that are told."""
ROUNDING = 0.01
"""Of the last digit: what arithmetic in 32 bits may have lost."""


class Alternative(NamedTuple):
    """A syllable that could stand in a place, and the model's probability for it."""

    text: str
    confidence: float


def find_likeliest(scores: Confidences, sure: Confidences, most: int) -> tuple[Indices, Probabilities]:
    """
    Find the likeliest labels of each syllable, the one with the highest score first.

        >>> scores, sure = np.log(np.array([[0.3, 0.6, 0.1]], dtype=np.float32)), np.array([0.6], dtype=np.float32)
        >>> [told.round(4).tolist() for told in find_likeliest(scores, sure, 2)]
        [[[1, 0]], [[0.6, 0.3]]]

    Args:
        scores: (N, num_labels), −∞ for what may not stand there.
        sure: (N,) the probability of the label with the highest score.
        most: K, how many to find.

    Returns:
        labels and their probabilities, (N, K) each.
    """
    count = min(most, scores.shape[-1])
    labels = np.argpartition(scores, -count, axis=-1)[:, -count:]
    chosen = np.take_along_axis(scores, labels, -1)
    order = np.lexsort((labels, -chosen))  # of equals the first label, as argmax has it
    labels, chosen = np.take_along_axis(labels, order, -1), np.take_along_axis(chosen, order, -1)
    return labels, sure[:, None] * np.exp(chosen - chosen[:, :1]).astype(np.float64)


def name_alternatives(points: Indices, shares: Probabilities, most: int) -> list[tuple[Alternative, ...]]:
    """
    Name the syllables that could stand in each place, the likeliest first and each once.

    What is less likely than the last digit that is told is left out, so there may be fewer than `most`.

        >>> name_alternatives(np.array([[ord("방"), ord("밤")]]), np.array([[0.6, 0.3]]), 2)
        [(Alternative(text='방', confidence=0.6), Alternative(text='밤', confidence=0.3))]

    Args:
        points: (N, K) code points, the likeliest first.
        shares: (N, K) their probabilities.
        most: how many to name.
    """
    # The first one is told as the text's own confidence is; the others are cut off, for the sum must not exceed 1.
    told = np.floor(shares * 10**DIGITS + ROUNDING) / 10**DIGITS
    told[:, 0] = shares[:, 0].round(DIGITS)
    return [_named(*both, most) for both in zip(points.tolist(), told.tolist(), strict=True)]


def _named(points: list[int], told: list[float], most: int) -> tuple[Alternative, ...]:
    found: dict[int, float] = {}
    for point, confidence in zip(points, told, strict=True):
        if confidence:
            found.setdefault(point, confidence)
    return tuple(Alternative(chr(point), confidence) for point, confidence in list(found.items())[:most])
