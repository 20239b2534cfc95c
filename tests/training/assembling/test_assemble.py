"""
What a run is put together from, where it is not plain: an adapter whose base is not all that it came with.

In: tiny models, a few sentences. Out: runs of two steps.
"""

import json
from pathlib import Path

import pytest

from hanpuri.data.examples import prompt_ids
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.evaluation import metrics
from hanpuri.training.prompting import load_prompting
from hanpuri.training.recipe import PretrainRecipe, SftRecipe
from hanpuri.training.train import Trained, train

SENTENCES = (Path(__file__).parents[2] / "cases" / "sentences.txt").read_text(encoding="utf-8").splitlines()
MEASURES = {name: getattr(metrics, name) for name in ("char_accuracy", "exact_match", "token_f1")}
TRAINING = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3}


@pytest.fixture
def extended(tiny_model, tmp_path) -> Trained:
    """An adapter that has learnt a token which its base does not have."""
    (tmp_path / "corpus.txt").write_text("\n".join(SENTENCES * 2), encoding="utf-8")
    fields = {
        "kind": "pretrain",
        "name": "extended",
        "model": {"path": str(tiny_model("llama"))},
        "adapter": {"r": 2, "modules_to_save": ["embed_tokens", "lm_head"]},
        "tokenizer": {"extend": {"tokens": [" 한풀이"]}},
        "data": {"corpora": [{"path": str(tmp_path / "corpus.txt")}], "validation": 0.2},
        "training": TRAINING,
        "max_length": 32,
    }
    return train(PretrainRecipe.model_validate(fields), tmp_path / "extended", measures=MEASURES, device="cpu")


def test_an_adapter_goes_on_with_the_tokenizer_that_it_was_trained_with(extended, tiny_model, tmp_path):
    rows = [
        {"instruction": f"{sentence}?", "output": f"이것은 한풀이 {place}"} for place, sentence in enumerate(SENTENCES)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    fields = {
        "kind": "sft",
        "name": "tuned",
        "model": {"path": str(tiny_model("llama"))},
        "adapter": {"path": str(extended.folder)},
        "data": {"path": str(tmp_path / "rows.jsonl"), "validation_share": 0.2},
        "training": TRAINING,
        "examples": {"max_length": 128},
        "packing": True,
        "watch": {"generation": {"rows": 2, "max_new_tokens": 4, "measures": ["token_f1"]}},
    }
    shown = []
    recipe = SftRecipe.model_validate(fields)
    trained = train(recipe, tmp_path / "tuned", measures=MEASURES, device="cpu", show=shown.append)
    own, before = load_tokenizer(trained.weights), load_tokenizer(extended.weights)
    assert own.fast.get_vocab() == before.fast.get_vocab()
    assert len(own.fast.get_vocab()) == len(load_tokenizer(tiny_model("llama")).fast.get_vocab()) + 1
    # Scored by what the recipe names, and by nothing else that the caller could measure.
    assert set(trained.result["scores"]) == {"loss", "token_accuracy", "token_f1", "unfinished"}
    # How long a prompt was at most goes with the weights: of a row, not of a pack.
    prompting = load_prompting(trained.weights, own)
    asked = [len(prompt_ids(prompting.prompt(row, "a row"), own)) for row in rows]
    assert sorted(set(asked))[-2] <= prompting.longest_prompt <= max(asked)
    # Rows are counted, and not the packs that they are laid into.
    assert shown[0].figures.rows < trained.result["train_rows"] <= len(rows)
