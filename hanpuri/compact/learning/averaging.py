"""
The weights of the last thousands of steps ─► their moving average, which restores better than the last weights alone.

In:  the parameters that a training moves.   Out: one more number for each, to be shown in place of it.

At a step the average moves a share of 1 − decay towards the weights; at the start a larger one, with (1 + step) /
(10 + step) in place of the decay, since the first weights are worth nothing. `LOG.md` has what it gains. Needs torch.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class WeightAverage:
    """A moving average of parameters; with a decay of 0, the parameters themselves."""

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.parameters, self.decay = list(parameters), decay
        self.averages = [parameter.detach().clone() for parameter in self.parameters] if decay else []

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights, `step` steps after the start."""
        if self.averages:
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.averages, self.parameters, 1 - decay)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Put the averages where the parameters are, and the parameters back at the end: in place, both times."""
        if not self.averages:
            yield
            return
        kept = [parameter.detach().clone() for parameter in self.parameters]
        self._put(self.averages)
        try:
            yield
        finally:
            self._put(kept)

    @torch.no_grad()
    def _put(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)
