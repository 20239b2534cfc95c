"""
Syllable ↔ (lead, vowel, tail): the arithmetic of Hangul on code points, for one syllable and for millions.

In:  "값" or an array of code points.   Out: ("ㄱ", "ㅏ", "ㅄ") or arrays of indices (0, 0, 18).

A precomposed syllable is U+AC00 + (lead · 21 + vowel) · 28 + tail with 19 leads, 21 vowels and 28 tails, of which
tail 0 is "no tail" (The Unicode Standard, section 3.12). Letters are written as compatibility jamo (ㄱ, ㅏ, ㅄ), the
ones that a keyboard types. Nothing here knows of noise or of models.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
TAILS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")

FIRST_SYLLABLE = 0xAC00
NUM_SYLLABLES = len(LEADS) * len(VOWELS) * len(TAILS)

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def is_syllable(character: str) -> bool:
    """
    Say whether `character` is one precomposed syllable, 가 to 힣.

    >>> is_syllable("값"), is_syllable("ㄱ"), is_syllable("a"), is_syllable("")
    (True, False, False, False)
    """
    return len(character) == 1 and 0 <= ord(character) - FIRST_SYLLABLE < NUM_SYLLABLES


def decompose(syllable: str) -> tuple[str, str, str]:
    """
    Split a syllable into its lead consonant, its vowel and its tail ("" if it has none).

    The arithmetic is that of The Unicode Standard, section 3.12.

        >>> decompose("값")
        ('ㄱ', 'ㅏ', 'ㅄ')

    Raises:
        ValueError: if `syllable` is not one precomposed syllable.
    """
    if not is_syllable(syllable):
        raise ValueError(f"{syllable!r} is not one Hangul syllable (가 to 힣)")
    lead_vowel, tail = divmod(ord(syllable) - FIRST_SYLLABLE, len(TAILS))
    lead, vowel = divmod(lead_vowel, len(VOWELS))
    return LEADS[lead], VOWELS[vowel], TAILS[tail]


def compose(lead: str, vowel: str, tail: str = "") -> str:
    """
    Join a lead consonant, a vowel and a tail into a syllable: the inverse of `decompose`.

        >>> compose("ㄱ", "ㅏ", "ㅄ")
        '값'

    Raises:
        ValueError: if a letter cannot stand in its place (ㄸ is no tail, ㄳ no lead).
    """
    # "ㄱㄲ" is in LEADS too, as a part of the string.
    if len(lead) != 1 or len(vowel) != 1 or lead not in LEADS or vowel not in VOWELS or tail not in TAILS:
        raise ValueError(f"no syllable has the lead {lead!r}, the vowel {vowel!r} and the tail {tail!r}")
    number = (LEADS.index(lead) * len(VOWELS) + VOWELS.index(vowel)) * len(TAILS) + TAILS.index(tail)
    return chr(FIRST_SYLLABLE + number)


def code_points(text: str) -> Indices:
    """
    Turn a text into its code points, shape (len(text),); lone surrogates are code points like any other.

    >>> code_points("가a").tolist()
    [44032, 97]
    """
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)


def from_code_points(points: Indices) -> str:
    """
    Turn code points back into a text: the inverse of `code_points`.

    >>> from_code_points(code_points("가\\ud800a")) == "가\\ud800a"
    True
    """
    return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def syllable_mask(points: Indices) -> Mask:
    """
    Mark the code points that are precomposed syllables.

    >>> syllable_mask(code_points("a가ㄱ")).tolist()
    [False, True, False]
    """
    numbers = points - FIRST_SYLLABLE
    return (numbers >= 0) & (numbers < NUM_SYLLABLES)


def split(numbers: Indices) -> tuple[Indices, Indices, Indices]:
    """
    Split syllable numbers (code point − U+AC00) into indices of lead, vowel and tail, all of the input's shape.

    >>> [int(part[0]) for part in split(code_points("값") - FIRST_SYLLABLE)]
    [0, 0, 18]
    """
    return numbers // 588, numbers % 588 // 28, numbers % 28


def join(leads: Indices, vowels: Indices, tails: Indices) -> Indices:
    """
    Join indices of lead, vowel and tail into syllable numbers: the inverse of `split`.

    >>> int(join(np.array([0]), np.array([0]), np.array([18]))[0]) == ord("값") - FIRST_SYLLABLE
    True
    """
    return leads * 588 + vowels * 28 + tails


@cache
def ks_x_1001_mask() -> Mask:
    """
    Mark the 2,350 syllables of KS X 1001 among all, shape (11172,).

    They are the ones that EUC-KR writes in two bytes; Python's codec spells the others with eight.

        >>> int(ks_x_1001_mask().sum())
        2350
    """
    syllables = (chr(FIRST_SYLLABLE + number) for number in range(NUM_SYLLABLES))
    mask = np.array([len(syllable.encode("euc_kr")) == 2 for syllable in syllables])
    mask.setflags(write=False)
    return mask


def is_ks_x_1001(syllable: str) -> bool:
    """
    Say whether a syllable is one of the 2,350 that KS X 1001 holds, the ones that old Korean fonts can show.

    >>> is_ks_x_1001("값"), is_ks_x_1001("갃")
    (True, False)
    """
    return is_syllable(syllable) and bool(ks_x_1001_mask()[ord(syllable) - FIRST_SYLLABLE])
