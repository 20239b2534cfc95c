"""
Adapter and base ─► one model, with the weights that both together compute.

In: an Origin with an adapter. Out: the base with the adapter laid on, or the merged model.

    W (bf16, from the base's own files)  +  B·A·alpha/r  ─►  W' (bf16)

The base is read anew from its files, never from the 4 bits that QLoRA trained on.
"""

from pathlib import Path
from typing import Any

from hanpuri.errors import ModelError
from hanpuri.training.loading.adapters import load_adapter
from hanpuri.training.loading.models import load_model, quiet_loading
from hanpuri.training.publishing.origin import Origin
from hanpuri.training.recipe import ModelSettings

SHARD = "5GB"


def load_adapted(origin: Origin, device: str, *, in_4_bits: bool = False) -> Any:
    """
    Load the base and lay the adapter on, as it computes before any merge.

    Args:
        origin: a run with an adapter.
        device: where to.
        in_4_bits: quantise the base as in training, to measure what the quantisation changes.

    Raises:
        ModelError: if the adapter does not fit the base.
    """
    base = load_model(_base_settings(origin, in_4_bits=in_4_bits), learns_whole=False, device=device)
    return load_adapter(base, origin.weights).eval()


def load_whole(folder: Path, device: str) -> Any:
    """Load a whole model as transformers alone does: no setting of ours, in the precision that it was saved in."""
    from transformers import AutoModelForCausalLM

    with quiet_loading():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
    return model.to(device).eval()


def merge(adapted: Any) -> Any:
    """
    Merge the adapter into its base, in place.

    Raises:
        ModelError: if the base is quantised, or the merge makes numbers that are none.
    """
    if getattr(adapted.get_base_model(), "quantization_method", None):
        found = "found a quantised base to merge into, expected the weights that it was made from"
        raise ModelError(found, "a merge into 4 bits adds their error to the model for good")
    try:
        merged = adapted.merge_and_unload(safe_merge=True)
    except ValueError as error:
        told = str(error).splitlines()[0]
        raise ModelError(
            f"the adapter cannot be merged: {told}", "look at the run's losses: it may have diverged"
        ) from None
    _settle_tied(merged)
    return merged.eval()


def save_model(model: Any, folder: Path) -> None:
    """Save weights and config, in files of 5 GB at most."""
    with quiet_loading():
        model.save_pretrained(folder, max_shard_size=SHARD)


def _base_settings(origin: Origin, *, in_4_bits: bool) -> ModelSettings:
    """Read the base as the recipe says, but for the quantisation, and with no attention that only training needs."""
    settings = origin.recipe.model
    changed: dict[str, Any] = {"path": str(origin.base), "attention": "auto", "weights": origin.precision}
    changed |= {"precision": origin.precision} | ({} if in_4_bits else {"quantization": None})
    return settings.model_copy(update=changed)


def _settle_tied(model: Any) -> None:
    """
    Say in the config whether one matrix reads and writes tokens.

    Where they are one by the config, and only one of them has learnt beside an adapter, they are two after the merge;
    a config that still ties them would overwrite one with the other when the model is loaded.
    """
    import torch

    config = model.config.get_text_config()
    reads, writes = model.get_input_embeddings(), model.get_output_embeddings()
    if not getattr(config, "tie_word_embeddings", False) or writes is None or reads.weight is writes.weight:
        return
    if torch.equal(reads.weight, writes.weight):
        writes.weight = reads.weight
    else:
        config.tie_word_embeddings = model.config.tie_word_embeddings = False
