"""
RoPE scaling, held against the formulas that its types were published with.

In: configurations of each architecture. Out: how fast each pair of numbers turns, in radians a position.
"""

import math
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from hanpuri.errors import RecipeError
from hanpuri.training.generation import find_positions
from hanpuri.training.loading.rope import reach, scale_rope
from hanpuri.training.recipe import RopeScalingSettings

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")
HEAD, THETA, POSITIONS = 32, 10_000.0, 256


def make_config(architecture="llama", head=HEAD, **more):
    kind = {"gpt-neox": "gpt_neox", "gemma3": "gemma3_text"}.get(architecture, architecture)
    sizes = {"vocab_size": 40, "hidden_size": 2 * head, "intermediate_size": 32, "num_hidden_layers": 2}
    sizes |= {"num_attention_heads": 2, "max_position_embeddings": POSITIONS, "bos_token_id": 1, "eos_token_id": 2}
    if architecture != "gpt-neox":
        sizes |= {"num_key_value_heads": 1, "head_dim": head}
    if architecture == "gemma3":  # one layer of each kind
        sizes |= {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 64}
    return AutoConfig.for_model(kind, **sizes | more)


def make_model(config):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def turning(model):
    """How fast each pair turns in the layers that see the whole text, and what scores are multiplied by."""
    rotary = next(module for name, module in model.named_modules() if name.endswith("rotary_emb"))
    wide = "full_attention_" if hasattr(rotary, "full_attention_inv_freq") else ""
    return getattr(rotary, f"{wide}inv_freq").tolist(), getattr(rotary, f"{wide}attention_scaling")


