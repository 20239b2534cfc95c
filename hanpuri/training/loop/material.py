"""
What a loop works on: the model, its tokenizer, the rows to learn and the rows to watch by.

In and out: a Material, put together by whoever starts a run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hanpuri.data.tokenizers import Tokenizer

Scorer = Callable[[Any], dict[str, float]]


@dataclass(frozen=True)
class Material:
    """The parts of one run."""

    model: Any
    """A PreTrainedModel or a PeftModel; trained in place."""
    tokenizer: Tokenizer
    train: Any
    """A Dataset, see `feeding.datasets`."""
    validation: Any = None
    """A Dataset to watch by; with None, or no row, the scorers alone are asked."""
    scorers: tuple[Scorer, ...] = ()
    """Each is given the model, in eval mode and without gradients, at every evaluation: {"char_accuracy": 0.91}."""

    trainer: Any = None
    """The class that takes the steps, see `engine`; None is that of next tokens."""

    @property
    def evaluates(self) -> bool:
        """Whether there is anything to evaluate by."""
        return bool(self.scorers) or (self.validation is not None and len(self.validation) > 0)
