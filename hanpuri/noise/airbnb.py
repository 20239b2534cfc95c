"""
The public four-slider generator ("에어비앤비체"), exactly, readable for one sentence.

In:  "화장실이 너무 작아요", four sliders, a random number generator.   Out: a noisy text of the same length.

Three steps over the syllables, in this order: liaison, doubling, component change. Length and spacing never change and
nothing outside 가–힣 is touched. `hanpuri.noise.batched` is the same generator over tensors; a test holds the two
together.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hanpuri.hangul import TAILS, compose, decompose, is_ks_x_1001, is_syllable
from hanpuri.noise.rules import AIRBNB, ASPIRATES, LAX_TAILS, TAIL_SPLITS, LetterTables, Place

Letters = tuple[str, str, str]
Fits = Callable[[str], bool]

MAX_TRIES = 10
PLACES: tuple[Place, ...] = ("lead", "vowel", "tail")


@dataclass(frozen=True)
class Sliders:
    """The generator's four sliders, each a probability; the web page starts with all of them in the middle."""

    liaison: float = 0.5
    doubling: float = 0.5
    change: float = 0.5
    tail_insertion: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"the slider {name} is {value}; it is a probability from 0 to 1")

    @property
    def num_changed_places(self) -> int:
        """How many of lead, vowel and tail one change draws anew: ceil(3 · change)."""
        return math.ceil(3 * self.change)


MIDDLE = Sliders()


def generate(
    text: str,
    rng: random.Random,
    sliders: Sliders = MIDDLE,
    *,
    ks_x_1001: bool = True,
    tables: LetterTables = AIRBNB,
    active: Sequence[bool] | None = None,
) -> str:
    """
    Obfuscate one text; with `ks_x_1001` every new syllable is one of the 2,350 that KS X 1001 holds.

    `active` marks the characters that may change (all, when it is not given), one mark a character; a step across two
    syllables needs both.

        >>> generate("화장실이 너무 작아요", random.Random(1))
        '확짱쉴위 념뭇 쟎갑요'
    """
    letters = [decompose(character) if is_syllable(character) else None for character in text]
    if active is not None:
        letters = [letter if chosen else None for letter, chosen in zip(letters, active, strict=True)]
    fits = is_ks_x_1001 if ks_x_1001 else is_syllable
    for join, probability in ((liaise, sliders.liaison), (double, sliders.doubling)):
        for left, right in pairwise(range(len(letters))):
            before, after = letters[left], letters[right]
            if before and after and rng.random() < probability:
                letters[left], letters[right] = _if_it_fits(join(before, after), (before, after), fits)
    return "".join(
        compose(*change(syllable, rng, sliders, fits, tables)) if syllable else character
        for syllable, character in zip(letters, text, strict=True)
    )


def liaise(left: Letters, right: Letters) -> tuple[Letters, Letters]:
    """
    Move the last letter of the left tail into the right syllable, or melt ㄱ, ㅂ and ㅎ into ㅋ, ㅍ.

    >>> liaise(("ㄱ", "ㅏ", "ㅄ"), ("ㅇ", "ㅣ", ""))
    (('ㄱ', 'ㅏ', 'ㅂ'), ('ㅅ', 'ㅣ', ''))
    """
    lead, vowel, tail = left
    if right[0] == "ㅇ" and tail in TAIL_SPLITS:
        stays, moves = TAIL_SPLITS[tail]
        return (lead, vowel, stays), (moves, *right[1:])
    if right[0] == "ㅎ" and tail in ASPIRATES:
        return (lead, vowel, ""), (ASPIRATES[tail], *right[1:])
    return left, right


def double(left: Letters, right: Letters) -> tuple[Letters, Letters]:
    """
    Copy the right lead, made lax, as the left tail where there is none.

    >>> double(("ㅇ", "ㅏ", ""), ("ㄲ", "ㅏ", ""))
    (('ㅇ', 'ㅏ', 'ㄱ'), ('ㄲ', 'ㅏ', ''))
    """
    if left[2] == "" and right[0] in LAX_TAILS:
        return (*left[:2], LAX_TAILS[right[0]]), right
    return left, right


def change(syllable: Letters, rng: random.Random, sliders: Sliders, fits: Fits, tables: LetterTables) -> Letters:
    """Draw the chosen places anew until the syllable differs and fits; after ten tries it stays as it is."""
    chosen = rng.sample(PLACES, sliders.num_changed_places)
    for _ in range(MAX_TRIES):
        drawn = [
            rng.choice(tables.candidates(place, letter)) if place in chosen and letter else letter
            for place, letter in zip(PLACES, syllable, strict=True)
        ]
        if syllable[2] == "" and rng.random() < sliders.tail_insertion:
            drawn[2] = rng.choice(TAILS[1:])
        new = drawn[0], drawn[1], drawn[2]
        if new != syllable and fits(compose(*new)):
            return new
    return syllable


def _if_it_fits(new: tuple[Letters, Letters], old: tuple[Letters, Letters], fits: Fits) -> tuple[Letters, Letters]:
    """Take the new pair only if each syllable that is new in it is allowed."""
    return new if all(fits(compose(*made)) for made, letters in zip(new, old, strict=True) if made != letters) else old
