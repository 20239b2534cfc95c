"""
How lengths are spread: shares over a limit, quantiles, bins for a plot.

In:  a spread, how many rows have each length.   Out: a few numbers of it. For {14: 2, 37: 1, 1200: 1}:

    quantile(…, 0.5) = 14     share_over(…, 1024) = 0.25     binned(…, (0.5, 20.5, 2000.5)) = [2, 2]
"""

from bisect import bisect_right
from collections.abc import Sequence

from hanpuri.data.quality.facts import Spread

NUM_BINS = 30


def share_over(lengths: Spread, limit: int) -> float:
    """
    Give the share of what is longer than `limit`; 0 where there are no rows.

        >>> share_over({10: 3, 600: 1}, 512)
        0.25
    """
    total = sum(lengths.values())
    return sum(rows for length, rows in lengths.items() if length > limit) / total if total else 0.0


def quantile(lengths: Spread, share: float) -> int:
    """
    Give the least length that at least this share of the rows does not go beyond; 0 where there are no rows.

        >>> quantile({10: 3, 600: 1}, 0.5), quantile({10: 3, 600: 1}, 0.95), quantile({}, 0.5)
        (10, 600, 0)
    """
    needed, passed = share * sum(lengths.values()), 0
    for length in sorted(lengths):
        passed += lengths[length]
        if passed >= needed:
            return length
    return 0


def doubling_edges(longest: int) -> list[float]:
    """
    Give the edges of bins for lengths from 1 to `longest`, four to a doubling as far as whole lengths allow it.

        >>> doubling_edges(20)
        [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 8.5, 9.5, 11.5, 13.5, 16.5, 19.5, 22.5]
    """
    edges, power = [0.5], 0
    while edges[-1] < max(longest, 1):
        power += 1
        edges.append(int(2 ** (power / 4)) + 0.5)
        if edges[-1] == edges[-2]:
            edges.pop()
    return edges


def even_edges(longest: int) -> list[float]:
    """
    Give the edges of at most 30 bins of one width for lengths from 0 to `longest`.

        >>> even_edges(2), even_edges(59)[-2:]
        ([-0.5, 0.5, 1.5, 2.5], [57.5, 59.5])
    """
    width = longest // NUM_BINS + 1
    return [index * width - 0.5 for index in range(longest // width + 2)]


def binned(lengths: Spread, edges: Sequence[float]) -> list[int]:
    """
    Count the rows in each bin; what lies beyond the last edge goes into the last bin, what lies before, into the first.

        >>> binned({1: 2, 4: 1, 9: 5}, (0.5, 3.5, 6.5))
        [2, 6]
    """
    counts = [0] * (len(edges) - 1)
    for length, rows in lengths.items():
        counts[min(max(bisect_right(edges, length) - 1, 0), len(counts) - 1)] += rows
    return counts
