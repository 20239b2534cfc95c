"""
Tiny models of every architecture that we claim, with random weights, made on the spot.

In: the name of an architecture. Out: a folder as a hub has them: config.json, weights, tokenizer.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory, tokenizer_folder) -> Callable[..., Path]:
    """Save a model of two blocks of 64 numbers; each kind is made once, so a test must not write into its folder."""
    made: dict[tuple[str, str | None], Path] = {}

    def save(architecture: str = "llama", chat: str | None = None) -> Path:
        if (architecture, chat) not in made:
            folder = tmp_path_factory.mktemp("models") / f"tiny-{architecture}"
            made[architecture, chat] = _save(architecture, tokenizer_folder("bytes", chat), folder)
        return made[architecture, chat]

    return save


def _save(architecture: str, tokenizer: Path, folder: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    fast = AutoTokenizer.from_pretrained(tokenizer)
    sizes = {"vocab_size": len(fast), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "max_position_embeddings": 512}
    ids = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id}
    grouped = {} if architecture == "gpt-neox" else {"num_key_value_heads": 2, "head_dim": 16}
    model_type = {"gpt-neox": "gpt_neox", "gemma3": "gemma3_text"}.get(architecture, architecture)
    configuration = AutoConfig.for_model(model_type, **sizes, **heads, **ids, **grouped)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(configuration)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
