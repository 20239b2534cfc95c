"""
A training step ─► the recipe of an ordinary run, and the run.

In: a Step with a stage such as sft or dpo. Out: round-1/sft/, a folder as `hanpuri train` makes it, with its recipe:

    kind: sft
    model: {path: models/base}
    adapter: {path: runs/tiny/round-1/dpo/adapter}      the model goes on with what it is
    data: {sources: [{path: runs/tiny/round-1/sample/best.jsonl, weight: 0.5}, …]}

The run's seed is that of the rounds and the number of the round: no two rounds deal their rows out alike.
"""

import gc
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hanpuri.errors import DataError
from hanpuri.evaluation import metrics
from hanpuri.preferences.rewards import open_rewards
from hanpuri.recipe import Settings, check_settings
from hanpuri.rounds.asking import resolved
from hanpuri.rounds.plan import Step
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.rows import count_lines
from hanpuri.rounds.stages import PolicyStage, ReinforcementStage, RewardStage, Stage, TrainingStage, is_path
from hanpuri.training.loop.watching import Report as StepReport
from hanpuri.training.recipe import KINDS, TrainRecipe
from hanpuri.training.train import Trained, train

OF_ROUNDS = ("stage", "name", "begin", "mix", "validation_share", "repeat", "rows", "mistakes", "margin", "judge")
"""Fields of a stage that its kind's own recipe does not have."""
FIGURES = ("accuracy", "margin", "calibration_error", "kl", "kl_own", "reward")
"""Of a run's scores, what the table of rounds can show."""


def run_stage(
    step: Step,
    recipe: RoundsRecipe,
    folder: Path,
    *,
    device: str | None,
    stop_after: float = math.inf,
    report_step: StepReport = lambda step, steps, line: None,
) -> tuple[Trained, dict[str, Any]]:
    """
    Train a stage, or go on with it; gives what came of it, and facts for the table.

    Raises:
        DataError: if there is nothing to learn from.
        ModelError, RecipeError: as `training.train`.
        KeyboardInterrupt: at ctrl-C, once a step is saved.
    """
    with freeing_memory():
        trained = train(
            run_recipe(step, recipe, folder, sources_with_rows(step)),
            folder / step.name,
            measures=measures(),
            open_rewards=open_rewards,
            device=device,
            stop_after=stop_after,
            report_step=report_step,
        )
    return trained, describe(trained, step)


def run_recipe(step: Step, recipe: RoundsRecipe, folder: Path, sources: Sequence[str] | None = None) -> TrainRecipe:
    """
    Write the recipe of a training step.

    Args:
        step: the step.
        recipe: that of the rounds.
        folder: that of the rounds.
        sources: names of what it learns from; all, if not given.

    Raises:
        RecipeError: if its sections do not go together.
    """
    stage = step.stage
    assert isinstance(stage, TrainingStage)
    names = list(step.weights) if sources is None else sources
    mixed = [{"path": _named(step, name), "weight": step.weights[name]} for name in names]
    own = {name: getattr(stage, name) for name in type(stage).model_fields if name not in (*OF_ROUNDS, "path")}
    if isinstance(stage, ReinforcementStage):
        own["rewards"] = [resolved(term, recipe, folder, step.round) for term in stage.rewards]
    given = {
        **own,
        "kind": stage.stage,
        "name": stage.title,
        "seed": recipe.seed + step.round,
        "model": recipe.model.held(step.policy.base),
        "adapter": _adapter(stage, step, recipe),
        "data": {
            "sources": mixed,
            "validation_share": stage.validation_share,
            "repeat": stage.repeat,
            "rows": stage.rows,
        },
    }
    kind = KINDS[stage.stage]
    checked = check_settings(f"the stage {stage.title} of round {step.round}", kind, _plain(given))
    assert isinstance(checked, TrainRecipe)
    return checked


def _plain(given: Any) -> Any:
    """Give settings as a recipe's file has them: what was not said stays unsaid, for each kind has its own defaults."""
    if isinstance(given, Settings):
        return given.model_dump(exclude_unset=True)
    if isinstance(given, list):
        return [_plain(one) for one in given]
    return {name: _plain(one) for name, one in given.items()} if isinstance(given, dict) else given


def sources_with_rows(step: Step) -> list[str]:
    """
    Name what a step learns from, as far as there are rows in it: a model may have made no mistakes.

    Raises:
        DataError: if there are none anywhere.
    """
    found = [name for name, path in _sources(step).items() if is_path(name) or count_lines(path)]
    if not found:
        told = ", ".join(f"{name} ({path})" for name, path in _sources(step).items())
        mend = "ask for less (`above`, `margin`), give more rows, or take the stage out"
        raise DataError(f"{step.name}: found nothing to learn from in {told}", mend)
    return found


def measures() -> dict[str, Callable[[Sequence[str], Sequence[str]], float]]:
    """Give what answers are scored by while a stage is trained."""
    return {name: getattr(metrics, name) for name in ("char_accuracy", "exact_match", "token_f1")}


@contextmanager
def freeing_memory() -> Iterator[None]:
    """Let go of a model behind a step: the next one loads its own."""
    try:
        yield
    finally:
        gc.collect()
        torch: Any = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def describe(trained: Trained, step: Step) -> dict[str, Any]:
    """Say of a run what the table shows: rows, the share of each source, what it reached."""
    result = trained.result
    scores: Mapping[str, Any] = result.get("scores", {})
    names = list(step.weights)
    places = {str(_sources(step)[name]): name for name in names}
    sources = [{"name": places.get(str(one["path"]), str(one["path"])), **one} for one in result.get("sources", ())]
    return {
        "steps": result.get("steps"),
        "rows": result.get("train_rows"),
        "best_step": result.get("best_step"),
        "stopped_early": result.get("stopped_early"),
        "scores": {name: scores[name] for name in FIGURES if name in scores},
        "sources": sources,
    }


def _named(step: Step, name: str) -> Path:
    """Give a source as people would write it in a recipe: a prepared folder, and not a file in it."""
    return Path(name) if is_path(name) else step.reads[name]


def _sources(step: Step) -> dict[str, Path]:
    return {name: step.reads[name] for name in step.weights}


def _adapter(stage: Stage, step: Step, recipe: RoundsRecipe) -> Any:
    if isinstance(stage, RewardStage):
        return stage.adapter
    assert isinstance(stage, PolicyStage)
    if step.policy.adapter is not None:
        return {"path": str(step.policy.adapter)}
    return recipe.adapter
