"""
What can be told before the first round: that models, files and templates are there, and that nothing given is held out.

In: a RoundsRecipe. Out: nothing, or one line on what is wrong. The stages themselves look once more, at their own rows.
"""

from collections.abc import Iterator
from pathlib import Path

from hanpuri.data.chats import choose_template
from hanpuri.data.records.forms import open_rows
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import read_rows
from hanpuri.preferences.own_function import load_function
from hanpuri.rounds.plan import Policy, plan_round, rows_file, start_policy, weights_in
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.rows import check_apart
from hanpuri.rounds.stages import (
    ReinforcementStage,
    RewardStage,
    SampleStage,
    Stage,
    TrainingStage,
    is_path,
    reward_stage,
    terms_of,
)
from hanpuri.rounds.training import run_recipe
from hanpuri.training.loading.adapters import adapter_place, check_base_name
from hanpuri.training.loading.models import check_weights, model_place, read_config


def check_ahead(recipe: RoundsRecipe) -> None:
    """
    See that the rounds can be begun.

    Raises:
        DataError: if a file is missing.
        ModelError: if a model is missing, not whole, or the adapter belongs to another one.
        RecipeError: if a template is missing, or the sections of a stage do not go together.
    """
    for path in (rows_file(recipe.held_out.path, recipe.held_out.split), rows_file(recipe.prompts.path)):
        _check_file(path)
    policy = start_policy(recipe)
    base = _check_model(policy)
    tokenizer = load_tokenizer(base)
    for stage in recipe.stages:
        for path in _files(stage):
            _check_file(path)
        template = getattr(getattr(stage, "examples", None), "template", None)
        if template is not None:
            choose_template(template, tokenizer)
        if isinstance(stage, RewardStage) and stage.path:
            _check_model(Policy(stage.path))
        _check_terms(stage, recipe)
    for step in plan_round(recipe, Path(), 1, policy).steps:
        if step.work == "train":
            run_recipe(step, recipe, Path())


def check_files_apart(recipe: RoundsRecipe, held_out: Path) -> None:
    """
    See that no file that a recipe mixes in has a row that is held out.

    Raises:
        DataError: with the first one that has.
    """
    files = {rows_file(Path(name)) for stage in recipe.stages for name in _mixed(stage)}
    if files:
        row_set = read_rows(held_out)
        for path in sorted(files):
            check_apart(open_rows(path).records(), row_set)


def _check_model(policy: Policy) -> Path:
    base = model_place(policy.base)
    read_config(base)
    check_weights(base, "model")
    if policy.adapter is not None:
        check_base_name(str(base), adapter_place(policy.adapter))
    return base


def _check_file(path: Path) -> None:
    if not path.is_file():
        mend = "give a file, or a folder that `hanpuri prepare` made"
        raise DataError(f"{path}: found no such file, expected rows", mend)


def _mixed(stage: Stage) -> Iterator[str]:
    if isinstance(stage, TrainingStage):
        yield from (name for name in stage.mix if is_path(name))


def _files(stage: Stage) -> Iterator[Path]:
    yield from (rows_file(Path(name)) for name in _mixed(stage))
    judge = getattr(stage, "judge", None)
    if judge is not None:
        yield judge


def _check_terms(stage: Stage, recipe: RoundsRecipe) -> None:
    """See that what scores answers is there; a reward model of the rounds is yet to be made."""
    if not isinstance(stage, SampleStage | ReinforcementStage):
        return
    for term in terms_of(stage):
        if term.function:
            load_function(term.function)
        if term.judge:
            _check_file(term.judge)
        if term.model and reward_stage(term, recipe.stages) is None:
            place = weights_in(Path(term.model))
            check_weights(place, "adapter_model" if place.name == "adapter" else "model")
