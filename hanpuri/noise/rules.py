"""
The phonological rules as tables: what each letter may turn into, and one true example for every rule.

In:  a letter in its place, such as the tail "ㄴ".   Out: the letters that it may become, "ㄴㄵㄶ", itself among them.

Two sets of letter tables are known. `AIRBNB` is that of the public web generator; the 308 official pairs of the 2025
review-restoration competition follow it to within sampling error (see `benchmarks/noise_fidelity.py`). `HAND` is wider:
what people type who obfuscate by ear, where 장 may become 잠 and 작 becomes 잙. All of its steps are those of the
generator.
"""

from dataclasses import dataclass
from typing import Literal

from hanpuri.hangul import LEADS, TAILS, VOWELS

Place = Literal["lead", "vowel", "tail"]
ALPHABETS: dict[Place, tuple[str, ...]] = {"lead": tuple(LEADS), "vowel": tuple(VOWELS), "tail": TAILS}

# A tail's last letter moves into the next syllable and the rest of the tail stays: 값이 → 갑시.
TAIL_SPLITS: dict[str, tuple[str, str]] = {
    **{tail: ("", tail) for tail in "ㄱㄲㄴㄷㄹㅁㅂㅅㅆㅈㅊㅋㅌㅍㅎ"},
    **{"ㄳ": ("ㄱ", "ㅅ"), "ㄵ": ("ㄴ", "ㅈ"), "ㄶ": ("ㄴ", "ㅎ"), "ㅄ": ("ㅂ", "ㅅ")},
    **{"ㄺ": ("ㄹ", "ㄱ"), "ㄻ": ("ㄹ", "ㅁ"), "ㄼ": ("ㄹ", "ㅂ"), "ㄽ": ("ㄹ", "ㅅ")},
    **{"ㄾ": ("ㄹ", "ㅌ"), "ㄿ": ("ㄹ", "ㅍ"), "ㅀ": ("ㄹ", "ㅎ")},
}
# ㄱ or ㅂ before ㅎ melt into one aspirated lead: 입학 → 이팍.
ASPIRATES = {"ㄱ": "ㅋ", "ㅂ": "ㅍ"}
# The lax tail that copies a lead: 아까 → 악까.
LAX_TAILS = {lead: lead for lead in LEADS if lead not in "ㅇㄲㅋㄸㅌㅃㅍㅆㅉ"} | {
    **{"ㄲ": "ㄱ", "ㅋ": "ㄱ", "ㄸ": "ㄷ", "ㅌ": "ㄷ"},
    **{"ㅃ": "ㅂ", "ㅍ": "ㅂ", "ㅆ": "ㅅ", "ㅉ": "ㅈ"},
}


@dataclass(frozen=True)
class LetterTables:
    """What every lead, vowel and tail may become; a letter that is not named stays as it is."""

    name: str
    leads: dict[str, str]
    vowels: dict[str, str]
    tails: dict[str, str]

    def candidates(self, place: Place, letter: str) -> str:
        """
        List the letters that `letter` may become in its place, itself among them ("" for a missing tail).

        >>> AIRBNB.candidates("lead", "ㄱ"), AIRBNB.candidates("vowel", "ㅘ")
        ('ㄱㄲㅋ', 'ㅘ')
        """
        table = {"lead": self.leads, "vowel": self.vowels, "tail": self.tails}[place]
        return table.get(letter, letter)


def _each_first(groups: str) -> dict[str, str]:
    """Read "ㄱㄲㅋ ㄲㅋ": the first letter of every group may become any letter of the group."""
    return {group[0]: group for group in groups.split()}


def _among_themselves(groups: str) -> dict[str, str]:
    """Read "ㄴㄵㄶ": every letter of a group may become any other of the group."""
    return {letter: group for group in groups.split() for letter in group}


