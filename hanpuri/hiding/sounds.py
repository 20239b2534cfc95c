"""
Hiding by sound: syllables become other syllables that are read alike.

In:  a row of "같이 생각해", a share of the syllables.   Out: the same row, written 가치 생가캐.

`hanpuri.noise.airbnb` makes the noise of the web generator. What it does not have is here: single letters changed for
their like-sounding kin, vowels made round or with a glide, doubled and carried leads, and the standard pronunciation.
"""

import random
from functools import cache

from hanpuri.hangul import FIRST_SYLLABLE, LEADS, TAILS, VOWELS
from hanpuri.hiding.cells import Row
from hanpuri.noise.airbnb import Sliders, generate
from hanpuri.noise.rules import AIRBNB, HAND

# Letters that are written for one another.
LEAD_KIN = ("ㄱㄲㅋ", "ㄷㄸㅌ", "ㅂㅃㅍ", "ㅅㅆ", "ㅈㅉㅊ")
VOWEL_KIN = ("ㅐㅔㅒㅖ", "ㅙㅚㅞ", "ㅓㅗ", "ㅡㅜ", "ㅢㅣㅟ")
ROUNDED = {
    "ㅏ": "ㅑㅑㅘ", "ㅑ": "ㅏ", "ㅓ": "ㅕㅝㅝ", "ㅕ": "ㅓ", "ㅗ": "ㅛ", "ㅛ": "ㅗ", "ㅜ": "ㅠ", "ㅠ": "ㅜ",
    "ㅡ": "ㅢ", "ㅣ": "ㅟ", "ㅐ": "ㅒ", "ㅔ": "ㅖㅞ", "ㅝ": "ㅓ", "ㅘ": "ㅏ", "ㅚ": "ㅙ", "ㅢ": "ㅡ", "ㅟ": "ㅣ",
}  # fmt: skip
TAIL_KIN = ("ㄱㄲㄳㄺㅋ", "ㄴㄵㄶ", "ㄷㅅㅆㅈㅊㅌㅎ", "ㄹㄽㄾㅀㄼ", "ㅁㄻ", "ㅂㅄㅍㄿ")
# A tail before a vowel: what stays, what is carried over.
CARRIED = {
    "ㄱ": ("", "ㄱ"), "ㄲ": ("", "ㄲ"), "ㄳ": ("ㄱ", "ㅆ"), "ㄴ": ("", "ㄴ"), "ㄵ": ("ㄴ", "ㅈ"), "ㄶ": ("", "ㄴ"),
    "ㄷ": ("", "ㄷ"), "ㄹ": ("", "ㄹ"), "ㄺ": ("ㄹ", "ㄱ"), "ㄻ": ("ㄹ", "ㅁ"), "ㄼ": ("ㄹ", "ㅂ"),
    "ㄽ": ("ㄹ", "ㅆ"), "ㄾ": ("ㄹ", "ㅌ"), "ㄿ": ("ㄹ", "ㅍ"), "ㅀ": ("", "ㄹ"), "ㅁ": ("", "ㅁ"),
    "ㅂ": ("", "ㅂ"), "ㅄ": ("ㅂ", "ㅆ"), "ㅅ": ("", "ㅅ"), "ㅆ": ("", "ㅆ"), "ㅈ": ("", "ㅈ"), "ㅊ": ("", "ㅊ"),
    "ㅋ": ("", "ㅋ"), "ㅌ": ("", "ㅌ"), "ㅍ": ("", "ㅍ"), "ㅎ": ("", "ㅇ"),
}  # fmt: skip
# A tail before a consonant, as it is heard.
HEARD = {
    "ㄱㄲㅋㄳㄺ": "ㄱ",
    "ㄴㄵㄶ": "ㄴ",
    "ㄷㅅㅆㅈㅊㅌㅎ": "ㄷ",
    "ㄹㄼㄽㄾㅀ": "ㄹ",
    "ㅁㄻ": "ㅁ",
    "ㅂㅍㅄㄿ": "ㅂ",
    "ㅇ": "ㅇ",
}
TENSE = {"ㄱ": "ㄲ", "ㄷ": "ㄸ", "ㅂ": "ㅃ", "ㅅ": "ㅆ", "ㅈ": "ㅉ"}
ASPIRATED = {"ㄱ": "ㅋ", "ㄷ": "ㅌ", "ㅂ": "ㅍ", "ㅈ": "ㅊ"}
NASAL = {"ㄱ": "ㅇ", "ㄷ": "ㄴ", "ㅂ": "ㅁ"}
LAX = {"ㄲ": "ㄱ", "ㅋ": "ㄱ", "ㄸ": "ㄷ", "ㅌ": "ㄷ", "ㅃ": "ㅂ", "ㅍ": "ㅂ", "ㅉ": "ㅈ"}

