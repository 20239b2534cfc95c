"""
The tables of look-alikes, rotations, Hanja and words: files in `tables/`, a row a line, `#` for a comment.

In:  "signs.tsv".   Out: [("ユ", "그", "katakana yu"), …].
"""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "tables"


@cache
def read_table(name: str) -> tuple[tuple[str, ...], ...]:
    """
    Read a table's rows; a row that ends early has empty fields up to the third.

    >>> read_table("signs.tsv")[0]
    ('ユ', '그', 'katakana yu')
    """
    rows = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            fields = line.split("\t")
            rows.append(tuple(fields + [""] * (3 - len(fields))))
    return tuple(rows)


@cache
def forms(name: str, meant: int, written: int) -> dict[str, tuple[str, ...]]:
    """Gather a table by what is meant: each with all that is written for it, in the table's order."""
    found: dict[str, list[str]] = {}
    for row in read_table(name):
        found.setdefault(row[meant], []).append(row[written])
    return {key: tuple(values) for key, values in found.items()}


@cache
def readings() -> dict[str, str]:
    """
    Give the Korean readings of each Hanja, the usual one first.

    >>> readings()["樂"]
    '락낙악요'
    """
    return {row[0]: row[1] for row in read_table("hanja.tsv")}


@cache
def hanja_of(reading: str) -> tuple[str, ...]:
    """Give the Hanja of KS X 1001 that are read so, each by its usual reading alone."""
    return _hanja_by_reading().get(reading, ())


@cache
def _hanja_by_reading() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for character, read, where in read_table("hanja.tsv"):
        if where == "k":
            found.setdefault(read[0], []).append(character)
    return {key: tuple(values) for key, values in found.items()}
