"""
One real step on the largest batch, and nothing left of it.

In: the loaded model and a batch. Out: what it took, and a model that is bit for bit as before:

    Probe(fits=True, batch_seconds=0.41, step_seconds=0.05, tokens=4096, loss=2.31, peak=18_293_000_000)

The step is the training's own: TRL's output layer, autocast and checkpointing as the recipe says, and the optimizer
that transformers makes of it. Weights that learn are kept in main memory meanwhile and put back; random numbers are
drawn apart; the optimizer is thrown away. That memory does not suffice is a finding here, not a fault.
"""

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hanpuri.training.loading.hardware import import_bitsandbytes, resolve_precision
from hanpuri.training.recipe import TrainRecipe

# A slower first batch is not taken twice for the sake of a warm start.
PATIENCE = 20.0
# What allocators say when there is no more; on a CPU it is a plain RuntimeError.
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class Probe:
    """What a step took."""

    fits: bool
    """Whether memory sufficed; if not, all that follows is 0."""
    batch_seconds: float = 0.0
    """Of one batch, forward and backward."""
    step_seconds: float = 0.0
    """Of the optimizer alone; 0 if its step was left out for want of main memory."""
    tokens: int = 0
    """Of the batch, padding included: it is computed like the rest."""
    loss: float = 0.0
    token_seconds: float = 0.0
    """Of one forward pass for one token a row, as each new token of an answer takes."""
    peak: int | None = None
    """The most bytes that were allocated on the GPU at once; None on a CPU, which does not tell."""


def probe_step(model: Any, batch: Mapping[str, torch.Tensor], recipe: TrainRecipe, device: str) -> Probe:
    """
    Take one step and undo it.

    Args:
        model: as loaded, perhaps with an adapter.
        batch: of a Collator.
        recipe: decides the optimizer, the number formats, checkpointing.
        device: where the model is.
    """
    on_gpu = device.startswith("cuda")
    with _kept(model, device) as weights, _as_in_training(model, recipe):
        try:
            if on_gpu:
                torch.cuda.reset_peak_memory_stats(device)
            found = _take(model, {key: one.to(device) for key, one in batch.items()}, recipe, device, weights)
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            if not any(words in str(error).lower() for words in NO_MEMORY):
                raise
            found = Probe(fits=False)
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
    return found


def _take(
    model: Any, batch: Mapping[str, torch.Tensor], recipe: TrainRecipe, device: str, weights: "_Weights"
) -> Probe:
    # The optimizer's states come first: they are there at each step but the first, which is not the worst.
    step_seconds = _step_optimizer(model, recipe, device) if weights.can_be_put_back else 0.0
    autocast = _autocast(model, recipe, device)
    first, loss = _time_batch(model, batch, autocast, device)
    if first < PATIENCE:
        if recipe.training.accumulation == 1:
            model.zero_grad(set_to_none=True)
        first, loss = _time_batch(model, batch, autocast, device)
    peak = torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else None
    token = _time_token(model, batch, autocast, device)
    return Probe(True, first, step_seconds, batch["input_ids"].numel(), loss, token, peak)


def _time_batch(model: Any, batch: Mapping[str, torch.Tensor], autocast: Any, device: str) -> tuple[float, float]:
    started = _now(device)
    with autocast:
        loss = model(**batch, fused_lm_head=True).loss
    loss.backward()
    return _now(device) - started, float(loss.detach())


def _time_token(model: Any, batch: Mapping[str, torch.Tensor], autocast: Any, device: str) -> float:
    """Time what each token of an answer costs; the first pass only warms up."""
    ids = batch["input_ids"][:, :1]
    seconds = 0.0
    with torch.no_grad(), autocast:
        for _ in range(2):
            started = _now(device)
            model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
            seconds = _now(device) - started
    return seconds


def _step_optimizer(model: Any, recipe: TrainRecipe, device: str) -> float:
    """Make the optimizer and step on gradients of 0; its states stay in memory as long as the model knows it."""
    from transformers import Trainer

    from hanpuri.training.loop.arguments import make_arguments
    from hanpuri.training.loop.next_token import NextToken

    learning = [one for one in model.parameters() if one.requires_grad]
    in_fp32 = any(one.dtype == torch.float32 for one in learning)
    precision = resolve_precision(recipe.model, device)
    told = make_arguments(recipe, Path("."), NextToken, device=device, precision=precision, learns_in_fp32=in_fp32)
    kind, how = Trainer.get_optimizer_cls_and_kwargs(told, model)
    optimizer = kind(learning, **how)
    for one in learning:
        one.grad = torch.zeros_like(one)
    optimizer.step()  # the first one also makes the states
    started = _now(device)
    torch.nn.utils.clip_grad_norm_(learning, recipe.training.max_grad_norm)
    optimizer.step()
    seconds = _now(device) - started
    optimizer.zero_grad(set_to_none=True)
    model.__dict__["_probed_optimizer"] = optimizer
    return seconds


def _now(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _autocast(model: Any, recipe: TrainRecipe, device: str) -> Any:
    """Compute in 16 bits where weights learn in 32, as the loop does."""
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    precision = resolve_precision(recipe.model, device)
    in_fp32 = any(one.requires_grad and one.dtype == torch.float32 for one in model.parameters())
    if precision not in types or not in_fp32:
        return nullcontext()
    return torch.autocast(device.partition(":")[0], types[precision])


@dataclass(frozen=True)
class _Weights:
    """The weights that learn, as they were."""

    kept: dict[str, torch.Tensor] | None
    """In main memory; None if it has no room for them."""

    @property
    def can_be_put_back(self) -> bool:
        return self.kept is not None


@contextmanager
def _kept(model: Any, device: str) -> Iterator[_Weights]:
    """Hold weights and random numbers, and put both back however the step ended."""
    import psutil

    learning = {name: one for name, one in model.named_parameters() if one.requires_grad}
    size = sum(one.numel() * one.element_size() for one in learning.values())
    # Half of what is free: the step itself needs main memory too, on a CPU more than this.
    room = size < psutil.virtual_memory().available // 2
    weights = _Weights({name: one.detach().to("cpu", copy=True) for name, one in learning.items()} if room else None)
    with torch.random.fork_rng([torch.device(device)] if device.startswith("cuda") else []):
        try:
            yield weights
        finally:
            model.__dict__.pop("_probed_optimizer", None)
            model.zero_grad(set_to_none=True)
            for name, one in learning.items() if weights.kept else ():
                one.data.copy_(weights.kept[name])  # type: ignore[index]


@contextmanager
def _as_in_training(model: Any, recipe: TrainRecipe) -> Iterator[None]:
    """Lay TRL's output layer and gradient checkpointing around a model, and take both off again."""
    import_bitsandbytes()  # before TRL does, so that it stays quiet
    from trl.trainer.utils import add_fused_lm_head

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    was_training, before = model.training, base.__dict__.get("forward")
    add_fused_lm_head(base, outputs=("log_probs", "entropy", "is_top1"))
    if recipe.training.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    try:
        yield
    finally:
        model.train(was_training)
        if recipe.training.gradient_checkpointing:
            model.gradient_checkpointing_disable()
        base.__dict__.pop("forward", None)
        if before is not None:
            base.__dict__["forward"] = before
