"""
What the tests of the restorer share: our own sentences, the shipped models, and one tiny network trained to its end.
"""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from hanpuri.compact.learning.training import TrainingResult, train
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.compact.settings import CompactRecipe
from hanpuri.noise.airbnb import generate

SENTENCES = Path(__file__).parents[1] / "cases" / "sentences.txt"


class Run(NamedTuple):
    """A training that is finished: what was asked for, and what came back."""

    recipe: CompactRecipe
    result: TrainingResult


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Matrices this small are slower on two threads, and far slower if something else runs on the machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    return SENTENCES.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="session")
def pairs(sentences) -> list[tuple[str, str]]:
    """(noisy, clean): every sentence with the noise of the web generator, always the same."""
    rng = random.Random(1)
    return [(generate(sentence, rng), sentence) for sentence in sentences]


@pytest.fixture(scope="session")
def base() -> Restorer:
    return Restorer("base", threads=2)


@pytest.fixture(scope="session")
def small() -> Restorer:
    return Restorer("small", threads=2)


def char_accuracy(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    both = zip("".join(hypotheses), "".join(references), strict=True)
    same = [hypothesis == reference for hypothesis, reference in both]
    return sum(same) / len(same)


@pytest.fixture(scope="session")
def score() -> Callable[[Sequence[str], Sequence[str]], float]:
    return char_accuracy


@pytest.fixture(scope="session")
def tiny_recipe(sentences) -> Callable[..., CompactRecipe]:
    """Make the recipe of a training of seconds, on the first four sentences; sections are laid over by keyword."""

    def make(folder: Path, **sections: Any) -> CompactRecipe:
        four, rng = sentences[:4], random.Random(5)
        (folder / "four.txt").write_text("\n".join(four) + "\n", encoding="utf-8")
        pairs = [{"noisy": generate(clean, rng), "clean": clean} for clean in four * 5]
        lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs]
        (folder / "pairs.jsonl").write_text("".join(lines), encoding="utf-8")
        training = {
            **{"steps": 150, "batch_tokens": 768, "window_lengths": [32, 24], "learning_rate": 5e-3},
            **{"warmup_steps": 10, "precision": "fp32", "compile": False, **sections.pop("training", {})},
        }
        fields = {
            **{"kind": "compact", "name": "tiny", "network": {"width": 64, "num_layers": 2}},
            "data": [{"path": folder / "four.txt", "weight": 1, "final_weight": 1}],
            "evaluation": [{"name": "own", "path": folder / "pairs.jsonl"}],
        }
        return CompactRecipe.model_validate({**fields, "training": training, **sections})

    return make


@pytest.fixture(scope="session")
def run(tmp_path_factory, tiny_recipe) -> Run:
    """The tiny network, trained until it knows its four sentences, and exported."""
    folder = tmp_path_factory.mktemp("tiny")
    recipe = tiny_recipe(folder)
    result = train(recipe, folder / "run", score=char_accuracy, device="cpu")
    return Run(recipe, result)


@pytest.fixture(scope="session")
def fresh_interpreter() -> Callable[[str], str]:
    """Run a program in an interpreter of its own, where nothing is loaded yet, and give what it printed."""

    def run(program: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run
