"""
A loss or a gradient that is no number ends a run, before a weight is spoilt by it.

In: losses as tensors, the length of a gradient. Out: nothing, or a ModelError that says where and at what rate.
"""

from pathlib import Path
from typing import Any

from hanpuri.errors import ModelError
from hanpuri.training.loop import checkpoints

MEND = "lower training.learning_rate, warm up longer (training.warmup), or compute in bf16 or fp32"


class Losses:
    """
    Losses that wait to be looked at.

    To look at each at once would have a GPU wait for the next batch: those of a step are looked at together, before its
    gradients are used.
    """

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def keep(self, loss: Any) -> None:
        """Keep one for later."""
        self.waiting.append(loss.detach())

    def check(self, step: int, rate: float, folder: Path) -> None:
        """Look at all that wait; see `need_number`."""
        waiting, self.waiting = self.waiting, []
        for loss in waiting:
            need_number(float(loss), "loss", step, rate, folder)


def need_number(value: float, name: str, step: int, rate: float, folder: Path) -> None:
    """
    Refuse nan and infinity.

    Args:
        value: what was found.
        name: what it is called.
        step: the step that was about to be done.
        rate: its learning rate.
        folder: where checkpoints are.

    Raises:
        ModelError: if it is no number.
    """
    if value - value != 0:  # nan and both infinities
        whole = checkpoints.list_checkpoints(folder)
        kept = f"; step {max(whole)} is kept" if whole else ""
        found = f"found a {name} of {value} at a learning rate of {rate:.3g}, expected a number{kept}"
        raise ModelError(f"step {step}: {found}", MEND)
