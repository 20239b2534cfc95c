"""
What lies ahead: steps, tokens, time, and room on the disk.

In: a recipe, the lengths of its rows, what one step took. Out: an Ahead, of 10,000 rows and 3 epochs:

    Ahead(steps=939, tokens_a_step=12_400, evaluations=5, checkpoint_bytes=0.4 GB, seconds=(1_900, 2_600), …)

Time is a range: its lower end counts every batch by its tokens, its upper end takes each for the largest one.
"""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.errors import ModelError
from hanpuri.training.preflight.memory import Memory, optimizer_bytes, sketch_model, tell_bytes, weight_bytes
from hanpuri.training.preflight.probe import Probe
from hanpuri.training.recipe import TrainRecipe

# A forward pass is about a third of a forward and a backward pass.
FORWARD = 1 / 3
# An answer is rarely longer than half of what it may be.
USUAL_ANSWER = 0.25


@dataclass(frozen=True)
class Ahead:
    """What a training will do and take."""

    steps: int
    epochs: float
    tokens_a_step: int
    """Of all devices, on average, padding left out."""
    tokens: int
    """In all; a row counts once an epoch."""
    evaluations: int
    checkpoint_bytes: int
    disk_bytes: int
    """Of the checkpoints that are kept, the one that is written, and the result."""
    free_bytes: int
    seconds: tuple[float, float] | None
    """Least and most; None without a probe."""


def count_steps(recipe: TrainRecipe, rows: int, processes: int) -> int:
    """
    Count optimizer steps as the trainer does.

        >>> from hanpuri.training.recipe import SftRecipe
        >>> training = {"epochs": 2, "learning_rate": 1e-4, "batch_size": 4, "accumulation": 2}
        >>> recipe = {"kind": "sft", "name": "a", "model": {"path": "m"}, "data": {"path": "d"}, "training": training}
        >>> count_steps(SftRecipe.model_validate(recipe), rows=101, processes=1)  # 26 batches, 13 steps an epoch
        26
    """
    settings = recipe.training
    if settings.steps:
        return settings.steps
    return max(1, math.ceil((settings.epochs or 1) * steps_an_epoch(recipe, rows, processes)))


def steps_an_epoch(recipe: TrainRecipe, rows: int, processes: int) -> int:
    """Count the steps of one pass; the last one of it may be smaller."""
    batches = math.ceil(rows / (recipe.training.batch_size * processes))
    return max(1, math.ceil(batches / recipe.training.accumulation))


def look_ahead(
    recipe: TrainRecipe,
    figures: Any,
    memory: Memory,
    probe: Probe | None,
    *,
    processes: int,
    num_validation: int,
    folder: Path,
    steps: int | None = None,
    texts: int = 1,
) -> Ahead:
    """
    Put together what lies ahead.

    Args:
        recipe: decides how long and how often.
        figures: of the rows to train on.
        memory: the estimate; checkpoints hold weights that learn and the optimizer's states.
        probe: what a step took; None gives no time.
        processes: how many share a batch.
        num_validation: rows to watch by.
        folder: the run's.
        steps: in all, where the recipe alone does not tell.
        texts: that make one row to train on: two of a pair.
    """
    steps = steps or count_steps(recipe, figures.rows // texts, processes)
    an_epoch = steps_an_epoch(recipe, figures.rows // texts, processes)
    epochs = steps / an_epoch
    evaluates = bool(num_validation)
    evaluations = evaluates * (math.ceil(steps / recipe.watch.evaluate_every) + bool(recipe.watch.generation))
    learns = memory.adapter or memory.weights
    checkpoint = learns + memory.optimizer + memory.paged
    seconds = _seconds(recipe, figures, probe, steps, evaluations, num_validation) if probe and probe.fits else None
    return Ahead(
        steps=steps,
        epochs=round(epochs, 3),
        tokens_a_step=figures.tokens // an_epoch,
        tokens=int(figures.tokens * epochs),
        evaluations=evaluations,
        checkpoint_bytes=checkpoint,
        disk_bytes=_kept(recipe, steps) * checkpoint + learns,
        free_bytes=_free(folder),
        seconds=seconds,
    )


def _seconds(
    recipe: TrainRecipe, figures: Any, probe: Probe, steps: int, evaluations: int, num_validation: int
) -> tuple[float, float]:
    training, watch = recipe.training, recipe.watch
    mean = figures.tokens / max(1, figures.rows) / max(1, figures.longest)
    least = steps * (training.accumulation * probe.batch_seconds * mean + probe.step_seconds)
    most = steps * (training.accumulation * probe.batch_seconds + probe.step_seconds)
    batches = math.ceil(num_validation / training.batch_size)
    least += evaluations * batches * probe.batch_seconds * FORWARD * mean
    most += evaluations * batches * probe.batch_seconds * FORWARD
    if watch.generation:
        answers = math.ceil(min(num_validation, watch.generation.rows) / watch.generation.batch_size)
        writing = evaluations * answers * watch.generation.max_new_tokens * probe.token_seconds
        least, most = least + USUAL_ANSWER * writing, most + writing
    return round(least, 1), round(most, 1)


def check_disk(recipe: TrainRecipe, ahead: Ahead, folder: Path) -> None:
    """
    Refuse a disk on which the checkpoints have no room.

    Raises:
        ModelError: if they have none; it says which setting needs less.
    """
    _need_room(recipe, ahead.checkpoint_bytes, ahead.disk_bytes, folder)


def check_disk_early(recipe: TrainRecipe, config: Any, folder: Path, device: str) -> None:
    """
    The same before rows are read or weights loaded: by the configuration, for the least that the run will write.

    Raises:
        ModelError: if the disk does not take it.
        RecipeError: if the adapter's modules are not in the model.
    """
    model = sketch_model(recipe, config, device)
    learning = (one for one in model.parameters() if one.requires_grad)
    learns = sum(one.numel() * one.element_size() for one in learning) if recipe.adapter else weight_bytes(model)
    states, paged, _ = optimizer_bytes(model, recipe.training.optimizer, on_gpu=device.startswith("cuda"))
    checkpoint = learns + states + paged
    _need_room(recipe, checkpoint, _kept(recipe, recipe.training.steps or 1) * checkpoint + learns, folder)


def _kept(recipe: TrainRecipe, steps: int) -> int:
    """Count the checkpoints that lie on the disk at a time: newest, best, one written before another goes."""
    every = recipe.watch.save_every or recipe.watch.evaluate_every
    return min(recipe.watch.keep + 2, 1 + math.ceil(steps / every))


def _need_room(recipe: TrainRecipe, checkpoint: int, needed: int, folder: Path) -> None:
    there = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
    free = _free(folder)
    if needed <= free + there:
        return
    mends = ["make room"]
    if recipe.watch.keep > 1:
        mends.append("watch.keep=1")
    if recipe.adapter is None:
        mends.append("train an adapter, which is small")
    raise ModelError(
        f"{folder}: the checkpoints and the result take {tell_bytes(needed)}"
        f" ({tell_bytes(checkpoint)} each), and the disk has {tell_bytes(free)} left",
        ", or ".join(mends),
    )


def _free(folder: Path) -> int:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
