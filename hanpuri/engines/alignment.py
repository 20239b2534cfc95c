"""
Aligned decoding: what a restored text may be, character by character, so that it cannot shift against its noisy text.

In: a noisy text. Out: a pattern with a place for each of its characters, and the same as a grammar that engines take:

    "녀뮤 좋!"    syllables   ─►   [가-힣][가-힣] [가-힣]!          every syllable is some syllable
                  airbnb      ─►   [너노녀뇨…][무뮤…] [조좇좋…]!     one that this noise can have come from

Whatever a model writes under it, trained for it or not, has the length of the noisy text, its spaces, its digits and
its punctuation. The noisy text itself always fits.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from unicodedata import normalize

import numpy as np

from hanpuri.data.templates import Fields
from hanpuri.engines.settings import Aligned
from hanpuri.errors import DataError
from hanpuri.hangul import FIRST_SYLLABLE, NUM_SYLLABLES, TAILS, code_points, from_code_points, join, syllable_mask
from hanpuri.noise.channel import feasible_letters

SYLLABLES = frozenset(chr(FIRST_SYLLABLE + number) for number in range(NUM_SYLLABLES))
WITH_TAIL = frozenset(syllable for syllable in SYLLABLES if (ord(syllable) - FIRST_SYLLABLE) % len(TAILS))
LONE_TAILS = frozenset(map(chr, range(0x11A8, 0x11C3)))
"""Tails as characters of their own: behind a syllable without one they are one syllable with it in NFC."""

# Written the same way in Python, in Rust, in vLLM's backends and in GBNF.
NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
REGEX_SIGNS = frozenset("\\^$.|?*+()[]{}")
GBNF_SIGNS = frozenset('\\"')


@dataclass(frozen=True)
class Pattern:
    """What a restored text may be: for each place, the characters that may stand there."""

    slots: tuple[frozenset[str], ...]

    def matches(self, text: str) -> bool:
        """
        Tell whether a text fits.

            >>> make_pattern("녀뮤 좋!", "airbnb").matches("너무 좋!"), make_pattern("녀뮤", "airbnb").matches("나무")
            (True, False)
        """
        return len(text) == len(self.slots) and all(
            character in slot for character, slot in zip(text, self.slots, strict=True)
        )

    def regex(self, before: str = "", after: str = "") -> str:
        """
        Write it as a regular expression of the whole text, for llguidance, vLLM and Python.

        A space stands as it is: vLLM refuses an escaped one.

            >>> make_pattern("녀뮤 (5)", "syllables").regex(before=" ")
            ' [가-힣][가-힣] \\\\(5\\\\)'

        Args:
            before: what the template has the model write before the answer.
            after: what it has it write behind it.
        """
        slots = (_spell(min(slot), REGEX_SIGNS) if len(slot) == 1 else _class_of(slot) for slot in self.slots)
        return "".join([*_spelled(before, REGEX_SIGNS), *slots, *_spelled(after, REGEX_SIGNS)])

    def gbnf(self, before: str = "", after: str = "") -> str:
        """
        Write it as a grammar of llama.cpp; see `regex`.

            >>> make_pattern('"녀뮤 5"', "syllables").gbnf()
            'root ::= "\\\\"" [가-힣] [가-힣] " 5\\\\""'
        """
        slots = [*map(frozenset, before), *self.slots, *map(frozenset, after)]
        parts: list[str] = []
        for literal, group in groupby(slots, lambda slot: len(slot) == 1):
            if literal:
                parts.append('"' + "".join(_spell(min(slot), GBNF_SIGNS) for slot in group) + '"')
            else:
                parts += map(_class_of, group)
        return "root ::= " + (" ".join(parts) or '""')


def noisy_of(row: Fields, name: str) -> str:
    """
    Give the text of a row that is to be restored in place.

    Raises:
        DataError: if it has none.
    """
    if not isinstance(noisy := row.get("noisy"), str):
        found = f"{name}: found the fields {', '.join(row)}, expected noisy: aligned decoding restores, no more"
        raise DataError(found, "ask without aligned")
    return noisy


def make_pattern(noisy: str, aligned: Aligned, *, name: str = "the text") -> Pattern:
    """
    Say what the restored form of a noisy text may be.

        >>> len(make_pattern("뮤", "syllables").slots[0]), "무" in make_pattern("뮤", "airbnb").slots[0]
        (11172, True)

    Args:
        noisy: the text; it is brought to NFC first.
        aligned: "syllables": every syllable is some syllable. "airbnb", "hand": one that the noise of this profile can
            have come from. All else is itself.
        name: how an error names the text.

    Raises:
        DataError: if the text holds half a surrogate pair: no model can write it.
        ValueError: if `aligned` is "off".
    """
    if aligned == "off":
        raise ValueError("aligned is off, expected syllables, airbnb or hand")
    normal = normalize("NFC", noisy)
    if any("\ud800" <= character <= "\udfff" for character in normal):
        raise DataError(f"{name}: found half a surrogate pair, expected text", "clean the text first")
    slots = list(map(frozenset, normal))
    points = code_points(normal)
    letters = feasible_letters(aligned).masks(points) if aligned != "syllables" else ()
    for place, *masks in zip(np.flatnonzero(syllable_mask(points)), *letters, strict=False):
        slot = _slot_of(*(mask.tobytes() for mask in masks)) if masks else SYLLABLES
        slots[place] = slot & WITH_TAIL if normal[place + 1 : place + 2] in LONE_TAILS else slot
    return Pattern(tuple(slots))


@lru_cache(maxsize=1 << 14)
def _slot_of(leads: bytes, vowels: bytes, tails: bytes) -> frozenset[str]:
    """List the syllables of letters that are marked each in its table."""
    lead, vowel, tail = (np.flatnonzero(np.frombuffer(mask, np.bool_)) for mask in (leads, vowels, tails))
    numbers = join(lead[:, None, None], vowel[:, None], tail)
    return frozenset(from_code_points(numbers.ravel() + FIRST_SYLLABLE))


@lru_cache(maxsize=1 << 14)
def _class_of(slot: frozenset[str]) -> str:
    """
    Write syllables as a class of characters, neighbours as a range.

    >>> _class_of(frozenset("가각갂나"))
    '[가-갂나]'
    """
    return f"[{''.join(_ranges(sorted(map(ord, slot))))}]"


def _ranges(points: Iterable[int]) -> Iterator[str]:
    for _, group in groupby(enumerate(points), lambda pair: pair[1] - pair[0]):
        run = [chr(point) for _, point in group]
        yield f"{run[0]}-{run[-1]}" if len(run) > 2 else "".join(run)


def _spelled(text: str, signs: frozenset[str]) -> Iterator[str]:
    return (_spell(character, signs) for character in text)


def _spell(character: str, signs: frozenset[str]) -> str:
    if character in NAMED:
        return NAMED[character]
    if character < " " or character == "\x7f":
        return f"\\x{ord(character):02x}"
    return f"\\{character}" if character in signs else character
