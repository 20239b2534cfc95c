"""
What a run depends on: found, looked at and hashed before it begins, so that nobody goes on with other data in silence.

In: a recipe. Out: Inputs; the hashes of template, tokenizer and base model, and the files of the rows.
"""

from dataclasses import dataclass
from pathlib import Path

from hanpuri.data.chats import choose_template
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.runs import sha256_of
from hanpuri.training.feeding.corpora import read_corpora
from hanpuri.training.feeding.rows import open_training_rows
from hanpuri.training.loading.adapters import adapter_place, check_base_name
from hanpuri.training.loading.models import check_tokenizer, check_weights, model_place, read_config
from hanpuri.training.loading.rewards import find_rewards
from hanpuri.training.prompting import Prompting, load_prompting, make_prompting
from hanpuri.training.publishing.origin import fingerprint, weight_files
from hanpuri.training.recipe import (
    DpoRecipe,
    PretrainRecipe,
    ReinforcementRecipe,
    RewardRecipe,
    RewardTermSettings,
    SftRecipe,
    TrainRecipe,
)

RowsRecipe = SftRecipe | RewardRecipe | DpoRecipe | ReinforcementRecipe


@dataclass(frozen=True)
class Inputs:
    """What a run's result depends on, besides its recipe."""

    files: tuple[Path, ...]
    hashes: dict[str, str]
    """Of the template, the tokenizer and the base model, as far as there are any before the run."""


def find_inputs(recipe: TrainRecipe) -> Inputs:
    """
    Find the files that a run depends on, and see that they can be had.

    Raises:
        DataError, ModelError, RecipeError: if one of them is not there or cannot be read.
    """
    hashes = {}
    if recipe.model.path:
        place = model_place(recipe.model.path)
        tokenizer = _check_model(recipe, place)
        hashes["base"] = fingerprint(place)
    if recipe.adapter and recipe.adapter.path:
        hashes["adapter"] = sha256_of(next(weight_files(adapter_place(recipe.adapter.path))))
    if isinstance(recipe, DpoRecipe) and recipe.dpo.reference:
        hashes["reference"] = fingerprint(model_place(recipe.dpo.reference))
    if isinstance(recipe, ReinforcementRecipe):
        hashes |= {f"the reward {term.title}": digest for term in recipe.rewards if (digest := _hash_reward(term))}
    if isinstance(recipe, RowsRecipe):
        hashes |= {
            "tokenizer": hash_tokenizer(tokenizer_place(recipe)),
            "template": prompting_of(recipe, tokenizer).hash,
        }
        return Inputs(open_training_rows(recipe.data, recipe.seed).files, hashes)
    assert isinstance(recipe, PretrainRecipe)
    if recipe.tokenizer.path:
        load_tokenizer(recipe.tokenizer.path)
        hashes["tokenizer"] = hash_tokenizer(Path(recipe.tokenizer.path))
    return Inputs(read_corpora(recipe.data).files, hashes)


def prompting_of(recipe: RowsRecipe, tokenizer: Tokenizer) -> Prompting:
    """
    Find out how the rows of a recipe are asked: with its template, or else as the model was trained.

    Raises:
        RecipeError, ModelError: if there is no such template.
    """
    if isinstance(recipe, SftRecipe):
        return make_prompting(choose_template(recipe.examples.template, tokenizer, recipe.examples.train_on), tokenizer)
    if recipe.examples.template is not None:
        return make_prompting(choose_template(recipe.examples.template, tokenizer, "last"), tokenizer)
    going_on = recipe.adapter and recipe.adapter.path
    return load_prompting(adapter_place(going_on) if going_on else model_place(str(recipe.model.path)), tokenizer)


def _check_model(recipe: TrainRecipe, place: Path) -> Tokenizer:
    """See that model, tokenizer and adapter are whole and belong together, without loading weights."""
    config = read_config(place)
    check_weights(place, "model")
    check_tokenizer(config, load_tokenizer(place))
    if recipe.adapter and recipe.adapter.path:
        check_base_name(str(place), adapter_place(recipe.adapter.path))
    return load_tokenizer(tokenizer_place(recipe))


def _hash_reward(term: RewardTermSettings) -> str | None:
    """Hash what a reward is made of, as far as it lies in files; what is not there is told when it is opened."""
    if term.model is not None:
        base, adapter = find_rewards(term.model)
        return sha256_of(next(weight_files(adapter))) if adapter else fingerprint(base)
    path = Path(term.function.rpartition(":")[0]) if term.function else term.judge
    return sha256_of(path) if path is not None and path.is_file() else None


def tokenizer_place(recipe: TrainRecipe) -> Path:
    """Find the tokenizer of what is trained on: an adapter that goes on may have come with new tokens."""
    if recipe.adapter and recipe.adapter.path:
        place = adapter_place(recipe.adapter.path)
        if (place / "tokenizer.json").is_file():
            return place
    return model_place(str(recipe.model.path))


def hash_tokenizer(folder: Path) -> str:
    """Hash what a tokenizer's folder says about texts."""
    place = folder if folder.is_file() else folder / "tokenizer.json"
    return sha256_of(place) if place.is_file() else ""
