"""
What learns from an adapter that is there, or stays near to a frozen copy of itself: how large both are.

In: a recipe. Out: the size of the adapter that goes on, and the bytes of the reference:

    a new adapter, and a new reward model     0
    an adapter that goes on                   as much again as the adapter
    the whole model                           as much again as the model, or as `dpo.reference`
"""

import json

from hanpuri.training.recipe import AdapterSettings, DpoRecipe, GrpoRecipe, RlooRecipe, TrainRecipe


def reference_bytes(recipe: TrainRecipe, whole: int, adapter: int, device: str) -> int:
    """
    Say what the frozen copy takes that training by preferences or rewards keeps beside the model.

    Args:
        recipe: decides whether there is one, and of what.
        whole: bytes of the model.
        adapter: bytes of the adapter.
        device: "cuda" or "cpu".
    """
    from hanpuri.training.loading.models import model_place, read_config
    from hanpuri.training.preflight.memory import sketch_model, weight_bytes

    if isinstance(recipe, DpoRecipe) and recipe.dpo.reference:
        return weight_bytes(sketch_model(recipe, read_config(model_place(recipe.dpo.reference)), device))
    if not _keeps_near(recipe):
        return 0
    if recipe.adapter is None:
        return whole
    return adapter if recipe.adapter.path else 0  # beside a new adapter, the model itself is the reference


def _keeps_near(recipe: TrainRecipe) -> bool:
    """Tell whether a recipe weighs the way from the model before the first step."""
    if isinstance(recipe, GrpoRecipe):
        return recipe.grpo.beta > 0
    return isinstance(recipe, DpoRecipe) or (isinstance(recipe, RlooRecipe) and recipe.rloo.beta > 0)


def as_new(settings: AdapterSettings) -> AdapterSettings:
    """
    Give settings that make a new adapter of the size of the one that goes on.

    Raises:
        ModelError: if there is no such adapter.
    """
    from hanpuri.training.loading.adapters import adapter_place
    from hanpuri.training.loading.models import ADAPTER

    if settings.path is None:
        return settings
    kept = json.loads((adapter_place(settings.path) / ADAPTER).read_text(encoding="utf-8"))
    modules = {name: kept.get(name) or () for name in ("target_modules", "modules_to_save")}
    modules = {name: told if isinstance(told, str) else tuple(told) for name, told in modules.items()}
    changes = {"path": None, "r": kept["r"], "dora": bool(kept.get("use_dora")), **modules}
    return settings.model_copy(update=changes)
