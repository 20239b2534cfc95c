"""
A recipe and a device ─► nothing, or one line on what this machine cannot do.

In: a TrainRecipe and "cuda", "cuda:1" or "cpu". Out: silence, or such as

    model.quantization needs the library bitsandbytes, which is not installed; install it: pip install "hanpuri[llm]"

Everything here is asked before a weight is read, so that nobody waits for a refusal.
"""

import logging
import re
import sys
from importlib.util import find_spec

from hanpuri.errors import ModelError, RecipeError
from hanpuri.training.recipe import ModelSettings, TrainRecipe

NEEDED = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
FLASH = "flash_attention_2"
log = logging.getLogger("hanpuri.training")


def check_hardware(recipe: TrainRecipe, device: str) -> None:
    """
    Refuse what a recipe wants and this machine or its libraries cannot do.

    Args:
        recipe: what to train.
        device: on what.

    Raises:
        ModelError: if a library is missing or does not work.
        RecipeError: if a setting cannot be had on this device.
    """
    for library in NEEDED:
        _need(library, "training a language model")
    for tracker in recipe.watch.trackers:
        _need(tracker, f"watch.trackers {tracker}", f"pip install {tracker}, or take it out")
    check_device(device)
    _check_precision(recipe, device)
    _check_attention(recipe.model, device)
    optimizer = recipe.training.optimizer
    if optimizer.startswith("paged") and not _is_gpu(device):
        raise RecipeError(
            f"training.optimizer {optimizer} moves memory between GPU and CPU, and the device is {device}",
            f"take {'adamw_8bit' if '8bit' in optimizer else 'adamw_torch'}",
        )
    if recipe.model.quantization:
        _need("bitsandbytes", "model.quantization")
        _check_bitsandbytes(device)
    elif "8bit" in optimizer or "paged" in optimizer:
        _need("bitsandbytes", f"training.optimizer {optimizer}")
        _check_bitsandbytes(device)
    if not _is_gpu(device) and "bf16" in _formats(recipe.model, device).values():
        log.warning("bf16 on the device %s: slow, unless the processor has instructions for it", device)


def check_device(device: str) -> None:
    """
    See that a device is there.

    Raises:
        RecipeError: if it is not, or the word means none.
    """
    import torch

    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise RecipeError(f"the device is {device!r}, expected cuda, cuda:1 and so on, or cpu", "take the device cpu")
    if not _is_gpu(device):
        return
    found, wanted = torch.cuda.device_count(), torch.device(device).index or 0
    if found <= wanted:
        raise RecipeError(f"the device {device} was asked for, and torch finds {found} GPUs", "take the device cpu")


def resolve_precision(settings: ModelSettings, device: str) -> str:
    """Say what is computed in: "bf16", "fp16" or "fp32"; auto is bf16 on a GPU that has it, else fp32."""
    if settings.precision != "auto":
        return settings.precision
    return "bf16" if _is_gpu(device) and _has_bf16(device) else "fp32"


def resolve_weights(settings: ModelSettings, device: str, *, learns_whole: bool) -> str:
    """Say what weights are held in; auto is fp32 where they learn, else what is computed in."""
    if settings.weights != "auto":
        return settings.weights
    if settings.quantization:
        return settings.quantization.compute
    return "fp32" if learns_whole else resolve_precision(settings, device)


def import_bitsandbytes() -> None:
    """
    Import bitsandbytes, if it is there, before a library does, so that it neither dials nor speaks.

    On a CPU with bf16 instructions its import has the library `kernels` download something from the hub; where that
    library is missing it warns. Both are about speed alone.
    """
    if "bitsandbytes" in sys.modules or not find_spec("bitsandbytes"):
        return
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    was_off, kernels = logger.disabled, sys.modules.get("kernels")
    logger.disabled = True
    sys.modules["kernels"] = None  # type: ignore[assignment]  # Python's own way to have an import fail
    try:
        import bitsandbytes  # noqa: F401
    finally:
        logger.disabled = was_off
        del sys.modules["kernels"]
        if kernels is not None:
            sys.modules["kernels"] = kernels


def _need(library: str, wish: str, mend: str = 'install it: pip install "hanpuri[llm]"') -> None:
    if find_spec(library) is None:
        raise ModelError(f"{wish} needs the library {library}, which is not installed", mend)


def _is_gpu(device: str) -> bool:
    return device.startswith("cuda")


def _has_bf16(device: str) -> bool:
    import torch

    return torch.cuda.get_device_capability(device) >= (8, 0)  # older ones emulate it, far slower than fp16


def _check_precision(recipe: TrainRecipe, device: str) -> None:
    """Hold every number format that the recipe names against the device."""
    model = recipe.model
    for setting, format in _formats(model, device).items():
        if format == "fp16" and not _is_gpu(device):
            raise RecipeError(
                f"{setting} is fp16, which trains on a GPU alone, and the device is {device}", "take fp32"
            )
        if format == "bf16" and _is_gpu(device) and not _has_bf16(device):
            raise RecipeError(f"{setting} is bf16, which this GPU does not compute in", "take fp16")
    if not recipe.adapter and resolve_weights(model, device, learns_whole=True) == "fp16":
        raise RecipeError(
            "model.weights is fp16 where all weights learn: small gradients would be lost",
            "take model.weights: fp32; with model.precision: fp16 it computes in fp16 all the same",
        )


def _formats(model: ModelSettings, device: str) -> dict[str, str]:
    """Give the number format that each setting asks for."""
    formats = {"model.precision": resolve_precision(model, device), "model.weights": model.weights}
    if model.quantization:
        formats["model.quantization.compute"] = model.quantization.compute
    return formats


def _check_attention(model: ModelSettings, device: str) -> None:
    if model.attention != FLASH:
        return
    if not _is_gpu(device):
        raise RecipeError(f"model.attention {FLASH} runs on a GPU alone, and the device is {device}", "take sdpa")
    if resolve_precision(model, device) == "fp32":
        raise RecipeError(
            f"model.attention {FLASH} computes in bf16 and fp16, and model.precision is fp32", "take sdpa"
        )
    _need("flash_attn", f"model.attention {FLASH}", "pip install flash-attn, or take sdpa, which is about as fast")


def _check_bitsandbytes(device: str) -> None:
    """Quantise a few numbers: an installed library may still be one for another machine."""
    import torch

    import_bitsandbytes()
    try:
        from bitsandbytes.functional import quantize_4bit

        quantize_4bit(torch.zeros(64, device=device))
    except Exception as error:  # whatever a broken build raises
        told = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"the library bitsandbytes does not work on the device {device} ({told})",
            "install the build for this machine, or take model.quantization and 8-bit optimizers out",
        ) from None
