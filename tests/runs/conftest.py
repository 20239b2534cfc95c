"""
Run folders, written by hand as each kind leaves them: a fine-tuning that learnt by heart, a pre-training, a restorer.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from hanpuri.runs import write_json

NOON = 1_762_000_000.0
SFT: dict[str, Any] = {
    **{"kind": "sft", "name": "mine", "seed": 0, "packing": False},
    "model": {"path": "models/qwen3-0.6b", "quantization": None, "scratch": None},
    "adapter": {"r": 16, "alpha": 32.0},
    "training": {"epochs": 2.0, "steps": None, "batch_size": 8, "accumulation": 2, "learning_rate": 0.0002},
    "data": {"path": "prepared/pairs", "validation": None, "validation_share": 0.02},
    "examples": {"max_length": 512},
    "watch": {"best_by": "char_accuracy"},
}
PRETRAIN: dict[str, Any] = {
    **{"kind": "pretrain", "name": "small", "seed": 0, "max_length": 256, "adapter": None},
    "model": {"path": None, "scratch": {"architecture": "llama", "num_layers": 4, "hidden_size": 128}},
    "training": {"steps": 100, "epochs": None, "batch_size": 4, "accumulation": 1, "learning_rate": 0.001},
    "data": {"corpora": [{"path": "corpus/nsmc.txt.xz"}, {"path": "corpus/wiki.txt.xz"}], "validation": 0.005},
    "watch": {"best_by": "loss"},
}
COMPACT: dict[str, Any] = {
    **{"kind": "compact", "name": "tiny", "seed": 0},
    "data": [{"path": f"corpus/{name}.txt"} for name in "abcde"],
    "evaluation": [{"name": "own", "path": "pairs.jsonl"}],
    "network": {"width": 64, "num_layers": 2},
    "training": {"steps": 40, "batch_tokens": 768, "window_lengths": [32, 24], "learning_rate": 0.005},
}
RESULT: dict[str, Any] = {
    **{"kind": "sft", "name": "mine", "finished": True, "steps": 40, "best_step": 20, "stopped_early": None},
    **{"scores": {"loss": 1.5, "char_accuracy": 0.9663}, "seconds": 7440.0, "tokens": 14_880_000},
    **{"peak_memory_bytes": 5_100_000_000, "device": "cuda", "model": "models/qwen3-0.6b", "method": "lora"},
    **{"epochs": 2.0, "train_rows": 184_211},
}


def sft_lines() -> list[dict[str, Any]]:
    """Forty steps, a look at every tenth; from the 20th on the validation loss rises."""
    lines: list[dict[str, Any]] = []
    for step in range(1, 41):
        course = {"loss": 4 / step, "token_accuracy": 0.5, "learning_rate": 1e-4, "grad_norm": 1.0}
        lines.append({"time": NOON + step, "step": step, "epoch": step / 20, **course, "tokens_per_second": 2000.0})
        if step % 10 == 0:
            scores = {"eval_loss": 1.5 + abs(step - 20) / 100, "eval_char_accuracy": 0.9 - abs(step - 20) / 1000}
            lines.append({"time": NOON + step, "step": step, "epoch": step / 20, **scores})
    told = "the validation loss rose twice in a row"
    lines.append({"time": NOON + 41, "step": 40, "event": "overfitting", "message": told})
    return lines


def compact_lines() -> list[dict[str, Any]]:
    course = [{"time": NOON + step, "step": step, "loss": 2.0, "items_per_second": 9000} for step in (20, 40)]
    return [*course, {"time": NOON + 45, "step": 40, "whole": "true", "own": 0.91}]


@pytest.fixture(scope="session")
def kinds() -> SimpleNamespace:
    """What the folders are written from, to be changed by tests."""
    return SimpleNamespace(sft=SFT, pretrain=PRETRAIN, compact=COMPACT, result=RESULT, noon=NOON)


@pytest.fixture(scope="session")
def written_lines() -> SimpleNamespace:
    """The metrics of each kind."""
    return SimpleNamespace(sft=sft_lines, compact=compact_lines)


@pytest.fixture
def run_folder(tmp_path) -> Callable[..., Path]:
    """Write a run's folder below `runs`; without arguments it is the fine-tuning, as far as the lines go."""

    def write(
        name: str = "mine",
        recipe: dict[str, Any] = SFT,
        lines: list[dict[str, Any]] | None = None,
        result: dict[str, Any] | None = None,
        **environment: Any,
    ) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        told = sft_lines() if lines is None else lines
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told), encoding="utf-8")
        start = {"python": "3.12.3", "libraries": {"trl": "1.16.0", "torch": "2.13.0"}, "command": ["train", name]}
        write_json(folder / "environment.json", {"data": {"a": "1"}, "hashes": {}, "starts": [start], **environment})
        if result:
            write_json(folder / "result.json", result)
        return folder

    return write
