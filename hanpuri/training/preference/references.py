"""
What a model that learns preferences stays near to: the reference, found, checked and loaded.

In: a DpoRecipe. Out, by how it trains:

    a new adapter          the frozen model beside it; nothing is loaded
    an adapter that        a frozen copy of it, as it was before the first step
      goes on
    the whole model        a second, frozen copy of the model, or of the one that `dpo.reference` names

Needs torch and transformers.
"""

from typing import Any

from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import ModelError
from hanpuri.training.loading.hardware import resolve_weights
from hanpuri.training.loading.models import check_tokenizer, check_weights, load_model, model_place, read_config
from hanpuri.training.recipe import DpoRecipe


def reference_path(recipe: DpoRecipe) -> str | None:
    """
    Say which model has to be loaded as the reference; None where the model in training has it in itself.

        >>> recipe = {"kind": "dpo", "name": "a", "data": {"path": "pairs.jsonl"}, "model": {"path": "runs/sft"}}
        >>> recipe |= {"training": {"steps": 9, "learning_rate": 1e-6}}
        >>> reference_path(DpoRecipe.model_validate(recipe))
        'runs/sft'
        >>> reference_path(DpoRecipe.model_validate({**recipe, "adapter": {}})) is None
        True
    """
    return None if recipe.adapter else recipe.dpo.reference or recipe.model.path


def check_reference(recipe: DpoRecipe, tokenizer: Tokenizer) -> None:
    """
    See that a reference of its own is whole and reads the same tokens, without loading its weights.

    Raises:
        ModelError: if it is not there, or has another tokenizer.
    """
    told = recipe.dpo.reference
    if told is None:
        return
    place = model_place(told)
    check_weights(place, "model")
    own = load_tokenizer(place)
    check_tokenizer(read_config(place), own)
    if own.fast.get_vocab() != tokenizer.fast.get_vocab():
        raise ModelError(
            f"dpo.reference: found {told} with another tokenizer than the model's: their tokens do not compare",
            "name a model of the same family, or take dpo.reference out",
        )


def load_reference(recipe: DpoRecipe, model: Any) -> Any:
    """
    Load the reference in the number format of the model, so that both begin with the same likelihoods; or None.

    Args:
        recipe: decides which one.
        model: the model in training; the reference goes where it lies.
    """
    path = reference_path(recipe)
    if path is None:
        return None
    device = str(model.device)
    weights = resolve_weights(recipe.model, device, learns_whole=True)
    settings = recipe.model.model_copy(update={"path": path, "weights": weights})
    return load_model(settings, learns_whole=True, device=device).requires_grad_(False).eval()
