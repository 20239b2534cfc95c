"""
Rounds with a model of one block that has learnt to end its answers, on short pairs of our own.

In: what a test wants changed. Out: a recipe of two rounds, and a folder to do them in.
"""

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.training.recipe import ScratchSettings, SftRecipe
from tests.rounds.short_rounds import FIELDS, changed, pairs, write_rows


@pytest.fixture(scope="session")
def recipe_of() -> Callable[..., RoundsRecipe]:
    """Make a recipe, with keys changed as `changed` does."""
    return lambda **changes: RoundsRecipe.model_validate(changed(FIELDS, **changes))


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """Each step collects garbage; spare it the libraries, through which it else goes for most of a short run."""
    from hanpuri.training.loading.models import quiet_loading

    with quiet_loading():
        import hanpuri.training.loop.next_token  # noqa: F401
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def place(tmp_path_factory, tokenizer_folder) -> Path:
    """Make a folder with a model that ends its answers, and rows that are learnt and held out."""
    folder = tmp_path_factory.mktemp("rounds")
    write_rows(folder / "train.jsonl", pairs(40))
    write_rows(folder / "held.jsonl", pairs(6, start=400))
    _train_base(folder, tokenizer_folder("bytes"))
    return folder


def _train_base(folder: Path, tokenizer: Path) -> None:
    """Let a new model see the pairs until it knows where answers end."""
    from hanpuri.evaluation.metrics import char_accuracy
    from hanpuri.training.loading.models import quiet_loading
    from hanpuri.training.loading.scratch import make_model
    from hanpuri.training.loop.watching import Watch
    from hanpuri.training.train import train

    loaded = load_tokenizer(tokenizer)
    sizes = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "max_positions": 128}
    with quiet_loading():
        make_model(ScratchSettings(**sizes), None, loaded, 0).save_pretrained(folder / "new")
    loaded.fast.save_pretrained(folder / "new")
    recipe = SftRecipe.model_validate(
        {
            "kind": "sft",
            "name": "base",
            "model": {"path": str(folder / "new")},
            "data": {"path": str(folder / "train.jsonl"), "validation_share": 0},
            "examples": {"template": "plain"},
            "training": {"steps": 80, "batch_size": 20, "learning_rate": 2e-2},
            "watch": {"log_every": 40, "evaluate_every": 80},
        }
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Watch, "draw_curves", lambda self, *, now=False: None)
        train(recipe, folder / "base", measures={"char_accuracy": char_accuracy})


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Leave out the runs' pages of curves, which take as long as all steps together."""
    monkeypatch.setattr("hanpuri.training.loop.watching.Watch.draw_curves", lambda self, *, now=False: None)
