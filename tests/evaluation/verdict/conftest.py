"""
Small files of rows, and recipes of verdicts on them.

In: rows. Out: files in the test's folder; `recipe(...)` makes settings of fields.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.evaluation.verdict.recipe import VerdictRecipe
from hanpuri.noise.obfuscate import obfuscate
from hanpuri.recipe import check_settings
from hanpuri.training.recipe import ScratchSettings

SENTENCES = (Path(__file__).parents[2] / "cases" / "sentences.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="session")
def pairs() -> list[dict[str, str]]:
    """Our own sentences, and the noisy form of each."""
    return [{"noisy": obfuscate(clean, seed=number).noisy, "clean": clean} for number, clean in enumerate(SENTENCES)]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, tokenizer_folder) -> Callable[..., Path]:
    """Save a tiny llama with random weights, with a chat template or without, of so many positions; each once."""
    made: dict[tuple[str | None, int], Path] = {}

    def save(chat: str | None = None, positions: int = 512) -> Path:
        if (chat, positions) not in made:
            folder = tmp_path_factory.mktemp("models") / "tiny"
            made[chat, positions] = _save_model(tokenizer_folder("bytes", chat), positions, folder)
        return made[chat, positions]

    return save


def _save_model(tokenizer: Path, positions: int, folder: Path) -> Path:
    from hanpuri.training.loading.models import quiet_loading
    from hanpuri.training.loading.scratch import make_model

    loaded = load_tokenizer(tokenizer)
    sizes = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "max_positions": positions}
    with quiet_loading():
        make_model(ScratchSettings(**sizes), None, loaded, 0).save_pretrained(folder)
    loaded.fast.save_pretrained(folder)
    return folder


@pytest.fixture
def write_rows(tmp_path) -> Callable[[str, Sequence[object]], Path]:
    """Write rows into a file of the test's folder."""

    def write(name: str, rows: Sequence[object]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def recipe(tmp_path) -> Callable[..., VerdictRecipe]:
    """Make settings; the rows are those of `test.jsonl`."""

    def make(**fields: object) -> VerdictRecipe:
        least = {"kind": "verdict", "name": "mine", "rows": {"path": str(tmp_path / "test.jsonl")}, "good_enough": 0.9}
        return check_settings("my.yaml", VerdictRecipe, {"candidates": ["echo"], **least, **fields})

    return make
