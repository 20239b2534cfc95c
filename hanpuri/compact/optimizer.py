"""
The optimisers of the restorer: Muon for the matrices of the blocks, AdamW for embeddings, head and biases.

Muon (Keller Jordan, 2024; scaled as in Moonlight, arXiv 2502.16982, so that one learning rate serves both) learns more
from each step than AdamW alone does here; `LOG.md` has the comparison. Needs torch.
"""

from typing import Any

import torch
from torch import nn

from hanpuri.compact.settings import TrainingSettings

MAX_GRADIENT_NORM = 1.0
# The rate ends at this share of its peak.
FINAL_RATE = 0.01


class Optimizers:
    """One or two optimisers that step together, and their learning rate."""

    def __init__(self, network: nn.Module, settings: TrainingSettings) -> None:
        self.settings = settings
        self.parameters = list(network.parameters())
        muon, decayed, free = [], [], []
        for name, parameter in network.named_parameters():
            if parameter.dim() < 2:
                free.append(parameter)
            elif settings.optimizer == "muon" and name.startswith("blocks."):
                muon.append(parameter)
            else:
                decayed.append(parameter)
        groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": free, "weight_decay": 0.0}]
        rate = settings.learning_rate
        fused = self.parameters[0].device.type == "cuda"
        self.optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, rate, betas=(0.9, 0.98), fused=fused)]
        if muon:
            self.optimizers.append(
                torch.optim.Muon(muon, rate, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw")
            )

    def learning_rate(self, step: int) -> float:
        """Rise in a line over the warm-up, then fall in a line to 1 % of the peak."""
        warmup, steps = self.settings.warmup_steps, self.settings.steps
        rising = min(1.0, (step + 1) / max(1, warmup))
        falling = (steps - step) / max(1, steps - warmup)
        return self.settings.learning_rate * max(FINAL_RATE, min(rising, falling))

    def step(self, step: int) -> None:
        """Clip the gradients, move the weights, forget the gradients."""
        nn.utils.clip_grad_norm_(self.parameters, MAX_GRADIENT_NORM)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate(step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """The state of each optimiser."""
        return [optimizer.state_dict() for optimizer in self.optimizers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go back to what `state_dict` gave."""
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)
