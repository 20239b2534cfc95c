"""
Rows in groups: what is right on average may be wrong for long texts, or for one kind of noise.

In: the slices of each row, as `rows` reads them from the file's columns. Out: which rows belong to which:

    {"level": ("easy",), "rule": ("1-3", "5-1")}, {"level": ("hard",), "rule": ("5-1",)}  ─►
        ("level", "easy"): [0], ("level", "hard"): [1], ("rule", "1-3"): [0], ("rule", "5-1"): [0, 1]

A row may be in several slices of one kind. Where pairs tell no rule, `noise.attribution` says which rules made them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hanpuri.noise.attribution import rules_used

SLICE_COLUMNS = {"level": "level", "rule": "rule", "rules": "rule", "source": "source", "label": "label"}
"""Columns that are sliced by where a file has them, and what the slices are called."""

LENGTH = "length"
LENGTHS = (20, 50, 100, 200, 500)
"""Where lengths are cut, in characters of the question."""
NO_RULE = "none"

Slices = Mapping[str, tuple[str, ...]]


def length_bucket(text: str) -> str:
    """
    Say how long a text is, roughly.

        >>> length_bucket("확잠실읾"), length_bucket("가" * 21), length_bucket("가" * 501)
        ('1-20', '21-50', '501+')
    """
    below = 0
    for upto in LENGTHS:
        if len(text) <= upto:
            return f"{below + 1}-{upto}"
        below = upto
    return f"{below + 1}+"


def made_by(noisy: str, clean: str) -> tuple[str, ...]:
    """
    Name the rules of noise that lead from a clean text to its noisy one; none where their lengths differ.

        >>> made_by("갑시 넓뮤", "값이 너무"), made_by("너무", "너무"), made_by("넘", "너무")
        (('liaison', 'tail insertion', 'vowel'), ('none',), ())
    """
    counted = rules_used(clean, noisy)
    if counted is None:
        return ()
    return tuple(sorted(counted)) or (NO_RULE,)


def group_rows(slices: Sequence[Slices]) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """
    Give the numbers of the rows of each slice, kind by kind; lengths from short to long, rules by name, all else as it
    comes up in the file.

        >>> {key: rows.tolist() for key, rows in group_rows([{"level": ("easy",)}, {"level": ("hard",)}]).items()}
        {('level', 'easy'): [0], ('level', 'hard'): [1]}
    """
    found: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(slices):
        for by, values in row.items():
            for value in values:
                found.setdefault((by, value), []).append(number)
    places = {key: place for place, key in enumerate(found)}
    return {key: np.array(found[key]) for key in sorted(found, key=lambda one: _order(one[0], one[1], places[one]))}


def _order(by: str, value: str, place: int) -> tuple[str, int, str]:
    if by == LENGTH:
        return by, int(value.rstrip("+").partition("-")[0]), ""
    return (by, 0, value) if by == "rule" else (by, place, "")
