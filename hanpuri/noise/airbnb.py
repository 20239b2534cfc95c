"""
The public four-slider generator ("에어비앤비체"), exactly, readable for one sentence.

In:  "화장실이 너무 작아요", four sliders, a random number generator.   Out: a noisy text of the same length.

Three steps over the syllables, in this order: liaison, doubling, component change. Length and spacing never change and
nothing outside 가–힣 is touched. `hanpuri.noise.batched` is the same generator over tensors; a test holds the two
together.

Within, a syllable is its number (lead · 588 + vowel · 28 + tail), so that a changed letter is a number to add. The
tables of what is added are made from the rules once.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple

from hanpuri.hangul import FIRST_SYLLABLE, LEADS, NUM_SYLLABLES, TAILS, VOWELS, ks_x_1001_mask
from hanpuri.noise.rules import AIRBNB, ALPHABETS, ASPIRATES, LAX_TAILS, TAIL_SPLITS, LetterTables, Place

Letters = tuple[str, str, str]
Fits = Callable[[int], object]

MAX_TRIES = 10
# What one step of a letter's index adds to the number of its syllable.
STEPS: dict[Place, int] = {"lead": len(VOWELS) * len(TAILS), "vowel": len(TAILS), "tail": 1}
LEAD_STEP, VOWEL_STEP = STEPS["lead"], STEPS["vowel"]


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
    points = [ord(character) - FIRST_SYLLABLE for character in text]
    numbers = [point if 0 <= point < NUM_SYLLABLES else None for point in points]
    if active is not None:
        numbers = [number if chosen else None for number, chosen in zip(numbers, active, strict=True)]
    fits = _fits(ks_x_1001)
    for join, probability in ((liaise, sliders.liaison), (double, sliders.doubling)):
        _join_neighbours(numbers, _moves(join), probability, rng, fits)
    how = sliders.num_changed_places, sliders.tail_insertion, fits, _kin(tables)
    return "".join(
        character if number is None else chr(FIRST_SYLLABLE + change(number, rng, *how))
        for number, character in zip(numbers, text, strict=True)
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


def _join_neighbours(
    numbers: list[int | None], moves: list[tuple[int, int]], probability: float, rng: random.Random, fits: Fits
) -> None:
    """Take a step from left to right over all neighbours, in place, wherever each new syllable is allowed."""
    uniform = rng.random
    for position in range(1, len(numbers)):
        left, right = numbers[position - 1], numbers[position]
        if left is None or right is None or uniform() >= probability:
            continue
        to_left, to_right = moves[left % VOWEL_STEP * len(LEADS) + right // LEAD_STEP]
        if (not to_left or fits(left + to_left)) and (not to_right or fits(right + to_right)):
            numbers[position - 1], numbers[position] = left + to_left, right + to_right


def change(
    syllable: int, rng: random.Random, num_changed_places: int, tail_insertion: float, fits: Fits, kin: "Kin"
) -> int:
    """Draw the chosen places anew until the syllable differs and fits; after ten tries it stays as it is."""
    random_bits = rng.getrandbits
    places = SAMPLES[num_changed_places]
    for _ in range(num_changed_places):
        places = draw(places, random_bits)
    lead, vowel, tail = syllable // LEAD_STEP, syllable % LEAD_STEP // VOWEL_STEP, syllable % VOWEL_STEP
    own = kin[0][lead], kin[1][vowel], kin[2][tail]
    redrawn = [options for place in places if (options := own[place])]
    for _ in range(MAX_TRIES):
        new = syllable
        for options in redrawn:
            new += draw(options, random_bits)
        if not tail and rng.random() < tail_insertion:
            new += draw(ANY_TAIL, random_bits)
        if new != syllable and fits(new):
            return new
    return syllable


class Options(NamedTuple):
    """
    What is drawn from: a value for every number of so many random bits, None where it is to be drawn again.

    `random.choice` takes the same bits, so that every seed stands for the noise that it stood for when it was used.
    """

    num_bits: int
    values: tuple[Any, ...]

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Options":
        """
        Fill up to the next power of two.

        >>> Options.of("ㄱㄲㅋ")
        Options(num_bits=2, values=('ㄱ', 'ㄲ', 'ㅋ', None))
        """
        num_bits = len(values).bit_length()
        return cls(num_bits, (*values, *[None] * (2**num_bits - len(values))))


def draw(options: Options, random_bits: Callable[[int], int]) -> Any:
    """
    Draw one of the options with `Random.getrandbits`.

    >>> draw(Options.of("ㄱㄲㅋ"), random.Random(1).getrandbits) == random.Random(1).choice("ㄱㄲㅋ")
    True
    """
    num_bits, values = options
    while (value := values[random_bits(num_bits)]) is None:
        pass
    return value


def _sample(places: tuple[int, ...], num_places: int, chosen: tuple[int, ...] = ()) -> Any:
    """
    Draw so many places as `random.sample` does: options of options, at whose ends stand the places in order.

    Its first draw is from all; the place drawn is overwritten by the last, and the next draw is from those before it.
    """
    if num_places == 0:
        return tuple(sorted(chosen))
    *others, last = places
    rest = [tuple(last if other == place else other for other in others) for place in places]
    return Options.of(
        [_sample(left, num_places - 1, (*chosen, place)) for place, left in zip(places, rest, strict=True)]
    )


SAMPLES = [_sample((0, 1, 2), num_places) for num_places in range(4)]
ANY_TAIL = Options.of(range(1, len(TAILS)))

# For each place the options of each letter: what is added to the number of a syllable. A missing tail has none.
Kin = tuple[list[Options | None], ...]


def _kin(tables: LetterTables) -> Kin:
    return _kin_of(tuple(tables.leads.items()), tuple(tables.vowels.items()), tuple(tables.tails.items()))


@lru_cache(maxsize=8)
def _kin_of(*tables: tuple[tuple[str, str], ...]) -> Kin:
    """Turn letters into numbers; a letter that is not named has itself alone, which takes a draw like any other."""
    return tuple(
        [_differences(ALPHABETS[place], letter, dict(table).get(letter, letter), step) for letter in ALPHABETS[place]]
        for (place, step), table in zip(STEPS.items(), tables, strict=True)
    )


def _differences(alphabet: tuple[str, ...], letter: str, candidates: str, step: int) -> Options | None:
    own = alphabet.index(letter)
    return Options.of([(alphabet.index(c) - own) * step for c in candidates]) if letter else None


@cache
def _moves(join: Callable[[Letters, Letters], tuple[Letters, Letters]]) -> list[tuple[int, int]]:
    """Tabulate a step: for each tail and following lead, what is added to the left number and to the right one."""
    moves = []
    for tail in TAILS:
        for lead in LEADS:
            (*_, new_tail), (new_lead, *_) = join(("ㄱ", "ㅏ", tail), (lead, "ㅏ", ""))
            to_right = (LEADS.index(new_lead) - LEADS.index(lead)) * LEAD_STEP
            moves.append((TAILS.index(new_tail) - TAILS.index(tail), to_right))
    return moves


@cache
def _fits(ks_x_1001: bool) -> Fits:
    return ks_x_1001_mask().tobytes().__getitem__ if ks_x_1001 else range(NUM_SYLLABLES).__contains__
