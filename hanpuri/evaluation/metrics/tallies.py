"""
What each row adds to a score: a top and a bottom, so that any rows can be pooled, left out or drawn again.

In: texts. Out: a `Tally`, a row of which is what one text adds. char_accuracy of "방이 조아요!" beside "방이 좋아요!":

    [4, 5]      four of five syllables; pooled over rows: the sum of the tops by the sum of the bottoms

chrF is no ratio of two sums, and so has more columns and a `Pool` of its own.
"""

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Tally = npt.NDArray[np.float64]
"""(N, 2): numerator and denominator of each row; (N, K) for a score that needs more."""
Pool = Callable[[Tally], Tally]
"""Sums (…, K) ─► scores (…)."""
OfRow = Callable[[str, str], tuple[float, float]]
"""Hypothesis and reference, both in NFC ─► what the row adds."""


def ratio(sums: Tally) -> Tally:
    """
    Divide tops by bottoms; where there is nothing to divide by it is no number.

        >>> ratio(np.array([[4.0, 5.0], [0.0, 0.0]])).tolist()
        [0.8, nan]
    """
    top, bottom = sums[..., 0], sums[..., 1]
    scores: Tally = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return scores


def pooled(tally: Tally, *, pool: Pool = ratio, empty: float = float("nan")) -> float:
    """
    Pool rows into one score; `empty` is what it is where nothing was counted.

        >>> pooled(np.array([[4.0, 5.0], [0.0, 3.0]]))
        0.5
    """
    score = float(pool(tally.sum(axis=0)))
    return empty if score != score else score


def tally_rows(of_row: OfRow, hypotheses: Sequence[str], references: Sequence[str]) -> Tally:
    """
    Count row by row, in NFC.

        >>> tally_rows(lambda said, right: (said == right, 1), ["가", "나"], ["가", "다"]).tolist()
        [[1.0, 1.0], [0.0, 1.0]]

    Raises:
        ValueError: if there are not as many texts on both sides.
    """
    rows = [of_row(said, right) for said, right in zip(normal(hypotheses), normal(references), strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2)


def normal(texts: Sequence[str]) -> list[str]:
    """
    Bring texts to NFC, in which they are compared.

        >>> normal(["\u1100\u1161"]) == ["가"]
        True
    """
    return [unicodedata.normalize("NFC", text) for text in texts]
