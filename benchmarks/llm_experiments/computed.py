"""
What to expect of gemma-ko-7b and polyglot-ko-12.8b: memory and time, computed, since no weights of theirs are here.

In: their shapes, three ways to train. Out: results/computed.json:

    python -m benchmarks.llm_experiments.computed

    gemma-ko-7b, QLoRA, 16 rows of 400 tokens, checkpointing  ─►  12.3 GiB, 0.2 hours at best          (made up)

Memory is the pre-flight's own estimate, within 2 % of what was measured on an H100 where it was (LOG.md). Time is
operations over 40 % of a GPU's rate: 2 for each weight and token forward, 2 back to the inputs, 2 more for weights that
learn, and the forward pass once again under checkpointing. Small batches and 4 bits are slower: what was measured of
gemma-ko-7b with QLoRA stands in the table beside it.
"""

import json
from typing import Any

from benchmarks.llm_experiments.pretraining import RESULTS, write
from benchmarks.recipes_on_gpu.cases import GEMMA, POLYGLOT, Shape

GIB = 1 << 30
RATE, SHARE = 780e12, 0.4
ROWS, ROW_TOKENS, LONGEST = 48_676, 137.4, 405
"""Of gemma-ko-7b's recipe: the rows of restoration-pairs in its tokens."""
LORA = {"r": 16, "alpha": 32, "dropout": 0.05}
WAYS: dict[str, dict[str, Any]] = {
    "full": {"training": {"optimizer": "adamw_torch_fused", "gradient_checkpointing": True}},
    "LoRA": {"adapter": LORA, "training": {"gradient_checkpointing": True}},
    "QLoRA": {
        "adapter": LORA,
        "model": {"quantization": {}},
        "training": {"gradient_checkpointing": True, "optimizer": "paged_adamw_8bit"},
    },
}


def main() -> None:
    """Compute all, and write it."""
    rows = [compute(shape, way) for shape in (GEMMA, POLYGLOT) for way in WAYS]
    write(RESULTS / "computed.json", {"rows": rows, "rate": RATE, "share": SHARE, "tokens": ROWS * ROW_TOKENS})
    for row in rows:
        print(json.dumps(row))


def compute(shape: Shape, way: str) -> dict[str, Any]:
    """Compute one row: 8 rows at once, as long as the longest."""
    from transformers import AutoConfig

    from hanpuri.training.preflight.memory import estimate_memory, sketch_model
    from hanpuri.training.preflight.rehearsal import Batch
    from hanpuri.training.recipe import SftRecipe

    config = AutoConfig.for_model(shape.model_type, **shape.sizes, vocab_size=shape.vocab_size)
    batch = Batch(8, LONGEST, 8 * LONGEST // 2)
    told = WAYS[way]
    settings: dict[str, Any] = {
        "name": "computed",
        "model": {"path": "none", "precision": "bf16"} | told.get("model", {}),
    }
    settings |= {"adapter": told.get("adapter"), "data": {"path": "none.jsonl"}}
    settings["training"] = {"steps": 1, "learning_rate": 1e-4, "batch_size": batch.rows, **told["training"]}
    recipe = SftRecipe(kind="sft", **settings)
    memory = estimate_memory(recipe, config, batch, device="cuda")
    plain = SftRecipe(kind="sft", **{**settings, "model": {"path": "none"}, "adapter": None})
    weights = sum(one.numel() for one in sketch_model(plain, config, "cuda").parameters())
    operations = 8 if way == "full" else 6
    seconds = operations * weights * ROWS * ROW_TOKENS / (RATE * SHARE)
    return {
        "model": shape.name,
        "way": way,
        "parameters": weights,
        "gib": round(memory.learning / GIB, 1),
        "weights_gib": round(memory.weights / GIB, 1),
        "optimizer_gib": round((memory.optimizer + memory.paged) / GIB, 1),
        "hours_at_best": round(seconds / 3600, 2),
    }


if __name__ == "__main__":
    main()
