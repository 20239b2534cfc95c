"""
A llama in a folder ─► the same model as a GGUF file, for llama.cpp; of a byte-level tokenizer, as `conftest` makes it.

In: a folder with config.json, weights and tokenizer.json. Out: model.gguf: its weights, its tokens, its chat template.
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
WHOLE = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf(folder: Path, path: Path) -> Path:
    """Write the model of a folder into a file."""
    from gguf import GGUFWriter

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    writer = GGUFWriter(path, "llama")
    _describe(writer, config)
    _add_tokens(writer, folder)
    for name, weights in load_file(folder / "model.safetensors").items():
        heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}
        called = _called(name.removesuffix(".weight"))
        part = called.rpartition(".")[2]
        writer.add_tensor(f"{called}.weight", _turned(weights, config[heads[part]]) if part in heads else weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _called(name: str) -> str:
    if name in WHOLE:
        return WHOLE[name]
    _, _, number, part = name.split(".", 3)
    return f"blk.{number}.{PARTS[part]}"


def _turned(weights: np.ndarray, num_heads: int) -> np.ndarray:
    """llama.cpp turns neighbouring numbers against each other, transformers those of the two halves of a head."""
    halves = weights.reshape(num_heads, 2, -1, weights.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weights.shape))


def _describe(writer: object, config: dict[str, object]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])


def _add_tokens(writer: object, folder: Path) -> None:
    from gguf import TokenType

    read = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    told = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    ids = read["model"]["vocab"]
    special = {token["content"]: token["id"] for token in read["added_tokens"] if token["special"]}
    tokens = sorted(ids | special, key=(ids | special).get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL if token in special else TokenType.NORMAL for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in read["model"]["merges"]])
    writer.add_bos_token_id(special[told["bos_token"]])
    writer.add_eos_token_id(special[told["eos_token"]])
    writer.add_add_bos_token(False)
    chat = folder / "chat_template.jinja"
    template = chat.read_text(encoding="utf-8") if chat.is_file() else told.get("chat_template")
    if template:
        writer.add_chat_template(template)
