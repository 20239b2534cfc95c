"""
What a run knows of itself, and what follows from it: the best step, when to stop, whether it overfits.

In: the evaluations so far. Out: a step or a finding. Saved with each checkpoint, so a run that goes on knows as much as
one that never stopped:

    {"evaluations": [{"step": 200, "epoch": 0.5, "scores": {"loss": 1.31, "char_accuracy": 0.82}}, …],
     "tokens": 812340, "seconds": 1820.4, "finished": false, "stopped_early": null}
"""

import json
import math
import sys
from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hanpuri.runs import write_json

FILE = "progress.json"
# A rise may be chance; two in a row are said aloud.
RISES = 2


@dataclass(frozen=True)
class Evaluation:
    """One look at the validation rows."""

    step: int
    epoch: float
    scores: dict[str, float]
    """`loss`, `token_accuracy`, and what the scorers gave."""


@dataclass
class Progress:
    """Where a run stands; grows while it goes on."""

    evaluations: list[Evaluation] = field(default_factory=list)
    """In order, without the one before the first step."""
    start: dict[str, float] = field(default_factory=dict)
    """The scores before the first step; empty where nobody looked."""
    tokens: int = 0
    """Tokens learnt from so far, padding left out."""
    seconds: float = 0.0
    """Summed over all starts."""
    peak_memory_bytes: int = 0
    """The most of any start, and of the process that took the most: on its GPU if there is one, else in all."""
    processes: int = 1
    """That train together; a step takes the rows of all of them."""
    finished: bool = False
    stopped_early: str | None = None
    """Why it ended before its last step."""

    def save(self, folder: Path) -> None:
        """Write it into a checkpoint's folder."""
        write_json(folder / FILE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> "Progress":
        """Read what `save` wrote."""
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return cls(**{**kept, "evaluations": [Evaluation(**one) for one in kept["evaluations"]]})


def gain(score: float, best: float, by: str) -> float:
    """
    Say by how much a score is better than another: a loss is better when lower, all else when higher.

    What is no number is never better, and anything is better than it.

        >>> gain(1.5, 2.0, "loss"), gain(0.25, 0.5, "char_accuracy"), gain(9.0, math.nan, "loss")
        (0.5, -0.25, inf)
    """
    if math.isnan(score):
        return -math.inf
    if math.isnan(best):
        return math.inf
    return best - score if by in ("loss", "bits_per_byte") else score - best


def find_best(evaluations: Sequence[Evaluation], by: str, among: Container[int] | None = None) -> Evaluation | None:
    """
    Give the best evaluation; of two equal ones that with the lower loss, and then the earlier.

    Answers are few, and scores such as exact_match begin with one 0 after the other.

    Args:
        evaluations: in order.
        by: the score to choose by.
        among: only these steps, such as those that have a checkpoint.
    """
    best: Evaluation | None = None
    for one in evaluations:
        if (among is None or one.step in among) and (best is None or _is_better(one, best, by)):
            best = one
    return best


def _is_better(one: Evaluation, best: Evaluation, by: str) -> bool:
    gained = gain(one.scores[by], best.scores[by], by)
    if gained or "loss" not in one.scores or "loss" not in best.scores:
        return gained > 0
    return gain(one.scores["loss"], best.scores["loss"], "loss") > 0


def without_gain(evaluations: Sequence[Evaluation], by: str, min_gain: float) -> int:
    """
    Count the evaluations at the end that brought no gain of more than `min_gain` over the best before them.

        >>> told = [Evaluation(step, 0.0, {"loss": loss}) for step, loss in enumerate([3.0, 2.0, 1.95, 2.5])]
        >>> without_gain(told, "loss", 0.1), without_gain(told, "loss", 0.0)
        (2, 1)
    """
    best, waited = math.nan, 0
    for one in evaluations:
        if gain(one.scores[by], best, by) > min_gain:
            best, waited = one.scores[by], 0
        else:
            waited += 1
    return waited


def find_rise(evaluations: Sequence[Evaluation]) -> tuple[Evaluation, int] | None:
    """
    Tell where the loss began to rise up to the end, and how many times it rose; None if it did not rise twice or more.

        >>> told = [Evaluation(step, step / 10, {"loss": loss}) for step, loss in enumerate([3.0, 2.0, 2.1, 2.2])]
        >>> find_rise(told)[0].epoch, find_rise(told)[1]
        (0.1, 2)
    """
    losses = [one.scores.get("loss", math.nan) for one in evaluations]
    start = len(losses) - 1
    while start > 0 and losses[start] > losses[start - 1]:
        start -= 1
    rises = len(losses) - 1 - start
    return (evaluations[start], rises) if rises >= RISES else None


def peak_memory(device_type: str) -> int:
    """Give the most bytes that this process has taken so far: on its GPU if it has one, else in all."""
    if device_type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
