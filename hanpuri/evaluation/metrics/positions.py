"""
Scores by position: what stands where it should.

In:  ["방이 조아요!"], ["방이 좋아요!"].   Out: char_accuracy 0.8, char_f1 0.857, exact_match 0.0, word_accuracy 0.5.

One character too many at the start, and all behind it stands wrong: that is what these scores are for, as restored text
has the length of its noisy form. Where it has not, as with hiding that drops letters, look at `edits` and chrF.
"""

from collections.abc import Sequence

import numpy as np

from hanpuri.evaluation.metrics.tallies import pooled, tally_rows
from hanpuri.hangul import Indices, Mask, code_points, syllable_mask


def char_accuracy(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of the references' Hangul syllables that stand at the same index in the hypothesis.

    >>> char_accuracy(["방이 조아요!"], ["방이 좋아요!"])
    0.8
    """
    return pooled(tally_rows(syllables_right, hypotheses, references), empty=1.0)


def char_f1(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    F1 of all characters, position by position: the measure of the 2025 review-restoration competition.

    >>> char_f1(["가나"], ["가나다라"])
    0.6666666666666666
    """
    return pooled(tally_rows(characters_shared, hypotheses, references), empty=1.0)


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of rows that are right to the last character.

    >>> exact_match(["가", "나"], ["가", "다"])
    0.5
    """
    return pooled(tally_rows(all_right, hypotheses, references), empty=1.0)


def word_accuracy(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of the references' words that stand at the same place among the hypothesis' words.

    >>> word_accuracy(["방이 조아요!"], ["방이 좋아요!"])
    0.5
    """
    return pooled(tally_rows(words_right, hypotheses, references), empty=1.0)


def wrong_length(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of rows that have not as many characters as their references.

    >>> wrong_length(["가나", "가"], ["가나다", "나"])
    0.5
    """
    return pooled(tally_rows(length_differs, hypotheses, references), empty=0.0)


def wrong_spacing(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of rows in which white space stands elsewhere than in their references.

    >>> wrong_spacing(["방이좋아요", "방이 조아요"], ["방이 좋아요", "방이 좋아요"])
    0.5
    """
    return pooled(tally_rows(spacing_differs, hypotheses, references), empty=0.0)


def syllables_right(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Count the reference's syllables that are right, and all of them.

    >>> syllables_right("방이 조아요!", "방이 좋아요!")
    (4, 5)
    """
    said, right = code_points(hypothesis), code_points(reference)
    syllables = syllable_mask(right)
    shared = min(len(said), len(right))
    return int((_same(said, right) & syllables[:shared]).sum()), int(syllables.sum())


def characters_shared(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Count characters at the same index, in both texts, and the characters of both.

    >>> characters_shared("가나", "가나다라")
    (4, 6)
    """
    same = int(_same(code_points(hypothesis), code_points(reference)).sum())
    return 2 * same, len(hypothesis) + len(reference)


def all_right(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Say whether a row is right, as 1 of 1 or 0 of 1.

    >>> all_right("가", "가"), all_right("가", "나")
    ((1, 1), (0, 1))
    """
    return int(hypothesis == reference), 1


def words_right(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Count the reference's words that are right, and all of them.

    >>> words_right("방이 조아요!", "방이 좋아요!")
    (1, 2)
    """
    right = reference.split()
    return sum(one == other for one, other in zip(hypothesis.split(), right, strict=False)), len(right)


def length_differs(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Say whether a row is longer or shorter than it should be.

    >>> length_differs("가나", "가나다")
    (1, 1)
    """
    return int(len(hypothesis) != len(reference)), 1


def spacing_differs(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Say whether white space stands elsewhere.

    >>> spacing_differs("방이좋아요", "방이 좋아요"), spacing_differs("뱅이 죠아여", "방이 좋아요")
    ((1, 1), (0, 1))
    """
    return int(_spaces(hypothesis) != _spaces(reference)), 1


def _spaces(text: str) -> list[int]:
    return [place for place, character in enumerate(text) if character.isspace()]


def _same(hypothesis: Indices, reference: Indices) -> Mask:
    """Mark the positions that both texts have, and at which they are the same."""
    shared = min(len(hypothesis), len(reference))
    return np.equal(hypothesis[:shared], reference[:shared])
