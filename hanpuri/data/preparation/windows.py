"""
Every piece of n characters in many texts, as numbers: what near-duplicates and overlaps are found with.

In: ["방이 넓어요", "방"], length 2. Out: the hashes of 방이, "이 ", " 넓", 넓어, 어요, and where each text's begin:

    hashes (5,) uint64, offsets [0, 5, 5]

A hash depends on the characters of its piece alone, so equal pieces have equal hashes on every machine.
"""

from collections.abc import Sequence
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from hanpuri.hangul import code_points, from_code_points, syllable_mask

Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing modulo 2^64


def hash_windows(texts: Sequence[str], length: int) -> tuple[Hashes, Offsets]:
    """
    Hash each piece of `length` characters; those of text i are `hashes[offsets[i] : offsets[i + 1]]`, in order.

        >>> hashes, offsets = hash_windows(["방이 넓어요", "방", "넓어"], 2)
        >>> offsets.tolist(), bool(hashes[3] == hashes[5])
        ([0, 5, 5, 6], True)
    """
    points = code_points("".join(texts)).astype(np.uint64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    counts = np.maximum(lengths - length + 1, 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    first = np.cumsum(lengths) - lengths  # where each text begins
    starts = np.repeat(first - offsets[:-1], counts) + np.arange(offsets[-1])
    rolled = np.zeros(max(len(points) - length + 1, 0), dtype=np.uint64)
    for place in range(length):
        rolled = rolled * BASE + points[place : place + len(rolled)]
    return mix(rolled[starts]), offsets


def mix(numbers: Hashes) -> Hashes:
    """
    Spread numbers evenly over all 64 bits, one for one (the finaliser of MurmurHash3).

        >>> [hex(number) for number in mix(np.array([0, 1], dtype=np.uint64)).tolist()]
        ['0x0', '0xb456bcfc34c2cb2c']
    """
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(33))


def syllables_of(text: str) -> str:
    """
    Keep the Hangul syllables alone, so that spaces, punctuation and case cannot hide that two texts share a piece.

    Syllables that are typed letter by letter, as macOS writes file names, are joined first.

        >>> syllables_of("방이 넓어요! (2층)"), syllables_of("\u1107\u1161\u11bc")
        ('방이넓어요층', '방')
    """
    points = code_points(normalize("NFC", text))
    return from_code_points(points[syllable_mask(points)])
