"""
The component change as a table: how likely each syllable becomes which.

In:  the syllables "맛" and "맏".   Out: P(맏 | 맛) = 0.2159, over all places, draws and tries of the generator.

A lead and a vowel have few kin. So for each of the 11,172 syllables the table holds the new leads and vowels by their
number among the kin, and the new tail by itself.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hanpuri.hangul import LEADS, NUM_SYLLABLES, TAILS, VOWELS, Indices, Mask, ks_x_1001_mask, split
from hanpuri.noise.airbnb import MAX_TRIES, Sliders
from hanpuri.noise.rules import ALPHABETS, LetterTables, Place, letter_tables

Probabilities = npt.NDArray[np.float64]


def fitting(ks_x_1001: bool) -> Mask:
    """Mark the syllables that may be made, (11172,)."""
    return ks_x_1001_mask() if ks_x_1001 else np.ones(NUM_SYLLABLES, dtype=np.bool_)


@dataclass(frozen=True)
class Kin:
    """
    What the letters of a place may become, fewer than K each.

    Attributes:
        letters: (letters, K) their kin, the letter itself first; what is left over is never drawn.
        draws: (letters, K) how likely each is drawn where the place is picked.
        number: (letters, letters) the place of a new letter among an old one's kin; the last, never drawn, if none.
    """

    letters: Indices
    draws: Probabilities
    number: Indices

    @classmethod
    def of(cls, tables: LetterTables, place: Place) -> "Kin":
        """Number the candidates of every letter."""
        alphabet = ALPHABETS[place]
        candidates = [list(tables.candidates(place, letter)) or [letter] for letter in alphabet]
        width = max(map(len, candidates)) + 1
        letters = np.repeat(np.arange(len(alphabet))[:, None], width, axis=1)
        draws = np.zeros(letters.shape)
        number = np.full((len(alphabet), len(alphabet)), width - 1)
        for old, drawn in enumerate(candidates):
            for slot, letter in enumerate(dict.fromkeys((alphabet[old], *drawn))):
                new = alphabet.index(letter)
                letters[old, slot], number[old, new] = new, slot
                draws[old, slot] = drawn.count(letter) / len(drawn)
        return cls(letters, draws, number)

    def drawn(self, picked: bool) -> Probabilities:
        """How likely each of the kin is drawn, (letters, K): the letter itself, unless the place is picked."""
        alone = np.zeros_like(self.draws)
        alone[:, 0] = 1.0
        return self.draws if picked else alone


@dataclass(frozen=True)
class ChangeTable:
    """P(new syllable | old one), for all of both. Made by `change_table`."""

    leads: Kin
    vowels: Kin
    flat: Probabilities
    """(11172 · K leads · K vowels · 28,) by old syllable, the numbers of new lead and vowel, and new tail."""

    def probability(self, old: Indices, new: Indices) -> Probabilities:
        """Look up syllable numbers, of any shapes that fit together."""
        (old_lead, old_vowel, _), (new_lead, new_vowel, new_tail) = split(old), split(new)
        lead, vowel = self.leads.number[old_lead, new_lead], self.vowels.number[old_vowel, new_vowel]
        num_leads, num_vowels = self.leads.letters.shape[1], self.vowels.letters.shape[1]
        found: Probabilities = self.flat[((old * num_leads + lead) * num_vowels + vowel) * len(TAILS) + new_tail]
        return found


def change_table(profile: str, sliders: Sliders, *, ks_x_1001: bool = True) -> ChangeTable:
    """
    Tabulate the change of a profile, once for each of its settings.

        >>> table = change_table("airbnb", Sliders())
        >>> old, new = np.array(ord("맛") - 0xAC00), np.array(ord("맏") - 0xAC00)
        >>> round(float(table.probability(old, new)), 4)
        0.2159

    Raises:
        ValueError: if there is no such profile.
    """
    return _tabulate(letter_tables(profile).name, sliders.num_changed_places, sliders.tail_insertion, ks_x_1001)


@lru_cache(maxsize=4)
def _tabulate(profile: str, num_places: int, insertion: float, ks_x_1001: bool) -> ChangeTable:
    tables = letter_tables(profile)
    leads, vowels = Kin.of(tables, "lead"), Kin.of(tables, "vowel")
    # Axes: old lead, vowel and tail, numbers of the new lead and vowel, new tail.
    new = leads.letters[:, None, None, :, None, None] * len(VOWELS) + vowels.letters[None, :, None, None, :, None]
    new = new * len(TAILS) + np.arange(len(TAILS))
    old = np.arange(NUM_SYLLABLES).reshape(len(LEADS), len(VOWELS), len(TAILS), 1, 1, 1)
    taken = fitting(ks_x_1001)[new] & (new != old)
    table = np.zeros(taken.shape)
    subsets = list(combinations(range(3), num_places))
    for places in subsets:
        lead = leads.drawn(0 in places)[:, None, None, :, None, None]
        vowel = vowels.drawn(1 in places)[None, :, None, None, :, None]
        tail = _drawn_tails(tables, 2 in places, insertion)[None, None, :, None, None, :]
        table += _first_taken(lead * vowel * tail, taken) / len(subsets)
    return ChangeTable(leads, vowels, table.reshape(-1))


def _first_taken(once: Probabilities, taken: Mask) -> Probabilities:
    """Turn P(drawn) into P(the first that is taken, in so many tries; the syllable itself if none is)."""
    first = np.where(taken, once, 0.0)
    each = first.sum((3, 4, 5), keepdims=True)
    never = (1.0 - np.minimum(each, 1.0)) ** MAX_TRIES
    first *= (1.0 - never) / np.where(each, each, 1.0)
    tails = np.arange(len(TAILS))
    first[:, :, tails, 0, 0, tails] += never[..., 0, 0, 0]
    return first


def _drawn_tails(tables: LetterTables, picked: bool, insertion: float) -> Probabilities:
    """How likely each tail is drawn, (28 old, 28 new); where there is none, one is put in whatever is picked."""
    kin = Kin.of(tables, "tail")
    drawn = np.zeros((len(TAILS), len(TAILS)))
    np.add.at(drawn, (np.arange(len(TAILS))[:, None], kin.letters), kin.drawn(picked))
    drawn[0] = insertion / (len(TAILS) - 1)
    drawn[0, 0] = 1.0 - insertion
    return drawn
