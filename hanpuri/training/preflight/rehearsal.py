"""
One training step without memory: the forward and backward pass on the meta device, every byte written down.

In: a model on the meta device, whose tensors have shapes and no numbers, and the shape of a batch. Out: what the step
would hold on a GPU. Of a llama of 1.2 billion parameters in bfloat16 with LoRA, 8 rows of 512 tokens:

    Rehearsal(activations=9508225028, gradients=45088768, peak=9869250560)

The model's own code runs, so that each architecture counts what it really keeps; no formula has to follow it. What a
GPU does in kernels of its own is put in by stand-ins that allocate the same tensors: attention, dropout, 4-bit weights,
and TRL's output layer, which never holds all logits at once.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AttentionInterface

ATTENTION = "hanpuri_rehearsal"
# TRL's output layer works on tiles of so many tokens and so many entries of the vocabulary.
TILE_TOKENS, TILE_ENTRIES = 4096, 32768
# Without Triton its tiles are computed in float32, with so many of them alive at once.
TILES_ON_CPU = 5


@dataclass(frozen=True)
class Batch:
    """The shape of what one device takes at once."""

    rows: int
    length: int
    """Tokens of its longest row, to which the others are padded."""
    trained: int
    """Tokens whose label is not -100, of all rows."""
    masked: bool = True
    """Whether attention needs a mask: rows of different lengths, or packs."""


@dataclass(frozen=True)
class Rehearsal:
    """What one step holds besides weights and optimizer states, in bytes."""

    activations: int
    """Kept from the forward pass for the backward pass."""
    gradients: int
    """Of all trained weights, at the end of the backward pass."""
    peak: int
    """The most of both, and of what is held in passing, at any time of the two passes."""


def rehearse(
    model: Any,
    batch: Batch,
    *,
    compute: torch.dtype | None = None,
    eager: bool = False,
    on_gpu: bool = True,
    again: bool = False,
) -> Rehearsal:
    """
    Run a forward and a backward pass on the meta device and write down what they hold.

    Args:
        model: a causal model on the meta device whose config names `ATTENTION`; perhaps with an adapter.
        batch: the shape of the batch.
        compute: what autocast computes in; None where weights and computation have one type.
        eager: whether attention writes out all scores.
        on_gpu: whether the kernels are those of a GPU.
        again: whether gradients of an earlier batch are held already, as accumulation does.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    ledger = _Ledger(tensor for tensor in (*model.parameters(), *model.buffers()))
    attention.eager, attention.masked, attention.compute = eager, batch.masked, compute
    ids = torch.zeros(batch.rows, batch.length, dtype=torch.long, device="meta")
    model.train()
    activations = 0
    with ledger:
        for _ in range(1 + again):
            before = ledger.live
            with _Kernels(compute):
                hidden = base.base_model(input_ids=ids, use_cache=False).last_hidden_state
                hidden = hidden.reshape(-1, hidden.shape[-1])
                loss = _Head.apply(hidden[: batch.trained if on_gpu else len(hidden)], _output(base), compute, on_gpu)  # type: ignore[no-untyped-call]
            activations = ledger.live - before
            del hidden
            loss.backward()
            del loss
    gradients = sum(_nbytes(one.grad) for one in model.parameters() if one.grad is not None)
    model.zero_grad(set_to_none=True)
    return Rehearsal(activations, gradients, ledger.peak)


def _nbytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _output(model: Any) -> torch.Tensor:
    weight: torch.Tensor = model.get_output_embeddings().weight
    return weight


class _Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down every storage that an operation makes, and strikes it out when nothing holds it any more."""

    def __init__(self, known: Iterator[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._seen: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        for tensor in known:
            self._seen[tensor.untyped_storage()] = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._write(tensor.untyped_storage())
        return made

    def _write(self, storage: Any) -> None:
        if storage in self._seen:
            return
        self._seen[storage] = True
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._strike, size)

    def _strike(self, size: int) -> None:
        self.live -= size


class _Kernels(TorchFunctionMode):
    """Autocast and dropout as a GPU has them; the meta device would do both otherwise."""

    def __init__(self, compute: torch.dtype | None, *, keeps: bool = True) -> None:
        super().__init__()
        self._compute, self._keeps = compute, keeps
        self._cast: dict[int, torch.Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.dropout:
            share = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
            trains = kwargs.get("training", args[2] if len(args) > 2 else True)
            return _Dropout.apply(args[0]) if trains and share else args[0]  # type: ignore[no-untyped-call]
        if self._compute and func in (torch.nn.functional.linear, torch.matmul, torch.Tensor.matmul):
            args = tuple(self._lower(one) if isinstance(one, torch.Tensor) else one for one in args)
        return func(*args, **kwargs)

    def _lower(self, tensor: torch.Tensor) -> torch.Tensor:
        if not tensor.is_floating_point() or tensor.dtype == self._compute:
            return tensor
        if not (self._keeps and tensor.is_leaf and tensor.requires_grad):
            return tensor.to(self._compute)
        if id(tensor) not in self._cast:  # autocast keeps the copy of a weight to the end of the forward pass
            self._cast[id(tensor)] = tensor.to(self._compute)
        return self._cast[id(tensor)]

    def __exit__(self, *error: Any) -> None:
        self._cast.clear()
        super().__exit__(*error)  # type: ignore[no-untyped-call]


class _Dropout(torch.autograd.Function):
    """One byte a number for what was left out."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(torch.empty_like(values, dtype=torch.bool))
        return torch.empty_like(values)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return torch.empty_like(grad)


