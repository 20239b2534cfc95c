"""
Hiding by what is put in: marks, signs and faces between words and syllables, and characters that nobody sees.

In:  a row of "화장실 좋다".   Out: the same row, written 화.장♡실 ☆ 「좋다」.
"""

import random

from hanpuri.hiding.cells import Row
from hanpuri.hiding.tables import read_table


def _signs(name: str) -> tuple[str, ...]:
    return tuple(sign for kind, signs, _ in read_table("symbols.tsv") if kind == name for sign in signs.split(" "))


def _points(name: str) -> tuple[str, ...]:
    return tuple(chr(int(point, 16)) for point in _signs(name))


# What stands alone between words, what a word is put between, what is put between the syllables of a word.
SIGNS, PAIRS, MARKS = _signs("sign"), _signs("pair"), _signs("mark")
INVISIBLE, COMBINING = _points("invisible"), _points("combining")


def put_signs(row: Row, rng: random.Random, share: float) -> None:
    """Signs between words, words between pairs of signs, marks between syllables."""
    style = tuple(rng.random() * share for _ in range(3))
    some = rng.sample(SIGNS, rng.randint(1, 12))
    pairs, marks = rng.sample(PAIRS, rng.randint(1, 8)), rng.sample(MARKS, rng.randint(1, 8))
    for start, end in reversed(row.words()):
        if rng.random() < style[0]:
            _put_stretch(row, rng, end, some, pairs)
        if rng.random() < style[1]:
            for _ in range(1 if rng.random() < 0.8 else 2):
                _put_around(row, rng, start, end, rng.choice(pairs))
                end += 2
        while rng.random() < style[2]:
            row.put_in(rng.randrange(start + 1, end + 1), rng.choice(marks), gap=rng.random() < 0.05)
            end += 1


def _put_stretch(row: Row, rng: random.Random, place: int, signs: list[str], pairs: list[str]) -> None:
    for _ in range(1 if rng.random() < 0.6 else rng.randint(2, 4)):
        sign = rng.choice(signs)
        if rng.random() < 0.25:
            pair = rng.choice(pairs)
            sign = pair[0] + sign + pair[1]
        row.put_in(place, sign, gap=rng.random() < 0.95)


def _put_around(row: Row, rng: random.Random, start: int, end: int, pair: str) -> None:
    row.put_in(end, pair[1])
    gap = row.noisy_gap[start]
    row.noisy_gap[start] = False
    row.put_in(start, pair[0], gap=gap)


def put_between(row: Row, rng: random.Random, share: float) -> None:
    """One mark between all syllables of a word: 화.장.실."""
    mark = rng.choice(MARKS) if rng.random() < 0.8 else rng.choice(SIGNS)
    spread = rng.random() < 0.1
    for start, end in reversed(row.words()):
        if end - start > 1 and rng.random() < share:
            for place in range(end - 1, start, -1):
                if row.is_plain(place) and row.is_plain(place - 1) and rng.random() < 0.95:
                    row.put_in(place, mark, gap=spread)


def put_invisible(row: Row, rng: random.Random, share: float) -> None:
    """Characters without width, or marks that are drawn over others."""
    signs = rng.sample(INVISIBLE if rng.random() < 0.7 else COMBINING, rng.randint(1, 3))
    for place in range(len(row), 0, -1):
        if rng.random() < share * 0.7 and row.noisy[place - 1] > "~":
            row.put_in(place, rng.choice(signs))
