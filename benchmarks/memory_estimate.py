"""
How far the memory estimate is off: what it says beside what a step really took.

In:  nothing; models of known sizes are made on the spot with random weights.   Out: a line a case.

    python benchmarks/memory_estimate.py [--device cuda] [--cases tiny]

Weights, gradients and optimizer states are counted on the real tensors and have to agree to the byte on every device;
the peak of a whole step is measured on a GPU alone (`max_memory_allocated`), because a CPU does not tell its own.

Seen on 2026-11-22, an H100 with torch 2.11, transformers 5.17, trl 1.16, one step each:

    GiB, estimated / measured           weights            peak of a step         off
    llama 1.2B, whole                   4.604 / 4.604      24.83 / 25.02          -1%
    llama 1.2B, whole, checkpointing    4.604 / 4.604      21.05 / 21.13          -0%
    llama 1.2B, LoRA                    2.344 / 2.344      20.91 / 20.99          -0%
    qwen3 0.6B, whole, eager            2.220 / 2.220      15.50 / 15.63          -1%
    gpt-neox 5.9B, LoRA, checkpointing  11.071 / 11.071    15.90 / 16.29          -2%
    gemma 8.5B, QLoRA, checkpointing    6.841 / 6.841      8.96 / 9.04            -1%
    gemma 8.5B, QLoRA                   6.841 / 6.841      33.60 / 33.73          -0%

What CUDA held for itself beside that was 0.67 GiB. Packs, flash attention and several devices were not measured.
"""

import argparse
import gc
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from hanpuri.training.preflight.memory import Memory, estimate_memory
from hanpuri.training.preflight.rehearsal import Batch
from hanpuri.training.recipe import SftRecipe, TrainRecipe

