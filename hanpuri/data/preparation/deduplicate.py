"""
Which rows say the same: exactly, but for case, spaces and punctuation, or nearly (MinHash, then exact Jaccard).

In: texts, many at a time. Out: keys by which equal ones are found, and clusters of those that are nearly equal:

    "방이 넓고 깨끗해요!!", "방이 넓고  깨끗해요"  ─►  the same key
    "직원분들이 친절하고 방이 넓어서 좋았어요", "직원분들이 친절하고 방이 넓어서 좋았네요"  ─►  one cluster

MinHash signatures come from rensa. Their bands only propose pairs; what counts is the share of common pieces.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.preparation.windows import Hashes, hash_windows, mix
from hanpuri.data.recipe import NearSettings
from hanpuri.errors import DataError

NUM_PERMUTATIONS = 128
SIGNATURE_SEED = 1
WANTED_RECALL = 0.98  # chance that a pair of just the wanted similarity shares a band
CHARACTERS_AT_ONCE = 8_000_000  # bounds the memory that comparing takes

Rows = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
NOT_A_LETTER = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """
    Bring texts that differ in case, spaces and punctuation only to one form.

        >>> normalise("방이 넓어요!!"), normalise("!?")
        ('방이넓어요', '!?')
    """
    letters = NOT_A_LETTER.sub("", text.casefold())
    return letters or "".join(text.split())


def key_of(text: str) -> bytes:
    """Give the 16 bytes that stand for a normalised text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def number_groups(keys: Keys) -> Rows:
    """
    Number rows so that two have the same number exactly if their keys (N, 2) are equal.

        >>> number_groups(np.array([[1, 2], [3, 4], [1, 2]], dtype=np.uint64)).tolist()
        [0, 1, 0]
    """
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    in_order = keys[order]
    is_new = np.any(in_order[1:] != in_order[:-1], axis=1)
    numbers = np.empty(len(keys), dtype=np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(is_new)]) if len(keys) else order
    return numbers


def first_of_each(groups: Rows, order: Rows) -> Rows:
    """
    Find each row's keeper: the row of its group that comes first in `order`.

        >>> first_of_each(np.array([0, 1, 0]), np.array([2, 1, 0])).tolist()
        [2, 1, 2]
    """
    keeper = np.empty(int(groups.max(initial=-1)) + 1, dtype=np.int64)
    keeper[groups[order[::-1]]] = order[::-1]
    return keeper[groups]


def choose_bands(similarity: float) -> tuple[int, int]:
    """
    Choose into how many bands of how many rows a signature is cut for a similarity.

        >>> choose_bands(0.8), choose_bands(0.5)
        ((18, 7), (42, 3))
    """
    for num_rows in range(NUM_PERMUTATIONS, 0, -1):
        num_bands = NUM_PERMUTATIONS // num_rows
        if 1 - (1 - similarity**num_rows) ** num_bands >= WANTED_RECALL:
            return num_bands, num_rows
    return NUM_PERMUTATIONS, 1


def sign_bands(texts: Sequence[str], settings: NearSettings) -> Hashes:
    """
    Give each normalised text its bands, shape (len(texts), num_bands): two that share one may be nearly the same.

    A text that is shorter than a shingle shares no band with any other.
    """
    hashes, offsets = hash_windows(texts, settings.shingle)
    num_bands, num_rows = choose_bands(settings.similarity)
    signatures = _sign(hashes, offsets)[:, : num_bands * num_rows].astype(np.uint64)
    parts = signatures.reshape(len(texts), num_bands, num_rows)
    bands = np.broadcast_to(np.arange(1, num_bands + 1, dtype=np.uint64), (len(texts), num_bands)).copy()
    for place in range(num_rows):
        bands = mix(bands * np.uint64(31) + parts[:, :, place])
    bands[offsets[1:] == offsets[:-1]] = 0
    return bands


def _sign(hashes: Hashes, offsets: Rows) -> npt.NDArray[np.uint32]:
    try:
        import rensa
    except ImportError:
        raise DataError(
            "near-duplicates need rensa", 'pip install "hanpuri[data]", or set deduplicate.near=null'
        ) from None
    make: Any = rensa.RMinHash.digest_matrix_from_flat_token_hashes
    matrix = make(hashes, offsets.astype(np.uint64), NUM_PERMUTATIONS, SIGNATURE_SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32).reshape(len(offsets) - 1, NUM_PERMUTATIONS)


