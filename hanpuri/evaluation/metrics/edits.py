"""
Scores by edit distance: how much had to be inserted, deleted and replaced; what is shifted is not all wrong.

In:  ["가나"], ["가나다라"].   Out: cer 0.5 (two of four characters are missing); the same over words and over letters.

The distance is counted with whole columns of the table as the bits of one number (Hyyrö 2003, after Myers 1999): a text
of 100 characters takes 100 steps in place of 10,000, and no library is needed.
"""

import unicodedata
from collections.abc import Hashable, Sequence

from hanpuri.evaluation.metrics.tallies import pooled, tally_rows


def cer(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Character error rate: insertions, deletions and replacements for each character of the references.

    >>> cer(["가나"], ["가나다라"])
    0.5
    """
    return pooled(tally_rows(character_edits, hypotheses, references), empty=0.0)


def wer(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    Word error rate: the same over what stands between white space.

    >>> wer(["방이 조아요"], ["방이 정말 좋아요"])
    0.6666666666666666
    """
    return pooled(tally_rows(word_edits, hypotheses, references), empty=0.0)


def jamo_error_rate(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    The same over letters: texts in NFD, where a syllable is its lead, its vowel and its tail, a double letter one.

    조 beside 좋 is one letter missing of three; for `cer` it is one syllable of one.

    >>> jamo_error_rate(["조"], ["좋"]), cer(["조"], ["좋"])
    (0.3333333333333333, 1.0)
    """
    return pooled(tally_rows(jamo_edits, hypotheses, references), empty=0.0)


def character_edits(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Count the edits, and the reference's characters.

    >>> character_edits("가나", "가나다라")
    (2, 4)
    """
    return edit_distance(hypothesis, reference), len(reference)


def word_edits(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Count the edits of words, and the reference's words.

    >>> word_edits("방이 조아요", "방이 정말 좋아요")
    (2, 3)
    """
    words = reference.split()
    return edit_distance(hypothesis.split(), words), len(words)


def jamo_edits(hypothesis: str, reference: str) -> tuple[float, float]:
    """
    Count the edits of letters, and the reference's letters.

    >>> jamo_edits("조", "좋")
    (1, 3)
    """
    letters = unicodedata.normalize("NFD", reference)
    return edit_distance(unicodedata.normalize("NFD", hypothesis), letters), len(letters)


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """
    Levenshtein distance of two sequences: of the characters of texts, or of words.

    >>> edit_distance("kitten", "sitting"), edit_distance(["방이", "커요"], ["커요"])
    (3, 1)
    """
    if not first or not second:
        return len(first) + len(second)
    places: dict[Hashable, int] = {}
    for place, item in enumerate(first):
        places[item] = places.get(item, 0) | 1 << place
    whole, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    # Of a column of the table: where a cell is one more, and one less, than the cell above it.
    more, less, distance = whole, 0, len(first)
    for item in second:
        same = places.get(item, 0)
        diagonal = (((same & more) + more) ^ more) | same | less
        more_than_left = less | ~(diagonal | more)
        less_than_left = more & diagonal
        distance += bool(more_than_left & last) - bool(less_than_left & last)
        more_than_left = more_than_left << 1 | 1
        less_than_left <<= 1
        more = (less_than_left | ~(diagonal | more_than_left)) & whole
        less = more_than_left & diagonal & whole
    return distance