AIRBNB = LetterTables(
    name="airbnb",
    leads=_each_first("ㄱㄲㅋ ㄲㅋ ㅋㄲ ㄷㄸㅌ ㄸㅌ ㅌㄸ ㅂㅃㅍ ㅃㅍ ㅍㅃ ㅅㅆ ㅆㅅ ㅈㅉㅊ ㅉㅊ ㅊㅉ"),
    vowels=_each_first(
        "ㅏㅑ ㅑㅏ ㅐㅒㅔ ㅒㅖ ㅓㅕ ㅕㅓ ㅔㅖㅞ ㅖㅒ ㅗㅛ ㅛㅗ ㅙㅚㅞ ㅚㅙㅞ ㅜㅠ ㅠㅜ ㅝㅓ ㅞㅚㅙㅔ ㅡㅜ ㅢㅟ ㅣㅟ"
    ),
    tails=_among_themselves("ㄴㄵㄶ ㄷㅅㅆㅈㅊㅌ ㄹㄺㄻㄼㄽㄾㄿㅀ ㅂㅄㅍ")
    | _each_first("ㄱㄳㅋ ㄲㅋ ㄳㄱㅋ ㅋㄱㄳ ㅁㄻ ㅇㅎ"),
)

HAND = LetterTables(
    name="hand",
    leads=_among_themselves("ㄱㄲㅋ ㄷㄸㅌ ㅂㅃㅍ ㅅㅆ ㅈㅉㅊ") | _each_first("ㅎㅇ"),
    vowels=_among_themselves("ㅏㅑ ㅐㅒㅔㅖ ㅓㅕ ㅗㅛ ㅙㅚㅞ ㅜㅠ ㅢㅟ")
    | _each_first("ㅘㅏ ㅝㅓ ㅡㅜㅢ ㅣㅟㅢ ㅔㅖㅞㅐ ㅞㅚㅙㅔ"),
    tails=_each_first("ㄱㄲㄳㄺㅋ ㄲㄱㅋ ㄳㄱㅋ ㄺㄱㅋ ㅋㄱㄳ ㄴㄵㄶㅇㅁ ㄵㄴㄶ ㄶㄴㄵ ㄻㅁ ㄼㄹㅂ")
    | _each_first("ㅁㄻㅇㄴ ㅇㅎㅁㄴ ㅀㄹ ㄹㄺㄻㄼㄽㄾㄿㅀ ㅂㅄㅍㄼㄿ ㅄㅂㅍ ㅍㅂㅄ")
    | _among_themselves("ㄷㅅㅆㅈㅊㅌㅎ"),
)

LETTER_TABLES = {tables.name: tables for tables in (AIRBNB, HAND)}


def letter_tables(profile: str) -> LetterTables:
    """
    Look up the letter tables of a profile, "airbnb" or "hand".

    Raises:
        ValueError: if there is no such profile.
    """
    if profile not in LETTER_TABLES:
        raise ValueError(f"no profile is called {profile!r}; there are {', '.join(LETTER_TABLES)}")
    return LETTER_TABLES[profile]


@dataclass(frozen=True)
class Rule:
    """One rule of the noise: its name, what it does, and a pair that it makes by itself."""

    name: str
    family: Literal["across syllables", "within a syllable"]
    what: str
    clean: str
    noisy: str


RULES = (
    Rule("liaison", "across syllables", "the tail's last letter moves to a following ㅇ", "값이", "갑시"),
    Rule("aspiration", "across syllables", "ㄱ or ㅂ and a following ㅎ melt into ㅋ or ㅍ", "입학", "이팍"),
    Rule("doubling", "across syllables", "the next lead is copied as a lax tail", "아까", "악까"),
    Rule("lead", "within a syllable", "a lead becomes a tense or aspirated kin", "방", "빵"),
    Rule("vowel", "within a syllable", "a vowel becomes one that sounds alike", "너무", "녀뮤"),
    Rule("tail", "within a syllable", "a tail becomes one that sounds alike", "맛", "맏"),
    Rule("tail insertion", "within a syllable", "a syllable without a tail gets any of the 27", "너무", "넓뭄"),
)