class _Flash(torch.autograd.Function):
    """Attention that keeps its inputs, its output and one number a row and head."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        # (B, T, heads, head_dim) in memory, as the kernels write it: what follows needs no copy.
        out = torch.empty_like(query.transpose(1, 2)).transpose(1, 2)
        sums = query.new_empty(query.shape[:3], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, out, sums, *([bias] if bias is not None else []))
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, *_ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None


class _Attention:
    """Stands in for the attention that a model would call; registered once, told anew by each rehearsal."""

    eager = masked = False
    compute: torch.dtype | None = None

    def __call__(
        self,
        module: Any,
        query: Any,
        key: Any,
        value: Any,
        mask: Any,
        scaling: Any = None,
        dropout: float = 0.0,
        **told: Any,
    ) -> tuple[torch.Tensor, None]:
        if self.compute and not self.eager:
            query, key, value = (one.to(self.compute) for one in (query, key, value))
        if (self.masked or self.eager) and key.shape[1] != query.shape[1]:  # grouped heads are written out
            groups = query.shape[1] // key.shape[1]
            key, value = (one.repeat_interleave(groups, dim=1) for one in (key, value))
        if self.eager:
            return self._write_out(query, key, value, dropout), None
        rows, length = query.shape[0], query.shape[2]
        bias = query.new_empty(rows, 1, length, length) if self.masked else None
        return _Flash.apply(query, key, value, bias).transpose(1, 2), None  # type: ignore[no-untyped-call]

    def _write_out(self, query: Any, key: Any, value: Any, dropout: float) -> torch.Tensor:
        scores = torch.matmul(query, key.transpose(2, 3)) * 0.5
        scores = scores + query.new_empty(query.shape[0], 1, query.shape[2], key.shape[2])
        shares = torch.nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        shares = torch.nn.functional.dropout(shares, p=dropout, training=dropout > 0)
        return torch.matmul(shares, value).transpose(1, 2).contiguous()


attention = _Attention()


AttentionInterface.register(ATTENTION, attention)


class _Head(torch.autograd.Function):
    """TRL's output layer: a tile of logits at a time, in both passes; its gradients are summed up in float32."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, compute: torch.dtype | None, on_gpu: bool
    ) -> torch.Tensor:
        ctx.save_for_backward(hidden.clone(), weight)
        ctx.compute, ctx.on_gpu = compute or hidden.dtype, on_gpu
        _tiles(hidden, weight, ctx.compute, on_gpu)
        return hidden.new_empty((), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, weight = ctx.saved_tensors
        to_hidden = torch.empty_like(hidden, dtype=torch.float32)
        to_weight = torch.empty_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        _tiles(hidden, weight, ctx.compute, ctx.on_gpu)
        return to_hidden.to(hidden.dtype), None if to_weight is None else to_weight.to(weight.dtype), None, None


def _tiles(hidden: torch.Tensor, weight: torch.Tensor, compute: torch.dtype, on_gpu: bool) -> None:
    tokens, entries = min(len(hidden), TILE_TOKENS), TILE_ENTRIES
    held = [hidden.new_empty(tokens, entries, dtype=compute)]
    if weight.dtype != compute:
        held.append(weight.new_empty(min(len(weight), entries), weight.shape[1], dtype=compute))
    if not on_gpu:
        shape = tokens, min(len(weight), entries)
        held += [hidden.new_empty(*shape, dtype=torch.float32) for _ in range(TILES_ON_CPU)]


class FourBitLinear(torch.nn.Linear):
    """A frozen layer whose weights are held in 4 bits: each pass writes them out for as long as it needs them."""

    compute: torch.dtype = torch.bfloat16

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Multiply as bitsandbytes does: the input in the computed type, the output in the input's."""
        made: torch.Tensor = _FourBit.apply(input.to(self.compute), self.weight)  # type: ignore[no-untyped-call]
        made = made if self.bias is None else made + self.bias.to(self.compute)
        return made.to(input.dtype)


class _FourBit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.weight = weight
        return torch.nn.functional.linear(values, weight.new_empty(weight.shape, dtype=values.dtype))

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.matmul(grad, ctx.weight.new_empty(ctx.weight.shape, dtype=grad.dtype)), None


def recomputing() -> tuple[Any, Any]:
    """Give what gradient checkpointing computes in: nothing at first, the kernels when it computes again."""
    return nullcontext(), _Kernels(attention.compute, keeps=False)


@contextmanager
def on_meta(dtype: torch.dtype) -> Iterator[None]:
    """Make new modules without memory, in a type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("meta"):
            yield
    finally:
        torch.set_default_dtype(before)


def replace_linears(model: Any, make: Callable[[str, torch.nn.Linear], torch.nn.Linear | None]) -> None:
    """Put another layer in the place of each linear one for which `make` gives one."""
    for name, module in list(model.named_modules()):
        for child, layer in list(module.named_children()):
            whole = f"{name}.{child}".lstrip(".")
            if isinstance(layer, torch.nn.Linear) and (new := make(whole, layer)):
                setattr(module, child, new)
