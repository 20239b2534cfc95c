"""
The model before the first step, which the one that learns stays near to: a frozen copy of what learns.

In: a model as it was loaded, before its first step. Out, by how it trains:

    a new adapter                nothing: without its adapter, the model is what it was
    an adapter that goes on      a frozen copy of it beside it, under the name `ref`, which TRL looks for
    the whole model              a frozen copy of the whole

A run that goes on from a checkpoint loads the model anew before it loads the checkpoint, so the copy is always of the
beginning. TRL would load the whole model anew by the name in its configuration, perhaps from a hub, and copies not all
that an adapter can have.
"""

import copy
from typing import Any

from hanpuri.training.recipe import TrainRecipe

REF = "ref"
OWN = "default"


def freeze_copy(recipe: TrainRecipe, model: Any) -> Any:
    """Copy what learns, frozen; gives the copy of a whole model, and None where an adapter has it beside it."""
    if recipe.adapter is None:
        whole = copy.deepcopy(model).requires_grad_(False)
        return whole.eval()
    if recipe.adapter.path:
        _lay_beside(model)
    return None


def take_off(model: Any) -> None:
    """Take the copy of an adapter off again."""
    if REF in getattr(model, "peft_config", {}):
        model.delete_adapter(REF)


def _lay_beside(model: Any) -> None:
    model.add_adapter(REF, copy.deepcopy(model.peft_config[OWN]))
    model.set_adapter(OWN)
    weights = dict(model.named_parameters())
    for name, weight in weights.items():
        parts = name.split(".")
        if REF in parts:
            weight.requires_grad_(False)
            weight.data.copy_(weights[".".join(OWN if part == REF else part for part in parts)].data)
