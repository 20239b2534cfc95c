"""A model that is too large is refused from its configuration, before a weight of it is read."""

import pytest

from hanpuri.data.examples import Example
from hanpuri.errors import ModelError
from hanpuri.training.feeding.datasets import from_examples
from hanpuri.training.preflight.memory import Devices, estimate_memory
from hanpuri.training.preflight.preflight import check_room
from hanpuri.training.preflight.proposals import reckon_total
from hanpuri.training.preflight.rehearsal import Batch
from hanpuri.training.recipe import SftRecipe

GB = 10**9


@pytest.fixture(scope="module")
def config():
    """Of a llama of 7 billion parameters."""
    from transformers import LlamaConfig

    sizes = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 8}
    return LlamaConfig(**sizes, num_attention_heads=64, num_key_value_heads=8, vocab_size=32000)


@pytest.fixture(scope="module")
def rows():
    import numpy as np

    ids = np.arange(64, dtype=np.int32)
    return from_examples([Example("1", ids, ids), Example("2", ids, ids)])


def recipe(**changes: object) -> SftRecipe:
    told = {"kind": "sft", "name": "large", "model": {"path": "models/large"}, "data": {"path": "rows.jsonl"}}
    return SftRecipe.model_validate(told | {"training": {"steps": 2, "batch_size": 2, "learning_rate": 1e-4}} | changes)


def test_a_model_too_large_for_the_machine_is_refused_with_what_would_be_needed(config, rows):
    with pytest.raises(ModelError) as error:
        check_room(recipe(), config, rows, device="cpu", weight_bytes=14 * GB)
    assert error.value.message.startswith("the training takes about ")
    assert "--set" in error.value.mend


def test_a_model_that_is_small_beside_the_memory_is_not_reckoned_here(config, rows):
    check_room(recipe(), config, rows, device="cpu", weight_bytes=GB // 100)


def test_a_change_is_reckoned_from_a_shallow_network_as_from_the_deep_one():
    from transformers import Gemma2Config, LlamaConfig

    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}
    batch = Batch(rows=2, length=64, trained=100)
    for config in (
        LlamaConfig(**sizes, num_hidden_layers=6, vocab_size=500),
        Gemma2Config(**sizes, head_dim=16, num_hidden_layers=10, vocab_size=500),
    ):
        told = {"device": "cpu", "devices": Devices(1)}
        exact = estimate_memory(recipe(), config, batch, **told).total
        assert reckon_total(recipe(), config, batch, **told) == pytest.approx(exact, rel=0.03)
