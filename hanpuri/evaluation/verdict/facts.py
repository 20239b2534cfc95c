"""
What a verdict hangs on: scores with their intervals, differences on the same rows, the data, a learning curve.

In: numbers that were measured. Out: Facts, which `advice` reads, and the words that figures are told in:

    Interval(0.9, 0.88, 0.92)  ─►  "0.900 (0.880 to 0.920)"
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from hanpuri.evaluation.significance import Difference, Interval
from hanpuri.evaluation.verdict.recipe import Way

WAYS: tuple[Way, ...] = ("shipped", "prompted", "trained")  # the cheapest first
FAR = 4.0  # times the training rows; a curve is not followed further


@dataclass(frozen=True)
class Scored:
    """A candidate that answered."""

    label: str
    way: Way
    score: Interval
    shots: int = 0
    over_zero_shot: Difference | None = None
    """What its examples bring; None without any, or where it was not asked without them."""
    copied: float = 0.0
    """Share of its answers that are the question itself."""
    price: float | None = None
    """Of 1,000 rows."""
    seconds: float = 0.0
    num_failed: int = 0


@dataclass(frozen=True)
class DataFacts:
    """What is known of the rows before anybody is asked."""

    num_test: int
    num_train: int | None = None
    """None if no training rows were given."""
    num_leaked: int = 0
    """Test rows whose question stands among the training rows."""
    num_empty: int = 0
    """Rows without an answer, of both sides; of training rows, those that are broken otherwise, too."""
    num_same: int = 0
    """Test rows whose answer is the question itself."""
    num_contradictory: int = 0
    """Test rows whose question stands elsewhere with another answer."""
    ceiling: float | None = None
    """The score of one answer a question, the best there is; None without contradictions."""
    known_words: float | None = None
    """Share of the answers' words that their questions have; None for pairs."""
    num_answers_in_training: int = 0
    """Test rows whose answer is, word for word, that of a training row."""


@dataclass(frozen=True)
class Forecast:
    """What twice the data would bring, if the curve goes on as it ran."""

    num_rows: int
    score: Interval
    gain: Interval
    """Over the last point; above 0 is better."""
    rows_to_reach: int | None
    """Rows at which the curve meets the wanted score; None if it does not within four times the data."""


@dataclass(frozen=True)
class Curve:
    """What trained models reach by the number of their training rows."""

    points: tuple[tuple[int, Interval], ...]
    rise: Difference
    """From the first point to the last; above 0 is better."""
    last_step: Difference
    """From the last point but one to the last."""
    forecast: Forecast

    def as_dict(self) -> dict[str, object]:
        """Give it as JSON has it."""
        points = [{"train_rows": num_rows, "score": asdict(score)} for num_rows, score in self.points]
        return {**asdict(self), "points": points}


@dataclass(frozen=True)
class Facts:
    """All that the advice hangs on."""

    measure: str
    better: Literal["high", "low"]
    good_enough: float
    echo: Scored
    candidates: tuple[Scored, ...]
    """Those that answered, echo and nearest left out."""
    gains: Mapping[tuple[str, str], Difference]
    """(a, b): what b has over a on the same rows; above 0 is better. Every pair of labels, echo's too."""
    data: DataFacts
    unavailable: tuple[tuple[str, str], ...] = ()
    """(label, why) of those that did not answer."""
    curve: Curve | None = None
    nearest: Scored | None = None
    """The answers of the most similar training questions; None of pairs."""

    def place(self, score: Interval) -> Literal["reached", "missed", "open"]:
        """Say where an interval lies: beyond the wanted score, short of it, or around it."""
        low, high = (score.low, score.high) if self.better == "high" else (-score.high, -score.low)
        wanted = self.good_enough if self.better == "high" else -self.good_enough
        return "reached" if low >= wanted else "missed" if high < wanted else "open"

    def gain(self, first: Scored, second: Scored) -> Difference:
        """What the second has over the first."""
        return self.gains[first.label, second.label]

    def best(self, ways: Sequence[Way] = WAYS) -> Scored | None:
        """Give the one with the best score of some ways; None if there is none."""
        sign = 1 if self.better == "high" else -1
        found = [one for one in self.candidates if one.way in ways]
        return max(found, key=lambda one: sign * one.score.value, default=None)

    @property
    def wanted(self) -> str:
        """The wanted score, in words."""
        return f"{self.good_enough:.3f} is wanted" + (" at most" if self.better == "low" else "")


def told(score: Interval) -> str:
    """
    Write a score with its interval.

        >>> told(Interval(0.9, 0.88, 0.92))
        '0.900 (0.880 to 0.920)'
    """
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def told_gain(gain: Difference) -> str:
    """
    Write a difference with its interval and its p.

        >>> told_gain(Difference(0.05, 0.02, 0.08, 0.004, 100))
        '+0.050 (+0.020 to +0.080, p 0.004)'
    """
    p_value = f"p {gain.p_value:.3f}" if gain.p_value >= 0.001 else "p < 0.001"
    return f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}, {p_value})"


def told_price(price: float) -> str:
    """
    Write a price of 1,000 rows.

        >>> told_price(1.5), told_price(0.0042), told_price(0.0)
        ('1.50', '< 0.01', '0.00')
    """
    return "< 0.01" if 0 < price < 0.01 else f"{price:,.2f}"


def rows_needed(half_width: float, distance: float, num_rows: int) -> int | None:
    """
    Reckon how many rows bring an interval's half width below a distance: it shrinks with the root of the rows.

        >>> rows_needed(0.02, 0.01, 100), rows_needed(0.02, 0.0, 100)
        (400, None)
    """
    if distance <= 0 or half_width / distance > 100:
        return None
    exact = num_rows * (half_width / distance) ** 2
    step: int = 10 ** max(0, math.floor(math.log10(max(exact, 1))) - 1)
    return max(num_rows + 1, math.ceil(round(exact / step, 6)) * step)


def is_better(gain: Difference) -> bool:
    """Say whether a difference is above 0 and no chance."""
    return gain.value > 0 and gain.significant()
