"""A tiny model with random weights: as a judge it knows nothing, and always the same."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory, tokenizer_folder) -> Callable[..., Path]:
    """Save a llama of one block with room for a rubric and two answers."""

    def save(chat: str | None = None) -> Path:
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        folder = tmp_path_factory.mktemp("models") / "tiny-llama"
        fast = AutoTokenizer.from_pretrained(tokenizer_folder("bytes", chat))
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
        ids = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id}
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=len(fast), max_position_embeddings=2048, **sizes, **ids)
        LlamaForCausalLM(config).save_pretrained(folder)
        fast.save_pretrained(folder)
        return folder

    return save
