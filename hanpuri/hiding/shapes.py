"""
Hiding by shape: signs, letters, turned and split syllables that look like what is meant.

In:  a row of "그런 개", a share of the syllables.   Out: the same row, written ユ런 ㄱH.
"""

import random
import unicodedata
from functools import cache

from hanpuri.hangul import LEADS, TAILS
from hanpuri.hiding.cells import Row
from hanpuri.hiding.sounds import Letters, letters_of, syllable_of
from hanpuri.hiding.tables import forms, read_table

# Letters that are other letters, or letters of other scripts, when they are turned by half a circle.
TURNED_LEADS = {
    "ㄱ": ("ㄴ",), "ㄴ": ("ㄱ",), "ㄷ": ("コ", "⊃"), "ㄹ": ("ㄹ",), "ㅁ": ("ㅁ", "口"), "ㅂ": ("A", "ㅍ"), "ㅅ": ("V",),
    "ㅇ": ("ㅇ", "O"), "ㅈ": ("ㅛ",), "ㅊ": ("Ұ",), "ㅌ": ("∃",), "ㅍ": ("ㅍ",), "ㅎ": ("우",),
}  # fmt: skip
TURNED_VOWELS = {"ㅏ": ("ㅓ",), "ㅑ": ("ㅕ",), "ㅓ": ("ㅏ",), "ㅕ": ("ㅑ",), "ㅣ": ("ㅣ", "I"), "ㅐ": ("ㅐ", "H")}
# Syllables that turned by half a circle are syllables: these letters, one above the other.
UPRIGHT = {
    "ㄱ": "ㄴ",
    "ㄴ": "ㄱ",
    "ㄹ": "ㄹ",
    "ㅁ": "ㅁ",
    "ㅇ": "ㅇ",
    "ㅍ": "ㅍ",
    "ㅗ": "ㅜ",
    "ㅜ": "ㅗ",
    "ㅛ": "ㅠ",
    "ㅠ": "ㅛ",
    "ㅡ": "ㅡ",
}
VERTICAL = "ㅏㅐㅑㅒㅓㅔㅕㅖㅣ"
ENCLOSED = tuple(chr(point) for point in (*range(0x320E, 0x321C), *range(0x326E, 0x327C)))
HALF_WIDTH = {unicodedata.normalize("NFKC", chr(point)): chr(point) for point in range(0xFFA1, 0xFFDD)}


def write_signs(row: Row, rng: random.Random, share: float) -> None:
    """Signs for whole syllables, and enclosed syllables: 그 ─► ユ, 가 ─► ㉮."""
    signs, enclosed = forms("signs.tsv", 1, 0), _enclosed()
    for place in _plain(row, rng, share):
        options = signs.get(row.noisy[place], ()) + enclosed.get(row.noisy[place], ())
        if options:
            row.noisy[place] = rng.choice(options)


def write_look_alikes(row: Row, rng: random.Random, share: float) -> None:
    """Syllables for syllables that look like them: 귀 ─► 커."""
    swaps = forms("swaps.tsv", 0, 1)
    for place in _plain(row, rng, share):
        if options := swaps.get(row.noisy[place]):
            row.noisy[place] = rng.choice(options)


@cache
def _enclosed() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for sign in ENCLOSED:
        found.setdefault(unicodedata.normalize("NFKC", sign).strip("()"), []).append(sign)
    return {syllable: tuple(signs) for syllable, signs in found.items()}


def write_pieces(row: Row, rng: random.Random, share: float) -> None:
    """Syllables in pieces of letters and of what looks like letters: 해 ─► ㅎH."""
    strange = rng.choice((0.2, 0.6, 0.9, 1.0))
    only_open = rng.random() < 0.5
    for place in _plain(row, rng, share * rng.choice((0.4, 1.0))):
        letters = letters_of(row.noisy[place])
        if not (only_open and letters[2]):
            row.noisy[place] = in_pieces(letters, rng, strange)


