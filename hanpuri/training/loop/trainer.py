"""
The door of the loop: a recipe, a model, rows ─► steps until the end, and the model or adapter that is kept.

In: a recipe, a Run, a Material. Out: a LoopResult, and in the run's folder checkpoints, metrics, train.log, curves, and
at the end `model/` or `adapter/`: the weights of the best step.

The same call goes on where the last one stopped: after ctrl-C, `stop_after`, kill -9 or a lost machine, with the same
order of the data and the same random numbers.
"""

import math
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanpuri.errors import ModelError
from hanpuri.runs import Run
from hanpuri.training.loop import checkpoints
from hanpuri.training.loop.arguments import make_arguments
from hanpuri.training.loop.material import Material
from hanpuri.training.loop.progress import Evaluation, Progress, find_best, gain
from hanpuri.training.loop.stopping import Stopping
from hanpuri.training.loop.trackers import open_trackers
from hanpuri.training.loop.watching import Report, Watch, logging_to
from hanpuri.training.processes import is_first
from hanpuri.training.recipe import TrainRecipe

if TYPE_CHECKING:
    from hanpuri.training.loop.engine import Loop

__all__ = ["LoopResult", "Material", "run_loop"]


@dataclass(frozen=True)
class LoopResult:
    """Where a run stands when `run_loop` returns."""

    finished: bool
    """Whether it came to its end, or stopped early for good; if not, the same call goes on."""
    step: int
    best_step: int | None
    """The step whose weights are kept; None where nothing was evaluated, then they are the last step's."""
    stopped_early: str | None
    scores: dict[str, float]
    """Of that step: loss, token_accuracy, and what the scorers gave."""
    seconds: float
    """Of all starts together."""
    tokens: int
    peak_memory_bytes: int
    """Of the GPU if there is one, else of the process."""


