"""
The door of the pre-flight: all that is looked at before the first step, in one call.

In: a recipe, and the model, tokenizer, template and rows that it will train with. Out: a Preflight, or one line on what
would spoil the training. In this order: the rows and their masks, the settings, the disk, memory by estimate, packs on
the real model, and at last one real step on the largest batch, of which nothing stays.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.examples import Counts
from hanpuri.data.templates import Template
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError
from hanpuri.training.feeding.datasets import Collator
from hanpuri.training.feeding.shares import SourceShare
from hanpuri.training.loading.adapters import Parameters, count_parameters
from hanpuri.training.preflight import checks, kinds, leaks
from hanpuri.training.preflight.ahead import FORWARD, Ahead, check_disk, count_steps, look_ahead
from hanpuri.training.preflight.memory import Devices, Memory, available_memory, estimate_memory
from hanpuri.training.preflight.probe import Probe, probe_step
from hanpuri.training.preflight.proposals import propose, refuse
from hanpuri.training.preflight.rehearsal import Batch
from hanpuri.training.preflight.rows import Figures, ShownRow, Table, count_common, count_rows, show_rows
from hanpuri.training.processes import is_first
from hanpuri.training.prompting import make_prompting
from hanpuri.training.recipe import (
    DpoRecipe,
    PretrainRecipe,
    ReinforcementRecipe,
    RewardRecipe,
    SftRecipe,
    TrainRecipe,
)

# An estimate for a GPU is a few hundredths off: so near to what there is, the real step decides.
DOUBT = 1.05
SMALL = 0.2  # share of the memory below which weights are loaded without a thought


@dataclass(frozen=True)
class Preflight:
    """What was found; there is one only if nothing stands against the training."""

    rows: tuple[ShownRow, ...]
    figures: Figures
    parameters: Parameters
    memory: Memory
    ahead: Ahead
    probe: Probe | None
    left_out: dict[str, int]
    """Rows that make no example, by cause; and those that were cut, as "truncated"."""
    shares: tuple[SourceShare, ...]
    """What each source of a mix has in the training."""
    paired: bool
    """Whether a row is a pair of answers; figures are then of both."""
    leak: float | None
    """Of packs: how far a row's logits are from those that it gets alone."""
    warnings: tuple[str, ...]
    marked: Literal["trained", "in answers"] = "trained"
    """What the marked tokens of the rows are: learnt one by one, or what a reward is given for."""

    def as_dict(self) -> dict[str, Any]:
        """Give all of it as preflight.json has it."""
        return {**asdict(self), "memory": self.memory.as_dict()}


def preflight(
    recipe: TrainRecipe,
    *,
    model: Any,
    tokenizer: Tokenizer,
    template: Template | ChatTemplate,
    train: Any,
    validation: Any,
    packed: bool,
    device: str,
    folder: Path,
    counts: Counts | None = None,
    shares: tuple[SourceShare, ...] = (),
    notes: Sequence[str] = (),
    steps: int | None = None,
    probe: bool = True,
    report: Callable[[str], None] = lambda line: None,
) -> Preflight:
    """
    Look at everything that a training depends on.

    Args:
        recipe: what to train.
        model: as loaded, perhaps with an adapter; it is left as it was.
        tokenizer: its tokenizer.
        template: what the rows were written with.
        train: a Dataset of rows to learn, see `feeding.datasets`; of pairs, as `feeding.pairs` gives them.
        validation: rows to watch by; None or none at all is allowed where nothing needs them.
        packed: whether rows are packs.
        device: "cuda" or "cpu".
        folder: the run's; checkpoints will be written on its disk.
        counts: what became of the raw rows, if that is known.
        shares: what each source has in the rows, if they are mixed.
        notes: what of the rows is to be said as a warning.
        steps: of the whole training, where the recipe alone does not tell.
        probe: whether to take a real step.
        report: is told what is looked at.

    Raises:
        DataError, ModelError, RecipeError: with all that stands against it, in one line.
    """
    findings = checks.Findings()
    devices = Devices.launched()
    if not len(train):
        raise DataError("there is no row to train on", "give data.path a file with rows")
    report("rows")
    table, num_validation = kinds.as_texts(train), len(validation) if validation is not None else 0
    figures = _look_at_rows(recipe, table, model, tokenizer, template, findings)
    if num_validation:
        common = count_common(kinds.as_asked(train), kinds.as_asked(validation))
        checks.check_common(common, num_validation, findings, paired=kinds.is_paired(train))
    steps = steps or count_steps(recipe, len(train), devices.count)
    checks.check_settings(recipe, steps, num_validation, findings)
    findings.refuse()
    told: dict[str, Any] = {
        "processes": devices.count,
        "num_validation": num_validation,
        "folder": folder,
        "steps": steps,
        "texts": kinds.texts_of(recipe),
    }
    report("memory")
    largest = kinds.largest_batch(recipe, table)
    batch = kinds.shape_of(recipe, table, largest)
    memory = _reckon(recipe, model.config, batch, table, device, devices)
    answered = _answered(recipe, figures)
    check_disk(recipe, look_ahead(recipe, answered, memory, None, **told), folder)
    leak = None
    if packed and (is_first() or not devices.sharded):  # to be sharded, it may be loaded in the first process alone
        report("packs")
        leak = leaks.measure_leak(model, table, tokenizer.pad_id or 0)
        leaks.check_leak(model, leak)
    taken = None
    if probe and not (devices.sharded and devices.count > 1):  # unsharded, as it is here, it might not fit
        report("one step")
        taken = _take_step(recipe, model, table, largest, tokenizer, device, memory, devices)
    return Preflight(
        rows=_show(recipe, train, table, tokenizer),
        figures=figures,
        parameters=count_parameters(model),
        memory=memory,
        ahead=look_ahead(recipe, answered, memory, taken, **told),
        probe=taken,
        left_out=_left_out(counts),
        shares=shares,
        paired=kinds.is_paired(train),
        marked="in answers" if isinstance(recipe, RewardRecipe | ReinforcementRecipe) else "trained",
        leak=leak,
        warnings=(*notes, *findings.warnings),
    )


