"""
Models of true sizes with random weights, and tokenizers of true sizes, of which the Korean part alone is trained.

In: a Shape. Out: a folder as a download would lie.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.recipes_on_gpu.cases import TINY, Shape


def write_model(name: str, shape: Shape, options: argparse.Namespace) -> None:
    """Make a model of a shape with random weights in bf16 and write it, with its tokenizer, as a download would lie."""
    folder = options.work / "models" / name
    if (folder / "config.json").is_file():
        return
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from hanpuri.training.loading.models import quiet_loading

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = make_tokenizer(shape, folder, options)
    sizes = {**shape.sizes, **({**TINY, "head_dim": 16} if options.tiny else {})}
    if options.tiny and "num_key_value_heads" in sizes:
        sizes["num_key_value_heads"] = 2
    ids = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id, "pad_token_id": tokenizer.pad_id}
    config = AutoConfig.for_model(shape.model_type, **sizes, vocab_size=tokenizer.vocab_size, **ids)
    torch.manual_seed(0)
    torch.set_default_device(device)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    torch.set_default_device("cpu")
    with quiet_loading():
        model.save_pretrained(folder, max_shard_size="5GB")
    del model
    if device == "cuda":
        torch.cuda.empty_cache()


def make_tokenizer(shape: Shape, folder: Path, options: argparse.Namespace) -> Any:
    """Train the Korean part, and fill up to the true number of tokens with such as no text has."""
    from hanpuri.data.tokenizers import load_tokenizer

    trained = train_part(2000 if options.tiny else shape.korean, options)
    told = json.loads((trained / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = told["model"]["vocab"]
    for mark in ("<|im_start|>", "<|im_end|>") if shape.chat else ():
        vocabulary[mark] = len(vocabulary)
        told["added_tokens"].append({**told["added_tokens"][0], "id": vocabulary[mark], "content": mark})
    for number in range(len(vocabulary), 2100 if options.tiny else shape.vocab_size):
        vocabulary[f"\U000f0000{number}"] = number  # of the private use area
    if not shape.begins:
        told["post_processor"] = None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    settings = json.loads((trained / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {"chat_template": shape.chat, "eos_token": "<|im_end|>"} if shape.chat else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return load_tokenizer(folder)


def train_part(size: int, options: argparse.Namespace) -> Path:
    """Train a tokenizer on the corpora, or take the one of this size that is there."""
    from hanpuri.training.feeding.corpora import read_corpora
    from hanpuri.training.loading.vocabulary import train_tokenizer
    from hanpuri.training.recipe import CorporaSettings, TrainTokenizerSettings

    folder = (options.tokenizers or options.work / "tokenizers") / str(size)
    if not (folder / "tokenizer.json").is_file():
        corpora = [{"path": options.corpora / f"{name}.txt.xz"} for name in ("kowiki", "nsmc")]
        texts = read_corpora(CorporaSettings.model_validate({"corpora": corpora})).texts(20_000_000)
        train_tokenizer(TrainTokenizerSettings(vocab_size=size), texts, folder)
    return Path(folder)
