"""
Networks that have learnt ─► what a smaller one is to learn from them: how likely they hold each label.

In:  folders of finished runs, features (B, T, 6).   Out: probabilities (B, T, labels), the mean over the teachers.

A label says which syllable stood there; a teacher says too which others could have. Of a corpus that is read many times
over, that is what a student cannot learn by heart (Hinton et al., "Distilling the knowledge in a neural network", arXiv
1503.02531). Needs torch.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanpuri.compact.learning.loss import pad_head
from hanpuri.compact.learning.noising import NOT_LEARNT
from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.compact.weights import load_network
from hanpuri.errors import RecipeError


class Teachers:
    """One or more trained networks with one vocabulary; their weights stay as they are."""

    def __init__(self, networks: Sequence[RestorerNetwork], vocabulary: Vocabulary) -> None:
        self.networks, self.vocabulary = list(networks), vocabulary

    @classmethod
    def load(cls, folders: Sequence[Path], device: torch.device) -> "Teachers":
        """
        Read the weights of runs.

        Raises:
            RecipeError: if the runs have different vocabularies.
        """
        networks, vocabularies = zip(*map(load_network, folders), strict=True)
        for folder, vocabulary in zip(folders, vocabularies, strict=True):
            if vocabulary != vocabularies[0]:
                raise RecipeError(
                    f"{folder} and {folders[0]} label with different syllables", "teach with runs of one vocabulary"
                )
        return cls([network.to(device) for network in networks], vocabularies[0])

    def compile_parts(self) -> None:
        """Compile what repeats."""
        for network in self.networks:
            for block in network.blocks:
                block.compile(dynamic=False)

    @torch.no_grad()
    def probabilities(self, features: Tensor) -> Tensor:
        """(B, T, 6) ─► (B, T, labels, padded as the loss wants them)."""
        parts = [_softmax(network.encode(features), network.head) for network in self.networks]
        return torch.stack(parts).mean(0)


def _softmax(hidden: Tensor, head: nn.Linear) -> Tensor:
    weight, bias = pad_head(hidden, head.weight, head.bias)
    return F.linear(hidden, weight, bias).float().softmax(-1).to(hidden.dtype)


def taught_loss(hidden: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, taught: Tensor, share: float) -> Tensor:
    """
    Cross-entropy with labels that are mixed with what teachers hold likely.

    Args:
        hidden: what the student's blocks made, (B, T, width).
        weight, bias: the student's last layer.
        labels: (B, T), −100 where nothing is learnt.
        taught: the teachers' probabilities, (B, T, padded labels).
        share: how much of the target is theirs.
    """
    weight, bias = pad_head(hidden, weight, bias)
    scores = F.linear(hidden, weight, bias).flatten(0, 1).float()
    labels = labels.flatten()
    learnt = labels != NOT_LEARNT
    right = scores.gather(1, labels.clamp(min=0)[:, None])[:, 0]
    taught = taught.flatten(0, 1).float()
    held = (taught * scores).sum(-1) / taught.sum(-1)  # in 16 bits they do not add up to one
    losses = scores.logsumexp(-1) - (1 - share) * right - share * held
    return torch.where(learnt, losses, 0.0).sum() / learnt.sum()
