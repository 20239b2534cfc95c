"""
What a model that edits did to a part of a text ─► the kind of hiding that it undid.

In:  "룸" that became "방".   Out: "meaning" if lengths differ or words do, "sound" if a syllable became another one, …

Rules know what they undo (hanpuri.unhiding.normalising.KINDS); of a model only both sides are known.
"""

import re

from hanpuri.hangul import is_syllable
from hanpuri.unhiding.hanja import HANJA

KINDS = {
    "sound": ("syllables that sound alike, as the web generator writes", "념뭄", "너무"),
    "meaning": ("words by their meaning, in English or in English spelled in Hangul", "투 익스펜시브", "너무 비싼"),
    "swap": ("syllables that changed places", "오만랜에", "오랜만에"),
    "spacing": ("spaces that moved", "방이좁 아요", "방이 좁아요"),
}
"""Those that only a model finds."""

LATIN = re.compile("[A-Za-z]")
JAMO = re.compile("[ㄱ-ㅎㅏ-ㅣ]")
ANY_HANJA = re.compile(f"[{HANJA}]")


def kind_of(text: str, start: int, end: int, restored: str) -> str:
    """
    Name the kind of an edit of [start, end) of a text.

        >>> edits = (0, 1, "수"), (4, 8, "누나"), (8, 10, ""), (11, 12, "너")
        >>> [kind_of("水상해 nuna ♡ 념뭄", *edit) for edit in edits]
        ['hanja', 'latin', 'symbol', 'sound']
        >>> kind_of("방이좁 아요", 3, 4, ""), kind_of("오만랜에", 1, 2, "랜"), kind_of("한ㄱㅏ", 1, 3, "가")
        ('spacing', 'swap', 'split')
    """
    noisy = text[start:end]
    if noisy.replace(" ", "") == restored.replace(" ", ""):
        return "spacing"
    if not restored.strip(" "):
        return "meaning" if any(map(is_syllable, noisy)) else "symbol"
    for pattern, kind in ((ANY_HANJA, "hanja"), (LATIN, "latin"), (JAMO, "split")):
        if pattern.search(noisy):
            return kind
    if not all(map(is_syllable, noisy.replace(" ", ""))):
        return "sign"
    if len(noisy) != len(restored):
        return "meaning"
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    return "swap" if len(noisy) == 1 and restored in beside else "sound"