def propose_pairs(bands: Hashes) -> Rows:
    """
    List the pairs of rows that share a band, shape (num_pairs, 2), the smaller row first; band 0 is nobody's.

    Within a band that many rows share, each is compared to the first and to the one before it, not to all. Which these
    are hangs on the order of the rows: they should stand in one that does not hang on that of the files.

        >>> propose_pairs(np.array([[7, 1], [0, 1], [7, 2], [0, 1], [0, 3]], dtype=np.uint64)).tolist()
        [[0, 1], [0, 2], [0, 3], [1, 3]]
    """
    num_rows = max(len(bands), 1)
    numbers = [np.empty(0, dtype=np.int64)]  # of pairs: sorting them is much faster than sorting pairs
    for band in bands.T:
        order = np.argsort(band, kind="stable")
        value = band[order]
        same = np.flatnonzero((value[1:] == value[:-1]) & (value[1:] != 0)) + 1
        starts = np.flatnonzero(np.concatenate([[True], value[1:] != value[:-1]]))
        first = starts[np.searchsorted(starts, same, side="right") - 1]
        for other in (first, same - 1):
            numbers.append(order[other] * num_rows + order[same])
    return np.stack(np.divmod(np.unique(np.concatenate(numbers)), num_rows), axis=1)


def similarities(
    pairs: Rows, texts_of: Callable[[Rows], Sequence[str]], shingle: int, lengths: Rows | None = None
) -> npt.NDArray[np.float64]:
    """
    Give each pair's share of common pieces (Jaccard), shape (num_pairs,).

    Args:
        pairs: (num_pairs, 2) rows.
        texts_of: fetches the normalised texts of rows given in rising order.
        shingle: the length of a piece.
        lengths: (N,) about how long the text of each row is; with it, pairs are looked at part by part.

    Example:

        >>> texts = ["방이넓고좋아요", "방이넓고좋네요", "조식"]
        >>> pairs = np.array([[0, 1], [0, 2]])
        >>> similarities(pairs, lambda rows: [texts[row] for row in rows], 2).tolist()
        [0.5, 0.0]
    """
    shares = np.zeros(len(pairs))
    for part in _parts(pairs, lengths):
        rows, places = np.unique(pairs[part], return_inverse=True)
        hashes, offsets = hash_windows(texts_of(rows), shingle)
        pieces = [np.unique(hashes[start:end]) for start, end in itertools.pairwise(offsets)]
        for number, (left, right) in zip(part, places.reshape(-1, 2), strict=True):
            num_common = len(np.intersect1d(pieces[left], pieces[right], assume_unique=True))
            num_all = len(pieces[left]) + len(pieces[right]) - num_common
            shares[number] = num_common / num_all if num_all else 0.0
    return shares


def _parts(pairs: Rows, lengths: Rows | None) -> list[Rows]:
    """Cut pairs into parts that are not too long together; give the places of each part."""
    ends = np.zeros(len(pairs)) if lengths is None else np.cumsum(lengths[pairs].sum(axis=1))
    borders = np.flatnonzero(np.diff(ends // CHARACTERS_AT_ONCE)) + 1
    return [part for part in np.split(np.arange(len(pairs)), borders) if len(part)]


def join_pairs(pairs: Rows, num_rows: int) -> Rows:
    """
    Number the clusters that pairs make, each by its smallest row; a row without a pair is its own cluster.

        >>> join_pairs(np.array([[0, 2], [2, 3]]), 5).tolist()
        [0, 1, 0, 0, 4]
    """
    clusters = np.arange(num_rows)
    while len(pairs):
        ends = np.sort(clusters[pairs], axis=1)
        apart = ends[:, 0] != ends[:, 1]
        pairs, ends = pairs[apart], ends[apart]
        np.minimum.at(clusters, ends[:, 1], ends[:, 0])  # hang each cluster on the smallest that it has a pair with
        while not np.array_equal(clusters, clusters[clusters]):
            clusters = clusters[clusters]
    return clusters
