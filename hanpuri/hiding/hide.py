"""
Clean text ─► hidden text with its cells: some kinds of hiding, drawn by weight, each on a share of the text.

In:  "귀여운 고양이", a random number generator.   Out: Hidden(noisy="커여운 ㅍ양二", cells=…).
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from hanpuri.hiding.cells import Cell, Row
from hanpuri.hiding.kinds import KINDS, Kind

BY_NAME = {kind.name: kind for kind in KINDS}
# How many kinds meet in one text, from one on, by weight.
MEETINGS = (20, 30, 26, 20, 8, 4)


@dataclass(frozen=True)
class Hidden:
    """
    A text that was hidden.

    Attributes:
        clean: the text before.
        noisy: the text after.
        kinds: the names of what was done, in the order of `KINDS`.
        cells: what was written for what.
    """

    clean: str
    noisy: str
    kinds: tuple[str, ...]
    cells: tuple[Cell, ...]


def hide(text: str, rng: random.Random, *, kinds: Iterable[str] | None = None, share: float | None = None) -> Hidden:
    """
    Hide a text.

    Args:
        text: in NFC; spaces at its ends are left out.
        rng: decides everything.
        kinds: what to do; by default some kinds are drawn.
        share: of the places where a kind could be used, those where it is; by default drawn anew for each kind.

    Raises:
        ValueError: if a kind is unknown.

    >>> hide("수상해", random.Random(1), kinds=["hanja"], share=1.0).noisy[1:]
    '商海'
    """
    text = text.strip(" ")
    chosen = draw_kinds(rng) if kinds is None else _named(kinds)
    row = Row(text)
    for kind in chosen:
        kind.hide(row, rng, draw_share(rng) if share is None else share)
    return Hidden(text, row.hidden, tuple(kind.name for kind in chosen), row.cells())


def draw_kinds(rng: random.Random) -> tuple[Kind, ...]:
    """Draw how many kinds meet, and which."""
    count = rng.choices(range(1, len(MEETINGS) + 1), MEETINGS)[0]
    names = set(rng.choices(_names(), _weights(), k=count))
    return tuple(kind for kind in KINDS if kind.name in names)


def draw_share(rng: random.Random) -> float:
    """Draw the share of places: mostly a part, now and then all."""
    return 1.0 if rng.random() < 0.25 else rng.uniform(0.08, 0.9)


def _named(names: Iterable[str]) -> tuple[Kind, ...]:
    wanted = set(names)
    if unknown := wanted - BY_NAME.keys():
        raise ValueError(f"no kind of hiding is called {min(unknown)!r}; there are {', '.join(BY_NAME)}")
    return tuple(kind for kind in KINDS if kind.name in wanted)


@cache
def _names() -> list[str]:
    return [kind.name for kind in KINDS]


@cache
def _weights() -> list[float]:
    return [kind.weight for kind in KINDS]
