"""
`hanpuri train` for LLMs: show the pre-flight, then a bar; at the end, where the model lies and how to ask it.

In: a recipe of `kind: pretrain` or `sft`. Out, at the end of a run:

    char_accuracy 0.9123 at step 1,500, the best of 2,000, in 12 min
    runs/faq/adapter is ready: hanpuri chat runs/faq
"""

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hanpuri.errors import ModelError
from hanpuri.recipe import Settings
from hanpuri.runs.wording import duration
from hanpuri.training.processes import is_first

if TYPE_CHECKING:
    from hanpuri.training.assembling.assembly import Measures
    from hanpuri.training.recipe import TrainRecipe
    from hanpuri.training.train import Trained

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def train(
    settings: Settings, runs: Path, *, stop_after: float, device: str | None, dry_run: bool, as_json: bool
) -> None:
    """Train an LLM, and print where the run stands at the end; with `dry_run`, the pre-flight alone."""
    if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        raise ModelError(f"training a language model needs {', '.join(missing)}", 'pip install "hanpuri[llm]"')
    from rich.console import Console

    recipe = cast("TrainRecipe", settings)
    console = Console(stderr=True, quiet=not is_first())
    if dry_run:
        _look_ahead(recipe, runs, device=device, console=console, as_json=as_json)
        return
    from hanpuri.training.loop.terminal import show_progress

    # The bar before the libraries, which take seconds to load.
    with _saying_how_to_go_on(runs / recipe.name), show_progress(console) as report_step:
        from hanpuri.preferences.rewards import open_rewards
        from hanpuri.training.preflight.rendering import show
        from hanpuri.training.train import train as train_model

        trained = train_model(
            recipe,
            runs / recipe.name,
            measures=_measures(),
            open_rewards=open_rewards,
            device=device,
            stop_after=stop_after,
            show=lambda checked: show(checked, console),
            report_step=report_step,
        )
    if not is_first():
        return
    if as_json:
        print(json.dumps({"folder": str(trained.folder), **trained.result}, ensure_ascii=False))
    else:
        print(_fitted(_told(trained)))


@contextmanager
def _saying_how_to_go_on(folder: Path) -> Iterator[None]:
    """Say at ctrl-C that nothing is lost, if there is anything."""
    try:
        yield
    except KeyboardInterrupt:
        if folder.exists() and is_first():
            print("the same command goes on from here", file=sys.stderr)
        raise


def _look_ahead(recipe: "TrainRecipe", runs: Path, *, device: str | None, console: Any, as_json: bool) -> None:
    from rich.console import Console

    from hanpuri.training.loop.terminal import show_progress

    with show_progress(console):
        from hanpuri.preferences.rewards import open_rewards
        from hanpuri.training.preflight.rendering import show
        from hanpuri.training.train import look_ahead

        checked = look_ahead(recipe, runs, measures=_measures(), open_rewards=open_rewards, device=device)
    if not is_first():
        return
    if as_json:
        print(json.dumps(checked.as_dict(), ensure_ascii=False))
    else:
        show(checked, Console())


def _measures() -> "Measures":
    from hanpuri.evaluation import metrics

    return {"char_accuracy": metrics.char_accuracy, "exact_match": metrics.exact_match, "token_f1": metrics.token_f1}


def _fitted(told: str) -> str:
    """Break lines for a terminal; a pipe gets them whole."""
    if not sys.stdout.isatty():
        return told
    from hanpuri.training.loop.terminal import wrapped

    width = shutil.get_terminal_size().columns
    return "\n".join(wrapped(line, width) for line in told.splitlines())


def _told(trained: "Trained") -> str:
    if not trained.finished:
        return f"stopped at step {trained.step}; the same command goes on from there"
    result = trained.result
    scores = "  ".join(f"{name} {value:.4f}" for name, value in result["scores"].items())
    reached = f"{result['steps']:,} steps, none of them scored"
    if result["best_step"]:
        reached = f"{scores} at step {result['best_step']:,}, the best of {result['steps']:,}"
    use = "hanpuri score FILE --model" if result["kind"] == "reward" else "hanpuri chat"
    ready = f"{trained.weights} is ready: {use} {trained.folder}"
    return f"{reached}, in {duration(result['seconds'])}\n{ready}"
