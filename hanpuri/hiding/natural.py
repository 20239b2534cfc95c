"""
Clean text with what looks like hiding and is none: times, prices, addresses, masks, faces, Hanja, loose letters.

In:  "내일 가자".   Out: "내일 15:00 가자 ^^".

A model that has seen signs only where they hide something takes away every sign that it meets. `natural.tsv` holds what
people write in earnest; sentences that have some of it are as clean as any, and are hidden as any.
"""

import random
import string
from functools import cache

from hanpuri.hiding.tables import read_table

# A colon and a digit say little by themselves: pieces are drawn anew for every text.
DIGIT, LETTER = "#", "λ"


def season(text: str, rng: random.Random) -> str:
    """
    Put one to three pieces of ordinary text between the words of a sentence, at its end or at its start.

    >>> season("내일 가자", random.Random(15))
    'AM 02:30 내일 가자'
    """
    words = text.split(" ")
    for _ in range(rng.choice((1, 1, 2, 3))):
        where, pieces = rng.choice(_pieces())
        piece = _filled(rng.choice(pieces), rng)
        if where == "word":
            words.insert(rng.randint(0, len(words)), piece)
        elif where == "start":
            words.insert(0, piece)
        elif rng.random() < 0.5:
            words.append(piece)
        else:
            words[-1] += piece
    return " ".join(words)


@cache
def _pieces() -> list[tuple[str, tuple[str, ...]]]:
    return [(where, tuple(pieces.split(" | "))) for where, pieces, _ in read_table("natural.tsv")]


def _filled(piece: str, rng: random.Random) -> str:
    if not piece.strip(DIGIT):  # a mark at the start of a line
        return piece
    return "".join(
        rng.choice(string.digits) if c == DIGIT else rng.choice(string.ascii_lowercase) if c == LETTER else c
        for c in piece
    )