Letters = tuple[str, str, str]


def letters_of(syllable: str) -> Letters:
    """
    Split a syllable without asking whether it is one: the kinds of hiding ask before.

    >>> letters_of("값")
    ('ㄱ', 'ㅏ', 'ㅄ')
    """
    number = ord(syllable) - FIRST_SYLLABLE
    return LEADS[number // 588], VOWELS[number % 588 // 28], TAILS[number % 28]


@cache
def _places() -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    return tuple({letter: n for n, letter in enumerate(letters)} for letters in (LEADS, VOWELS, TAILS))  # type: ignore[return-value]


def syllable_of(letters: Letters) -> str:
    """Join what `letters_of` split."""
    lead, vowel, tail = _places()
    return chr(FIRST_SYLLABLE + lead[letters[0]] * 588 + vowel[letters[1]] * 28 + tail[letters[2]])


def web_noise(row: Row, rng: random.Random, share: float) -> None:
    """The web generator, now and then with its sliders anywhere or by the wider tables."""
    how = rng.random()
    sliders = Sliders(*(rng.random() for _ in range(4))) if how < 0.25 else Sliders()
    active = [row.is_plain(place) and rng.random() < share for place in range(len(row))]
    pieces = [_one_character(n) for n in row.noisy]
    made = generate(
        "".join(" " + p if gap else p for p, gap in zip(pieces, row.noisy_gap, strict=True)),
        rng,
        sliders,
        ks_x_1001=rng.random() < 0.9,
        tables=HAND if rng.random() < 0.15 else AIRBNB,
        active=_with_gaps(active, row.noisy_gap),
    ).replace(" ", "")
    row.noisy = [new if chosen else old for new, old, chosen in zip(made, row.noisy, active, strict=True)]


def _one_character(written: str) -> str:
    """One character for any cell, so that positions stay."""
    return written if len(written) == 1 and written != " " else "·"


def _with_gaps(active: list[bool], gaps: list[bool]) -> list[bool]:
    marks = []
    for chosen, gap in zip(active, gaps, strict=True):
        if gap:
            marks.append(False)
        marks.append(chosen)
    return marks


def change_leads(row: Row, rng: random.Random, share: float) -> None:
    """Leads for their lax, tense and aspirated kin: 그래 ─► 크래."""
    _change(row, rng, share, 0, _kin(LEAD_KIN))


def change_vowels(row: Row, rng: random.Random, share: float) -> None:
    """Vowels for those that sound alike: 내가 ─► 네가."""
    _change(row, rng, share, 1, _kin(VOWEL_KIN[:2] if rng.random() < 0.8 else VOWEL_KIN))


def round_vowels(row: Row, rng: random.Random, share: float) -> None:
    """Glides put into vowels: 너무 ─► 눠뮤."""
    _change(row, rng, share, 1, ROUNDED)


def change_tails(row: Row, rng: random.Random, share: float) -> None:
    """Tails for those that are heard alike: 완전 ─► 왆젅."""
    _change(row, rng, share, 2, _kin(TAIL_KIN))


@cache
def _kin(families: tuple[str, ...]) -> dict[str, str]:
    return {letter: family.replace(letter, "") for family in families for letter in family}


def _change(row: Row, rng: random.Random, share: float, which: int, kin: dict[str, str]) -> None:
    for place in range(len(row)):
        if rng.random() < share and row.is_plain(place):
            letters = list(letters_of(row.noisy[place]))
            if options := kin.get(letters[which]):
                letters[which] = rng.choice(options)
                row.noisy[place] = syllable_of((letters[0], letters[1], letters[2]))


def add_tails(row: Row, rng: random.Random, share: float) -> None:
    """The next lead doubled as a tail, or any tail where nothing follows: 누나 ─► 눈나."""
    for start, end in row.runs():
        for place in range(start, end):
            lead, vowel, tail = letters_of(row.noisy[place])
            if tail or rng.random() >= share:
                continue
            after = letters_of(row.noisy[place + 1])[0] if place + 1 < end else ""
            after = LAX.get(after, after)
            new = after if after in TAILS and after not in ("", "ㅇ") else rng.choice(TAILS[1:])
            row.noisy[place] = syllable_of((lead, vowel, new))


def carry_tails(row: Row, rng: random.Random, share: float) -> None:
    """Tails over to the next syllable, with or without leaving the first: 일본이 ─► 일보니, 일본니."""
    leaves = rng.random() < 0.7
    for start, end in row.runs():
        for place in range(start, end - 1):
            (lead, vowel, tail), right = letters_of(row.noisy[place]), letters_of(row.noisy[place + 1])
            if right[0] != "ㅇ" or tail in ("", "ㅇ") or rng.random() >= share:
                continue
            stays, moves = CARRIED[tail]
            row.noisy[place + 1] = syllable_of((moves, right[1], right[2]))
            if leaves:
                row.noisy[place] = syllable_of((lead, vowel, stays))


def write_as_heard(row: Row, rng: random.Random, share: float) -> None:
    """Words by their standard pronunciation: 생각합니다 ─► 생가캄니다."""
    for start, end in row.runs():
        if rng.random() < share:
            heard = pronounce([letters_of(n) for n in row.noisy[start:end]], rng)
            row.noisy[start:end] = [syllable_of(letters) for letters in heard]


def pronounce(word: list[Letters], rng: random.Random) -> list[Letters]:
    """
    Apply the rules of the standard pronunciation from left to right; tense sounds come as often as not.

    >>> heard = pronounce([letters_of(s) for s in "많은국물"], random.Random(0))
    >>> "".join(map(syllable_of, heard))
    '마는궁물'
    """
    word = list(word)
    for place in range(len(word) - 1):
        word[place], word[place + 1] = _meet(word[place], word[place + 1], rng)
    lead, vowel, tail = word[-1]
    word[-1] = lead, vowel, _heard(tail)
    return word


def _meet(left: Letters, right: Letters, rng: random.Random) -> tuple[Letters, Letters]:
    (lead, vowel, tail), (begin, *rest) = left, right
    after, stays = begin, _heard(tail)
    if begin == "ㅇ":
        stays, after = ("ㅇ", "ㅇ") if tail == "ㅇ" else CARRIED.get(tail, ("", "ㅇ"))
        if rest[0] in "ㅣ" and after in "ㄷㅌ" and tail in ("ㄷ", "ㅌ", "ㄾ"):
            after = "ㅈ" if after == "ㄷ" else "ㅊ"
    elif begin == "ㅎ" and stays in ASPIRATED:
        stays, after = "", ASPIRATED[stays] if tail not in ("ㅈ", "ㄵ") else "ㅊ"
    elif begin == "ㅎ" and stays in ("ㄴ", "ㄹ", "ㅁ") and rng.random() < 0.5:
        stays, after = "", stays
    elif tail in ("ㅎ", "ㄶ", "ㅀ") and begin in ASPIRATED:
        stays, after = {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}[tail], ASPIRATED[begin]
    elif begin in "ㄴㅁ" and stays in NASAL:
        stays = NASAL[stays]
    elif begin == "ㄹ" and stays in NASAL:
        stays, after = NASAL[stays], "ㄴ"
    elif begin == "ㄹ" and stays in "ㅁㅇ" and stays:
        after = "ㄴ"
    elif {begin, stays} == {"ㄴ", "ㄹ"}:
        stays, after = "ㄹ", "ㄹ"
    elif begin in TENSE and stays in ("ㄱ", "ㄷ", "ㅂ") and rng.random() < 0.8:
        after = TENSE[begin]
    return (lead, vowel, stays), (after, rest[0], rest[1])


def _heard(tail: str) -> str:
    return _heard_of().get(tail, "")


@cache
def _heard_of() -> dict[str, str]:
    return {tail: sound for tails, sound in HEARD.items() for tail in tails}