def plain(size=HEAD, theta=THETA):
    return [theta ** (-2 * pair / size) for pair in range(size // 2)]


def linear(frequencies, factor):
    return [frequency / factor for frequency in frequencies]


def dynamic(size, theta, factor, length, original):
    """NTK-aware scaling: the base grows with the length of the text."""
    base = theta * ((factor * length / original) - (factor - 1)) ** (size / (size - 2))
    return plain(size, base)


def llama3(frequencies, factor, original, low, high):
    """Llama 3.1: slow turns are scaled, fast ones kept, those between are blended by how often they fit."""
    scaled = []
    for frequency in frequencies:
        turns = original * frequency / (2 * math.pi)
        share = min(max((turns - low) / (high - low), 0), 1)
        scaled.append((1 - share) * frequency / factor + share * frequency)
    return scaled


def yarn(size, theta, factor, original, fast, slow):
    """YaRN: pairs that turn more than `fast` times in the original length are kept, under `slow` times scaled."""

    def pair_that_turns(times):
        return size * math.log(original / (times * 2 * math.pi)) / (2 * math.log(theta))

    low, high = max(math.floor(pair_that_turns(fast)), 0), min(math.ceil(pair_that_turns(slow)), size - 1)
    scaled = []
    for pair, frequency in enumerate(plain(size, theta)):
        share = min(max((pair - low) / (high - low), 0), 1)
        scaled.append(share * frequency / factor + (1 - share) * frequency)
    return scaled


@pytest.mark.parametrize(
    ("settings", "expected", "attention", "positions"),
    [
        ({"type": "linear", "factor": 4}, linear(plain(), 4), 1.0, 1024),
        # up to the original length nothing changes, and transformers keeps that length in the configuration
        ({"type": "dynamic", "factor": 4}, plain(), 1.0, 256),
        ({"type": "yarn", "factor": 4}, yarn(HEAD, THETA, 4, 256, 32, 1), 0.1 * math.log(4) + 1, 1024),
        # its two bounds, and an original length that is not the model's
        (
            {"type": "yarn", "factor": 8, "original_max_position_embeddings": 128, "beta_fast": 16, "beta_slow": 2},
            yarn(HEAD, THETA, 8, 128, 16, 2),
            0.1 * math.log(8) + 1,
            1024,
        ),
        ({"type": "llama3", "factor": 8}, llama3(plain(), 8, 256, 1, 4), 1.0, 2048),
        (
            {"type": "llama3", "factor": 2, "low_freq_factor": 2, "high_freq_factor": 6},
            llama3(plain(), 2, 256, 2, 6),
            1.0,
            512,
        ),
        # a factor that is no whole number: no position more than it gives
        ({"type": "linear", "factor": 1.3}, linear(plain(), 1.3), 1.0, 332),
    ],
)
def test_each_type_turns_as_its_formula_says(settings, expected, attention, positions):
    config = make_config()
    scale_rope(config, RopeScalingSettings(**settings))
    frequencies, scaling = turning(make_model(config))
    assert frequencies == pytest.approx(expected, rel=1e-5)
    assert scaling == pytest.approx(attention)
    assert config.max_position_embeddings == positions
    assert reach(config) == int(settings["factor"] * settings.get("original_max_position_embeddings", 256))
    assert find_positions(SimpleNamespace(config=config)) == reach(config)


def test_the_dynamic_type_turns_slower_the_longer_a_text_is():
    config = make_config()
    scale_rope(config, RopeScalingSettings(type="dynamic", factor=4))
    model = make_model(config)
    for length, expected in [
        (100, plain()),
        (256, plain()),
        (600, dynamic(HEAD, THETA, 4, 600, 256)),
        (100, plain()),  # a short text turns as before again
    ]:
        with torch.no_grad():
            model(torch.ones(1, length, dtype=torch.long))
        assert turning(model)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["linear", "dynamic", "yarn", "llama3"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_can_be_scaled_and_stays_scaled_when_saved(architecture, kind, tmp_path):
    plain_model = make_model(make_config(architecture))
    config = make_config(architecture)
    scale_rope(config, RopeScalingSettings(type=kind, factor=4))
    config.save_pretrained(tmp_path)
    scaled, read = make_model(config), make_model(AutoConfig.from_pretrained(tmp_path))
    texts = torch.arange(600).unsqueeze(0) % 40
    with torch.no_grad():
        before, now, again = (model(texts).logits[0] for model in (plain_model, scaled, read))
    assert torch.equal(now, again)
    assert not torch.allclose(before[-1], now[-1], atol=1e-5)
    assert len(turning(scaled)[0]) == (4 if architecture == "gpt-neox" else 16)  # a quarter of each head turns there


def test_layers_with_a_sliding_window_are_left_alone():
    config = make_config("gemma3")
    before = dict(config.rope_parameters["sliding_attention"])
    scale_rope(config, RopeScalingSettings(type="linear", factor=8))
    assert config.rope_parameters == {
        "sliding_attention": before,
        "full_attention": {"rope_type": "linear", "rope_theta": 1_000_000.0, "factor": 8.0},
    }


def test_a_part_of_each_head_turns_as_before():
    config = make_config("gpt-neox", rope_parameters={"rope_type": "default", "partial_rotary_factor": 0.5})
    scale_rope(config, RopeScalingSettings(type="linear", factor=2))
    assert turning(make_model(config))[0] == pytest.approx(linear(plain(16), 2))


def scaled_already():
    config = make_config()
    scale_rope(config, RopeScalingSettings(type="llama3", factor=8))
    return config


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (
            AutoConfig.for_model("gpt2"),
            {"type": "linear"},
            "model.rope_scaling: the model (gpt2) has no RoPE, expected one of default, linear, dynamic, yarn, llama3; "
            "take model.rope_scaling out",
        ),
        # "before" has two meanings here: before both scalings, or between them
        (
            scaled_already(),
            {"type": "yarn"},
            "model.rope_scaling: the model is scaled already (llama3, factor 8); say how many positions it had before "
            "in model.rope_scaling.original_max_position_embeddings (256)",
        ),
        # a quarter of 8 numbers: one pair, whose formula divides by zero
        (
            make_config("gpt-neox", head=8),
            {"type": "dynamic"},
            "model.rope_scaling: found type dynamic for heads of which 2 numbers turn, expected more than 2; "
            "take type linear, or larger heads",
        ),
    ],
)
def test_what_cannot_be_scaled_is_refused(config, settings, message):
    with pytest.raises(RecipeError) as caught:
        scale_rope(config, RopeScalingSettings(factor=4, **settings))
    assert str(caught.value) == message


def test_a_scaled_model_is_scaled_anew_from_the_positions_that_are_told():
    config = scaled_already()
    scale_rope(config, RopeScalingSettings(type="linear", factor=2, original_max_position_embeddings=256))
    assert config.rope_parameters == {"rope_type": "linear", "rope_theta": THETA, "factor": 2.0}
    assert config.max_position_embeddings == 512
