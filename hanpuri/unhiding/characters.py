"""
Characters that look like nothing, or like another one in a different style ─► none, or the plain one.

In:  "방\u200b이 𝓰𝓸𝓸𝓭 ﾡㅏ 감㉳합니다".   Out: changes: nothing for the invisible one, "good", "ㄱ", "바".

What is itself in a clean text stays: emoji with what joins them, ㈜, ①, ㎡, full-width letters, marks of other scripts.
"""

import re
import unicodedata
from collections.abc import Iterator

from hanpuri.unhiding.draft import Change

HANGUL = "가-힣ㄱ-ㅎㅏ-ㅣ"

# Beside Hangul only: joiners and directions are a part of emoji and of other scripts.
NO_WIDTH = (
    "\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff"
)
MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
INVISIBLE = re.compile(f"(?<=[{HANGUL} ])[{NO_WIDTH}{MARKS}]+(?=[{HANGUL} ])|(?<=[{HANGUL}])[{MARKS}]+")
# They leave a gap, so they may be a space: only where a text has other spaces they are put in to hide.
FILLERS = re.compile(f"(?<=[{HANGUL}])[\u2800\u3164\uffa0]+(?=[{HANGUL}])")
STYLED = re.compile("[\U0001d400-\U0001d7ff]+")
FULL_WIDTH_WORD = re.compile("[Ａ-Ｚａ-ｚ]{2,}")
ENCLOSED_WORD = re.compile("[ⓐ-ⓩⒶ-Ⓩ⒜-⒵🄐-🄩🄰-🅉🅐-🅩🅰-🆉]{2,}")
HALF_WIDTH = re.compile("[\uffa1-\uffbe\uffc2-\uffc7\uffca-\uffcf\uffd2-\uffd7\uffda-\uffdc]+")
CONJOINING = re.compile("[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]+")
OLD = re.compile("[\u1113-\u115e\u1176-\u11a7\u11c3-\u11ff\ua960-\ua97c\ud7b0-\ud7fb]")
ENCLOSED_HANGUL = re.compile("[㈀-㈛㉠-㉻]+")
LETTERS_ONLY = re.compile("[㈀-㈍㉠-㉭]+")
ASSOCIATION = re.compile("㈔(?=[가-힣]{4})")
NEGATIVE_CAPITALS = (0x1F150, 0x1F170)
"""Where the 26 white letters on black discs and squares begin: to Unicode no styles of A to Z."""


def find_invisible(text: str) -> Iterator[Change]:
    """
    Find what cannot be seen between characters that can.

        >>> list(find_invisible("방\\u200b이 ❤\\ufe0f"))
        [Change(start=1, end=2, text='', kind='invisible')]
    """
    found = list(INVISIBLE.finditer(text))
    if " " in text:
        found += FILLERS.finditer(text)
    yield from (Change(one.start(), one.end(), "", "invisible") for one in sorted(found, key=re.Match.start))


def find_styled(text: str) -> Iterator[Change]:
    """
    Find letters in another style, width or form, and words in circles.

        >>> "".join(change.text for change in find_styled("𝓰𝓸𝓸𝓭 ⓗⓞⓣⓔⓛ ｈｏｔｅｌ Ⓡ Ｋ－ＰＯＰ"))
        'goodhotelhotel'
    """
    found = [(one, "wide") for pattern in (STYLED, ENCLOSED_WORD) for one in pattern.finditer(text)]
    found += [(one, "wide") for one in HALF_WIDTH.finditer(text)]
    found += [
        (one, "wide") for one in FULL_WIDTH_WORD.finditer(text) if not one[0].isupper()
    ]  # ＫＴＸ is how it is set
    found += [(one, "split") for one in CONJOINING.finditer(text) if not OLD.search(one[0])]
    for one, kind in sorted(found, key=lambda pair: pair[0].start()):
        # One change a character, so that each edit is as short as can be.
        for at, character in enumerate(one[0], start=one.start()):
            yield Change(at, at + 1, plain(character), kind)


def find_enclosed(text: str, *, alone: bool = False) -> Iterator[Change]:
    """
    Find Hangul in circles and brackets that is a part of a word; what stands alone or names a company is none.

        >>> [change.text for change in find_enclosed("감㉳합니다 ㈜한국 ㉮ 방")]
        ['바']

    Args:
        text: any text.
        alone: take those too that stand alone, as of a text that is known to hide.
    """
    associations = {one.start() for one in ASSOCIATION.finditer(text)}
    for one in ENCLOSED_HANGUL.finditer(text):
        beside = text[max(0, one.start() - 1) : one.start()] + text[one.end() : one.end() + 1]
        if LETTERS_ONLY.fullmatch(one[0]) and not alone:
            continue
        if not (alone or len(one[0]) > 1 or re.search(f"[{HANGUL}]", beside)):
            continue
        for at, character in enumerate(one[0], start=one.start()):
            if at not in associations:
                yield Change(at, at + 1, plain(character), "sign")


def plain(character: str) -> str:
    """
    Give the plain form of one styled character; Hangul letters as a keyboard types them.

        >>> plain("㈎"), plain("𝓰"), plain("ﾡ"), plain("🅐"), plain("\\u11ab")
        ('가', 'g', 'ㄱ', 'A', 'ㄴ')
    """
    for first in NEGATIVE_CAPITALS:
        if 0 <= ord(character) - first < 26:
            return chr(ord("A") + ord(character) - first)
    form = unicodedata.normalize("NFKC", character).strip("()")
    return "".join(_LETTER_OF_NAME.get(_name_of_letter(one), one) for one in form)


def _name_of_letter(character: str) -> str:
    """Name a Hangul letter without its place: "HANGUL JONGSEONG NIEUN" and "HANGUL LETTER NIEUN" are both NIEUN."""
    name = unicodedata.name(character, "")
    return name.split()[-1] if name.startswith("HANGUL ") and "SYLLABLE" not in name else ""


def _letters_by_name() -> dict[str, str]:
    """NFKC and NFD know the letters that begin and end a syllable, not the one that stands alone for both."""
    letters = [chr(point) for point in range(ord("ㄱ"), ord("ㅣ") + 1)]
    # A doubled or joined tail has a name of its own: SSANGKIYEOK, KIYEOK-SIOS, which letters alone have too.
    return {_name_of_letter(letter): letter for letter in letters} | {"": ""}


_LETTER_OF_NAME = {name: letter for name, letter in _letters_by_name().items() if name}
