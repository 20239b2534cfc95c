"""
Models trained on shares of the data ─► what twice the data would bring.

In: the number of training rows of each model, and what each test row adds to its score. Out: a Curve:

    487 rows 0.41, 1,460 rows 0.47, 4,867 rows 0.53  ─►  9,734 rows would reach 0.56 (0.55 to 0.58)

What is missing to a perfect score falls with a power of the rows (Hestness et al. 2017): a straight line where both
are logarithms. Curves flatten, so the flatter of two lines is followed: that through all points, and that through the
last two. The interval is from resampled test rows, the same ones for all points. It does not cover that a training
would come out otherwise with another seed, nor that the curve may bend; it is followed to twice the data.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hanpuri.errors import DataError
from hanpuri.evaluation.metrics.measures import Measure
from hanpuri.evaluation.metrics.tallies import Tally
from hanpuri.evaluation.significance import Difference, Interval, difference, interval
from hanpuri.evaluation.verdict.facts import FAR, Curve, Forecast
from hanpuri.runs.reading import is_number, read_run

Floats = npt.NDArray[np.float64]
RESAMPLES = 1000
PERCENT = (2.5, 97.5)
LEAST_ERROR = 1e-4  # a perfect score has no logarithm


@dataclass(frozen=True)
class TrainedPoint:
    """One model on the curve."""

    num_rows: int
    tally: Tally
    """(N, 2): of each test row, as the measure counts."""


def fit_curve(points: Sequence[TrainedPoint], measure: Measure, good_enough: float, *, seed: int = 0) -> Curve:
    """
    Lay a curve through two models or more, all scored on the same test rows.

    Raises:
        ValueError: if there are fewer than two, or two of the same number of training rows.
    """
    points = sorted(points, key=lambda point: point.num_rows)
    counts = [point.num_rows for point in points]
    if len(set(counts)) < 2 or len(set(counts)) < len(counts):
        raise ValueError(f"found models of {counts} training rows, expected two numbers or more, each once")
    tallies = [point.tally for point in points]
    rise, last_step = (gain_of(measure, tallies[first], tallies[-1], seed=seed) for first in (0, -2))
    scores = [interval(tally, seed=seed, pool=measure.pool) for tally in tallies]
    forecast = _forecast(counts, tallies, measure, good_enough, seed)
    return Curve(tuple(zip(counts, scores, strict=True)), rise, last_step, forecast)


def gain_of(measure: Measure, first: Tally, second: Tally, *, seed: int = 0) -> Difference:
    """
    Say what the second has over the first, so that above 0 is better, whichever way the measure counts.

        >>> from hanpuri.evaluation.metrics import MEASURES
        >>> wrong, right = np.tile([3.0, 4.0], (9, 1)), np.tile([1.0, 4.0], (9, 1))
        >>> gain_of(MEASURES["cer"], wrong, right).value
        0.5
    """
    one, other = (first, second) if measure.better == "high" else (second, first)
    return difference(one, other, seed=seed, pool=measure.pool)


def count_training_rows(run: Path) -> int:
    """
    Read on how many rows a finished run was trained.

    Raises:
        DataError: if it is no finished run of fine-tuning.
    """
    facts = read_run(run)
    found = facts.result.get("train_rows")
    if not facts.result.get("finished") or not is_number(found):
        raise DataError(f"{run}: found no finished fine-tuning in this folder", "leave it out, or finish it")
    return int(found)


def _forecast(
    counts: Sequence[int], tallies: Sequence[Tally], measure: Measure, good_enough: float, seed: int
) -> Forecast:
    whole = np.array([[tally.sum(axis=0) for tally in tallies]])
    errors = _errors(whole, measure)
    drawn = _errors(_resample(tallies, seed), measure)
    steepness, sampled = _steepness(counts, errors), _steepness(counts, drawn)
    later, sampled_later = _later(errors, steepness, measure), _later(drawn, sampled, measure)
    score = _interval(_score(later, measure), _score(sampled_later, measure))
    gain = _interval(errors[:, -1] - later, drawn[:, -1] - sampled_later)
    goal = 1 - good_enough if measure.better == "high" else good_enough
    reach = _rows_to_reach(counts[-1], float(errors[0, -1]), float(steepness[0]), max(goal, LEAST_ERROR))
    return Forecast(2 * counts[-1], score, gain, reach)


def _resample(tallies: Sequence[Tally], seed: int) -> Floats:
    """Sum each tally over rows drawn with replacement, the same for all: (S, points, K)."""
    stacked = np.stack(tallies)
    num_rows = stacked.shape[1]
    random = np.random.default_rng(seed)
    counts = random.multinomial(num_rows, np.full(num_rows, 1 / num_rows), size=RESAMPLES)
    summed: Floats = np.tensordot(counts.astype(np.float64), stacked, axes=([1], [1]))
    return summed


def _errors(sums: Floats, measure: Measure) -> Floats:
    """What is missing to a perfect score: (S, points)."""
    scores = measure.pool(sums)
    missing: Floats = np.maximum(1 - scores if measure.better == "high" else scores, LEAST_ERROR)
    return missing


def _score(errors: Floats, measure: Measure) -> Floats:
    return 1 - errors if measure.better == "high" else errors


def _steepness(counts: Sequence[int], errors: Floats) -> Floats:
    """Of two lines in logarithms, through all points and through the last two, the flatter one's slope: (S,)."""
    x = np.log(np.asarray(counts, dtype=np.float64))
    y = np.log(errors)
    centred = x - x.mean()
    through_all = -(y * centred).sum(axis=1) / (centred**2).sum()
    through_last = -(y[:, -1] - y[:, -2]) / (x[-1] - x[-2])
    flatter: Floats = np.minimum(through_all, through_last)
    return flatter


def _later(errors: Floats, steepness: Floats, measure: Measure) -> Floats:
    """What is missing after twice the rows; nobody can miss more than all, where there is such a limit."""
    missing: Floats = errors[:, -1] * 2.0**-steepness
    return np.minimum(missing, 1.0) if measure.better == "high" else missing


def _rows_to_reach(num_rows: int, error: float, steepness: float, goal: float) -> int | None:
    if error <= goal:
        return num_rows
    if steepness <= 0:
        return None
    exponent = math.log(error / goal) / steepness
    return round(num_rows * math.exp(exponent)) if exponent <= math.log(FAR) else None


def _interval(value: Floats, samples: Floats) -> Interval:
    low, high = np.nanpercentile(samples, PERCENT)
    return Interval(float(value[0]), float(low), float(high))
