"""
RoPE scaling ─► a model's configuration for longer texts than the model has seen.

In: a configuration and RopeScalingSettings. Out: the same configuration, changed in place; here of a llama of 2048
positions with `{type: yarn, factor: 4}`:

    rope_parameters          {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "beta_fast": 32.0, …,
                              "original_max_position_embeddings": 2048}
    max_position_embeddings  8192

transformers computes the frequencies; what is decided here is which settings reach it and where they stand in each
family. Gemma 3 turns positions at two speeds, and its layers with a sliding window never look further than the window:
only the others are scaled, as its makers did. GPT-NeoX turns a part of each head, and keeps doing so.
"""

from pathlib import Path
from typing import Any

import yaml

from hanpuri.errors import RecipeError
from hanpuri.training.recipe import RopeScalingSettings

WIDE = "full_attention"  # the layers that see the whole text, in families that have others too
KEPT = ("rope_theta", "partial_rotary_factor")
OWN = {"yarn": ("beta_fast", "beta_slow"), "llama3": ("low_freq_factor", "high_freq_factor")}
KNOWN = ("default", "linear", "dynamic", "yarn", "llama3")


def scale_rope(config: Any, settings: RopeScalingSettings) -> None:
    """
    Write the scaling into a configuration: its `rope_parameters`, and how many positions there are now.

    With `dynamic` the number of positions stays what it was: transformers takes it for the length from which on
    frequencies change. `reach` tells how long a text may be in each case. There, frequencies depend on the longest
    text that went through the model since the last short one, so two runs agree only if they read the same texts.

    Args:
        config: a PreTrainedConfig.
        settings: what the recipe says.

    Raises:
        RecipeError: if the model turns no positions, turns them in a way that cannot be scaled, or is scaled already
            and the recipe does not say how many positions it had before.
    """
    config = config.get_text_config()
    old = _wide(config)
    original = settings.original_max_position_embeddings or _original(config, old)
    new = {key: old[key] for key in KEPT if key in old}
    new |= {"rope_type": settings.type, "factor": settings.factor}
    new |= {key: getattr(settings, key) for key in OWN.get(settings.type, ())}
    if settings.type in OWN:
        new["original_max_position_embeddings"] = original
    if settings.type == "dynamic" and _turned(config, old) <= 2:
        found = f"model.rope_scaling: found type dynamic for heads of which {_turned(config, old)} numbers turn"
        raise RecipeError(f"{found}, expected more than 2", "take type linear, or larger heads")
    nested = WIDE in config.rope_parameters
    config.rope_parameters = {**config.rope_parameters, WIDE: new} if nested else new
    config.max_position_embeddings = original if settings.type == "dynamic" else int(original * settings.factor)


def reach(config: Any) -> int | None:
    """Give the length in tokens of the longest text that a configuration is made for; None if it does not say."""
    config = config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None)
    if not positions:
        return None
    rope = getattr(config, "rope_parameters", None) or {}
    rope = rope.get(WIDE, rope)
    return int(positions * rope["factor"]) if rope.get("rope_type") == "dynamic" else int(positions)


def turns_alike(config: Any) -> bool:
    """
    Tell whether a text is read the same whatever the length of those beside it, beyond the last position too.

    Not so where the turning depends on the longest text of a batch (dynamic, longrope), or where positions are learnt.
    """
    rope = getattr(config.get_text_config(), "rope_parameters", None) or {}
    return rope.get(WIDE, rope).get("rope_type") in set(KNOWN) - {"dynamic"}


def rope_scaling_of(adapter: Path | None) -> RopeScalingSettings | None:
    """Read how a run stretched its base's positions: an adapter alone does not say it."""
    path = adapter.parent / "recipe.yaml" if adapter else None
    if path is None or not path.is_file():
        return None
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    told = recipe.get("model", {}).get("rope_scaling") if isinstance(recipe, dict) else None
    return RopeScalingSettings.model_validate(told) if told else None


def _wide(config: Any) -> dict[str, Any]:
    """Find how positions turn now, in the layers that see the whole text."""
    parameters = getattr(config, "rope_parameters", None) or {}
    found = parameters.get(WIDE, parameters)
    if found.get("rope_type") not in KNOWN:
        kind = found.get("rope_type", "no RoPE")
        raise RecipeError(
            f"model.rope_scaling: the model ({config.model_type}) has {kind}, expected one of {', '.join(KNOWN)}",
            "take model.rope_scaling out",
        )
    return dict(found)


def _original(config: Any, old: dict[str, Any]) -> int:
    if old["rope_type"] != "default":
        told = old.get("original_max_position_embeddings")
        raise RecipeError(
            f"model.rope_scaling: the model is scaled already ({old['rope_type']}, factor {old['factor']:g})",
            "say how many positions it had before in model.rope_scaling.original_max_position_embeddings"
            + (f" ({told})" if told else ""),
        )
    return int(config.max_position_embeddings)


def _turned(config: Any, rope: dict[str, Any]) -> int:
    """Count the numbers of a head that turn with the position."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(size * rope.get("partial_rotary_factor", 1.0))
