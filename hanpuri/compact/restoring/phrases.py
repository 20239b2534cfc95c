"""
Clean texts ─► how much likelier a syllable is behind the four characters before it than behind the last of them alone.

In:  a user's texts.   Out: Phrases, which prefers, among syllables that a network holds probable, the one that makes
what these texts say again and again:

    비데가 ▢어서      있 and 잇 sound alike; behind "비데가 " 있 is far likelier than behind the space alone

A network learns what is usual in general, and takes minutes to learn a trade; to count what stands in the trade's texts
takes seconds. Counted are all runs of up to five characters, and estimated is how likely the last of a run is behind
the others (Witten and Bell 1991, interpolated). The difference to what two characters say is taken, so that of texts
of another kind, where no longer run was ever seen, nothing is said. No text is kept, but hashes of its runs are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.errors import ModelError
from hanpuri.hangul import Indices, code_points

LONGEST = 5
"""Characters of a run. Four gain a little less, six no more."""
LENGTHS = range(1, LONGEST + 1)
SHORT = 2
"""Runs up to here are known to the network well enough, and are taken off."""
MOST_CHARACTERS = 4_000_000
"""Of the texts that are counted: a file of about 15 MB."""
BREAK = "\n" * (LONGEST - 1)
"""Around each text, so that no run goes from one into another."""
WEIGHT = 0.12
"""
Of what the texts say, beside what the network does. Texts of their kind gain most at 0.15 to 0.2, where those of
another kind begin to suffer (LOG.md).
"""
PASSES = 2
"""A third changes one syllable in a thousand doubts."""
UNSEEN = 1e-7
"""The probability of a character that stands nowhere in the texts; it is the same before and after, and falls out."""
TURN, SPREAD, FOLD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(29)
HASH_BITS = np.uint64(32)

Hashes = npt.NDArray[np.uint32]
Shares = npt.NDArray[np.float32]
Nats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Runs:
    """
    All runs of one length.

    Attributes:
        keys: (N,) hashes, ascending.
        shares: (N,) of what stands behind all but the last character of a run, what the last one has.
        rests: (N,) of what stands behind a run, what is left to shorter runs; 1 for the longest, which none is behind.
    """

    keys: Hashes
    shares: Shares
    rests: Shares

    def share(self, hashes: Hashes) -> Shares:
        """Look runs up: their shares, 0 where one was never seen."""
        return self._take(self.shares, hashes, 0.0)

    def rest(self, hashes: Hashes) -> Shares:
        """Look up what runs leave to shorter ones: all, where one was never seen."""
        return self._take(self.rests, hashes, 1.0)

    def _take(self, values: Shares, hashes: Hashes, default: float) -> Shares:
        places = np.minimum(np.searchsorted(self.keys, hashes), len(self.keys) - 1)
        found: Shares = np.where(self.keys[places] == hashes, values[places], np.float32(default))
        return found


@dataclass(frozen=True)
class Phrases:
    """What texts say again and again: runs of one character, of two, …, of LONGEST."""

    runs: tuple[Runs, ...]

    @classmethod
    def count(cls, texts: Sequence[str]) -> "Phrases":
        """
        Count texts, in NFC; of very many the first MOST_CHARACTERS.

        >>> phrases = Phrases.count(["물이 안 나와요", "물이 안 나와요"])
        >>> text = "\\n\\n\\n\\n물이 안 나봐요\\n\\n\\n\\n"
        >>> told = phrases.weigh(code_points(text), np.array([10]), code_points("봐와")[None])
        >>> bool(told[0, 1] > told[0, 0])
        True
        """
        points = code_points(BREAK + BREAK.join(_first(texts)) + BREAK)
        hashes = list(hash_runs(points))
        # Runs that would begin before the first character are left out.
        whole = [one[number:] for number, one in enumerate(hashes)]
        begins = [np.zeros(len(points), dtype=np.uint32), *(one[:-1] for one in whole[:-1])]
        lengths = [_count(*both) for both in zip(begins, whole, strict=True)]
        runs = []
        for number, (keys, shares, _, _) in enumerate(lengths):
            rests = np.ones(len(keys), dtype=np.float32)
            if number + 1 < len(lengths):
                _, _, begun, left = lengths[number + 1]
                rests[np.searchsorted(keys, begun)] = left
            runs.append(Runs(keys, shares, rests))
        return cls(tuple(runs))

    def weigh(self, points: Indices, places: Indices, candidates: Indices) -> Nats:
        """
        Say how much the texts speak for each candidate, in nats.

        A syllable is part of LONGEST runs, those that end with it and those that go on behind it: all are counted.

        Args:
            points: code points of texts, BREAK around each.
            places: (P,) where in `points` a syllable is in doubt.
            candidates: (P, K) code points that could stand there; each is tried amid the `points` as they are.
        """
        reach = np.arange(1 - LONGEST, LONGEST)
        windows = np.repeat(points[places[:, None] + reach][:, None], candidates.shape[1], 1)
        windows[:, :, LONGEST - 1] = candidates
        hashes = [one[..., LONGEST - 2 :] for one in hash_runs(windows)]
        probable = np.maximum(self.runs[0].share(hashes[0][..., 1:]), UNSEEN).astype(np.float64)
        short = probable
        for length, (behind, whole) in enumerate(pairwise(self.runs), start=2):
            rest = behind.rest(hashes[length - 2][..., :-1])
            probable = whole.share(hashes[length - 1][..., 1:]) + rest * probable
            if length == SHORT:
                short = probable
        told: Nats = np.log(probable / short).sum(-1)
        return told

    def choose(self, points: Indices, places: Indices, candidates: Indices, shares: Probabilities) -> Probabilities:
        """
        Weigh what a network holds probable by what the texts say.

        Doubts beside each other are part of the same runs: each is weighed amid what the others were taken for, twice.

        Args:
            points, places, candidates: as for `weigh`; the points of the places are changed.
            shares: (P, K) probabilities of the candidates, by the network.

        Returns:
            (P, K) probabilities of the candidates, with the sums that `shares` has.
        """
        with np.errstate(divide="ignore"):
            before = np.log(shares)
        weighed = before
        for _ in range(PASSES):
            weighed = before + WEIGHT * self.weigh(points, places, candidates)
            points[places] = np.take_along_axis(candidates, weighed.argmax(-1)[:, None], -1)[:, 0]
        told = np.exp(weighed - weighed.max(-1, keepdims=True))
        chosen: Probabilities = told * (shares.sum(-1, keepdims=True) / told.sum(-1, keepdims=True))
        return chosen

    def save(self, path: Path) -> None:
        """Write a file."""
        arrays: dict[str, Any] = {}
        for number, runs in zip(LENGTHS, self.runs, strict=True):
            halves = runs.shares.astype(np.float16), runs.rests.astype(np.float16)
            arrays |= dict(zip(_names(number), (runs.keys, *halves), strict=True))
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Phrases":
        """
        Read what `save` wrote.

        Raises:
            ModelError: if it cannot be read.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                parts = [[arrays[name] for name in _names(number)] for number in LENGTHS]
        except Exception as error:  # numpy and zipfile have a class of their own for every cause
            raise ModelError(f"{path} cannot be loaded: {error}", "adapt the model again") from error
        return cls(tuple(Runs(keys, *(part.astype(np.float32) for part in more)) for keys, *more in parts))


