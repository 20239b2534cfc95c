"""
`hanpuri train` and `hanpuri export`: find the recipe, hand it to its stage, show how it goes.

In: a recipe of `kind: compact`, our own restorer; of `kind: rounds`, which `rounds` does; or of an LLM's kinds, which
`tuning` trains. Out: a run's folder, and where it stands at the end.
"""

import importlib.util
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hanpuri.cli import rounds, tuning
from hanpuri.cli.recipes import find_recipe
from hanpuri.compact.settings import CompactRecipe
from hanpuri.errors import ModelError, RecipeError
from hanpuri.recipe import Settings, read_recipe
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.training.processes import count_processes
from hanpuri.training.recipe import KINDS as LLM_KINDS

KINDS: dict[str, type[Settings]] = {"compact": CompactRecipe, **LLM_KINDS, "rounds": RoundsRecipe}


def train(
    recipe: str,
    overrides: Sequence[str],
    runs: Path,
    *,
    stop_after: float,
    device: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train, and print where the run stands at the end; with `dry_run`, only say what would be done."""
    settings = read_recipe(find_recipe(recipe, *KINDS), KINDS, overrides)
    if isinstance(settings, CompactRecipe):
        if dry_run:
            raise RecipeError(
                "--dry-run looks ahead where a language model is trained, not our own restorer",
                "train with --stop-after 60",
            )
        _train_restorer(settings, runs, stop_after=stop_after, device=device, as_json=as_json)
    elif isinstance(settings, RoundsRecipe):
        rounds.train(settings, runs, stop_after=stop_after, device=device, dry_run=dry_run, as_json=as_json)
    else:
        tuning.train(settings, runs, stop_after=stop_after, device=device, dry_run=dry_run, as_json=as_json)


def _train_restorer(
    settings: CompactRecipe, runs: Path, *, stop_after: float, device: str | None, as_json: bool
) -> None:
    if count_processes() > 1:
        raise RecipeError("our own restorer trains in one process", "leave the launcher out")
    _need_torch()
    from hanpuri.compact.learning.training import train as train_compact
    from hanpuri.evaluation.metrics import char_accuracy
    from hanpuri.training.loading.hardware import check_device

    if device is not None:
        check_device(device)
    progress = _Progress(settings.training.steps)
    result = train_compact(
        settings, runs / settings.name, score=char_accuracy, report=progress, stop_after=stop_after, device=device
    )
    if as_json:
        fields = {"folder": str(result.folder), "step": result.step, "finished": result.finished, **result.scores}
        print(json.dumps(fields, ensure_ascii=False))
    elif result.finished:
        print(f"{result.folder / 'model'} is ready: hanpuri restore --model {result.folder / 'model'} …")
    else:
        of = f" of {settings.training.steps}" if settings.training.steps else ""
        print(f"stopped at step {result.step}{of}; the same command goes on from there")


def export(run: Path) -> None:
    """Write a run's quantised model again."""
    settings = read_recipe(run / "recipe.yaml", {"compact": CompactRecipe})
    assert isinstance(settings, CompactRecipe)
    _need_torch()
    from hanpuri.compact.learning.export import export_run

    print(f"{export_run(run, settings)} is ready")


def _need_torch() -> None:
    missing = [name for name in ("torch", "onnx", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(f"training needs {', '.join(missing)}", 'pip install "hanpuri[train]"')


class _Progress:
    """Prints each report on a line of its own to standard error, with the time that is left."""

    def __init__(self, num_steps: int | None) -> None:
        self.of = f"/{num_steps}" if num_steps else ""
        self.done = 0.0
        self.started: tuple[float, float] | None = None

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        now = time.monotonic()
        self.done = metrics.get("progress", self.done)
        self.started = self.started or (now, self.done)
        done = self.done - self.started[1]
        left = (now - self.started[0]) / done * (1 - self.done) if done else math.nan
        clock = "" if math.isnan(left) else f"  {left / 60:.0f} min left"
        values = "  ".join(f"{name} {value:.6g}" for name, value in metrics.items() if name != "progress")
        bar = "█" * int(20 * self.done)
        print(f"{bar:░<20} {step}{self.of}{clock}  {values}", file=sys.stderr, flush=True)
