"""
Runs of a few steps of GRPO and RLOO with tiny models: a recipe, rows to restore, rewards that need no measure.

In: what a test wants changed. Out: all that `run_loop` takes.
"""

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest

from hanpuri.runs import Run
from hanpuri.training.loop.material import Material
from hanpuri.training.recipe import GrpoRecipe, RlooRecipe
from hanpuri.training.reinforcement.reward import Reward, right_answer

PAIRS = [
    ("쨰밌어요", "재밌어요"),
    ("넙고 죠아요", "넓고 좋아요"),
    ("또 갈꼐욥", "또 갈게요"),
    ("갸격이 쌰요", "가격이 싸요"),
]


def vowels(rows, answers):
    """A reward that tells answers of random weights apart: the share of even code points."""
    return [sum(ord(character) % 2 == 0 for character in answer) / max(1, len(answer)) for answer in answers]


def nearness(rows, answers):
    """A reward that looks at the right answer."""
    return [1 / (1 + abs(len(answer) - len(right_answer(row)))) for row, answer in zip(rows, answers, strict=True)]


REWARDS = (Reward("vowels", 1.0, vowels), Reward("nearness", 0.5, nearness, needs_answer=True))


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """Each run collects garbage once; spare it the libraries, through which it else goes for most of a short run."""
    from hanpuri.training.loading.models import quiet_loading

    with quiet_loading():
        import hanpuri.training.reinforcement.loops  # noqa: F401
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Leave out the page of curves, which takes as long as all steps together."""
    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)


@pytest.fixture(scope="session")
def pairs_of(tmp_path_factory) -> Callable[..., Any]:
    """Write pairs into a file, some rows to train on and some to watch by."""
    folder = tmp_path_factory.mktemp("pairs")

    def write(name: str, rows: list[tuple[str, str]]) -> Any:
        lines = [json.dumps({"noisy": noisy, "clean": clean}, ensure_ascii=False) for noisy, clean in rows]
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
        return folder / name

    return write


@pytest.fixture
def recipe_of(tiny_model, pairs_of) -> Callable[..., Any]:
    """Make a recipe: sections of it may be changed key by key; `kind` is grpo or rloo."""

    def make(kind: str = "grpo", architecture: str = "llama", **changed: Any) -> Any:
        path, watched = pairs_of("train.jsonl", PAIRS * 2), pairs_of("watched.jsonl", PAIRS[:2])
        sections = {
            "model": {"path": str(tiny_model(architecture))},
            "data": {"path": str(path), "validation": str(watched)},
            "examples": {"template": "plain"},
            "sampling": {"answers": 4, "max_new_tokens": 6},
            "training": {"steps": 4, "batch_size": 8, "learning_rate": 1e-3, "warmup": 0},
            "watch": {"log_every": 1, "evaluate_every": 2, "best_by": "reward"},
        }
        for name, section in sections.items():
            sections[name] = {**section, **changed.pop(name, {})}
        rewards = [{"pattern": ".*", "name": "vowels"}, {"longest": 3, "name": "nearness", "weight": 0.5}]
        fields = {"kind": kind, "name": "tried", "rewards": rewards, **sections, **changed}
        return (GrpoRecipe if kind == "grpo" else RlooRecipe).model_validate(fields)

    return make


@pytest.fixture
def material_of(tmp_path) -> Callable[..., Material]:
    """Put together what a recipe works on, with rewards of the test's own."""

    def make(recipe: Any, rewards: Any = REWARDS) -> Material:
        from hanpuri.training.assembling.prompts import assemble_prompts

        given = {"device": "cpu", "measures": {}, "rewards": rewards, "report": lambda *_: None}
        given["measures"] = dict.fromkeys(("char_accuracy", "exact_match", "token_f1"), lambda said, right: 0.5)
        made = assemble_prompts(recipe, tmp_path, **given)
        return Material(made.model, made.tokenizer, made.train, made.validation, made.scorers, made.trainer)

    return make


@pytest.fixture
def run_of(tmp_path) -> Callable[..., Run]:
    """Start a run, or come back to it; `name` tells several apart."""
    return lambda recipe, name="run": Run.start(tmp_path / name, recipe, [])


def lines_of(run: Run, *names: str) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl that have one of the names, without what a clock decides."""
    clock = {"time", "tokens_per_second"}
    lines = [{key: value for key, value in line.items() if key not in clock} for line in run.metrics()]
    return [line for line in lines if not names or set(names) & line.keys()]
