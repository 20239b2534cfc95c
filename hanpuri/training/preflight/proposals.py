"""
Too little memory ─► what to change, as lines to paste behind `--set`, each with what it would then take.

In: a recipe that needs more than there is. Out: those changes alone that make it fit, the one that does least harm
first:

    --set training.gradient_checkpointing=true                              17.2 GiB   a third slower, the same result
    --set training.batch_size=2 --set training.accumulation=4               21.0 GiB   the same steps, somewhat slower
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hanpuri.errors import ModelError
from hanpuri.training.preflight.memory import Devices, Memory, estimate_memory, tell_bytes
from hanpuri.training.recipe import (
    AdapterSettings,
    DpoRecipe,
    PretrainRecipe,
    ReinforcementRecipe,
    SftRecipe,
    TrainRecipe,
)

Changes = Mapping[str, Any]
# More of them would only confuse.
MOST = 4
# A change that saves less is none.
WORTH = 0.97
CHECKPOINTING: Changes = {"training.gradient_checkpointing": True}
SMALL_STATES: Changes = {"training.optimizer": "paged_adamw_8bit"}
QLORA: Changes = {"model.quantization": {"type": "nf4"}}


@dataclass(frozen=True)
class Proposal:
    """One way to need less."""

    sets: tuple[str, ...]
    """As `--set` takes them."""
    cost: str
    """What is paid for it."""
    total: int
    """Bytes that it would take."""

    def __str__(self) -> str:
        sets = " ".join(f"--set {one}" for one in self.sets)
        return f"{sets} ({tell_bytes(self.total)}: {self.cost})"


def propose(
    recipe: TrainRecipe,
    config: Any,
    batch: Any,
    memory: Memory,
    *,
    device: str,
    lengths: Any = (),
    devices: Devices | None = None,
) -> tuple[list[Proposal], int]:
    """
    Find changes with which a training fits.

    Args:
        recipe: as it is.
        config: the model's.
        batch: the largest, a `rehearsal.Batch`.
        memory: what it takes now, and what there is.
        device: "cuda" or "cpu".
        lengths: of the rows, to say how many a smaller max_length would leave out.
        devices: over what it is spread.

    Returns:
        the changes, and the least that any of them needs.
    """
    available = memory.available or 0
    found: list[Proposal] = []
    least = memory.total
    for changes, cost in _ladder(recipe, batch, device, lengths, answers_fit=memory.answering <= available):
        changed = apply_changes(recipe, changes)
        total = reckon_total(changed, config, _reshaped(recipe, batch, changes), device=device, devices=devices)
        if total <= available and total < WORTH * memory.total:
            found.append(Proposal(tuple(f"{key}={_yaml(value)}" for key, value in changes.items()), cost, total))
        least = min(least, total)
        if len(found) == MOST:
            break
    return found, least


def refuse(memory: Memory, proposals: list[Proposal], least: int, *, found: str = "") -> ModelError:
    """Put the finding and what to do about it in one line."""
    has = f", and there is room for {tell_bytes(memory.available)}" if memory.available is not None else ""
    what = found or f"the training takes about {tell_bytes(memory.total)} of memory{has}"
    if proposals:
        return ModelError(what, "change one of these: " + ", or ".join(map(str, proposals)))
    return ModelError(
        what, f"take a smaller model or a larger device: the least that it can do with is {tell_bytes(least)}"
    )


def apply_changes(recipe: TrainRecipe, changes: Changes) -> TrainRecipe:
    """Lay changes over a recipe, as `--set` does."""
    fields = recipe.model_dump()
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = fields
        for section in sections:
            place = place[section]
        place[last] = value
    return type(recipe).model_validate(fields)


def reckon_total(recipe: TrainRecipe, config: Any, batch: Any, *, device: str, devices: Devices | None) -> int:
    """Reckon from two shallow networks, since all blocks are alike: a deep one would take seconds for each change."""
    text = config.get_text_config()
    kinds = getattr(text, "layer_types", None) or [""] * text.num_hidden_layers
    period = next(size for size in range(1, len(kinds) + 1) if kinds[size:] == kinds[:-size])
    few, more = 2 * period, 4 * period
    if len(kinds) <= more:
        return estimate_memory(recipe, config, batch, device=device, devices=devices).total
    first, second = (
        estimate_memory(recipe, _shallow(config, depth), batch, device=device, devices=devices) for depth in (few, more)
    )

    def deep(one: int, two: int) -> int:
        return one + (two - one) * (len(kinds) - few) // (more - few)

    return max(deep(first.learning, second.learning), deep(first.answering, second.answering))


def _shallow(config: Any, depth: int) -> Any:
    """Give the configuration of the same network with fewer blocks."""
    shallow = copy.deepcopy(config)
    text = shallow.get_text_config()
    text.num_hidden_layers = depth
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[:depth]
    return shallow


def _ladder(
    recipe: TrainRecipe, batch: Any, device: str, lengths: Any, *, answers_fit: bool
) -> Iterator[tuple[Changes, str]]:
    """Give changes in the order of the harm that they do."""
    training, on_gpu = recipe.training, device.startswith("cuda")
    kept: dict[str, Any] = {}
    if recipe.watch.generation and not answers_fit:
        for size in _halves(recipe.watch.generation.batch_size):
            kept = {"watch.generation.batch_size": size}
            yield kept, "the same answers, fewer at once"
    if recipe.model.attention == "eager":
        kept |= {"model.attention": "sdpa"}
        yield kept, "the same result, faster"
    if not training.gradient_checkpointing:
        yield {**kept, **CHECKPOINTING}, "a third slower, the same result"
    smaller = list(_smaller_batches(recipe))
    for batches in smaller[:2]:
        yield {**kept, **batches}, "the same steps of smaller batches, somewhat slower"
    kept |= {} if training.gradient_checkpointing else CHECKPOINTING
    kept |= smaller[-1] if smaller else {}
    if smaller:
        yield kept, "the same steps of the smallest batches, slower"
    if on_gpu and "8bit" not in training.optimizer:
        kept = {**kept, **SMALL_STATES}
        yield kept, "an optimizer in 8 bits"
    if recipe.adapter is None and recipe.model.path:
        kept = {key: value for key, value in kept.items() if key != "training.optimizer"}
        kept["adapter"] = AdapterSettings().model_dump(mode="json", include={"r", "alpha", "dropout"})
        kept |= _rate_of_lora(recipe)
        yield kept, "LoRA: an adapter learns, the model stays"
    if recipe.model.path and recipe.model.quantization is None:
        kept = {**kept, **QLORA}
        yield kept, "QLoRA: the model in 4 bits"
    if shorter := _shorter(recipe, batch, lengths):
        changes, cost = shorter
        yield {**kept, **changes}, cost


def _rate_of_lora(recipe: TrainRecipe) -> Changes:
    """Give the learning rate that an adapter wants, where the recipe has one for all weights."""
    own = isinstance(recipe, PretrainRecipe | SftRecipe)
    changes: dict[str, Any] = {"training.learning_rate": 2e-4 if own else 10 * recipe.training.learning_rate}
    if isinstance(recipe, DpoRecipe) and recipe.dpo.reference:
        changes["dpo.reference"] = None  # the frozen model is there in any case
    return changes


def _halves(size: int) -> Iterator[int]:
    while size > 1:
        size //= 2
        yield size


def _smaller_batches(recipe: TrainRecipe) -> Iterator[dict[str, Any]]:
    """Halve the batch and double the accumulation, as long as it comes out even."""
    size, accumulation = recipe.training.batch_size, recipe.training.accumulation
    while size % 2 == 0:
        size, accumulation = size // 2, accumulation * 2
        yield {"training.batch_size": size, "training.accumulation": accumulation}


def _shorter(recipe: TrainRecipe, batch: Any, lengths: Any) -> tuple[Changes, str] | None:
    length = batch.length // 2
    if length < 64 or not len(lengths):
        return None
    if isinstance(recipe, PretrainRecipe):
        return {"max_length": length}, "shorter blocks: less context"
    if isinstance(recipe, ReinforcementRecipe):
        room = recipe.sampling.max_new_tokens // 2
        return ({"sampling.max_new_tokens": room}, "shorter answers: longer ones are cut off") if room else None
    over = sum(int(one) > length for one in lengths)
    if isinstance(recipe, SftRecipe) and recipe.packing:
        return {"examples.max_length": length, "examples.too_long": "drop"}, "shorter packs; longer rows are left out"
    cost = f"{over:,} of {len(lengths):,} rows are left out"
    return {"examples.max_length": length, "examples.too_long": "drop"}, cost


def _reshaped(recipe: TrainRecipe, batch: Any, changes: Changes) -> Any:
    """Give the largest batch as it would be after the changes."""
    size = recipe.training.batch_size  # of pairs there are two texts for each
    rows = max(1, batch.rows * changes.get("training.batch_size", size) // size)
    length = changes.get("max_length", changes.get("examples.max_length", batch.length))
    if isinstance(recipe, ReinforcementRecipe) and "sampling.max_new_tokens" in changes:
        length = batch.length - recipe.sampling.max_new_tokens + changes["sampling.max_new_tokens"]
    trained = max(1, batch.trained * rows * length // (batch.rows * batch.length))
    return replace(batch, rows=rows, length=length, trained=trained)


def _yaml(value: Any) -> str:
    """Write a value for a shell and a YAML reader."""
    if not isinstance(value, dict):
        return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    inner = ", ".join(f"{key}: {_yaml(one)}" for key, one in value.items())
    return f"'{{{inner}}}'"