def in_pieces(letters: Letters, rng: random.Random, strange: float) -> str:
    """Write letters one by one, each as a look-alike with probability `strange`; leads stay more often."""
    lead, vowel, tail = letters
    pieces = _piece(lead, "lead", rng, strange * 0.2) + _piece(vowel, "vowel", rng, strange)
    return pieces + (_piece(tail, "tail", rng, strange * 0.2) if tail else "")


def _piece(letter: str, where: str, rng: random.Random, strange: float) -> str:
    options = _look_alikes(where).get(letter)
    return rng.choice(options) if options and rng.random() < strange else letter


@cache
def _look_alikes(where: str) -> dict[str, tuple[str, ...]]:
    return {letter: tuple(signs.split(" ")) for letter, signs, place in read_table("letters.tsv") if place == where}


def split_syllables(row: Row, rng: random.Random, share: float) -> None:
    """Syllables as loose letters: 한 ─► ㅎㅏㄴ, 하ㄴ; half-width ones too."""
    half = rng.random() < 0.15
    only_tail = rng.random() < 0.3
    for place in _plain(row, rng, share * rng.choice((0.4, 1.0))):
        lead, vowel, tail = letters_of(row.noisy[place])
        body = syllable_of((lead, vowel, "")) if only_tail and tail else lead + vowel
        written = body + tail
        row.noisy[place] = "".join(HALF_WIDTH.get(c, c) for c in written) if half else written


def turn(row: Row, rng: random.Random, share: float) -> None:
    """Syllables turned on their head or side, 가 ─► ㅓㄴ, 별 ─► N뚀, and whole words: 논문 ─► 곰국."""
    for start, end in row.words():
        turned = [
            _upright(letters_of(n)) if row.is_plain(start + k) else None for k, n in enumerate(row.noisy[start:end])
        ]
        if end - start > 1 and all(turned) and rng.random() < share:
            row.noisy[start:end] = [t for t in reversed(turned) if t]
            return
    known = forms("rotations.tsv", 0, 1)
    for place in _plain(row, rng, share):
        options = known.get(row.noisy[place], ())
        letters = letters_of(row.noisy[place])
        if not options and letters[2] == "" and letters[0] in TURNED_LEADS and letters[1] in TURNED_VOWELS:
            options = (rng.choice(TURNED_VOWELS[letters[1]]) + rng.choice(TURNED_LEADS[letters[0]]),)
        if not options and rng.random() < 0.15 and (upright := _upright(letters)):
            options = (upright,)
        if options:
            row.noisy[place] = rng.choice(options)


def _upright(letters: Letters) -> str | None:
    lead, vowel, tail = (UPRIGHT.get(letter) for letter in letters)
    return syllable_of((tail, vowel, lead)) if lead and vowel and tail and tail in LEADS and lead in TAILS else None


def widen(row: Row, rng: random.Random, share: float) -> None:
    """Letters, digits and marks of ASCII in full width, enclosed or in a mathematical alphabet: A1 ─► Ａ①."""
    style = rng.choice(("full", "full", "enclosed", "bold"))
    for place in range(len(row)):
        character = row.noisy[place]
        if len(character) == 1 and "!" <= character <= "~" and rng.random() < share:
            row.noisy[place] = _styled(character, style)


def _styled(character: str, style: str) -> str:
    point = ord(character)
    full = chr(point + 0xFEE0)
    if style == "enclosed":
        if character.isdigit():
            return chr(0x2460 + point - 49) if character != "0" else "⓪"
        return chr((0x24D0 if character.islower() else 0x24B6) + (point | 32) - 97) if character.isalpha() else full
    if style == "bold" and character.isalnum():
        first, start = (
            ("0", 0x1D7CE) if character.isdigit() else ("a", 0x1D41A) if character.islower() else ("A", 0x1D400)
        )
        return chr(start + point - ord(first))
    return full


def _plain(row: Row, rng: random.Random, share: float) -> list[int]:
    return [place for place in range(len(row)) if rng.random() < share and row.is_plain(place)]
