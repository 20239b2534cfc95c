"""
Whether a row in a pack sees its neighbours, asked of the loaded model itself.

In: a pack of several rows. Out: how far the logits of its rows are from those that the rows get alone, as a share of
their spread: 0.0004 in bfloat16 means that nothing leaks, 0.6 that attention goes across the borders.
"""

from itertools import pairwise
from typing import Any

from hanpuri.errors import ModelError
from hanpuri.training.feeding.datasets import Collator
from hanpuri.training.preflight.rows import Table

# Rounding differs with the shape of a batch; what leaks differs by far more.
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.08, "float16": 0.03}
LONGEST = 2048


def measure_leak(model: Any, table: Table, pad_id: int) -> float | None:
    """
    Compare the rows of one pack with the same rows alone.

    Returns:
        mean distance of the logits by their standard deviation; None if no pack has two rows.
    """
    import torch

    place = next(
        (one for one in range(len(table)) if len(table.begins(one)) > 1 and table.lengths[one] <= LONGEST), None
    )
    if place is None:
        return None
    begins = [*table.begins(place).tolist(), int(table.lengths[place])]
    whole = {name: table.row(place, name) for name in ("input_ids", "labels", "position_ids")}
    attention = getattr(model.config, "_attn_implementation", None) or ""
    collate = Collator(pad_id, end_to_end=attention.startswith("flash"))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            packed = _logits(model, collate, whole)
            far, spread = [], []
            for start, end in pairwise(begins[1:]):
                alone = _logits(model, collate, {name: column[start:end] for name, column in whole.items()})
                far.append((packed[start:end] - alone).abs().mean())
                spread.append(alone.std())
    finally:
        model.train(was_training)
    return float(max(one / max(float(width), 1e-9) for one, width in zip(far, spread, strict=True)))


def check_leak(model: Any, leak: float | None) -> None:
    """
    Refuse a model whose attention goes across the borders of a pack.

    Raises:
        ModelError: if it does.
    """
    types = {str(one.dtype).removeprefix("torch.") for one in model.parameters()}  # bytes hold weights in 4 bits
    if leak is not None and leak > max(TOLERANCE.get(name, TOLERANCE["bfloat16"]) for name in types):
        raise ModelError(
            f"a row in a pack sees its neighbours: its logits are off by {leak:.2f} of their spread, expected none",
            "set packing: false, or model.attention: sdpa",
        )


def _logits(model: Any, collate: Collator, row: dict[str, Any]) -> Any:
    batch = {name: tensor.to(model.device) for name, tensor in collate([row]).items()}
    return model(**batch, use_cache=False).logits[0].float()
