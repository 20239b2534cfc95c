"""
The noise read backwards: which syllables can have become this one here, and how likely each letter turns into which.

In:  a noisy text.   Out: for every syllable the originals that the rules allow, given its neighbours.
In:  noisy/clean pairs.   Out: P(noisy letter | clean letter) for leads, vowels and tails.

The rules act on letters, and across syllables only between neighbours. So the originals of a syllable are a product:
its lead given the noisy tail on its left, its vowel, and its tail given the noisy lead on its right. The sets are
derived from the rule tables (nothing is listed by hand), hold for every position of the sliders, and are never too
small; they can be a little too large, because KS X 1001 and the joint fate of two neighbours are not looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from hanpuri.hangul import (
    FIRST_SYLLABLE,
    LEADS,
    TAILS,
    VOWELS,
    Indices,
    Mask,
    code_points,
    compose,
    split,
    syllable_mask,
)
from hanpuri.noise.rules import ALPHABETS, ASPIRATES, TAIL_SPLITS, LetterTables, Place, letter_tables


@dataclass(frozen=True)
class FeasibleLetters:
    """
    The inverse of the rules as three tables of booleans.

    Attributes:
        leads: (29, 19, 19): noisy tail on the left (28: no neighbour), noisy lead, clean lead.
        vowels: (21, 21): noisy vowel, clean vowel.
        tails: (20, 28, 28): noisy lead on the right (19: no neighbour), noisy tail, clean tail.
    """

    leads: Mask
    vowels: Mask
    tails: Mask

    def masks(self, points: Indices) -> tuple[Mask, Mask, Mask]:
        """
        Look up the feasible leads (S, 19), vowels (S, 21) and tails (S, 28) of the S syllables of a text.

        Args:
            points: the code points of the noisy text, shape (T,).
        """
        is_syllable = syllable_mask(points)
        lead, vowel, tail = split(np.where(is_syllable, points - FIRST_SYLLABLE, 0))
        left_tail = np.full(len(points), len(TAILS))
        right_lead = np.full(len(points), len(LEADS))
        left_tail[1:] = np.where(is_syllable[:-1], tail[:-1], len(TAILS))
        right_lead[:-1] = np.where(is_syllable[1:], lead[1:], len(LEADS))
        here = np.flatnonzero(is_syllable)
        return (
            self.leads[left_tail[here], lead[here]],
            self.vowels[vowel[here]],
            self.tails[right_lead[here], tail[here]],
        )


def feasible_originals(noisy: str, profile: str = "airbnb") -> list[frozenset[str]]:
    """
    List, for every character of a noisy text, the characters that it can have been.

    A character that is no syllable can only have been itself.

        >>> originals = feasible_originals("녀뮤")
        >>> "너" in originals[0], "노" in originals[0], "무" in originals[1]
        (True, False, True)
    """
    points = code_points(noisy)
    originals = [frozenset(character) for character in noisy]
    masks = feasible_letters(profile).masks(points)
    for position, *letters in zip(np.flatnonzero(syllable_mask(points)), *masks, strict=True):
        lead, vowel, tail = (np.flatnonzero(mask) for mask in letters)
        originals[position] = frozenset(
            compose(LEADS[x], VOWELS[y], TAILS[z]) for x, y, z in product(lead, vowel, tail)
        )
    return originals


@cache
def feasible_letters(profile: str = "airbnb") -> FeasibleLetters:
    """Derive the three tables of a profile from its rules, once."""
    tables = letter_tables(profile)
    leads = {(left, noisy): _feasible_leads(tables, left, noisy) for left in (*TAILS, None) for noisy in LEADS}
    tails = {(right, noisy): _feasible_tails(tables, right, noisy) for right in (*LEADS, None) for noisy in TAILS}
    return FeasibleLetters(
        leads=np.array([[[c in leads[left, n] for c in LEADS] for n in LEADS] for left in (*TAILS, None)]),
        vowels=np.array([[c in _before_change(tables, "vowel", n) for c in VOWELS] for n in VOWELS]),
        tails=np.array([[[c in tails[right, n] for c in TAILS] for n in TAILS] for right in (*LEADS, None)]),
    )


def _before_change(tables: LetterTables, place: Place, noisy: str) -> set[str]:
    """Undo the component change: the letters that can become `noisy`; a tail may have been inserted."""
    before = {letter for letter in ALPHABETS[place] if noisy in (letter, *tables.candidates(place, letter))}
    return before | {""} if place == "tail" else before


def _feasible_leads(tables: LetterTables, left_tail: str | None, noisy: str) -> set[str]:
    """Undo change and liaison: the lead itself, or ㅇ or ㅎ if something can have moved in from the left."""
    before = _before_change(tables, "lead", noisy)
    if left_tail is None:
        return before
    # A tail that stands on the left now may have been inserted or doubled in after the liaison took the old one away.
    stayed = _before_change(tables, "tail", left_tail)
    moved = {lead for stays, lead in TAIL_SPLITS.values() if stays in stayed}
    return before | ({"ㅇ"} if before & moved else set()) | ({"ㅎ"} if before & set(ASPIRATES.values()) else set())


def _feasible_tails(tables: LetterTables, right_lead: str | None, noisy: str) -> set[str]:
    """Undo change, doubling and liaison: the tail itself, none if it was copied in, or one that moved to the right."""
    before = _before_change(tables, "tail", noisy)
    if right_lead is None:
        return before
    arrived = _before_change(tables, "lead", right_lead)
    moved = {tail for tail, (stays, lead) in TAIL_SPLITS.items() if stays in before and lead in arrived}
    melted = {tail for tail, lead in ASPIRATES.items() if lead in arrived}
    return before | moved | melted


Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LetterChannel:
    """
    What became of every clean letter.

    Attributes:
        probabilities: P(noisy letter | clean letter) as [clean, noisy] for each place: lead (19, 19), vowel (21, 21)
            and tail (28, 28); a row of zeros for a letter that was never clean.
        counts: how often each letter was clean, (19,), (21,) and (28,).
    """

    probabilities: dict[Place, Probabilities]
    counts: dict[Place, Probabilities]

    def total_variation(self, other: "LetterChannel") -> dict[Place, float]:
        """
        Measure how far two channels differ: ½ Σ |P − Q| for every clean letter, weighted by how often `self` saw it.

        0 is the same channel, 1 is one that shares nothing; a letter that `other` never saw counts ½.

        Raises:
            ValueError: if `self` saw no syllable.
        """
        if not self.counts["lead"].any():
            raise ValueError("this channel was fitted to pairs without a syllable; there is nothing to compare")
        distances: dict[Place, float] = {}
        for place, counts in self.counts.items():
            each = 0.5 * np.abs(self.probabilities[place] - other.probabilities[place]).sum(1)
            distances[place] = float((each * counts).sum() / counts.sum())
        return distances


def fit_channel(pairs: Iterable[tuple[str, str]]) -> LetterChannel:
    """
    Count P(noisy letter | clean letter) in (noisy, clean) pairs of equal length; only syllables on both sides count.

        >>> channel = fit_channel([("뉴", "누"), ("누", "누")])
        >>> float(channel.probabilities["vowel"][VOWELS.index("ㅜ"), VOWELS.index("ㅠ")])
        0.5

    Raises:
        ValueError: if the two sides of a pair differ in length.
    """
    counts = {place: np.zeros((len(letters), len(letters))) for place, letters in ALPHABETS.items()}
    for noisy, clean in pairs:
        sides = code_points(noisy), code_points(clean)
        if len(sides[0]) != len(sides[1]):
            raise ValueError(f"the sides of a pair differ in length: {noisy!r} and {clean!r}")
        both = syllable_mask(sides[0]) & syllable_mask(sides[1])
        letters = (split(side[both] - FIRST_SYLLABLE) for side in sides)
        for table, noisy_letters, clean_letters in zip(counts.values(), *letters, strict=True):
            np.add.at(table, (clean_letters, noisy_letters), 1)
    totals = {place: table.sum(1) for place, table in counts.items()}
    probabilities = {place: counts[place] / np.maximum(totals[place], 1)[:, None] for place in counts}
    return LetterChannel(probabilities, totals)
