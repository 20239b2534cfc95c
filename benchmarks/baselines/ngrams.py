"""
A language model of counts: how likely a character is after the three before it.

In:  texts. Out: a model, and log P(character | three before) for many places at once:

    "방이 조용해요"   ─►   log P("용" | "이 조") = −1.3, log P("옹" | "이 조") = −9.8

Interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999) with one discount an order. An n-gram is
one number: each character's place in the alphabet takes 12 bits, so that sorted arrays and a binary search suffice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hanpuri.hangul import code_points

ORDER = 4
BITS = 12
MAX_CHARACTERS = 1 << BITS
UNKNOWN, BORDER = 0, 1
"""Places of what has no place of its own, and of what stands before and after a text."""

Ids = npt.NDArray[np.int64]
Logs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Grams:
    """The n-grams of one order."""

    keys: Ids
    """(N,) sorted."""
    log_probabilities: Logs
    """(N,) of the last character after the others."""
    contexts: Ids
    """(M,) sorted: all but the last character."""
    log_backoffs: Logs
    """(M,) what is left for characters that were never seen after a context."""


@dataclass(frozen=True)
class NgramModel:
    """An alphabet, a table of pairs, and n-grams of three and four characters."""

    alphabet: str
    """Characters from place 2 on."""
    pairs: Logs
    """(V, V) log P(column | row)."""
    longer: tuple[Grams, ...]
    """Of order 3, then 4."""

    @property
    def size(self) -> int:
        """Places of the alphabet, UNKNOWN and BORDER included."""
        return len(self.alphabet) + 2

    def ids(self, text: str) -> Ids:
        """
        Give each character's place.

            >>> NgramModel("가나", np.zeros((4, 4), np.float32), ()).ids("나다").tolist()
            [3, 0]
        """
        return _places(self.alphabet)[code_points(text)]

    def score(self, contexts: Ids, following: Ids) -> Logs:
        """
        Give log P of characters after contexts: (B, 3) and (B, K) ─► (B, K).

        Args:
            contexts: the three places before.
            following: for each context, the places that may follow.
        """
        scores = self.pairs[contexts[:, -1:], following]
        for order, grams in enumerate(self.longer, start=3):
            context = _join(contexts[:, len(contexts[0]) - order + 1 :])
            at = np.minimum(np.searchsorted(grams.contexts, context), len(grams.contexts) - 1)
            backoffs = np.where(grams.contexts[at] == context, grams.log_backoffs[at], np.float32(0))
            keys = (context[:, None] << BITS) | following
            at = np.minimum(np.searchsorted(grams.keys, keys), len(grams.keys) - 1)
            scores = np.where(grams.keys[at] == keys, grams.log_probabilities[at], scores + backoffs[:, None])
        return scores.astype(np.float32)

    def save(self, path: Path) -> None:
        """Write one file of arrays."""
        arrays = {
            f"{name}_{order}": getattr(grams, name)
            for order, grams in enumerate(self.longer, start=3)
            for name in ("keys", "log_probabilities", "contexts", "log_backoffs")
        }
        np.savez(path, alphabet=np.array(self.alphabet), pairs=self.pairs, **arrays)

    @classmethod
    def load(cls, path: Path) -> "NgramModel":
        """Read what `save` wrote."""
        with np.load(path) as file:
            names = "keys", "log_probabilities", "contexts", "log_backoffs"
            orders = range(3, ORDER + 1)
            longer = tuple(Grams(*(file[f"{name}_{order}"] for name in names)) for order in orders)
            return cls(str(file["alphabet"]), file["pairs"], longer)


def fit_ngrams(texts: Iterable[str], *, min_count: int = 2) -> NgramModel:
    """
    Count, and smooth.

    Args:
        texts: each is counted by itself: nothing goes from the end of one to the beginning of the next.
        min_count: how often four characters must have stood together to be kept; the smoothing has seen all of them.
    """
    border = "\n" * (ORDER - 1)
    points = code_points(border + border.join(texts) + border).astype(np.uint32)
    counts = np.bincount(points)
    counts[ord("\n")] = 0
    common = np.argsort(-counts, kind="stable")[: MAX_CHARACTERS - 2]
    alphabet = "".join(map(chr, sorted(common[counts[common] > 1].tolist())))
    ids = _places(alphabet)[points]
    keys, amounts = _count(ids)
    tables = [(keys, amounts)]
    for order in range(ORDER - 1, 0, -1):
        # Below the highest order it counts after how many different characters an n-gram stood, not how often.
        keys, amounts = np.unique(tables[0][0] & ((1 << BITS * order) - 1), return_counts=True)
        tables.insert(0, (keys, amounts))
    return _smooth(alphabet, tables, min_count)


def _places(alphabet: str) -> Ids:
    places = np.full(0x110000, UNKNOWN, np.int64)
    places[code_points(alphabet)] = np.arange(2, len(alphabet) + 2)
    places[ord("\n")] = BORDER
    return places


def _join(ids: Ids) -> Ids:
    """Put the places of each row into one number: (B, n) ─► (B,)."""
    keys = ids[:, 0].copy()
    for column in range(1, ids.shape[1]):
        keys = (keys << BITS) | ids[:, column]
    return keys


def _count(ids: Ids) -> tuple[Ids, Ids]:
    """Count all runs of ORDER characters that do not end in a border behind a border."""
    keys = ids[: len(ids) - ORDER + 1].copy()
    for shift in range(1, ORDER):
        keys <<= BITS
        keys |= ids[shift : len(ids) - ORDER + 1 + shift]
    is_filling = (ids[ORDER - 2 : -1] == BORDER) & (ids[ORDER - 1 :] == BORDER)
    return np.unique(keys[~is_filling], return_counts=True)


def _smooth(alphabet: str, tables: list[tuple[Ids, Ids]], min_count: int) -> NgramModel:
    size = len(alphabet) + 2
    keys, amounts = tables[0]
    discount = _discount(amounts)
    lower = np.full(size, discount * len(keys) / amounts.sum() / size)
    lower[keys] += (amounts - discount) / amounts.sum()
    singles = lower
    pairs = np.empty((0, 0), np.float32)
    longer: list[Grams] = []
    for order in range(2, len(tables) + 1):
        keys, amounts = tables[order - 1]
        discount = _discount(amounts)
        firsts = np.flatnonzero(np.diff(keys >> BITS, prepend=-1))
        contexts, totals = keys[firsts] >> BITS, np.add.reduceat(amounts, firsts)
        kinds = np.diff(firsts, append=len(keys))
        backoffs = discount * kinds / totals
        place = np.repeat(np.arange(len(firsts)), kinds)
        below = lower[np.searchsorted(tables[order - 2][0], keys & ((1 << BITS * (order - 1)) - 1))]
        if order == 2:
            below = singles[keys & (MAX_CHARACTERS - 1)]
        lower = (amounts - discount) / totals[place] + backoffs[place] * below
        if order == 2:
            pairs = np.tile(np.log(singles).astype(np.float32), (size, 1))
            pairs[contexts] += np.log(backoffs).astype(np.float32)[:, None]
            pairs[keys >> BITS, keys & (MAX_CHARACTERS - 1)] = np.log(lower)
        else:
            kept = amounts >= (min_count if order == len(tables) else 1)
            logs = np.log(lower[kept]).astype(np.float32), np.log(backoffs).astype(np.float32)
            longer.append(Grams(keys[kept], logs[0], contexts, logs[1]))
    return NgramModel(alphabet, pairs, tuple(longer))


def _discount(amounts: Ids) -> float:
    """Give the usual discount, from how many n-grams were seen once and twice."""
    once, twice = int((amounts == 1).sum()), int((amounts == 2).sum())
    return min(0.95, max(0.1, once / max(1, once + 2 * twice)))
