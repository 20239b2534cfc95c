"""
Where a network is in doubt: the few labels that it holds likeliest there, kept until the whole text is labelled.

In:  scores of a window's labels.   Out: Doubts; then, with the text around them, what to write there, and how sure:

    찝이 넓어요      찜 0.52, 집 0.47   ─►   집 0.61, where the user's texts have "집이 넓" (made up)

Windows are labelled one by one and in any order; phrases go across them, so they are asked at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hanpuri.compact.restoring.alternatives import UNSURE, Alternative, find_likeliest, name_alternatives
from hanpuri.compact.restoring.phrases import BREAK, Phrases, Probabilities
from hanpuri.compact.restoring.predictor import Confidences
from hanpuri.compact.vocabulary import KEEP
from hanpuri.hangul import Indices

DOUBTFUL = 0.985
"""Below this confidence phrases are asked: of adapted models that answer together, 4 % of the syllables."""
CONSIDERED = 6
"""Labels that phrases choose among: in one doubt of a hundred the right one is none of them."""


@dataclass(frozen=True)
class Doubts:
    """
    Syllables that a network is unsure of.

    Attributes:
        items: (N,) their numbers in a reading.
        labels: (N, K) what it holds likeliest, the likeliest first.
        shares: (N, K) the probabilities of these.
    """

    items: Indices
    labels: Indices
    shares: Probabilities

    @classmethod
    def find(cls, first: int, scores: Confidences, sure: Confidences, wanted: Indices, most: int) -> "Doubts":
        """
        Note the likeliest labels of some items.

        Args:
            first: the number of the first item in its reading.
            scores: (T, num_labels) of items that stand one behind the other.
            sure: (T,) the probability of the likeliest.
            wanted: (N,) which of them are in doubt.
            most: K.
        """
        return cls(first + wanted, *find_likeliest(scores[wanted], sure[wanted], most))

    @classmethod
    def join(cls, parts: Sequence["Doubts"]) -> "Doubts":
        """Lay parts together, in the order of the items, whatever thread noted them first."""
        joined = [np.concatenate([getattr(part, name) for part in parts]) for name in ("items", "labels", "shares")]
        order = np.argsort(joined[0])
        return cls(*(part[order] for part in joined))

    def points(self, own: Indices, point_of_label: Indices) -> Indices:
        """Give the code points that the labels stand for, (N, K); `own` (N,) are those that KEEP leaves."""
        return np.where(self.labels == KEEP, own[:, None], point_of_label[self.labels])


def settle(
    candidates: Indices, shares: Probabilities, points: Indices, places: Indices, ends: Sequence[int], phrases: Phrases
) -> tuple[Indices, Probabilities]:
    """
    Have phrases choose among candidates, in their texts.

    Args:
        candidates: (N, K) code points.
        shares: (N, K) how probable the network holds them.
        points: (T,) code points of restored texts, one behind the other.
        places: (N,) where the candidates stand.
        ends: where each text ends.
        phrases: what the user's texts say.

    Returns:
        candidates and shares, the likeliest first now.
    """
    lengths = np.diff([0, *ends])
    apart = len(BREAK) * np.repeat(np.arange(1, len(lengths) + 1), lengths) + np.arange(len(points))
    padded = np.full(len(points) + len(BREAK) * (len(lengths) + 1), ord("\n"), dtype=points.dtype)
    padded[apart] = points
    told = phrases.choose(padded, apart[places], candidates, shares)
    order = np.argsort(-told, axis=-1, kind="stable")
    return np.take_along_axis(candidates, order, -1), np.take_along_axis(told, order, -1)


def name_unsure(points: Indices, shares: Probabilities, most: int) -> dict[int, tuple[Alternative, ...]]:
    """Name alternatives where the likeliest is below UNSURE, by the number of the doubt."""
    unsure = np.flatnonzero(shares[:, 0].astype(np.float32).round(4) < UNSURE)
    return dict(zip(unsure.tolist(), name_alternatives(points[unsure], shares[unsure], most), strict=True))