def _names(length: int) -> tuple[str, ...]:
    return tuple(f"{name}{length}" for name in ("keys", "shares", "rests"))


def hash_runs(points: npt.NDArray[Any]) -> Iterator[Hashes]:
    """
    Hash the runs of one character that end at each place, then those of two, …: the shape of `points` each time.

    Before the first character of the last axis there is nothing.
    """
    hashes = np.zeros(points.shape, dtype=np.uint64)
    for back in range(LONGEST):
        before = np.zeros(points.shape, dtype=np.uint64)
        before[..., back:] = points[..., : max(0, points.shape[-1] - back)]
        hashes = (hashes * TURN) ^ ((before + np.uint64(1)) * SPREAD)
        hashes ^= hashes >> FOLD
        yield (hashes >> HASH_BITS).astype(np.uint32)


def _count(begins: Hashes, runs: Hashes) -> tuple[Hashes, Shares, Hashes, Shares]:
    """
    Count runs of one length.

    Args:
        begins: (N,) hashes of all but the last characters.
        runs: (N,) hashes of the runs.

    Returns:
        the runs, each once, ascending; what share of all that follows its beginning each has; the beginnings, each
        once, ascending; and what these leave.
    """
    keys, first, counts = np.unique(runs, return_index=True, return_counts=True)
    begun, which = np.unique(begins[first], return_inverse=True)
    times, kinds = np.bincount(which, counts), np.bincount(which)
    shares = (counts / (times + kinds)[which]).astype(np.float32)
    return keys, shares, begun, (kinds / (times + kinds)).astype(np.float32)


def _first(texts: Sequence[str]) -> Iterator[str]:
    left = MOST_CHARACTERS
    for text in texts:
        left -= len(text)
        if left < 0:
            return
        yield text
