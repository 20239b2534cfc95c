"""
What held-out pairs tell of whoever scores them: how often the better answer wins, by how much, and how sure that is.

In: the scores of the chosen and of the rejected answers, and how long both are. Out, of four pairs:

    PairScores([2.0, 1.0, 0.5, 0.0], [0.0, 0.5, 1.0, 0.0], [9, 9, 9, 9], [9, 7, 12, 9])
      ─►  accuracy 0.625, margin 0.5, loss 0.567: of a tie, half is right

By the Bradley-Terry model, which the loss is that of, the chosen answer wins with probability sigmoid(margin). Whether
this can be believed is the calibration: of the pairs for whose winner it says about 0.8, eight in ten should be right.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NUM_BINS = 10
Numbers = npt.NDArray[np.float64]
LENGTHS = ("the chosen is longer", "both are as long", "the rejected is longer")


@dataclass(frozen=True)
class Bin:
    """Pairs for whose winner about the same probability is given."""

    confidence: float
    """Its mean, from 0.5 to 1."""
    right: float
    """The share in which the winner is the chosen answer."""
    pairs: int


@dataclass(frozen=True)
class PairTexts:
    """A pair to be read."""

    name: str
    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of pairs, (N,) each."""

    chosen: Numbers
    rejected: Numbers
    chosen_lengths: Numbers
    """Of the answers: in tokens, or in characters."""
    rejected_lengths: Numbers

    def __post_init__(self) -> None:
        for name in ("chosen", "rejected", "chosen_lengths", "rejected_lengths"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def margins(self) -> Numbers:
        """What the chosen answer has more than the rejected, (N,)."""
        return self.chosen - self.rejected

    @property
    def right(self) -> Numbers:
        """1 where the chosen answer wins, a half where both have the same, else 0; (N,)."""
        return (np.sign(self.margins) + 1) / 2

    @property
    def losses(self) -> Numbers:
        """The negative logarithm of sigmoid(margin), (N,)."""
        return np.logaddexp(0, -self.margins)

    @property
    def confidences(self) -> Numbers:
        """The probability of whoever wins, from 0.5 to 1; (N,)."""
        return 1 / (1 + np.exp(-np.abs(self.margins)))

    def bins(self) -> tuple[Bin, ...]:
        """
        Sort the pairs into ten bins of as wide a confidence, from unsure to sure; empty ones are left out.

            >>> PairScores([2.0, 2.0], [0.0, 4.0], [1, 1], [1, 1]).bins()[0].right
            0.5
        """
        confidences, right = self.confidences, self.right
        places = np.minimum(((confidences - 0.5) * 2 * NUM_BINS).astype(int), NUM_BINS - 1)
        inside = [places == place for place in range(NUM_BINS)]
        return tuple(
            Bin(float(confidences[one].mean()), float(right[one].mean()), int(one.sum())) for one in inside if one.any()
        )

    def calibration_error(self) -> float:
        """Give the mean distance of confidence and share that is right over the bins, weighted by their pairs."""
        found = self.bins()
        return sum(one.pairs * abs(one.confidence - one.right) for one in found) / sum(one.pairs for one in found)

    def by_length(self) -> dict[str, tuple[int, float | None]]:
        """
        Tell apart pairs by which answer is longer: how many there are, and the accuracy among them.

            >>> PairScores([1.0, 0.0], [0.0, 1.0], [5, 5], [3, 9]).by_length()["the rejected is longer"]
            (1, 0.0)
        """
        more = np.sign(self.chosen_lengths - self.rejected_lengths)
        groups = dict(zip(LENGTHS, (more > 0, more == 0, more < 0), strict=True))
        return {
            name: (int(among.sum()), float(self.right[among].mean()) if among.any() else None)
            for name, among in groups.items()
        }

    def longer_wins(self) -> float | None:
        """Give the share of pairs of different lengths in which the longer answer wins; None if there are none."""
        more = np.sign(self.chosen_lengths - self.rejected_lengths)
        differ = more != 0
        wins = np.where(more > 0, self.right, 1 - self.right)
        return float(wins[differ].mean()) if differ.any() else None

    def longer_chosen(self) -> float | None:
        """Give the share of the same pairs in which the longer answer is the chosen one."""
        more = np.sign(self.chosen_lengths - self.rejected_lengths)
        differ = more != 0
        return float((more > 0)[differ].mean()) if differ.any() else None

    def figures(self) -> dict[str, float]:
        """Give what an evaluation is told by: loss, accuracy, margin, calibration_error, mean_reward."""
        return {
            "loss": float(self.losses.mean()),
            "accuracy": float(self.right.mean()),
            "margin": float(self.margins.mean()),
            "calibration_error": self.calibration_error(),
            "mean_reward": float((self.chosen.mean() + self.rejected.mean()) / 2),
        }

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as reward.json has it."""
        return {
            "pairs": len(self),
            **self.figures(),
            "ties": int((self.margins == 0).sum()),
            "reward_spread": float(np.concatenate([self.chosen, self.rejected]).std()),
            "bins": [{"confidence": one.confidence, "right": one.right, "pairs": one.pairs} for one in self.bins()],
            "by_length": {name: {"pairs": n, "accuracy": share} for name, (n, share) in self.by_length().items()},
            "longer_wins": self.longer_wins(),
            "longer_chosen": self.longer_chosen(),
        }
