"""
Features (B, T, 6) ─► one vector an item: the sum of six rows of a table (B, T, width).

The gradient of such a table is usually gathered by sorting its row numbers, a millisecond a step on a GPU. There it is
taken as one product with a matrix of ones and noughts that says which item read which row, 0.2 ms. Needs torch.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Gather = Callable[[Tensor, Tensor, torch.dtype], Tensor]
# A multiple of so many rows gives a product that is laid out as the GPU likes it.
ROWS = 64


class SummedEmbedding(nn.Embedding):
    """A table of which an item reads several rows, never one of them twice."""

    # Apart, so that it can be compiled: else the six rows of every item are written out before they are added.
    gather: Gather

    def __init__(self, num_rows: int, width: int) -> None:
        super().__init__(num_rows, width)
        self.gather = gather_sum

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, 6) ─► (B, T, width), in the precision of the autocast that is on."""
        device = features.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.weight.dtype
        if not torch.is_grad_enabled():
            return gather_sum(self.weight, features, dtype)
        if not features.is_cuda:
            return self.gather(self.weight, features, dtype)
        summed: Tensor = SumByProduct.apply(self.weight, features, dtype, self.gather)  # type: ignore[no-untyped-call]
        return summed


def gather_sum(table: Tensor, features: Tensor, dtype: torch.dtype) -> Tensor:
    """Add the rows of each item."""
    return F.embedding(features, table).sum(2).to(dtype)


class SumByProduct(torch.autograd.Function):
    """`gather_sum`, with the gradient of the table as one product."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, features: Tensor, dtype: torch.dtype, gather: Gather) -> Tensor:
        """Add the rows of each item."""
        ctx.save_for_backward(features)
        ctx.num_rows = len(table)
        return gather(table, features, dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """(B, T, width) ─► (number of rows, width)."""
        (features,) = ctx.saved_tensors
        items, gradient = features.flatten(0, 1), gradients[0].flatten(0, 1)
        padded = ctx.num_rows + -ctx.num_rows % ROWS
        reads = torch.zeros(len(items), padded, dtype=gradient.dtype, device=items.device).scatter_(1, items, 1.0)
        return (reads.T @ gradient)[: ctx.num_rows].float(), None, None, None
