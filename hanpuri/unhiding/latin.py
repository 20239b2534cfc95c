"""
Latin letters in the place of Hangul ones ─► the Hangul ones; loose letters are composed later.

In:  "sㅏ람이 있neun".   Out: changes that make "ㅅㅏ람이 있는" of it.

English beside Hangul stays as it is: PC방, smart한, TV는. Only a lone vowel shows that a consonant before it is Hangul.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from hanpuri.hiding.scripts import LATIN_LEADS, LATIN_TAILS
from hanpuri.unhiding.draft import Change

GLIDES = {
    "y": dict(zip("ㅏㅐㅓㅔㅗㅜㅣ", "ㅑㅒㅕㅖㅛㅠㅣ", strict=True)),
    "w": dict(zip("ㅏㅐㅓㅔㅣ", "ㅘㅙㅝㅞㅟ", strict=True)),
}
ENDINGS = {
    **{
        "go": "고",
        "do": "도",
        "neun": "는",
        "eun": "은",
        "reul": "를",
        "eul": "을",
        "ga": "가",
        "ya": "야",
        "yo": "요",
    },
    **{"da": "다", "ne": "네", "seo": "서", "eseo": "에서", "eo": "어", "ji": "지", "ja": "자", "ra": "라", "gu": "구"},
    **{
        "haeyo": "해요",
        "hae": "해",
        "hago": "하고",
        "hada": "하다",
        "neunde": "는데",
        "jima": "지마",
        "ieyo": "이에요",
    },
}
"""Particles and endings as people spell them behind Hangul."""
ENDING = re.compile(f"(?<=[가-힣])(?:{'|'.join(sorted(ENDINGS, key=len, reverse=True))})(?![A-Za-z])")


def _inverse(spellings: Mapping[str, str]) -> dict[str, str]:
    """Spelling ─► letter: the usual spelling of one letter before the unusual one of another."""
    ranked = [
        (rank, spelling, letter)
        for letter, written in spellings.items()
        for rank, spelling in enumerate(written.split("/"))
        if spelling
    ]
    found: dict[str, str] = {}
    for _, spelling, letter in sorted(ranked, key=lambda one: one[0]):
        found.setdefault(spelling, letter)
    return found


LEADS = _inverse(LATIN_LEADS)
TAILS = _inverse(LATIN_TAILS)


def _either(spellings: Iterable[str]) -> str:
    return "|".join(sorted(spellings, key=len, reverse=True))


LEAD = re.compile(f"(?<![A-Za-z])(?:{_either([*LEADS, *GLIDES])})(?=[ㅏ-ㅣ])", re.IGNORECASE)
TAIL = re.compile(f"(?<=[ㅏ-ㅣ])(?:{_either(TAILS)})(?![A-Za-zㅏ-ㅣ])")


def find_latin(text: str) -> Iterator[Change]:
    """
    Find Latin letters that stand for Hangul ones: before or behind a lone vowel, and endings behind Hangul.

        >>> [change[:3] for change in find_latin("sㅏ람 gㅓl 있neun yㅓ기 PC방 smart한")]
        [(0, 1, 'ㅅ'), (4, 5, 'ㄱ'), (6, 7, 'ㄹ'), (9, 13, '는'), (14, 16, 'ㅇㅕ')]
    """
    changes, read = [], set()
    for one in LEAD.finditer(text):
        end = one.end()
        if one[0].lower() in GLIDES:
            changes.append(
                Change(one.start(), end + 1, "ㅇ" + GLIDES[one[0].lower()].get(text[end], text[end]), "latin")
            )
        else:
            changes.append(Change(one.start(), end, LEADS[one[0].lower()], "latin"))
        read.add(end)
    for one in TAIL.finditer(text):
        if one.start() - 1 in read:
            changes.append(Change(one.start(), one.end(), TAILS[one[0]], "latin"))
    changes += (Change(one.start(), one.end(), ENDINGS[one[0]], "latin") for one in ENDING.finditer(text))
    yield from sorted(changes)
