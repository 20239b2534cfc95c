"""
How sure a score is, and whether two engines differ: by drawing rows again, and by swapping answers.

In: tallies, a row for each row of the file (see `metrics.tallies`). Out:

    interval(tally)            ─►  Interval(value=0.953, low=0.948, high=0.958)
    difference(first, second)  ─►  Difference(value=0.012, low=0.007, high=0.017, p_value=0.001, num_rows=154)

Intervals are the percentile bootstrap over rows: a thousand files of as many rows are drawn from the one, with rows
standing in it as often as they are drawn, and 95 % of their scores lie between `low` and `high`. They say what another
file of the same kind may give, not what another kind of text does. The p-value is of the approximate randomisation
test: how often as large a difference comes about if, row by row, a coin decides whose answer is whose.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hanpuri.evaluation.metrics.tallies import Pool, Tally, ratio

LEVEL = 0.95
RESAMPLES = 1000
MOST_CELLS = 1_000_000
"""Draws that are held in memory at a time."""
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A score and where it lies in most of the files that could have been drawn."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """What the second of two engines has more than the first, on the same rows."""

    value: float
    low: float
    high: float
    p_value: float
    num_rows: int

    def significant(self, alpha: float = 0.05) -> bool:
        """
        Say whether chance alone makes such a difference in fewer than `alpha` of cases.

            >>> Difference(0.012, 0.007, 0.017, p_value=0.001, num_rows=154).significant()
            True
        """
        return self.p_value < alpha


def interval(
    tally: Tally, *, seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL, pool: Pool = ratio
) -> Interval:
    """
    Give a pooled score with its interval.

    Of one row, or of rows that are all alike, the interval has no width: nothing is known of how rows differ. A score
    for which nothing was counted is no number (nan), and so are its bounds.

        >>> interval(np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0]]))
        Interval(value=0.75, low=0.25, high=1.0)

    Args:
        tally: (N, K), what each row adds.
        seed: of the draws.
        resamples: how many files are drawn.
        level: the share of them that lies between the bounds.
        pool: how sums become a score.

    Raises:
        ValueError: if there is no row, or `level` is no share.
    """
    return intervals({"": tally}, {"": pool}, seed=seed, resamples=resamples, level=level)[""]


def intervals(
    tallies: Mapping[str, Tally],
    pools: Mapping[str, Pool],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """
    Give the intervals of several scores of the same rows, by the same draws: much faster than one by one.

        >>> found = intervals({"right": np.ones((3, 2))}, {"right": ratio})
        >>> found["right"]
        Interval(value=1.0, low=1.0, high=1.0)

    Raises:
        ValueError: as `interval`.
    """
    for tally in tallies.values():
        _check(tally, level)
    if not tallies:
        return {}
    drawn: dict[str, list[Tally]] = {name: [] for name in tallies}
    for weights in _draws(len(next(iter(tallies.values()))), seed, resamples):
        for name, tally in tallies.items():
            drawn[name].append(pools[name](weights @ tally))
    return {
        name: Interval(float(pools[name](tally.sum(axis=0))), *_bounds(np.concatenate(drawn[name]), level))
        for name, tally in tallies.items()
    }


def difference(
    first: Tally,
    second: Tally,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    pool: Pool = ratio,
) -> Difference:
    """
    Compare two engines on the same rows: second − first, with its interval and its p-value.

        >>> first, second = np.zeros((20, 2)) + [0, 1], np.ones((20, 2))
        >>> difference(first, second)
        Difference(value=1.0, low=1.0, high=1.0, p_value=0.000999000999000999, num_rows=20)

    Args:
        first: (N, K) of the one engine.
        second: (N, K) of the other, the same rows in the same order.
        seed: of the draws.
        resamples: how many files are drawn, and how often answers are swapped.
        level: as in `interval`.
        pool: how sums become a score.

    Raises:
        ValueError: if there are not as many rows on both sides, or none.
    """
    return differences({"": first}, {"": second}, {"": pool}, seed=seed, resamples=resamples, level=level)[""]


def differences(
    first: Mapping[str, Tally],
    second: Mapping[str, Tally],
    pools: Mapping[str, Pool],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Difference]:
    """
    Compare two engines by each score that both have, with the same draws and swappings for all.

        >>> ones = np.ones((3, 2))
        >>> differences({"right": ones}, {"right": ones}, {"right": ratio})["right"].p_value
        1.0

    Raises:
        ValueError: as `difference`.
    """
    both = {name: (one, second[name]) for name, one in first.items() if name in second}
    for one, other in both.values():
        if one.shape != other.shape:
            raise ValueError(f"the tallies have the shapes {one.shape} and {other.shape}, expected the same rows")
        _check(one, level)
    if not both:
        return {}
    num_rows = len(next(iter(both.values()))[0])
    drawn: dict[str, list[Tally]] = {name: [] for name in both}
    for weights in _draws(num_rows, seed, resamples):
        for name, (one, other) in both.items():
            drawn[name].append(pools[name](weights @ other) - pools[name](weights @ one))
    p_values = _swapped(both, pools, num_rows, seed, resamples)
    return {
        name: Difference(
            _gap(pair, pools[name]), *_bounds(np.concatenate(drawn[name]), level), p_values[name], num_rows
        )
        for name, pair in both.items()
    }


def _gap(pair: tuple[Tally, Tally], pool: Pool) -> float:
    return float(pool(pair[1].sum(axis=0)) - pool(pair[0].sum(axis=0)))


def _check(tally: Tally, level: float) -> None:
    if not len(tally):
        raise ValueError("the tally has no rows")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1")


def _draws(num_rows: int, seed: int, resamples: int) -> Iterator[Tally]:
    """Draw files: how often each row stands in each, (some, N), till there are enough of them."""
    dice = np.random.default_rng(seed)
    step = max(1, MOST_CELLS // num_rows)
    for start in range(0, resamples, step):
        num_files = min(step, resamples - start)
        rows = dice.integers(num_rows, size=(num_files, num_rows)) + np.arange(num_files)[:, None] * num_rows
        counts = np.bincount(rows.ravel(), minlength=num_files * num_rows)
        yield counts.reshape(num_files, num_rows).astype(np.float64)


def _swapped(
    both: Mapping[str, tuple[Tally, Tally]], pools: Mapping[str, Pool], num_rows: int, seed: int, resamples: int
) -> dict[str, float]:
    """Give the share of swappings with as large a difference, the one that was observed among them."""
    dice = np.random.default_rng(seed)
    as_large = dict.fromkeys(both, 1)
    step = max(1, MOST_CELLS // num_rows)
    for start in range(0, resamples, step):
        swaps = dice.integers(2, size=(min(step, resamples - start), num_rows)).astype(np.float64)
        for name, (one, other) in both.items():
            sums = one.sum(axis=0) + swaps @ (other - one)
            rest = one.sum(axis=0) + other.sum(axis=0) - sums
            found = np.abs(pools[name](rest) - pools[name](sums))
            # What cannot be computed counts against a difference, and so does what is equal but for rounding.
            as_large[name] += int((~(found < abs(_gap((one, other), pools[name])) - ROUNDING)).sum())
    return {name: number / (1 + resamples) for name, number in as_large.items()}


def _bounds(scores: Tally, level: float) -> tuple[float, float]:
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return float("nan"), float("nan")
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
