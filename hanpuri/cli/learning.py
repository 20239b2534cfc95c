"""`hanpuri train` and `hanpuri export`: find the recipe, hand it to its stage, show how it goes."""

import importlib.util
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hanpuri.cli.recipes import find_recipe
from hanpuri.errors import ModelError

if TYPE_CHECKING:
    from hanpuri.compact.settings import CompactRecipe

TRAIN_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri train base

  hanpuri train my.yaml --set training.steps=2000 --set network.width=256

  hanpuri train base --stop-after 540
"""
EXPORT_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri export runs/base
"""


def train(
    recipe: str, overrides: Sequence[str], runs: Path, *, stop_after: float, device: str | None, as_json: bool
) -> None:
    """Train, and print where the run stands at the end."""
    settings = _read(find_recipe(recipe, "compact"), overrides)
    _need_torch()
    from hanpuri.compact.training import train as train_compact
    from hanpuri.evaluation.metrics import char_accuracy

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
        print(f"stopped at step {result.step} of {settings.training.steps}; the same command goes on from there")


def export(run: Path) -> None:
    """Write a run's quantised model again."""
    settings = _read(run / "recipe.yaml", ())
    _need_torch()
    from hanpuri.compact.export import export_run

    print(f"{export_run(run, settings)} is ready")


def _read(path: Path, overrides: Sequence[str]) -> "CompactRecipe":
    from hanpuri.compact.settings import CompactRecipe
    from hanpuri.recipe import read_recipe

    settings = read_recipe(path, {"compact": CompactRecipe}, overrides)
    assert isinstance(settings, CompactRecipe)
    return settings


def _need_torch() -> None:
    missing = [name for name in ("torch", "onnx", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(f"training needs {', '.join(missing)}", 'pip install "hanpuri[train]"')


class _Progress:
    """Prints each report on a line of its own to standard error, with the time that is left."""

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self.started: tuple[float, int] | None = None

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        now = time.monotonic()
        self.started = self.started or (now, step)
        done = step - self.started[1]
        left = (now - self.started[0]) / done * (self.num_steps - step) if done else math.nan
        clock = "" if math.isnan(left) else f"  {left / 60:.0f} min left"
        values = "  ".join(f"{name} {value:.6g}" for name, value in metrics.items())
        bar = "█" * (20 * step // self.num_steps)
        print(f"{bar:░<20} {step}/{self.num_steps}{clock}  {values}", file=sys.stderr, flush=True)
