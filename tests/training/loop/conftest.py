"""
Runs of a few steps with tiny models: a recipe, a run's folder, and material made of random rows.

In: what a test wants changed. Out: all that `run_loop` takes.
"""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hanpuri.data.examples import Example
from hanpuri.runs import Run
from hanpuri.training.loop.trainer import Material
from hanpuri.training.recipe import AdapterSettings, ModelSettings, SftRecipe

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")
ADAPTER = {"r": 4, "alpha": 8, "dropout": 0.2}


def random_rows(count: int, seed: int, longest: int = 14) -> list[Example]:
    """Rows of different lengths with different shares of trained tokens."""
    random = np.random.default_rng(seed)
    rows = []
    for place in range(count):
        ids = random.integers(10, 800, random.integers(5, longest)).astype(np.int32)
        labels = np.where(np.arange(len(ids)) < random.integers(1, len(ids) - 1), -100, ids).astype(np.int32)
        rows.append(Example(str(place), ids, labels))
    return rows


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """Each run collects garbage once; spare it the libraries, through which it else goes for most of a short run."""
    from hanpuri.training.loading.models import quiet_loading

    with quiet_loading():
        import hanpuri.training.loop.next_token  # noqa: F401
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Leave out the page of curves, which takes as long as all steps together; its own test draws it."""
    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)


@pytest.fixture
def recipe_of() -> Callable[..., SftRecipe]:
    """Make a recipe: sections of it may be changed key by key."""

    def make(training: dict[str, Any] | None = None, watch: dict[str, Any] | None = None, **other: Any) -> SftRecipe:
        steps = {} if {"epochs", "steps"} & (training or {}).keys() else {"steps": 6}
        fields = {
            "kind": "sft",
            "name": "tried",
            "model": {"path": "tiny"},
            "data": {"path": "rows.jsonl"},
            "training": {"batch_size": 2, "learning_rate": 1e-3, **steps, **(training or {})},
            "watch": {"log_every": 1, "evaluate_every": 3, **(watch or {})},
        }
        return SftRecipe.model_validate({**fields, **other})

    return make


@pytest.fixture
def run_of(tmp_path) -> Callable[..., Run]:
    """Start a run, or come back to it; `name` tells several apart."""
    return lambda recipe, name="run": Run.start(tmp_path / name, recipe, [])


@pytest.fixture
def material_of(tiny_model, tokenizer_of) -> Callable[..., Material]:
    """Load a fresh model, and give it rows; `adapter` lays LoRA beside it."""

    def make(architecture: str = "llama", *, adapter: bool = False, rows: int = 20, **parts: Any) -> Material:
        from hanpuri.training.feeding.datasets import from_examples

        model = parts.pop("model", None) or load(architecture, adapter)
        data = {"train": from_examples(random_rows(rows, 0)), "validation": from_examples(random_rows(6, 0))}
        return Material(model, tokenizer_of("bytes"), **{**data, **parts})

    def load(architecture: str, adapter: bool) -> Any:
        from hanpuri.training.loading.adapters import attach_adapter
        from hanpuri.training.loading.models import load_model

        settings = ModelSettings(path=str(tiny_model(architecture)))
        model = load_model(settings, learns_whole=not adapter, device="cpu")
        return attach_adapter(model, AdapterSettings(**ADAPTER), seed=0) if adapter else model

    return make


def lines_of(run: Run, *names: str) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that have one of the names, without what a clock decides."""
    clock = {"time", "tokens_per_second"}
    lines = [{key: value for key, value in line.items() if key not in clock} for line in run.metrics()]
    return [line for line in lines if not names or set(names) & line.keys()]


def checkpoints_of(run: Run) -> list[str]:
    """The names in the folder of checkpoints."""
    return sorted(path.name for path in Path(run.folder / "checkpoints").iterdir())
