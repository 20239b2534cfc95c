"""
Pairs that somebody else made ─► cells: which characters of the hidden text stand for which of the clean one.

In:  "누나 뭐해", "nuna머 뭐".   Out: cells (누 ← n), ("" ← u), (나 ← n), …

The generator knows its cells. For pairs from elsewhere they are searched for: the cheapest way to turn one text into
the other, where syllables that share letters, Hanja and their readings, letters and what they begin are near.
"""

import unicodedata
from functools import lru_cache

from hanpuri.hiding.cells import Cell, Row, is_syllable
from hanpuri.hiding.scripts import LATIN_LEADS, LATIN_VOWELS
from hanpuri.hiding.sounds import LEAD_KIN, ROUNDED, VOWEL_KIN, letters_of
from hanpuri.hiding.tables import forms, readings

FAR = 0.95
PUT_IN = 1.0


def align(noisy: str, clean: str) -> tuple[Cell, ...]:
    """
    Align a pair; what the hidden text lacks joins the cell before it.

    >>> [(cell.clean, cell.noisy) for cell in align("㉯ nu나", "나 누나")]
    [('나', '㉯'), ('누', 'n'), ('', 'u'), ('나', '나')]
    """
    left, right = Row(noisy), Row(clean)
    cells: list[Cell] = []
    before = ""
    for n, c in _path(left.clean, right.clean):
        gap = c is not None and right.clean_gap[c]
        if n is not None:
            meant = before + (right.clean[c] if c is not None else "")
            cells.append(Cell(meant, left.clean[n], gap, left.clean_gap[n]))
            before = ""
        elif cells and c is not None:
            last = cells[-1]
            more = (" " if gap and last.clean else "") + right.clean[c]
            cells[-1] = last._replace(clean=last.clean + more, clean_gap=last.clean_gap if last.clean else gap)
        elif c is not None:
            before += right.clean[c]
    return tuple(cells)


def _path(noisy: list[str], clean: list[str]) -> list[tuple[int | None, int | None]]:
    """Find the cheapest steps, as pairs of places; None where a text has nothing."""
    costs = [[0.0] * (len(clean) + 1) for _ in range(len(noisy) + 1)]
    for c in range(1, len(clean) + 1):
        costs[0][c] = costs[0][c - 1] + PUT_IN
    for n, character in enumerate(noisy, 1):
        out, above, row = _deletion(character), costs[n - 1], costs[n]
        row[0] = above[0] + out
        for c, meant in enumerate(clean, 1):
            row[c] = min(above[c - 1] + distance(character, meant), above[c] + out, row[c - 1] + PUT_IN)
    steps: list[tuple[int | None, int | None]] = []
    n, c = len(noisy), len(clean)
    while n or c:
        # Of equal ways the one that leaves the first characters for the syllable and deletes those behind.
        if n and abs(costs[n][c] - costs[n - 1][c] - _deletion(noisy[n - 1])) < 1e-9:
            n -= 1
            steps.append((n, None))
        elif n and c and abs(costs[n][c] - costs[n - 1][c - 1] - distance(noisy[n - 1], clean[c - 1])) < 1e-9:
            n, c = n - 1, c - 1
            steps.append((n, c))
        else:
            c -= 1
            steps.append((None, c))
    return steps[::-1]


def _deletion(character: str) -> float:
    return 0.9 if is_syllable(character) else 0.5


@lru_cache(maxsize=1 << 18)
def distance(noisy: str, clean: str) -> float:
    """
    Say how far a character is from one that it may stand for, 0 to 1.2.

    >>> distance("가", "가"), distance("水", "수"), distance("카", "가") < distance("도", "가")
    (0.0, 0.1, True)
    """
    if noisy == clean:
        return 0.0
    if unicodedata.normalize("NFKC", noisy).strip("()") == clean:
        return 0.05
    if not is_syllable(clean):
        return 1.2
    if is_syllable(noisy):
        return _between(letters_of(noisy), letters_of(clean))
    if clean in readings().get(noisy, "") or noisy in forms("signs.tsv", 1, 0).get(clean, ()):
        return 0.1
    if any(form[0] == noisy for form in forms("rotations.tsv", 0, 1).get(clean, ())):
        return 0.3
    lead, vowel, _ = letters_of(clean)
    if noisy == lead or (noisy.isascii() and noisy.lower() in LATIN_LEADS[lead].replace("/", "")):
        return 0.3
    if lead == "ㅇ" and (noisy == vowel or (noisy.isascii() and LATIN_VOWELS[vowel].startswith(noisy.lower()))):
        return 0.3
    return FAR


def _between(noisy: tuple[str, str, str], clean: tuple[str, str, str]) -> float:
    cost = 0.1
    if noisy[0] != clean[0]:
        cost += 0.15 if _are_kin(noisy[0], clean[0], LEAD_KIN) else 0.4
    if noisy[1] != clean[1]:
        near = _are_kin(noisy[1], clean[1], VOWEL_KIN) or noisy[1] in ROUNDED.get(clean[1], "")
        cost += 0.1 if near else 0.35
    if noisy[2] != clean[2]:
        cost += 0.1
    return min(cost, FAR)


def _are_kin(first: str, second: str, families: tuple[str, ...]) -> bool:
    return any(first in family and second in family for family in families)
