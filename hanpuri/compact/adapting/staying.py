"""
A training that stays near the network it began from, without having the texts that this one was trained on.

In:  what `Trainer` takes.   Out: the same, with a loss of two parts at every step.

To learn one trade's words costs what is known of all others: `small`, after 300,000 characters of hotel reviews,
read encyclopaedia prose at 0.936 where it had read it at 0.971; so held, at 0.965. The old texts are not there to be
mixed in. But the old network is: asked what it makes of syllables drawn at random, it tells what it knows of letters,
of noise and of syllables that the new texts never hold, and the new network is to give the same answers (a
Kullback-Leibler divergence). `LOG.md` has the figures. Needs torch.
"""

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hanpuri.compact.learning.loss import pad_head
from hanpuri.compact.learning.trainer import Beginning, Trainer
from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.settings import CompactRecipe
from hanpuri.runs import Run

# Windows of random syllables, for each window of text.
STRANGE_SHARE = 0.25
# Of the random syllables have a space before them: about as many as in prose.
SPACED = 0.3


class StayingTrainer(Trainer):
    """A `Trainer` that has to begin from a network, and is pulled back to its answers with the weight `pull`."""

    def __init__(
        self, recipe: CompactRecipe, run: Run, device: torch.device, *, begin_from: Beginning, pull: float, **more: Any
    ) -> None:
        # Before all else, as a GPU records the first step when the trainer is made.
        self.pull = pull
        self.old = copy.deepcopy(begin_from[0]).to(device).requires_grad_(False)
        vocabulary = begin_from[1]
        self.strange = torch.from_numpy(vocabulary.symbols(vocabulary.point_of_label[1:])).to(device)
        super().__init__(recipe, run, device, begin_from=begin_from, **more)

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Learn from the texts, and answer random syllables as the old network does."""
        loss = super().loss(features, labels)
        if not self.pull:
            return loss
        num_rows, length = labels.shape
        strange, _ = self.noiser(*self.draw_strange(max(1, round(num_rows * STRANGE_SHARE)), length))
        return loss + self.pull * divergence(answer(self.network, strange), answer(self.old, strange))

    def draw_strange(self, num_rows: int, length: int) -> tuple[Tensor, Tensor]:
        """Draw windows of random syllables, and where spaces stand, (B, T) each."""
        shape = num_rows, length
        numbers = torch.randint(len(self.strange), shape, device=self.device)
        return self.strange[numbers], torch.rand(shape, device=self.device) < SPACED


def answer(network: RestorerNetwork, features: Tensor) -> Tensor:
    """Score the labels, and some more that are never likely: (B, T, 6) ─► (B, T, labels)."""
    hidden = network.encode(features)
    return F.linear(hidden, *pad_head(hidden, network.head.weight, network.head.bias))


def divergence(scores: Tensor, wanted: Tensor) -> Tensor:
    """
    Give the mean Kullback-Leibler divergence of what is answered from what is wanted, (B, T, labels) each, in nats.

    >>> divergence(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]])).item() > divergence(*torch.ones(2, 1, 1, 2))
    tensor(True)
    """
    answered, old = (part.flatten(0, 1).float().log_softmax(-1) for part in (scores, wanted))
    return F.kl_div(answered, old, log_target=True, reduction="batchmean")
