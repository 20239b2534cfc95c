"""
The optimisers of the restorer: Muon for the matrices of the blocks, AdamW for embeddings, head and biases.

In:  the gradients of a network.   Out: its weights, moved in place.

Muon (Keller Jordan, 2024; scaled as in Moonlight, arXiv 2502.16982, so that one learning rate serves both) learns more
from each step than AdamW alone does here; `LOG.md` has the comparison. This one is torch.optim.Muon, but for taking all
matrices of a shape at once: 32 matrices are else 900 kernels so small that a GPU waits for most of them, 20 ms a step.

Nothing here looks at a number on the device, not even at the rate: a GPU can record a step. Needs torch.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hanpuri.compact.settings import TrainingSettings

MAX_GRADIENT_NORM = 1.0
ADAM_BETAS = (0.9, 0.98)

# Muon's constants, those of torch.optim.Muon.
MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NUM_ITERATIONS = 5
SMALLEST_NORM = 1e-7
# What a matrix moves by is scaled to this root mean square, that of a step of AdamW.
STEP_SIZE = 0.2


class Optimizers:
    """One or two optimisers that step together, and their learning rate."""

    def __init__(self, network: nn.Module, settings: TrainingSettings) -> None:
        self.parameters = list(network.parameters())
        muon, decayed, free = [], [], []
        for name, parameter in network.named_parameters():
            if parameter.dim() < 2:
                free.append(parameter)
            elif settings.optimizer == "muon" and name.startswith("blocks."):
                muon.append(parameter)
            else:
                decayed.append(parameter)
        device = self.parameters[0].device
        self.rate = torch.zeros((), device=device)
        self.adam = _make_adam(decayed, free, self.rate, settings.weight_decay)
        self.muon = Muon(muon, self.rate, settings.weight_decay)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        self.rate.fill_(rate)

    def step(self) -> None:
        """Clip the gradients and move the weights."""
        nn.utils.clip_grad_norm_(self.parameters, MAX_GRADIENT_NORM)
        self.adam.step()
        self.muon.step()

    def forget_gradients(self) -> None:
        """Make room for the gradients of the next step."""
        for parameter in self.parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on but for weights and rate, to be copied out and copied back in place."""
        groups = enumerate(self.adam.param_groups)
        adam = {
            f"adam.{number}.{place}.{name}": value
            for number, group in groups
            for place, parameter in enumerate(group["params"])
            for name, value in self.adam.state[parameter].items()
        }
        muon = {f"muon.{number}": stack.momentum for number, stack in enumerate(self.muon.stacks)}
        return adam | muon


def _make_adam(
    decayed: Sequence[nn.Parameter], free: Sequence[nn.Parameter], rate: Tensor, weight_decay: float
) -> torch.optim.AdamW:
    """Make AdamW with its state in place, which it would else make at its first step."""
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    on_gpu = rate.is_cuda
    adam = torch.optim.AdamW(groups, rate, betas=ADAM_BETAS, fused=on_gpu, capturable=on_gpu)
    for group in adam.param_groups:
        group["lr"] = rate  # this very tensor: a copy would not hear of the next rate
    for parameter in (*decayed, *free):
        parameter.grad = torch.zeros_like(parameter)
    with warnings.catch_warnings():
        # It would rather be recorded from its first step on.
        warnings.filterwarnings("ignore", "This instance was constructed with capturable=True", UserWarning)
        adam.step()  # at a rate of nought and without gradients it moves nothing
    for state in adam.state.values():
        for value in state.values():
            value.zero_()
    adam.zero_grad(set_to_none=True)
    return adam


@dataclass(frozen=True)
class Stack:
    """
    Matrices that have one shape once the tall ones lie on their side, m ≤ n.

    Attributes:
        parameters: G matrices.
        is_tall: which of them are taken transposed.
        momentum: (G, m, n).
    """

    parameters: list[Tensor]
    is_tall: list[bool]
    momentum: Tensor


class Muon:
    """torch.optim.Muon with adjust_lr_fn="match_rms_adamw", for all matrices of a shape at once."""

    # Apart, so that it can be compiled.
    direction: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, parameters: Sequence[Tensor], rate: Tensor, weight_decay: float) -> None:
        self.rate, self.weight_decay, self.direction = rate, weight_decay, take_direction
        shapes: dict[tuple[int, int], list[Tensor]] = {}
        for parameter in parameters:
            shapes.setdefault((min(parameter.shape), max(parameter.shape)), []).append(parameter)
        self.stacks = [
            Stack(
                members,
                [len(parameter) > shape[0] for parameter in members],
                torch.zeros(len(members), *shape, device=rate.device),
            )
            for shape, members in shapes.items()
        ]

    @torch.no_grad()
    def step(self) -> None:
        """Move every matrix by the rate."""
        for stack in self.stacks:
            gradients = torch.stack(_lay_down([parameter.grad for parameter in stack.parameters], stack.is_tall))
            scale = STEP_SIZE * math.sqrt(gradients.shape[-1])
            moves = self.direction(gradients, stack.momentum).float() * (-scale * self.rate)
            torch._foreach_mul_(stack.parameters, 1 - self.rate * self.weight_decay)
            torch._foreach_add_(stack.parameters, _lay_down(list(moves), stack.is_tall))


def _lay_down(matrices: Sequence[Tensor | None], is_tall: Sequence[bool]) -> list[Tensor]:
    """Transpose those that are tall, or back again."""
    return [matrix.T if tall else matrix for matrix, tall in zip(matrices, is_tall, strict=True) if matrix is not None]


def take_direction(gradients: Tensor, momentum: Tensor) -> Tensor:
    """
    Take gradients (G, m, n) into the momentum, in place, and give the direction of the step.

    The direction is the orthogonal matrix next to the momentum, near enough: five iterations of Newton and Schulz bring
    the singular values between 0.7 and 1.2.
    """
    a, b, c = COEFFICIENTS
    momentum.lerp_(gradients, 1 - MOMENTUM)
    x = gradients.lerp(momentum, MOMENTUM).bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(NUM_ITERATIONS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
