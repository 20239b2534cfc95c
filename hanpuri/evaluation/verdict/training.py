"""
The models of a learning curve: trained from a recipe on shares of its rows, or already there.

In: `learning_curve: {recipe: faq.yaml, shares: [0.1, 0.3, 1.0]}`. Out: a folder with a finished run each:

    verdicts/faq/runs/faq-10/, 120 rows; faq-30/, 360 rows; faq-100/, 1,200 rows

A training that was stopped goes on with the same command, and one that is finished is left as it is. All other settings
are the recipe's: with `epochs`, fewer rows are fewer steps; with `steps`, each row is seen more often.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hanpuri.errors import DataError, RecipeError
from hanpuri.evaluation import metrics
from hanpuri.evaluation.verdict.learning_curve import count_training_rows
from hanpuri.evaluation.verdict.recipe import LearningCurveSettings
from hanpuri.recipe import read_recipe
from hanpuri.training.recipe import KINDS, SftRecipe

MEASURES = {"char_accuracy": metrics.char_accuracy, "exact_match": metrics.exact_match, "token_f1": metrics.token_f1}


@dataclass(frozen=True)
class TrainedRun:
    """A run on the curve."""

    folder: Path
    num_rows: int


def read_curve_recipe(settings: LearningCurveSettings) -> SftRecipe | None:
    """
    Read the recipe that is to be trained; None where the runs are there already.

    Raises:
        RecipeError: if it cannot be read, or is of another kind.
    """
    if settings.recipe is None:
        return None
    recipe = read_recipe(settings.recipe, KINDS, settings.set)
    if not isinstance(recipe, SftRecipe):
        found = f"{settings.recipe}: kind is {recipe.kind!r}, expected sft"  # type: ignore[attr-defined]
        raise RecipeError(found, "give a recipe that fine-tunes on questions and answers")
    return recipe


def train_curve(
    settings: LearningCurveSettings, folder: Path, *, report: Callable[[str, int, int], None] = lambda *_: None
) -> tuple[TrainedRun, ...]:
    """
    Train a model on each share, or find the runs that are there; fewest rows first.

    Args:
        settings: which.
        folder: where new runs go.
        report: is told a run's name, its step and its steps.

    Raises:
        DataError, ModelError, RecipeError: as training; or if a run is not finished, or two are of the same rows.
    """
    recipe = read_curve_recipe(settings)
    if recipe is None:
        found = [TrainedRun(run, count_training_rows(run)) for run in settings.runs]
    else:
        found = [_train(shared, folder, report) for shared in _shared(recipe, settings.shares)]
    ordered = sorted(found, key=lambda run: run.num_rows)
    for one, other in pairwise(ordered):
        if one.num_rows == other.num_rows:
            said = f"{one.folder} and {other.folder} were both trained on {one.num_rows:,} rows, expected a curve"
            raise DataError(said, "give runs of other numbers of rows, or shares that lie further apart")
    return tuple(ordered)


def _shared(recipe: SftRecipe, shares: tuple[float, ...]) -> list[SftRecipe]:
    from hanpuri.training.feeding.rows import open_training_rows

    num_rows = sum(1 for _ in open_training_rows(recipe.data, recipe.seed, recipe.examples.faults).train())
    return [
        recipe.model_copy(
            update={
                "name": f"{recipe.name}-{100 * share:.3g}",
                "data": recipe.data.model_copy(update={"rows": max(1, round(share * num_rows))}),
            }
        )
        for share in shares
    ]


def _train(recipe: SftRecipe, folder: Path, report: Callable[[str, int, int], None]) -> TrainedRun:
    from hanpuri.training.train import train

    run = folder / recipe.name
    train(recipe, run, measures=MEASURES, report_step=lambda step, steps, _: report(recipe.name, step, steps))
    return TrainedRun(run, count_training_rows(run))
