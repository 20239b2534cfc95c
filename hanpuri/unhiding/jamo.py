"""
Loose letters ─► syllables, as a keyboard's input method composes them; letters that people chat with stay.

In:  "ㅎㅏㄴ식 마ㄴㅎㅇㅣ ㅋㅋㅋ ㅠㅠ".   Out: changes that make "한식 많이 ㅋㅋㅋ ㅠㅠ" of it.
"""

import re
from collections.abc import Iterator

from hanpuri.hangul import LEADS, TAILS, VOWELS, compose, decompose, is_syllable
from hanpuri.unhiding.draft import Change

RUN = re.compile("[ㄱ-ㅎㅏ-ㅣ]+")
FACES = frozenset("ㅠㅜㅡㅗㅛ")
"""Vowels that people cry and frown with: ㅋㅋㅠㅠ, ㅡㅅㅡ, ㅠㅁㅠ."""
LAUGHS = frozenset("ㅋㅎ")
SLIPS = frozenset("ㅈㅊㅌㄷㅍㅉㄸㅃ")
"""Alone between syllables they are slips of the finger, or the first letter of a curse."""
VOWEL_PAIRS = {
    **{"ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ"},
    **{"ㅏㅣ": "ㅐ", "ㅑㅣ": "ㅒ", "ㅓㅣ": "ㅔ", "ㅕㅣ": "ㅖ"},  # no keyboard joins these, who splits letters does
}
TAIL_PAIRS = {
    **{"ㄱㅅ": "ㄳ", "ㄴㅈ": "ㄵ", "ㄴㅎ": "ㄶ", "ㅂㅅ": "ㅄ", "ㄱㄱ": "ㄲ", "ㅅㅅ": "ㅆ"},
    **{"ㄹㄱ": "ㄺ", "ㄹㅁ": "ㄻ", "ㄹㅂ": "ㄼ", "ㄹㅅ": "ㄽ", "ㄹㅌ": "ㄾ", "ㄹㅍ": "ㄿ", "ㄹㅎ": "ㅀ"},
}


def find_loose_letters(text: str) -> Iterator[Change]:
    """
    Find letters that make syllables.

        >>> [change[:3] for change in find_loose_letters("ㅎㅏㄴ식 마ㄴㅎㅇㅣ ㅋㅋㅋ ㅠㅠ")]
        [(0, 3, '한'), (5, 8, '많'), (8, 10, '이')]
    """
    for run in RUN.finditer(text):
        if len(run[0]) == 1 and not is_syllable(text[run.start() - 1 : run.start()]):
            continue
        yield from _compose_run(text, run.start(), run.end())


def _compose_run(text: str, start: int, end: int) -> Iterator[Change]:
    before = text[start - 1 : start] if start else ""
    follows = is_syllable(text[end : end + 1])
    letters = text[start:end]
    at = 0
    if is_syllable(before):
        at, change = _close(before, letters, text[end : end + 1])
        if change:
            yield Change(start - 1, start + at, change, "split")
    says_more = any(letter in VOWELS and letter not in FACES for letter in letters)
    speaks = is_syllable(before) or follows or says_more
    while at < len(letters):
        taken, syllable = _take(letters, at, speaks, follows)
        if syllable:
            yield Change(start + at, start + at + taken, syllable, "split")
        at += taken


def _close(before: str, letters: str, after: str) -> tuple[int, str]:
    """
    Put consonants behind the syllable before them, if they are its tail: how many, and the syllable.

    Only where something goes on behind them: 네ㅇ and 가ㅋㅋ are how people chat.
    """
    lead, vowel, tail = decompose(before)
    count = next((at for at, letter in enumerate(letters) if letter in VOWELS), len(letters))
    if count < len(letters):
        count -= 1  # the last consonant before a vowel leads the next syllable
        after = letters[count]
    elif not is_syllable(after) or letters in SLIPS:
        return 0, ""
    consonants = letters[:count]
    closing = TAIL_PAIRS.get(consonants, consonants)
    doubled = is_syllable(after) and decompose(after)[0] == consonants  # 저ㄱ거: a slip of the finger
    if tail or not closing or closing not in TAILS or closing in LAUGHS or doubled:
        return 0, ""
    return count, compose(lead, vowel, closing)


def _take(letters: str, at: int, speaks: bool, follows: bool) -> tuple[int, str]:
    """Take the syllable that begins at a place, or the one letter that begins none: its length, and the syllable."""
    if letters[at] not in LEADS or at + 1 == len(letters) or letters[at + 1] not in VOWELS:
        return 1, ""
    lead, vowel, end = letters[at], letters[at + 1], at + 2
    if pair := VOWEL_PAIRS.get(letters[at + 1 : at + 3]):
        vowel, end = pair, at + 3
    if vowel in FACES and _is_face(letters, at, speaks, follows):
        return 1, ""
    tail = _tail_at(letters, end)
    return end - at + len(tail), compose(lead, vowel, TAIL_PAIRS.get(tail, tail))


def _is_face(letters: str, at: int, speaks: bool, follows: bool) -> bool:
    """Say whether a lead and a vowel are parts of a laugh, a cry or a face: ㅋㅋㅠㅠ, ㅠㅅㅠ, ㅎㅜ."""
    lead, vowel = letters[at], letters[at + 1]
    goes_on = letters[at + 2 : at + 3] == vowel
    comes_from = letters[at - 1 : at] if at else ""
    laughs = lead in LAUGHS and not (follows and vowel in "ㅡㅗ" and at + 2 == len(letters))
    return goes_on or comes_from in (lead, vowel) or laughs or not speaks


def _tail_at(letters: str, at: int) -> str:
    """The one or two consonants that close a syllable: those that no vowel follows."""

    def closes(place: int) -> bool:
        followed = letters[place + 1 : place + 2]
        return place < len(letters) and letters[place] in TAILS and not (followed and followed in VOWELS)

    if not closes(at) or (letters[at] in LAUGHS and (at + 1 == len(letters) or letters[at + 1] == letters[at])):
        return ""
    pair = letters[at : at + 2]
    if len(pair) == 2 and closes(at + 1) and pair in TAIL_PAIRS:
        return pair
    return letters[at]