def run_loop(
    recipe: TrainRecipe,
    run: Run,
    material: Material,
    *,
    device: str,
    report: Report = lambda step, steps, line: None,
    stop_after: float = math.inf,
) -> LoopResult:
    """
    Train, or go on with the training that stands in the run's folder; one that is finished is left as it is.

    Args:
        recipe: what to do.
        run: the run's folder.
        material: the model, which is trained in place, and its rows.
        device: "cuda" or "cpu".
        report: is told step, steps in all, and the line that was logged (empty where none was), after each step.
        stop_after: seconds after which to save and return, finished or not.

    Raises:
        ModelError: if the loss is no number, or the end could not be saved.
        ValueError: if no scorer gives what `watch.best_by` asks for.
        KeyboardInterrupt: at ctrl-C, once the step is done and saved; a second ctrl-C does not wait for that.
    """
    from hanpuri.training.loading.models import quiet_loading

    stopping = Stopping(stop_after)
    (run.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    logged = logging_to(run.folder / "train.log") if is_first() else nullcontext()
    with logged, quiet_loading(), stopping.catching_ctrl_c():
        loop, start = _prepare(recipe, run, material, device, report, stopping)
        if not loop.progress.finished:
            _train(loop, start)
        if stopping.was_interrupted(loop.accelerator, loop.args.device):
            raise KeyboardInterrupt
        result = _conclude(loop, run)
    return result


def _prepare(
    recipe: TrainRecipe, run: Run, material: Material, device: str, report: Report, stopping: Stopping
) -> tuple["Loop", Path | None]:
    """Make the trainer, and find the checkpoint to go on from."""
    import torch

    from hanpuri.training.loading.hardware import resolve_precision
    from hanpuri.training.loop.next_token import NextToken

    trainer = material.trainer or NextToken
    folder = run.folder / "checkpoints"
    in_fp32 = any(weight.requires_grad and weight.dtype == torch.float32 for weight in material.model.parameters())
    precision = resolve_precision(recipe.model, device)
    arguments = make_arguments(recipe, folder, trainer, device=device, precision=precision, learns_in_fp32=in_fp32)
    whole = checkpoints.list_checkpoints(folder)
    start = whole[max(whole)] if whole else None
    progress = Progress.load(start) if start else Progress(processes=arguments.world_size)
    _check_processes(run, progress, arguments.world_size)
    watch = Watch(run, report, is_first=is_first(), seconds_before=progress.seconds)
    if is_first():
        checkpoints.clear_halves(folder)
        run.cut_metrics(max(whole, default=-1))
    loop: Loop = trainer(recipe, material, arguments, progress, watch, stopping)
    return loop, start


def _check_processes(run: Run, progress: Progress, processes: int) -> None:
    """Refuse to go on with another number of processes: a step would take other rows, and an epoch other steps."""
    if progress.processes != processes and not progress.finished:
        raise ModelError(
            f"{run.folder} was begun by {_counted(progress.processes)}, and is gone on with by {_counted(processes)}",
            "launch as many as before, or give the run another name",
        )


def _counted(processes: int) -> str:
    return "1 process" if processes == 1 else f"{processes} processes"


def _train(loop: "Loop", start: Path | None) -> None:
    """Take the steps that are left."""
    watch, settings = loop.watch, loop.recipe.watch
    loop.args.eval_on_start = start is None and settings.generation is not None and loop.material.evaluates
    if watch.is_first:
        watch.trackers = open_trackers(
            settings, watch.run.folder, loop.args, loop.model, lambda told: watch.event("tracker_lost", 0, told)
        )
    try:
        loop.train(resume_from_checkpoint=str(start) if start else None)
    finally:
        watch.end()


def _conclude(loop: "Loop", run: Run) -> LoopResult:
    """Keep the best step's weights, and say where the run stands."""
    progress, by = loop.progress, loop.recipe.watch.best_by
    folder = run.folder / "checkpoints"
    whole = checkpoints.list_checkpoints(folder)
    step = max(whole, default=0)
    if progress.finished and loop.save_fault:
        raise ModelError(
            f"{folder}: the last step could not be saved: {loop.save_fault}",
            f"make room for {loop.checkpoint_bytes():,} bytes; the same command then goes on from step {step}",
        )
    best = find_best(progress.evaluations, by, whole)
    went_on = loop.state.global_step > 0
    if progress.finished:
        _keep_weights(loop, run, whole[best.step if best else step], anew=went_on)
    if progress.finished and went_on:
        loop.watch.event(
            "finished", step, f"finished after {loop.watch.seconds():,.0f} s{_compare(progress, best, by)}"
        )
        loop.watch.draw_curves(now=True)
    return LoopResult(
        finished=progress.finished,
        step=step,
        best_step=best.step if best else None,
        stopped_early=progress.stopped_early,
        scores=best.scores if best else {},
        seconds=loop.watch.seconds() if went_on else progress.seconds,
        tokens=progress.tokens,
        peak_memory_bytes=progress.peak_memory_bytes,
    )


def _compare(progress: Progress, best: Evaluation | None, by: str) -> str:
    """Say it if the model was better before its first step."""
    before = progress.start.get(by)
    if before is None or best is None or gain(before, best.scores[by], by) <= 0:
        return ""
    return f"; the training did no good: {by} was {before:.4f} before the first step, and is {best.scores[by]:.4f}"


def _keep_weights(loop: "Loop", run: Run, checkpoint: Path, *, anew: bool) -> None:
    """Put a checkpoint's weights into the model, and into model/ or adapter/ with the tokenizer."""
    target = run.folder / ("adapter" if loop.is_adapter else "model")
    if not anew and target.exists() and loop.is_fsdp_enabled:
        return  # a model is sharded at its first step, and there was none
    if checkpoint.name != f"checkpoint-{loop.state.global_step}":
        loop.load_weights(checkpoint)
    if anew or not target.exists():
        _write_weights(loop, target, checkpoint)
    loop.tell(run)
    loop.release_model()


def _write_weights(loop: "Loop", target: Path, checkpoint: Path) -> None:
    """Write beside and rename, so that half a model never stands there."""
    beside = target.with_name(target.name + ".part")
    try:
        loop.write_weights(beside)
        if loop.is_world_process_zero():
            shutil.rmtree(target, ignore_errors=True)
            beside.rename(target)
    except loop.save_faults as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise ModelError(
            f"{target} could not be saved: {' '.join(str(error).split())}",
            f"make room for {checkpoints.size_of(checkpoint):,} bytes; the same command then goes on from here",
        ) from None
