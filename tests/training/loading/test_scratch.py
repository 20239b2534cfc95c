"""
New models: their shapes, their tokens, and that they begin by knowing nothing.

In: sizes of each architecture. Out: the shapes of matrices and the first loss.
"""

import math

import pytest
import torch

from hanpuri.errors import RecipeError
from hanpuri.training.loading.scratch import make_config, make_model
from hanpuri.training.recipe import RopeScalingSettings, ScratchSettings

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")


def settings_of(architecture="llama", **more):
    return ScratchSettings(**{"hidden_size": 64, "num_layers": 2, "num_heads": 4} | more, architecture=architecture)


def shapes(model):
    """The shapes of the last block, by the last part of their names but one."""
    return {
        name.split(".")[-2]: tuple(weight.shape)
        for name, weight in model.named_parameters()
        if ".layers.1." in name and name.endswith("weight")
    }


@pytest.mark.parametrize("architecture", ARCHITECTURES[:-1])
def test_keys_and_values_have_their_own_number_of_heads(tokenizer_of, architecture):
    model = make_model(settings_of(architecture, num_key_value_heads=2), None, tokenizer_of(), 0)
    found = shapes(model)
    assert {name: found[f"{name}_proj"] for name in "qkvo"} == {
        **{"q": (64, 64), "k": (32, 64)},
        **{"v": (32, 64), "o": (64, 64)},
    }
    assert found["up_proj"] == (192, 64)  # 8/3 of 64 is 170.7; the next multiple of 64


def test_gpt_neox_has_one_matrix_for_all_heads(tokenizer_of):
    found = shapes(make_model(settings_of("gpt-neox"), None, tokenizer_of(), 0))
    assert (found["query_key_value"], found["dense_h_to_4h"]) == ((192, 64), (256, 64))


@pytest.mark.parametrize(
    ("more", "heads", "width"),
    [
        ({}, 4, 192),
        # a width that is told counts, and so do heads
        ({"intermediate_size": 100, "num_key_value_heads": 1}, 1, 100),
        # 8/3 of 96 is a multiple of 64 by itself
        ({"hidden_size": 96}, 4, 256),
    ],
)
def test_what_is_not_told_is_chosen(tokenizer_of, more, heads, width):
    config = make_config(settings_of(**more), None, tokenizer_of())
    assert (config.num_key_value_heads, config.intermediate_size) == (heads, width)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tokens_are_those_of_the_tokenizer(tokenizer_of, architecture):
    tokenizer = tokenizer_of("unigram")
    model = make_model(settings_of(architecture), None, tokenizer, 0)
    config = model.config
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 3)
    assert model.get_input_embeddings().weight.shape == (tokenizer.vocab_size, 64)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.generation_config.eos_token_id == 2


def test_a_tokenizer_without_pad_gives_a_model_without(tokenizer_of):
    config = make_config(settings_of("gemma"), None, tokenizer_of("characters", without=("pad_token", "bos_token")))
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (None, 2, None)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_new_model_takes_every_token_for_equally_likely(tokenizer_of, architecture, tied):
    tokenizer = tokenizer_of()
    # as wide as a small model is: what goes wrong with the first weights grows with the width
    wide = settings_of(architecture, hidden_size=512, tie_embeddings=tied, intermediate_size=64)
    model = make_model(wide, None, tokenizer, 0).eval()
    tokens = torch.randint(11, tokenizer.vocab_size, (2, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = model(input_ids=tokens, labels=tokens).loss.item()
    assert loss == pytest.approx(math.log(tokenizer.vocab_size), abs=0.25)
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_seed_gives_the_same_weights_whatever_was_drawn_before(tokenizer_of, architecture):
    def weights(seed):
        return torch.cat([weight.flatten() for weight in make_model(small, None, tokenizer_of(), seed).parameters()])

    small = settings_of(architecture, hidden_size=16, num_heads=2)
    first = weights(7)
    torch.rand(3)
    state = torch.get_rng_state()
    assert torch.equal(first, weights(7))
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, weights(8))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_positions_turn_as_fast_as_told(tokenizer_of, architecture):
    config = make_config(settings_of(architecture, rope_theta=500_000.0, max_positions=128), None, tokenizer_of())
    rope = config.rope_parameters
    assert rope.get("full_attention", rope)["rope_theta"] == 500_000.0
    assert config.max_position_embeddings == 128


def test_even_the_smallest_heads_of_gpt_neox_turn(tokenizer_of):
    config = make_config(settings_of("gpt-neox", hidden_size=8), None, tokenizer_of())
    assert config.rope_parameters["partial_rotary_factor"] == 1.0


def test_gemmas_divide_scores_by_the_size_of_their_own_heads(tokenizer_of):
    for architecture in ("gemma2", "gemma3"):
        assert make_config(settings_of(architecture), None, tokenizer_of()).query_pre_attn_scalar == 16


def test_a_new_model_can_be_made_for_longer_texts(tokenizer_of):
    rope = RopeScalingSettings(type="llama3", factor=8)
    config = make_model(settings_of(max_positions=128), rope, tokenizer_of(), 0).config
    assert (config.max_position_embeddings, config.rope_parameters["rope_type"]) == (1024, "llama3")


def test_the_attention_is_the_one_asked_for(tokenizer_of):
    model = make_model(settings_of(), None, tokenizer_of(), 0, attention="eager")
    assert model.config._attn_implementation == "eager"


def test_a_scaling_that_cannot_be_done_is_refused(tokenizer_of):
    rope = RopeScalingSettings(type="dynamic", factor=2)
    with pytest.raises(
        RecipeError, match=r"^model\.rope_scaling: found type dynamic for heads of which 2 numbers turn"
    ):
        make_config(settings_of("gpt-neox", hidden_size=32), rope, tokenizer_of())
