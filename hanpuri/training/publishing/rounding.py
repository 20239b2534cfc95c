"""
How far a logit may be off because numbers are rounded: measured on the model at hand, not guessed.

In: a model, and the rounding unit of its precision. Out: the same model, whose results are all off by as much as
rounding makes them, at random; run so a few times, its logits show what rounding does. In bf16, at three positions:

    standard deviation of a logit    0.004   0.006   0.051   (here an attention hangs between two words)

A rule of thumb for all models would not do: what one rounding does to a logit differs a hundredfold from position to
position. The units are 2⁻⁸ for bf16, 2⁻¹¹ for fp16, 2⁻²⁴ for fp32: results are off by up to that share of their size.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

UNITS = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24}


@contextmanager
def rounded_at_random(model: Any, unit: float, seed: int) -> Iterator[None]:
    """
    Let each result in a model be off as rounding might have it: those of its layers, and of all modules in them.

    Args:
        model: on any device; it is as before in the end.
        unit: the rounding unit.
        seed: which of the many ways.
    """
    import torch

    generator = torch.Generator(device=model.device).manual_seed(seed)
    handles = [
        module.register_forward_hook(_hook(error_of(module, unit), generator)) for module in _rounding_modules(model)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def error_of(module: Any, unit: float) -> float:
    """
    Give the standard deviation of a module's rounding error, as a share of its result.

    The result is off by an even draw from -unit to unit; a sum of n products, kept in float32, by another √n · 2⁻²⁴.
    """
    return unit / math.sqrt(3) + math.sqrt(getattr(module, "in_features", 1)) * UNITS["float32"]


def _rounding_modules(model: Any) -> Iterator[Any]:
    """List what computes: modules without parts, and layers, which add up; not tables, which are only looked up."""
    from torch import nn

    layers = {id(layer) for part in model.modules() if isinstance(part, nn.ModuleList) for layer in part}
    for module in model.modules():
        is_leaf = not any(True for _ in module.children())
        if id(module) in layers or (is_leaf and not isinstance(module, nn.Embedding | nn.Dropout | nn.Identity)):
            yield module


def _hook(error: float, generator: Any) -> Callable[[Any, Any, Any], Any]:
    import torch

    def shake(tensor: Any) -> Any:
        if not (isinstance(tensor, torch.Tensor) and tensor.is_floating_point()):
            return tensor
        # Relative to the row: a sum that comes out small is off by as much as its summands are.
        size = tensor.float().square().mean(-1, keepdim=True).sqrt()
        noise = torch.randn(tensor.shape, generator=generator, device=tensor.device)
        return (tensor.float() + error * size * noise).to(tensor.dtype)

    def hook(module: Any, inputs: Any, result: Any) -> Any:
        return (shake(result[0]), *result[1:]) if isinstance(result, tuple) else shake(result)

    return hook
