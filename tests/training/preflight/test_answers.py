"""What answers take, against keys and values that are really there."""

import pytest
import torch

from hanpuri.training.loading.models import load_model
from hanpuri.training.preflight.answers import answer_bytes
from hanpuri.training.preflight.memory import Memory, estimate_memory
from hanpuri.training.preflight.proposals import propose
from hanpuri.training.preflight.rehearsal import Batch

BATCH = Batch(rows=2, length=24, trained=16)  # prompts of 16 tokens
ANSWERS = {"rows": 64, "max_new_tokens": 8, "batch_size": 4}


@pytest.mark.parametrize("architecture", ["llama", "gemma", "gpt-neox"])
def test_the_cache_of_answers_is_counted_to_the_byte(tiny_model, make_recipe, architecture):
    recipe = make_recipe(tiny_model(architecture), watch={"generation": ANSWERS})
    model = load_model(recipe.model, learns_whole=True, device="cpu")
    with torch.no_grad():
        layers = model(torch.ones(4, 24, dtype=torch.long), use_cache=True).past_key_values.layers
    cache = sum(one.numel() * one.element_size() for layer in layers for one in (layer.keys, layer.values))
    text = model.config.get_text_config()
    reading, writing = 2 * 4 * 16 * text.intermediate_size * 4, text.vocab_size * 3 * 4 * 4
    assert answer_bytes(recipe, model.config, BATCH, "cpu") == cache + max(reading, writing)


def test_where_none_are_written_they_take_nothing(tiny_model, make_recipe):
    recipe = make_recipe(tiny_model("llama"))
    config = load_model(recipe.model, learns_whole=True, device="cpu").config
    assert answer_bytes(recipe, config, BATCH, "cpu") == 0


def test_answers_that_do_not_fit_are_written_fewer_at_once(tiny_model, make_recipe):
    recipe = make_recipe(
        tiny_model("llama"), watch={"generation": {**ANSWERS, "batch_size": 64, "max_new_tokens": 500}}
    )
    config = load_model(recipe.model, learns_whole=True, device="cpu").config
    memory = estimate_memory(recipe, config, BATCH, device="cpu")
    assert memory.total == memory.answering > memory.learning
    tight = Memory(**{**vars(memory), "available": memory.total - memory.answers // 2})
    proposals, _ = propose(recipe, config, BATCH, tight, device="cpu")
    assert proposals[0].sets == ("watch.generation.batch_size=32",)
    assert proposals[0].cost == "the same answers, fewer at once"
