"""
What the recipes of LLM training refuse before anything is loaded, word for word.

In: a sound recipe of each kind, and a change. Out: a line.
"""

import copy
from typing import Any

import pytest
import yaml

from hanpuri.errors import RecipeError
from hanpuri.recipe import read_recipe
from hanpuri.training.recipe import KINDS

TRAINING = {"epochs": 1, "learning_rate": 1e-4}
SFT: dict[str, Any] = {
    "kind": "sft",
    "name": "tried",
    "model": {"path": "models/one"},
    "data": {"path": "rows.jsonl"},
    "training": TRAINING,
}
GOES_ON: dict[str, Any] = {
    "kind": "pretrain",
    "name": "tried",
    "model": {"path": "models/one"},
    "data": {"corpora": [{"path": "text.txt"}]},
    "training": TRAINING,
}
SCRATCH = {"hidden_size": 64, "num_layers": 2, "num_heads": 4}
NEW = GOES_ON | {"model": {"scratch": SCRATCH}, "tokenizer": {"train": {"vocab_size": 500}}}


def read(tmp_path, fields):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(fields), encoding="utf-8")
    return read_recipe(path, KINDS)


def changed(fields, changes):
    """Lay changes over a recipe, key by key."""
    fields = copy.deepcopy(fields)
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = fields
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return fields


@pytest.mark.parametrize("fields", [SFT, GOES_ON, NEW], ids=["sft", "goes on", "new"])
def test_a_sound_recipe_is_read(tmp_path, fields):
    assert read(tmp_path, fields).name == "tried"


@pytest.mark.parametrize(
    ("fields", "changes", "told"),
    [
        # --- the model
        (SFT, {"model.path": None}, "model: give either `path` or `scratch`"),
        (SFT, {"model": {"scratch": SCRATCH}}, "fine-tuning begins with a model that is there: give model.path"),
        (NEW, {"model.quantization": {}}, "model: a new model has nothing to quantise, take quantization out"),
        (SFT, {"model.quantization": {}}, "a model in 4 bits cannot learn by itself: give `adapter`, or take model."),
        (NEW, {"adapter": {}}, "a new model has nothing that an adapter could build on: take `adapter` out"),
        (NEW, {"model.scratch.num_heads": 3}, "hidden_size 64 is no multiple of num_heads 3"),
        (NEW, {"model.scratch.num_heads": 64}, "hidden_size / num_heads has to be even: positions turn pairs"),
        (NEW, {"model.scratch.num_key_value_heads": 3}, "num_heads 4 is no multiple of num_key_value_heads 3"),
        (
            NEW,
            {"model.scratch.num_key_value_heads": 2, "model.scratch.architecture": "gpt-neox"},
            "gpt-neox has no grouped-query attention, leave num_key_value_heads out",
        ),
        (NEW, {"model.scratch.max_positions": 512}, "max_length is over model.scratch.max_positions"),
        (
            SFT,
            {"model.rope_scaling": {"type": "llama3", "factor": 2, "low_freq_factor": 4}},
            "low_freq_factor has to be under high_freq_factor",
        ),
        (
            SFT,
            {"model.rope_scaling": {"type": "yarn", "factor": 2, "beta_slow": 32}},
            "beta_slow has to be under beta_fast",
        ),
        # --- the adapter
        (SFT, {"adapter.target_modules": "q_proj"}, "target_modules is all-linear or a list of names"),
        # --- the tokenizer
        (NEW, {"tokenizer": {}}, "a new model needs a tokenizer: give tokenizer.train or tokenizer.path"),
        (NEW, {"tokenizer.path": "models/one"}, "give one of `path`, `train` and `extend`"),
        (GOES_ON, {"tokenizer.path": "models/two"}, "a trained model keeps its tokenizer: tokenizer.extend can add"),
        (GOES_ON, {"tokenizer.extend": {}}, "give `tokens`, or a `count` of tokens to find"),
        (
            GOES_ON,
            {"tokenizer.extend": {"count": 9}, "adapter.path": "runs/one"},
            "an adapter that goes on keeps its tokens: take tokenizer.extend or adapter.path out",
        ),
        (SFT, {"examples.tokenizers": ["models/one"]}, "examples.tokenizers counts in `prepare`; here the model's own"),
        # --- how long, and what is watched
        (SFT, {"training.steps": 5}, "give either `epochs` or `steps`"),
        (SFT, {"training.epochs": None}, "give either `epochs` or `steps`"),
        (SFT, {"watch.save_every": 30}, "evaluate_every has to be a multiple of save_every, so that the best step"),
        (SFT, {"watch.best_by": "token_f1"}, "best_by token_f1 needs `generation` with this measure"),
        (
            SFT,
            {"watch.best_by": "token_f1", "watch.generation": {"measures": ["exact_match"]}},
            "best_by token_f1 needs `generation` with this measure",
        ),
        (GOES_ON, {"watch.generation": {}}, "pre-training has no questions to answer, take watch.generation out"),
    ],
)
def test_what_cannot_go_together_is_refused(tmp_path, fields, changes, told):
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, changed(fields, changes))
    assert told in str(caught.value)


def test_all_faults_are_told_at_once_with_the_nearest_key(tmp_path):
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, changed(SFT, {"adaptor": {"r": 8}, "training.learning_rat": 1, "watch.keep": 0}))
    for told in ("adaptor", "adapter", "learning_rat", "learning_rate", "watch.keep"):
        assert told in str(caught.value)