GIB = 1 << 30
LORA: dict[str, Any] = {"r": 16, "alpha": 32, "dropout": 0.05}
LLAMA = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "vocab_size": 128256}
LLAMA |= {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "tie_word_embeddings": True}
QWEN = {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "vocab_size": 151936}
QWEN |= {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True}
GEMMA = {"hidden_size": 3072, "intermediate_size": 24576, "num_hidden_layers": 28, "vocab_size": 256000}
GEMMA |= {"num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 256}
NEOX: dict[str, Any] = {"hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 28, "vocab_size": 30080}
NEOX |= {"num_attention_heads": 16, "attention_dropout": 0.0, "hidden_dropout": 0.0}
TINY: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "vocab_size": 1000,
    "num_attention_heads": 4,
}


@dataclass(frozen=True)
class Case:
    """One training."""

    name: str
    model_type: str
    sizes: dict[str, Any]
    batch: Batch
    adapter: dict[str, Any] | None = None
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def recipe(self) -> TrainRecipe:
        """Write the recipe that would train so."""
        settings: dict[str, Any] = {"name": "estimate", "model": {"path": "none", "precision": "bf16", **self.model}}
        settings |= {"adapter": self.adapter, "data": {"path": "none.jsonl"}}
        settings["training"] = {"steps": 1, "learning_rate": 1e-4, "batch_size": self.batch.rows, **self.training}
        return SftRecipe(kind="sft", **settings)


CASES = {
    "tiny": Case("tiny llama, whole", "llama", TINY, Batch(2, 64, 60)),
    "tiny-lora": Case(
        "tiny gemma, LoRA", "gemma", {**TINY, "head_dim": 16, "num_key_value_heads": 4}, Batch(2, 64, 60), LORA
    ),
    "llama-full": Case("llama 1.2B, whole", "llama", LLAMA, Batch(4, 1024, 2000, masked=False)),
    "llama-full-checkpointing": Case(
        "llama 1.2B, whole, checkpointing",
        "llama",
        LLAMA,
        Batch(16, 1024, 8000),
        training={"gradient_checkpointing": True, "optimizer": "adamw_torch_fused"},
    ),
    "llama-lora": Case("llama 1.2B, LoRA", "llama", LLAMA, Batch(8, 1024, 4000), LORA),
    "qwen-eager": Case("qwen3 0.6B, whole, eager", "qwen3", QWEN, Batch(4, 512, 2000), model={"attention": "eager"}),
    "neox-lora": Case(
        "gpt-neox 5.9B, LoRA, checkpointing",
        "gpt_neox",
        NEOX,
        Batch(8, 1024, 4000),
        LORA,
        training={"gradient_checkpointing": True},
    ),
    "gemma-qlora": Case(
        "gemma 8.5B, QLoRA, checkpointing",
        "gemma",
        GEMMA,
        Batch(4, 512, 1000),
        LORA,
        model={"quantization": {}},
        training={"gradient_checkpointing": True, "optimizer": "adamw_8bit"},
    ),
    "gemma-qlora-kept": Case(
        "gemma 8.5B, QLoRA", "gemma", GEMMA, Batch(4, 512, 1000, masked=False), LORA, model={"quantization": {}}
    ),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--cases", nargs="*", choices=CASES)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    names = options.cases or [name for name in CASES if name.startswith("tiny") != on_gpu]
    print(f"{'GiB, estimated / measured':<36}{'weights':>20}{'optimizer':>12}{'peak of a step':>20}{'off':>9}")
    rows = []
    for name in names:
        rows.append(compare(CASES[name], options.device))
        print(_line(CASES[name], rows[-1]), flush=True)
        if options.out:
            options.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def compare(case: Case, device: str) -> dict[str, Any]:
    """Estimate a case, then run it, and give both."""
    from transformers import AutoConfig

    config = AutoConfig.for_model(case.model_type, **case.sizes)
    started = time.perf_counter()
    told = estimate_memory(case.recipe(), config, case.batch, device=device)
    seconds = time.perf_counter() - started
    try:
        measured = measure(case, config, device)
    except torch.OutOfMemoryError:
        measured = {}
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    return {"case": case.name, "seconds": seconds, "told": told.as_dict(), "expected": expected_peak(told), **measured}


def expected_peak(told: Memory) -> int:
    """Leave out what `max_memory_allocated` does not count."""
    return told.total - told.spare


def measure(case: Case, config: Any, device: str) -> dict[str, int]:
    """Make the model, take a step, and say what its tensors and the worst moment took."""
    from hanpuri.training.loading.adapters import attach_adapter
    from hanpuri.training.preflight.probe import probe_step

    recipe = case.recipe()
    model = real_model(recipe, config, device)
    if recipe.adapter:
        model = attach_adapter(model, recipe.adapter, 0).to(device)
    held = sum(_real_bytes(one) for one in {id(t): t for t in (*model.parameters(), *model.buffers())}.values())
    found = probe_step(model, real_batch(case.batch), recipe, device)
    return {"weights": held, "peak": found.peak or 0, "batch_ms": int(1000 * found.batch_seconds)}


def real_model(recipe: TrainRecipe, config: Any, device: str) -> Any:
    """Make a model with random weights on a device, in 4 bits if the recipe says so."""
    from transformers import AutoModelForCausalLM

    held = torch.bfloat16 if recipe.adapter else torch.float32
    attention = recipe.model.attention if recipe.model.attention != "auto" else "sdpa"
    torch.set_default_device(device)
    try:
        model = AutoModelForCausalLM.from_config(config, dtype=held, attn_implementation=attention)
    finally:
        torch.set_default_device("cpu")
    return in_four_bits(model, device) if recipe.model.quantization else model


def in_four_bits(model: Any, device: str) -> Any:
    """Put every linear layer but the last in 4 bits, as loading does."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    from hanpuri.training.preflight.rehearsal import replace_linears

    head = model.get_output_embeddings()

    def make(name: str, layer: torch.nn.Linear) -> torch.nn.Linear | None:
        if layer is head:
            return None
        new = Linear4bit(
            layer.in_features,
            layer.out_features,
            layer.bias is not None,
            torch.bfloat16,
            quant_type="nf4",
            device="meta",
        )
        new.weight = Params4bit(layer.weight.detach(), requires_grad=False, quant_type="nf4")
        if layer.bias is not None:
            new.bias = layer.bias
        return cast("torch.nn.Linear", new.to(device))  # moving it is what puts it in 4 bits

    replace_linears(model, make)
    model.is_loaded_in_4bit = True
    return model


def real_batch(shape: Batch) -> dict[str, torch.Tensor]:
    """Make a batch of random tokens; with a mask, one row is a token shorter."""
    ids = torch.randint(0, 1000, (shape.rows, shape.length))
    labels = torch.full((shape.rows * shape.length,), -100)
    # A token foretells the next one: the first of each row cannot be trained.
    places = [place for place in range(len(labels)) if place % shape.length][: shape.trained]
    labels[places] = ids.flatten()[places]
    mask = torch.ones_like(ids)
    if shape.masked:
        mask[0, -1] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": labels.view_as(ids)}


def _real_bytes(tensor: torch.Tensor) -> int:
    """Count a tensor's bytes; one in 4 bits with its scales."""
    size = tensor.numel() * tensor.element_size()
    state = getattr(tensor, "quant_state", None)
    if state is not None:
        inner = [
            state.absmax,
            state.code,
            *([state.offset, state.state2.absmax, state.state2.code] if state.nested else []),
        ]
        size += sum(one.numel() * one.element_size() for one in inner)
    return size


def _line(case: Case, row: dict[str, Any]) -> str:
    told, peak = row["told"], row.get("peak")
    weights = f"{(told['weights'] + told['adapter']) / GIB:.3f} / {row.get('weights', 0) / GIB:.3f}"
    line = f"{case.name:<36}{weights:>20}{told['optimizer'] / GIB:>12.3f}"
    if peak:
        line += f"{row['expected'] / GIB:>12.2f} / {peak / GIB:.2f}{(row['expected'] - peak) / peak:>+10.0%}"
    return line


if __name__ == "__main__":
    main()
