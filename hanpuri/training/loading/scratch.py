"""
Sizes ─► a model with random weights.

In: ScratchSettings and a tokenizer. Out: a PreTrainedModel in float32; here the sizes of one block of a llama with
`{hidden_size: 256, num_heads: 4, num_key_value_heads: 2}`:

    q_proj (256, 256)   k_proj (128, 256)   v_proj (128, 256)   o_proj (256, 256)   gate_proj (704, 256)  …

The embeddings have exactly as many rows as the tokenizer has tokens: a row more would be a token that a model can write
and nobody can read. GPUs like this number to be a multiple of 64, so choose the tokenizer's vocab_size like that.
"""

from typing import Any

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.training.loading.rope import scale_rope
from hanpuri.training.recipe import RopeScalingSettings, ScratchSettings

MODEL_TYPES = {"gpt-neox": "gpt_neox", "gemma3": "gemma3_text"}  # as transformers names them, where it differs
GEMMAS = ("gemma", "gemma2", "gemma3")


def make_model(
    settings: ScratchSettings,
    rope: RopeScalingSettings | None,
    tokenizer: Tokenizer,
    seed: int,
    *,
    attention: str = "auto",
) -> Any:
    """
    Make a model with random weights; the same seed gives the same weights, whatever was drawn before.

    Args:
        settings: its architecture and sizes.
        rope: scaling of its positions, if any.
        tokenizer: decides the number of tokens, and which of them are bos, eos and pad.
        seed: decides the weights.
        attention: which implementation of attention; auto leaves it to transformers.

    Raises:
        RecipeError: if the scaling cannot be done with these sizes.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = make_config(settings, rope, tokenizer)
    chosen = {} if attention == "auto" else {"attn_implementation": attention}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, **chosen)
    if settings.architecture in GEMMAS and settings.tie_embeddings:
        _soften(model)
    return model


def make_config(settings: ScratchSettings, rope: RopeScalingSettings | None, tokenizer: Tokenizer) -> Any:
    """Write the configuration of a new model, from which its size can be reckoned without making it."""
    from transformers import AutoConfig

    family = settings.architecture
    head = settings.hidden_size // settings.num_heads
    shape: dict[str, Any] = {
        "vocab_size": tokenizer.vocab_size,
        "hidden_size": settings.hidden_size,
        "intermediate_size": settings.intermediate_size or _feed_forward(settings),
        "num_hidden_layers": settings.num_layers,
        "num_attention_heads": settings.num_heads,
        "max_position_embeddings": settings.max_positions,
        "tie_word_embeddings": settings.tie_embeddings,
    }
    ids = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id, "pad_token_id": tokenizer.pad_id}
    if family != "gpt-neox":
        shape |= {"num_key_value_heads": settings.num_key_value_heads or settings.num_heads, "head_dim": head}
    if family in ("gemma2", "gemma3"):
        shape["query_pre_attn_scalar"] = head  # else scores are divided as if heads had 256 numbers
    config = AutoConfig.for_model(
        MODEL_TYPES.get(family, family), **shape, **ids, rope_parameters=_turning(settings, head)
    )
    if rope:
        scale_rope(config, rope)
    return config


def _soften(model: Any) -> None:
    """
    Shrink the embeddings of a new Gemma to a spread of 1 / hidden_size.

    Gemma multiplies what it reads from them by the square root of that size. As large as its other matrices, they would
    outweigh all its blocks, and a new model would be sure that each token is followed by itself.
    """
    import torch

    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1 / (model.config.hidden_size * model.config.initializer_range))


def _feed_forward(settings: ScratchSettings) -> int:
    """Choose the width of the feed-forward part: two matrices of 4 times, or three of 8/3 times, cost the same."""
    if settings.architecture == "gpt-neox":
        return 4 * settings.hidden_size
    return -(-settings.hidden_size * 8 // (3 * 64)) * 64


def _turning(settings: ScratchSettings, head: int) -> dict[str, Any]:
    """Say how fast positions turn, where the family keeps it."""
    turning: dict[str, Any] = {"rope_type": "default", "rope_theta": settings.rope_theta}
    if settings.architecture == "gemma3":  # layers with a sliding window keep the speed that suits the window
        return {"full_attention": turning, "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0}}
    if settings.architecture == "gpt-neox":  # a quarter of each head turns, of a tiny one at least a pair
        turning["partial_rotary_factor"] = max(0.25, 2 / head)
    return turning
