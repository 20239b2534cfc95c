"""
What the scores mean: each is a plain function of hypotheses and references, pooled over all rows.

In:  ["화장실이 너무 작아오"], ["화장실이 너무 작아요"].   Out: char_accuracy 0.8889, cer 0.0909, exact_match 0.0, …

Pooled means that every character counts the same, whichever row it stands in. All texts are compared in NFC.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from hanpuri.hangul import Indices, code_points, syllable_mask


def char_accuracy(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of the references' Hangul syllables that stand at the same index in the hypothesis.

    >>> char_accuracy(["방이 조아요!"], ["방이 좋아요!"])
    0.8
    """
    right = total = 0
    for hypothesis, reference in _pairs(hypotheses, references):
        syllables = syllable_mask(reference)
        same = _same_by_position(hypothesis, reference)
        right += int((same & syllables).sum())
        total += int(syllables.sum())
    return right / total if total else 1.0


def char_f1(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    F1 of all characters, position by position: the measure of the 2025 review-restoration competition.

    >>> char_f1(["가나"], ["가나다라"])
    0.6666666666666666
    """
    right = total = 0
    for hypothesis, reference in _pairs(hypotheses, references):
        right += int(_same_by_position(hypothesis, reference).sum())
        total += len(hypothesis) + len(reference)
    return 2 * right / total if total else 1.0


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Share of rows that are right to the last character.

    >>> exact_match(["가", "나"], ["가", "다"])
    0.5
    """
    same = [np.array_equal(hypothesis, reference) for hypothesis, reference in _pairs(hypotheses, references)]
    return sum(same) / len(same) if same else 1.0


def token_f1(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    F1 of the tokens that both texts have, in any order, as the mean over rows; a token is what stands between spaces.

    It is the F1 of SQuAD (Rajpurkar et al. 2016), without its rules for English articles and punctuation. KorQuAD 1.0
    counts characters in place of tokens, because a Korean token changes with its particle; compare with its numbers
    only what was counted so. Two texts without a token are the same.

    >>> token_f1(["한강은 서해로 흐릅니다"], ["서해로 흐릅니다"])
    0.8
    """
    scores = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        said, expected = (Counter(unicodedata.normalize("NFC", text).split()) for text in (hypothesis, reference))
        total = said.total() + expected.total()
        scores.append(2 * (said & expected).total() / total if total else 1.0)
    return sum(scores) / len(scores) if scores else 1.0


def cer(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Character error rate: insertions, deletions and replacements for each character of the references.

    >>> cer(["가나"], ["가나다라"])
    0.5
    """
    errors = total = 0
    for hypothesis, reference in _pairs(hypotheses, references):
        errors += edit_distance(hypothesis, reference)
        total += len(reference)
    return errors / total if total else 0.0


def edit_distance(first: Indices, second: Indices) -> int:
    """
    Levenshtein distance of two sequences of code points, a row of the table at a time.

    >>> edit_distance(code_points("kitten"), code_points("sitting"))
    3
    """
    columns = np.arange(len(second) + 1)
    row = columns.copy()
    for number, item in enumerate(first, start=1):
        kept_or_replaced = row[:-1] + (second != item)
        row[1:] = np.minimum(row[1:] + 1, kept_or_replaced)
        row[0] = number
        # An insertion costs one a column, so the best start for each column is a running minimum.
        row = np.minimum.accumulate(row - columns) + columns
    return int(row[-1])


def _pairs(hypotheses: Sequence[str], references: Sequence[str]) -> Iterator[tuple[Indices, Indices]]:
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        yield (
            code_points(unicodedata.normalize("NFC", hypothesis)),
            code_points(unicodedata.normalize("NFC", reference)),
        )


def _same_by_position(hypothesis: Indices, reference: Indices) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark the positions of the reference at which the hypothesis has the same character."""
    same = np.zeros(len(reference), dtype=np.bool_)
    shared = min(len(hypothesis), len(reference))
    same[:shared] = hypothesis[:shared] == reference[:shared]
    return same