def check_room(recipe: TrainRecipe, config: Any, train: Any, *, device: str, weight_bytes: int) -> None:
    """
    See, before a large model is loaded, that its training will fit: loading would else be what fails, with no advice.

    Args:
        recipe: what to train.
        config: the model's.
        train: a Dataset of rows to learn.
        device: "cuda" or "cpu".
        weight_bytes: of the files of weights; a model that is small beside the memory can be loaded in any case.

    Raises:
        ModelError: with what to change.
    """
    if weight_bytes < SMALL * available_memory(device) or not len(train):
        return
    table = Table(train)
    batch = kinds.shape_of(recipe, table, kinds.largest_batch(recipe, table))
    _reckon(recipe, config, batch, table, device, Devices.launched())


def _look_at_rows(
    recipe: TrainRecipe,
    table: Table,
    model: Any,
    tokenizer: Tokenizer,
    template: Template | ChatTemplate,
    findings: checks.Findings,
) -> Figures:
    prompting = make_prompting(template, tokenizer)
    figures = count_rows(table, tokenizer, prompting.stop_ids)
    checks.check_mask(figures, findings)
    checks.check_template(recipe, template, findings)
    if isinstance(recipe, SftRecipe | DpoRecipe) and figures.trained:
        checks.check_stop(figures, prompting, tokenizer, model, findings)
    checks.check_text(figures, tokenizer, findings)
    checks.check_length(figures, model.config, findings)
    return figures


def _answered(recipe: TrainRecipe, figures: Figures) -> Figures:
    """Count each prompt as often as it is answered, where answers are what is learnt from."""
    if not isinstance(recipe, ReinforcementRecipe):
        return figures
    answers = recipe.sampling.answers
    return replace(figures, rows=figures.rows * answers, tokens=figures.tokens * answers)


def _show(recipe: TrainRecipe, train: Any, table: Table, tokenizer: Tokenizer) -> tuple[ShownRow, ...]:
    if kinds.is_paired(train):
        return kinds.show_pairs(train, table, tokenizer)
    return show_rows(table, tokenizer, borders=(tokenizer.need_eos(),) if isinstance(recipe, PretrainRecipe) else ())


def _reckon(recipe: TrainRecipe, config: Any, batch: Batch, table: Table, device: str, devices: Devices) -> Memory:
    """
    Estimate memory, and refuse what cannot fit.

    Raises:
        ModelError: with what to change.
    """
    available = available_memory(device)
    memory = estimate_memory(recipe, config, batch, device=device, devices=devices, available=available)
    # A CPU that has too little does not say so: the whole process is ended.
    if memory.total > available * (DOUBT if device.startswith("cuda") else 1.0):
        found = propose(recipe, config, batch, memory, device=device, lengths=table.lengths, devices=devices)
        raise refuse(memory, *found)
    return memory


def _take_step(
    recipe: TrainRecipe,
    model: Any,
    table: Table,
    places: list[int],
    tokenizer: Tokenizer,
    device: str,
    memory: Memory,
    devices: Devices,
) -> Probe:
    attention = getattr(model.config, "_attn_implementation", None) or ""
    collate = Collator(tokenizer.pad_id or 0, end_to_end=attention.startswith("flash"))
    names = ("input_ids", "labels", *(["position_ids"] if table.packed else []))
    rows = [{name: table.row(place, name) for name in names} for place in places]
    taken = probe_step(model, collate(rows), recipe, device)
    if isinstance(recipe, DpoRecipe):  # the reference reads the same
        taken = replace(taken, batch_seconds=taken.batch_seconds * (1 + FORWARD))
    if not taken.fits:
        batch = kinds.shape_of(recipe, table, places)
        found, least = propose(
            recipe, model.config, batch, memory, device=device, lengths=table.lengths, devices=devices
        )
        what = f"one step on the {len(places)} longest rows (up to {batch.length:,} tokens) ran out of memory"
        raise refuse(memory, found, least, found=what)
    if not math.isfinite(taken.loss):
        raise DataError(
            f"the loss of the first step is {taken.loss}, expected a number",
            "check the model's weights, model.precision and training.learning_rate",
        )
    return taken


def _left_out(counts: Counts | None) -> dict[str, int]:
    if counts is None:
        return {}
    return {**counts.dropped, **({"truncated": counts.truncated} if counts.truncated else {})}
