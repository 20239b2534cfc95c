"""
Several networks that answer together: the mean of their probabilities, which is right more often than each of them.

In:  predictors of one vocabulary, features (B, T, 6).   Out: labels (B, T) and their mean probabilities.
"""

from collections.abc import Sequence

import numpy as np

from hanpuri.compact.restoring.predictor import Confidences, Features, Predictor, Scored
from hanpuri.hangul import Indices

# What a probability is at least, so that it has a logarithm.
SMALLEST = np.finfo(np.float32).tiny


class MeanPredictor:
    """Predictors of one vocabulary; may be called from many threads if they may."""

    def __init__(self, members: Sequence[Predictor]) -> None:
        """
        Take predictors.

        Raises:
            ValueError: if their vocabularies are not the same: then their labels cannot be counted together.
        """
        self.members, self.vocabulary = members, members[0].vocabulary
        if any(member.vocabulary != self.vocabulary for member in members):
            raise ValueError("the models label with other syllables")
        self.batch_items = min(member.batch_items for member in members)

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the label of each item that is the most probable in the mean."""
        return _most_probable(self._mean(features))

    def predict_scored(self, features: Features) -> Scored:
        """Take the most probable labels, and give the logarithms of the mean probabilities of all."""
        probabilities = self._mean(features)
        return *_most_probable(probabilities), _logarithms(probabilities)

    def score(self, features: Features) -> Confidences:
        """Give the logarithms of the mean probabilities of all labels, (B, T, num_labels)."""
        return _logarithms(self._mean(features))

    def _mean(self, features: Features) -> Confidences:
        total = sum(_probabilities(member.score(features)) for member in self.members)
        mean: Confidences = np.asarray(total / len(self.members), dtype=np.float32)
        return mean


def _probabilities(scores: Confidences) -> Confidences:
    """Turn scores into probabilities, in place."""
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    return scores


def _most_probable(probabilities: Confidences) -> tuple[Indices, Confidences]:
    labels = probabilities.argmax(-1)
    return labels, np.take_along_axis(probabilities, labels[..., None], -1)[..., 0]


def _logarithms(probabilities: Confidences) -> Confidences:
    scores: Confidences = np.log(np.maximum(probabilities, SMALLEST))
    return scores
