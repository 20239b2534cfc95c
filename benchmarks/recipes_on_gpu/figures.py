"""
What a run took, beside what its pre-flight had said.

In: a run's folder. Out: figures for recipes_on_gpu.json, and a line of them to read.
"""

import json
import math
import platform
import time
from pathlib import Path
from typing import Any

from benchmarks.recipes_on_gpu.cases import Case

RECIPES = Path(__file__).parents[2] / "hanpuri" / "recipes"
GIB = 1 << 30
WARM_STEPS = 2  # the first ones compile kernels, and are no measure


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """Read a run's metrics; the last line may be half written."""
    path = run / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    return [json.loads(line) for line in lines]


def figures_of(case: Case, recipe: Any, trained: Any) -> dict[str, Any]:
    """Put together what a run took, and what its pre-flight had said."""
    import torch

    told = json.loads((trained.folder / "preflight.json").read_text(encoding="utf-8"))
    memory, probe, lines = told["memory"], told["probe"], metrics_of(trained.folder)
    step_seconds, tokens_per_second = speed_of(lines)
    on_gpu = torch.cuda.is_available()
    return {
        "recipe": case.recipe,
        "model": case.shape.name if case.shape else "made by the recipe",
        "parameters": trained.result["parameters"],
        "trainable_parameters": trained.result["trainable_parameters"],
        "steps": trained.step,
        "rows": told["figures"]["rows"],
        "tokens_a_row": round(told["figures"]["tokens"] / max(1, told["figures"]["rows"]), 1),
        "longest_row": told["figures"]["longest"],
        "step_seconds": step_seconds,
        "tokens_per_second": tokens_per_second,
        "peak_bytes": trained.result["peak_memory_bytes"],
        "estimated_peak_bytes": memory["total"] - memory["spare"],
        "probed_peak_bytes": probe["peak"],
        "evaluation_seconds": evaluations_of(lines),
        "probe": probe,
        "whole": whole_of(case, recipe, told, step_seconds),
        "first_loss": next(line["loss"] for line in lines if "loss" in line),
        "last_loss": next(line["loss"] for line in reversed(lines) if "loss" in line),
        "machine": torch.cuda.get_device_name() if on_gpu else platform.machine(),
        "versions": versions(),
        "seed": recipe.seed,
        "date": time.strftime("%Y-%m-%d"),
    }


def speed_of(lines: list[dict[str, Any]]) -> tuple[float, float]:
    """Give seconds a step and tokens a second, of all steps but the first few."""
    seconds = steps = tokens = 0.0
    before = {"step": 0, "tokens": 0}
    for line in lines:
        if "tokens_per_second" not in line:
            continue
        if line["step"] > before["step"] >= WARM_STEPS:
            learnt = line["tokens"] - before["tokens"]
            seconds += learnt / line["tokens_per_second"]
            steps += line["step"] - before["step"]
            tokens += learnt
        before = line
    return seconds / max(1, steps), tokens / max(1e-9, seconds)


def evaluations_of(lines: list[dict[str, Any]]) -> list[float]:
    """Give the seconds of each evaluation but the one before the first step: from the line of its step to its own."""
    logged = {line["step"]: line["time"] for line in lines if "loss" in line}
    seen = (line for line in lines if "eval_loss" in line and line["step"] in logged)
    return [round(seconds_between(logged[line["step"]], line["time"]), 2) for line in seen]


def seconds_between(first: Any, second: Any) -> float:
    """Subtract two times, as metrics.jsonl writes them."""
    if isinstance(first, int | float):
        return float(second - first)
    from datetime import datetime

    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()


def whole_of(case: Case, recipe: Any, told: dict[str, Any], step_seconds: float) -> dict[str, Any]:
    """Say how long the recipe takes on the whole prepared data: steps as measured, evaluations as foretold."""
    if case.shape is None:
        return {}
    from hanpuri.recipe import read_recipe
    from hanpuri.training.preflight.ahead import FORWARD, count_steps
    from hanpuri.training.recipe import KINDS

    full: Any = read_recipe(RECIPES / f"{case.recipe}.yaml", KINDS)
    steps = count_steps(full, told["figures"]["rows"], 1)
    looks, probe, watch = math.ceil(steps / full.watch.evaluate_every) + 1, told["probe"], full.watch
    scoring = math.ceil((watch.evaluation_rows or 0) / full.training.batch_size) * probe["batch_seconds"] * FORWARD
    answers = math.ceil(watch.generation.rows / watch.generation.batch_size) * watch.generation.max_new_tokens
    return {
        "steps": steps,
        "evaluations": looks,
        "training_seconds": round(steps * step_seconds),
        "evaluation_seconds_at_most": round(looks * (scoring + answers * probe["token_seconds"])),
    }


def versions() -> dict[str, str]:
    """Name the libraries' versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "triton"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def line_of(row: dict[str, Any]) -> str:
    """Write a row of the table."""
    if "step_seconds" not in row:
        return json.dumps(row, ensure_ascii=False)
    off = row["estimated_peak_bytes"] / max(1, row["peak_bytes"]) - 1
    return (
        f"{row['recipe']:<36}{row['parameters'] / 1e9:>7.2f}B  peak {row['peak_bytes'] / GIB:>6.2f} GiB, estimated"
        f" {row['estimated_peak_bytes'] / GIB:>6.2f} ({off:+.0%})  {row['step_seconds']:>6.3f} s a step"
        f"  {row['tokens_per_second']:>9,.0f} tokens/s  whole {row['whole']}"
    )
