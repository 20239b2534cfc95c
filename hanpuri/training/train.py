"""
The door to LLM training: a recipe and a folder ─► a trained model.

In: a recipe of any kind of `recipe.KINDS`. Out: the run's folder, and a Trained that says where the run stands:

    runs/cpu-tiny/
    ├── recipe.yaml  environment.json      what it came from: settings, versions, git, hashes
    ├── preflight.json                     what was looked at before the first step
    ├── metrics.jsonl  train.log  curves.html
    ├── checkpoints/checkpoint-1500/       to go on from
    ├── model/ or adapter/                 the best step's weights, tokenizer, prompt_template.yaml
    └── result.json                        scores, time, memory

In this order: what the machine cannot do is refused, then what is not there, then what would spoil the training (mask,
stop token, template, memory); only then the long part begins. The same call goes on with a run that was stopped.
"""

import errno
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.recipe import ExampleSettings
from hanpuri.errors import ModelError
from hanpuri.runs import Run, write_json
from hanpuri.runs.folder import is_running
from hanpuri.training.assembling.assemble import assemble
from hanpuri.training.assembling.assembly import Assembly, Measures, Report
from hanpuri.training.assembling.inputs import find_inputs
from hanpuri.training.loading.adapters import Parameters
from hanpuri.training.loading.hardware import check_hardware, resolve_weights
from hanpuri.training.loop.material import Material
from hanpuri.training.loop.trainer import LoopResult, run_loop
from hanpuri.training.loop.watching import Report as StepReport
from hanpuri.training.preflight.kinds import longest_learnt_prompt
from hanpuri.training.preflight.preflight import Preflight, preflight
from hanpuri.training.preflight.rows import Table
from hanpuri.training.processes import count_processes, first_before_others, is_first, joined
from hanpuri.training.prompting import save_prompting
from hanpuri.training.recipe import DpoRecipe, ReinforcementRecipe, RewardTermSettings, SftRecipe, TrainRecipe
from hanpuri.training.reinforcement.reward import OpenRewards, Reward

CACHE = ".tokens"  # in the folder of all runs
DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
# What may be changed in a run that is gone on with: whom to tell, how much to keep.
MAY_CHANGE = ("watch.trackers", "watch.project", "watch.keep")


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """Where a run stands."""

    folder: Path
    weights: Path | None
    """model/ or adapter/, once the run has come to its end."""
    finished: bool
    step: int
    result: dict[str, Any]
    """What stands in result.json."""


@contextmanager
def _no_rewards(terms: Sequence[RewardTermSettings]) -> Iterator[Sequence[Reward]]:
    """Open none; a kind that needs some is told."""
    if terms:
        raise ValueError("found rewards in the recipe, expected open_rewards to open them")
    yield ()


def train(
    recipe: TrainRecipe,
    folder: Path,
    *,
    measures: Measures,
    open_rewards: OpenRewards = _no_rewards,
    device: str | None = None,
    stop_after: float = math.inf,
    show: Callable[[Preflight], None] = lambda checked: None,
    report: Report = lambda stage, done, total: None,
    report_step: StepReport = lambda step, steps, line: None,
) -> Trained:
    """
    Train a model, or go on with the training that stands in `folder`; one that is finished is left as it is.

    Args:
        recipe: what to do.
        folder: the run's folder.
        measures: by what answers are scored.
        open_rewards: opens what the answers of `kind: grpo` and `rloo` are rewarded with, and closes it again.
        device: "cuda" or "cpu"; a GPU if there is one.
        stop_after: seconds after which to save and return, finished or not.
        show: is given the pre-flight, before the first step.
        report: is told how far data and model are read.
        report_step: is told each step.

    Raises:
        DataError, ModelError, RecipeError: with one line on what is wrong, before the long part begins; a ModelError
            also if the loss is no number any more or the end could not be saved.
        KeyboardInterrupt: at ctrl-C, once the step is done and saved.
    """
    device = choose_device(device)
    check_hardware(recipe, device)
    with joined(device):
        with first_before_others():
            is_new = not os.path.exists(folder)
            run = _start(recipe, folder)
        with _letting_go(run):
            if (result := read_result(folder)).get("finished"):
                return Trained(folder, find_weights(folder), True, result["steps"], result)
            with ExitStack() as opened:
                with _gone_if_refused(folder, is_new=is_new and is_first()):
                    told = report if is_first() else _quiet
                    rewards = opened.enter_context(open_rewards(_terms(recipe)))
                    given: dict[str, Any] = {"device": device, "measures": measures, "rewards": rewards}
                    assembly = assemble(recipe, folder, folder.parent / CACHE, report=told, **given)
                    checked = _check(recipe, assembly, folder, device)
                if is_first():
                    write_json(folder / "preflight.json", checked.as_dict())
                    show(checked)
                with _logging_faults(run):
                    looped, material = with_steps(recipe, assembly.steps), _material(assembly)
                    done = run_loop(looped, run, material, device=device, report=report_step, stop_after=stop_after)
            with first_before_others():
                return _conclude(recipe, run, assembly, checked, done, device)


def _terms(recipe: TrainRecipe) -> Sequence[RewardTermSettings]:
    return recipe.rewards if isinstance(recipe, ReinforcementRecipe) else ()


def _start(recipe: TrainRecipe, folder: Path) -> Run:
    """See that all is there, and start the run; where there are several processes, the first one alone starts it."""
    inputs = find_inputs(recipe)
    if not is_first():
        return Run(folder)
    if is_running(folder):
        raise ModelError(f"{folder}: another process is at work on this run", "wait for it, or stop it")
    return Run.start(folder, recipe, inputs.files, inputs.hashes, MAY_CHANGE)


