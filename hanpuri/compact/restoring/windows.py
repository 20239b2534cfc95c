"""
Texts of any length ─► windows of a length that the network knows ─► batches.

In:  the number of items of each text.   Out: windows that overlap, so that no item is judged at an edge; windows of one
length make a batch, so that there is no padding.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from hanpuri.hangul import Indices

# Items of a window, and how many at each inner edge are left to the neighbouring window, which sees both sides of them.
# 48 restored long texts no better than 16, and took 8 % longer (LOG.md).
WINDOW = 384
OVERLAP = 16
# Characters of the texts that are read at a time.
CHUNK_CHARACTERS = 200_000


class Window(NamedTuple):
    """The items [start, end), all of one text; of these, [keep_start, keep_end) are taken from it."""

    text_number: int
    start: int
    end: int
    keep_start: int
    keep_end: int


def cut_windows(text_number: int, first: int, after: int) -> Iterator[Window]:
    """
    Cut the items [first, after) of a text into as few windows as can be, of one length; a short text is one window.

    >>> [(window.start, window.end, window.keep_start, window.keep_end) for window in cut_windows(0, 0, 700)]
    [(0, 366, 0, 350), (334, 700, 350, 700)]
    """
    num_items, shared = after - first, 2 * OVERLAP
    count = max(1, math.ceil((num_items - shared) / (WINDOW - shared)))
    length = math.ceil((num_items + (count - 1) * shared) / count)
    kept = first
    for number in range(count):
        start = first + min(number * (length - shared), num_items - length)
        keep_end = start + length - (OVERLAP if number < count - 1 else 0)
        yield Window(text_number, start, start + length, kept, keep_end)
        kept = keep_end


def make_batches(windows: Iterable[Window], batch_items: int) -> Iterator[list[Window]]:
    """Put windows of one length together, up to `batch_items` items; without padding there is nothing to mask."""
    by_length: dict[int, list[Window]] = defaultdict(list)
    for window in windows:
        by_length[window.end - window.start].append(window)
    for length, group in sorted(by_length.items()):
        size = max(1, batch_items // length)
        for first in range(0, len(group), size):
            yield group[first : first + size]


def pack_windows(windows: Iterable[Window], batch_items: int) -> Iterator[list[Window]]:
    """Put windows together as they come, up to `batch_items` items, one window at least."""
    batch: list[Window] = []
    num_items = 0
    for window in windows:
        length = window.end - window.start
        if batch and num_items + length > batch_items:
            yield batch
            batch, num_items = [], 0
        batch.append(window)
        num_items += length
    if batch:
        yield batch


def ranges(starts: Indices, ends: Indices) -> Indices:
    """
    Lay ranges end to end.

    >>> ranges(np.array([0, 7]), np.array([3, 9])).tolist()
    [0, 1, 2, 7, 8]
    """
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


def take_chunks(texts: Iterable[str], most: int = CHUNK_CHARACTERS) -> Iterator[list[str]]:
    """Take so many texts at a time that memory stays flat, however many there are."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text) + 1
        if size >= most:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
