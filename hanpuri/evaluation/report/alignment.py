"""
Which character of a restored text stands for which of the clean one, also where one of them is longer.

In:  ["바에 작아오"], ["방에 많이 작아요"].   Out: a Pairing each, with the place in either text, −1 for none:

    restored  0 1 −1 −1 −1 2 3 4 5        바 에 · · · ␣ 작 아 오
    clean     0 1  2  3  4 5 6 7 8        방 에 ␣ 많 이 ␣ 작 아 요

It is the cheapest way from one text to the other, in which a syllable is the cheaper to replace the more letters it
keeps: 오 stands rather for 요 than for 많. A space stands for no other character. Thousands of rows are aligned at a
time, as arrays of (rows, characters).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hanpuri.hangul import FIRST_SYLLABLE, Indices, code_points, split, syllable_mask

GAP = 2  # what a character costs that is too much, or missing; a wrong letter costs 1
APART = 2 * GAP + 1  # a space in place of a syllable: two gaps are cheaper
MAX_CHARACTERS = 1000
"""Longer texts are not aligned: the work grows with the square."""
Letters = npt.NDArray[np.int32]
"""(4, B, L): lead, vowel, tail of each character, and whether it is a space."""
Costs = npt.NDArray[np.int16]
CELLS = 1 << 21  # of the tables that are worked on together: what a processor's cache can still be of help with


@dataclass(frozen=True, eq=False)
class Pairing:
    """
    The way from a hypothesis to its reference, character by character.

    Attributes:
        hypothesis: (P,) places in the hypothesis, −1 for a character that is missing there.
        reference: (P,) places in the reference, −1 for a character that is too much.
    """

    hypothesis: Indices
    reference: Indices


def align(hypotheses: Sequence[str], references: Sequence[str]) -> list[Pairing | None]:
    """
    Align each hypothesis with its reference; None for texts that are too long.

        >>> (pairing,) = align(["바에 작아오"], ["방에 많이 작아요"])
        >>> pairing.hypothesis.tolist(), pairing.reference.tolist()
        ([0, 1, -1, -1, -1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8])
    """
    found: list[Pairing | None] = [None] * len(hypotheses)
    apart: list[int] = []
    for row, (hypothesis, reference) in enumerate(zip(hypotheses, references, strict=True)):
        if _is_in_place(hypothesis, reference):
            found[row] = Pairing(np.arange(len(reference)), np.arange(len(reference)))
        elif max(len(hypothesis), len(reference)) <= MAX_CHARACTERS:
            apart.append(row)
    apart.sort(key=lambda row: (len(hypotheses[row]), len(references[row])))
    for rows in _batches(apart, hypotheses, references):
        pairings = _align_batch([hypotheses[row] for row in rows], [references[row] for row in rows])
        for row, pairing in zip(rows, pairings, strict=True):
            found[row] = pairing
    return found


def _is_in_place(hypothesis: str, reference: str) -> bool:
    """Say whether to pair place by place is the cheapest way, which no table is needed for: any other has two gaps."""
    if len(hypothesis) != len(reference):
        return False
    wrong = [pair for pair in zip(hypothesis, reference, strict=True) if pair[0] != pair[1]]
    if not wrong or len(wrong) > 2 * GAP:
        return not wrong
    return int(_price(*(_letters(["".join(side)]) for side in zip(*wrong, strict=True))).sum()) <= 2 * GAP


def _batches(rows: Sequence[int], hypotheses: Sequence[str], references: Sequence[str]) -> Iterator[list[int]]:
    batch: list[int] = []
    height = width = 0
    for row in rows:
        height, width = max(height, len(hypotheses[row]) + 1), max(width, len(references[row]) + 1)
        if batch and (len(batch) + 1) * height * width > CELLS:
            yield batch
            batch, height, width = [], len(hypotheses[row]) + 1, len(references[row]) + 1
        batch.append(row)
    if batch:
        yield batch


def _align_batch(hypotheses: Sequence[str], references: Sequence[str]) -> list[Pairing]:
    """Fill the table of costs for all rows, (B, H + 1, R + 1), and walk back through it."""
    left, right = _letters(hypotheses), _letters(references)
    num_rows, height, width = len(hypotheses), left.shape[2], right.shape[2]
    gaps = (GAP * np.arange(width + 1)).astype(np.int16)
    costs = np.empty((num_rows, height + 1, width + 1), dtype=np.int16)
    costs[:, 0] = gaps
    for place in range(height):
        above, row = costs[:, place], costs[:, place + 1]
        row[:, 0] = GAP * (place + 1)
        np.minimum(above[:, :-1] + _price(left[:, :, place, None], right), above[:, 1:] + GAP, out=row[:, 1:])
        # A missing character costs the same at each column, so the best start for each is a running minimum.
        row -= gaps
        np.minimum.accumulate(row, axis=1, out=row)
        row += gaps
    lengths = [np.array([len(text) for text in texts]) for texts in (hypotheses, references)]
    return list(_walk_back(costs, left, right, *lengths))


def _letters(texts: Sequence[str]) -> Letters:
    """
    Turn texts into the letters of each character.

    A character that is no syllable is three letters of its own; below 0, so that it shares none with a syllable.
    """
    letters = np.full((4, len(texts), max(1, *map(len, texts))), -1, dtype=np.int32)
    for row, text in enumerate(texts):
        points = code_points(text)
        letters[:3, row, : len(text)] = np.where(syllable_mask(points), split(points - FIRST_SYLLABLE), -2 - points)
        letters[3, row, : len(text)] = [one.isspace() for one in text]
    return letters


def _price(first: Letters, second: Letters) -> Costs:
    """Say what it costs to put one character for another: its wrong letters, 0 to 3."""
    price: Costs = (first[0] != second[0]).astype(np.int16)
    price += first[1] != second[1]
    price += first[2] != second[2]
    price[first[3] != second[3]] = APART
    return price


def _walk_back(costs: Costs, left: Letters, right: Letters, lefts: Indices, rights: Indices) -> Iterator[Pairing]:
    """Go from the end of each row's table to its beginning, all rows a step at a time."""
    rows, i, j = np.arange(len(costs)), lefts.copy(), rights.copy()
    steps: list[tuple[Indices, Indices]] = []
    while (i + j).any():
        here = costs[rows, i, j]
        price = _price(left[:, rows, i - 1], right[:, rows, j - 1])
        replaced = (i > 0) & (j > 0) & (here == costs[rows, i - 1, j - 1] + price)
        extra = ~replaced & (i > 0) & ((j == 0) | (here == costs[rows, i - 1, j] + GAP))
        missing = ~replaced & ~extra & (j > 0)
        i, j = i - (replaced | extra), j - (replaced | missing)
        steps.append((np.where(replaced | extra, i, -1), np.where(replaced | missing, j, -1)))
    places = np.array(steps, dtype=np.int64)[::-1].transpose(2, 0, 1)  # (B, P, 2), from the beginning on
    for taken in places:
        taken = taken[(taken >= 0).any(1)]
        yield Pairing(taken[:, 0], taken[:, 1])
