"""
How much each further answer gains: the score of the best of k answers, for k from 1 to n.

In: `Sampled` rows of n answers each. Out: `Gains`, of which one line for each k:

    Gain(k=4, best=Interval(0.71, 0.69, 0.73), reached=Interval(0.12, 0.08, 0.17), num_tokens=96.0)

The best of k is what one may expect of k answers drawn from the n without putting any back, which is unbiased; so is
the share of questions with an answer at or above the threshold (pass@k of Chen et al. 2021). Intervals are those of the
bootstrap over questions. All are means over questions, not over characters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from hanpuri.evaluation.metrics.tallies import Tally, ratio
from hanpuri.evaluation.significance import Interval, intervals
from hanpuri.preferences.pairs import normal
from hanpuri.preferences.sampling.drawing import Sampled


@dataclass(frozen=True)
class Gain:
    """What the best of k answers is worth."""

    k: int
    best: Interval
    """The expected score of the best."""
    reached: Interval | None
    """The share of questions with an answer at or above the threshold; None without one."""
    num_tokens: float
    """What k answers to a question cost, on average."""


@dataclass(frozen=True)
class Gains:
    """What further answers gained on the rows of a file."""

    by_k: tuple[Gain, ...]
    threshold: float | None
    greedy: Interval | None
    """The score of the likeliest answer; None if it was not asked for."""
    num_rows: int
    """Rows in these figures."""
    num_unscored: int
    """Rows that are not: an answer to them never came, or has no score."""
    num_alike: int
    """Rows whose answers are all the same text: there the temperature is too low to gain anything."""
    num_cut: int
    """Answers that the model did not bring to an end."""
    num_empty: int
    num_failed: int
    num_tokens: int
    """Of all answers, the greedy ones not counted."""

    @property
    def is_hot(self) -> bool:
        """Whether one drawn answer is surely worse than the likeliest: the temperature costs more than need be."""
        return bool(self.by_k) and self.greedy is not None and self.by_k[0].best.high < self.greedy.low

    def as_dict(self) -> dict[str, object]:
        """Give them for JSON."""
        shown = {name: value for name, value in vars(self).items() if name not in ("by_k", "greedy")}
        return {**shown, "greedy": _told(self.greedy), "best_of": [_gain(one) for one in self.by_k]}


def gains_of(sampled: Sequence[Sampled], *, threshold: float | None = None, seed: int = 0) -> Gains:
    """
    Reckon what each further answer gains.

        >>> from hanpuri.engines.base import Answer
        >>> from hanpuri.evaluation.rows import EvalRow
        >>> row = EvalRow("7", "a.jsonl:7", {"noisy": "쨰밌"}, "쨰밌", "재밌", {})
        >>> one = Sampled(row, (Answer("째밌", 2, True), Answer("재밌", 2, True)), (0.5, 1.0))
        >>> [gain.best.value for gain in gains_of([one]).by_k]
        [0.75, 1.0]

    Args:
        sampled: rows with as many answers each.
        threshold: the score from which on an answer is good enough.
        seed: of the intervals.

    Raises:
        ValueError: if there is no row, or rows have different numbers of answers.
    """
    counts = {len(one.answers) for one in sampled}
    if len(counts) != 1:
        raise ValueError(f"found rows with {sorted(counts)} answers, expected rows with as many each")
    (count,) = counts
    scored = [one for one in sampled if not any(map(math.isnan, one.scores))]
    answers = [answer for one in sampled for answer in one.answers]
    return Gains(
        by_k=_by_k(scored, count, threshold, seed),
        threshold=threshold,
        greedy=_greedy(scored, seed),
        num_rows=len(scored),
        num_unscored=len(sampled) - len(scored),
        num_alike=sum(len({normal(answer.text) for answer in one.answers}) == 1 for one in scored) if count > 1 else 0,
        num_cut=sum(not answer.finished and not answer.failure for answer in answers),
        num_empty=sum(not answer.text.strip() and not answer.failure for answer in answers),
        num_failed=sum(bool(answer.failure) for answer in answers),
        num_tokens=sum(answer.num_tokens for answer in answers),
    )


def expected_best(scores: Sequence[float], k: int) -> float:
    """
    Give the score that the best of k answers may be expected to have, of n that were drawn.

        >>> expected_best([0.0, 1.0, 1.0, 1.0], 1), expected_best([0.0, 1.0, 1.0, 1.0], 2)
        (0.75, 1.0)

    Raises:
        ValueError: if k is not from 1 to the number of scores.
    """
    num = len(scores)
    if not 1 <= k <= num:
        raise ValueError(f"k is {k}, expected 1 to {num}")
    # The score at a place is the best of those k that take it and k - 1 of the places below.
    chances = [comb(place, k - 1) for place in range(num)]
    return math.fsum(chance * score for chance, score in zip(chances, sorted(scores), strict=True)) / comb(num, k)


def expected_reached(scores: Sequence[float], k: int, threshold: float) -> float:
    """
    Give how likely one of k answers reaches the threshold, of n that were drawn.

        >>> round(expected_reached([0.0, 0.5, 1.0, 1.0], 2, 1.0), 4)
        0.8333
    """
    return expected_best([float(score >= threshold) for score in scores], k)


def _by_k(scored: Sequence[Sampled], count: int, threshold: float | None, seed: int) -> tuple[Gain, ...]:
    if not scored:
        return ()
    tallies = {f"best {k}": _means([expected_best(one.scores, k) for one in scored]) for k in range(1, count + 1)}
    if threshold is not None:
        reached = {k: [expected_reached(one.scores, k, threshold) for one in scored] for k in range(1, count + 1)}
        tallies |= {f"reached {k}": _means(values) for k, values in reached.items()}
    found = intervals(tallies, dict.fromkeys(tallies, ratio), seed=seed)
    tokens = sum(answer.num_tokens for one in scored for answer in one.answers) / (len(scored) * count)
    return tuple(Gain(k, found[f"best {k}"], found.get(f"reached {k}"), k * tokens) for k in range(1, count + 1))


def _greedy(scored: Sequence[Sampled], seed: int) -> Interval | None:
    values = [one.greedy_score for one in scored if one.greedy is not None and not math.isnan(one.greedy_score)]
    if not values:
        return None
    return intervals({"greedy": _means(values)}, {"greedy": ratio}, seed=seed)["greedy"]


def _means(values: Sequence[float]) -> Tally:
    return np.array([[value, 1.0] for value in values])


def _gain(one: Gain) -> dict[str, object]:
    return {"k": one.k, "score": _told(one.best), "reached": _told(one.reached), "num_tokens": one.num_tokens}


def _told(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {name: round(value, 5) for name, value in vars(found).items()}