@contextmanager
def _logging_faults(run: Run) -> Iterator[None]:
    """Keep in the run's lines what has ended it."""
    try:
        yield
    except Exception as error:
        if is_first():
            step = max((int(str(line["step"])) for line in run.metrics()), default=0)
            run.log(step=step, event="failed", message=str(error))
        raise


def _quiet(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def look_ahead(
    recipe: TrainRecipe,
    runs: Path,
    *,
    measures: Measures,
    open_rewards: OpenRewards = _no_rewards,
    device: str | None = None,
    report: Report = lambda *_: None,
) -> Preflight:
    """
    Do all that `train` does before its first step; of a corpus the tokens are kept in `runs`, and nothing else.

    Raises:
        DataError, ModelError, RecipeError: as `train`.
    """
    device = choose_device(device)
    check_hardware(recipe, device)
    with joined(device), tempfile.TemporaryDirectory(prefix="hanpuri-") as folder:
        with first_before_others():
            find_inputs(recipe)
        told = report if is_first() else _quiet
        with open_rewards(_terms(recipe)) as rewards:
            given: dict[str, Any] = {"device": device, "measures": measures, "rewards": rewards}
            assembly = assemble(recipe, Path(folder), runs / CACHE, report=told, **given)
            return _check(recipe, assembly, runs / recipe.name, device)


@contextmanager
def _letting_go(run: Run) -> Iterator[None]:
    """Let go of the folder however it ends, and say in one line that its disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        found = f"{run.folder} cannot be written: {error.strerror}"
        raise ModelError(found, "make room; the same command then goes on") from None
    finally:
        run.let_go()


@contextmanager
def _gone_if_refused(folder: Path, *, is_new: bool) -> Iterator[None]:
    """Take a folder away again that holds nothing yet: a recipe that was refused is mended, and starts anew."""
    try:
        yield
    except BaseException:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def with_steps(recipe: TrainRecipe, steps: int | None) -> TrainRecipe:
    """Give the recipe with a number of steps in the place of epochs, if there is one."""
    if steps is None or recipe.training.steps is not None:
        return recipe
    training = recipe.training.model_copy(update={"epochs": None, "steps": steps})
    return recipe.model_copy(update={"training": training})


def choose_device(device: str | None) -> str:
    """Give the device that was asked for, or else a GPU if there is one: under torchrun, each process has its own."""
    if device is None:
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def read_result(folder: Path) -> dict[str, Any]:
    """Read result.json; nothing if the run has none yet."""
    path = folder / "result.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def find_weights(folder: Path) -> Path | None:
    """Find what a run has trained: its model/ or adapter/."""
    return next((folder / name for name in ("model", "adapter") if (folder / name).is_dir()), None)


def _check(recipe: TrainRecipe, assembly: Assembly, folder: Path, device: str) -> Preflight:
    return preflight(
        with_steps(recipe, assembly.steps),
        model=assembly.model,
        tokenizer=assembly.tokenizer,
        template=assembly.template,
        train=assembly.train,
        validation=assembly.validation,
        packed=assembly.packed,
        device=device,
        folder=folder,
        counts=assembly.counts,
        shares=assembly.shares,
        notes=assembly.notes,
        probe=assembly.trainer is None or isinstance(recipe, DpoRecipe),
        report=logger.debug,
    )


def _material(assembly: Assembly) -> Material:
    return Material(
        model=assembly.model,
        tokenizer=assembly.tokenizer,
        train=assembly.train,
        validation=assembly.validation,
        scorers=assembly.scorers,
        trainer=assembly.trainer,
    )


def _conclude(
    recipe: TrainRecipe, run: Run, assembly: Assembly, checked: Preflight, done: LoopResult, device: str
) -> Trained:
    """Keep the prompt beside the weights, and write down what came of the run."""
    weights = find_weights(run.folder) if done.finished else None
    result = describe(recipe, checked.parameters, assembly.counts.examples, done, device)
    if assembly.shares:
        result["sources"] = [asdict(share) for share in assembly.shares]
    if is_first():
        if weights:
            settings = recipe.examples if isinstance(recipe, SftRecipe) else ExampleSettings()
            one_answer = isinstance(recipe, SftRecipe) and assembly.form != "messages"
            longest = longest_learnt_prompt(Table(assembly.train)) if one_answer else None
            save_prompting(weights, assembly.template, settings, assembly.form, longest)
        run.finish(result)
    return Trained(run.folder, weights, done.finished, done.step, result)


def describe(
    recipe: TrainRecipe, parameters: Parameters, train_rows: int, done: LoopResult, device: str
) -> dict[str, Any]:
    """Say in figures what came of a run: what result.json holds."""
    return {
        "kind": recipe.kind,
        "name": recipe.name,
        "finished": done.finished,
        "steps": done.step,
        "best_step": done.best_step,
        "stopped_early": done.stopped_early,
        "scores": done.scores,
        "seconds": round(done.seconds, 1),
        "tokens": done.tokens,
        "peak_memory_bytes": done.peak_memory_bytes,
        "device": device_name(device),
        "processes": count_processes(),
        "weights": resolve_weights(recipe.model, device, learns_whole=recipe.adapter is None),
        "model": recipe.model.path or str(recipe.model.scratch and recipe.model.scratch.architecture),
        "method": method_of(recipe),
        "parameters": parameters.all,
        "trainable_parameters": parameters.trainable,
        "epochs": recipe.training.epochs,
        "train_rows": train_rows,
    }


def method_of(recipe: TrainRecipe) -> str:
    """Say how a recipe trains: scratch, full, lora or qlora."""
    if recipe.model.scratch:
        return "scratch"
    if recipe.adapter is None:
        return "full"
    return "qlora" if recipe.model.quantization else "lora"


def device_name(device: str) -> str:
    """Name a device: the GPU's model, or cpu."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"
