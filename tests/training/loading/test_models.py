"""
Loading models from folders, runs and downloads, and what is said of those that cannot be loaded.

In: tiny models of each architecture, whole and broken. Out: a network, or one line with the mend.
"""

import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from transformers import AutoConfig, AutoModelForCausalLM, BertConfig, GPT2Config, T5Config

from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import ModelError, RecipeError
from hanpuri.training.loading.models import (
    check_tokenizer,
    check_weights,
    load_model,
    model_place,
    quiet_loading,
    read_config,
    read_shapes,
)
from hanpuri.training.recipe import ModelSettings

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")


def load(path, *, learns_whole=False, device="cpu", **more):
    return load_model(ModelSettings(path=str(path), **more), learns_whole=learns_whole, device=device)


def told(path, **more):
    """What a person is told about a model that cannot be loaded."""
    with pytest.raises(ModelError) as caught:
        load(path, **more)
    return str(caught.value)


@pytest.fixture
def copy(tiny_model, tmp_path):
    """A llama's folder that a test may break."""
    return Path(shutil.copytree(tiny_model("llama"), tmp_path / "model-1b"))


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach another machine is a fault, as would be one to look up its name."""

    def refuse(*address):
        raise AssertionError(f"dialled {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def download(monkeypatch, tmp_path):
    """Lay a model's folder where downloads from the hub lie, under a name of the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def lay(folder, name, leave_out=()):
        kept = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text("c0ffee", encoding="utf-8")
        return Path(shutil.copytree(folder, kept / "snapshots" / "c0ffee", ignore=shutil.ignore_patterns(*leave_out)))

    return lay


# --- what is loaded


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_gives_what_its_saver_had(tiny_model, architecture, capfd, no_network):
    folder = tiny_model(architecture)
    with quiet_loading():
        expected = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    capfd.readouterr()
    model = load(folder)
    tokens = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert torch.equal(model(tokens).logits, expected(tokens).logits)
    assert not model.training
    assert model.name_or_path == str(folder)
    assert capfd.readouterr() == ("", "")  # neither progress bars nor reports


@pytest.mark.parametrize(
    ("learns_whole", "settings", "expected"),
    [
        (True, {}, torch.float32),
        (True, {"precision": "bf16"}, torch.float32),  # what learns needs the bits that small steps are in
        (True, {"weights": "bf16"}, torch.bfloat16),
        (False, {"precision": "bf16"}, torch.bfloat16),
        (False, {"precision": "bf16", "weights": "fp32"}, torch.float32),
    ],
)
def test_weights_are_held_as_told(tiny_model, learns_whole, settings, expected):
    assert load(tiny_model("llama"), learns_whole=learns_whole, **settings).dtype == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_a_model_can_be_held_in_4_bits(tiny_model, architecture, kind):
    model = load(tiny_model(architecture), quantization={"type": kind, "compute": "fp32", "double": kind == "nf4"})
    linear = [module for name, module in model.named_modules() if name.endswith(("k_proj", "query_key_value"))]
    assert {module.weight.quant_state.quant_type for module in linear} == {kind}
    assert {module.weight.quant_state.nested for module in linear} == {kind == "nf4"}
    assert {module.compute_dtype for module in linear} == {torch.float32}
    assert model.get_input_embeddings().weight.dtype == torch.float32


def test_weights_that_were_saved_in_4_bits_cannot_learn_themselves(tiny_model, tmp_path):
    with quiet_loading():
        load(tiny_model("llama"), quantization={}).save_pretrained(tmp_path)
    assert load(tmp_path).is_loaded_in_4bit
    assert told(tmp_path, learns_whole=True) == (
        f"{tmp_path}: found quantised weights, which cannot learn themselves; "
        "give `adapter`, or take the model that they were made from"
    )


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_attention_is_the_one_asked_for(tiny_model, attention):
    assert load(tiny_model("llama"), attention=attention).config._attn_implementation == attention


def test_positions_are_scaled_as_told(tiny_model, tmp_path):
    folder = tiny_model("llama")
    model, scaled = load(folder), load(folder, rope_scaling={"type": "linear", "factor": 4})
    assert (model.config.max_position_embeddings, scaled.config.max_position_embeddings) == (512, 2048)
    tokens = torch.arange(20).unsqueeze(0)
    with torch.no_grad():
        assert not torch.allclose(model(tokens).logits, scaled(tokens).logits, atol=1e-5)
    with quiet_loading():
        scaled.save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match=r"^model\.rope_scaling: the model is scaled already \(linear, factor 4\)"):
        load(tmp_path, rope_scaling={"type": "yarn", "factor": 2})


# --- where it is found


def test_a_run_is_its_model(copy, tmp_path, monkeypatch):
    run = tmp_path / "runs" / "first"
    run.mkdir(parents=True)
    copy.rename(run / "model")
    monkeypatch.chdir(tmp_path)
    assert model_place("runs/first") == run / "model"
    assert load("runs/first").name_or_path == str(run / "model")  # found again after a `cd`


@pytest.mark.parametrize("name", ["someone/tiny-llama", "tiny-llama"])
def test_a_downloaded_model_is_found_by_its_name(tiny_model, download, no_network, name):
    place = download(tiny_model("llama"), name)
    assert model_place(name) == place
    assert load(name).config.model_type == "llama"


def test_a_name_that_was_not_downloaded_is_told_at_once(download, tiny_model, no_network):
    download(tiny_model("llama"), "someone/half-loaded", leave_out=["*.safetensors"])
    assert told("someone/nothing") == (
        "someone/nothing: found no such folder, nor a downloaded model of that name; "
        "download it first: hf download someone/nothing"
    )
    place = model_place("someone/half-loaded")
    assert told("someone/half-loaded") == (
        f"{place}: found no weights, expected model.safetensors; download or save it again"
    )


def test_a_folder_that_is_not_there_is_told_with_the_nearest(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told(tmp_path / "model-1") == f"{tmp_path}/model-1: found no such folder; did you mean {copy}?"
    assert told("model-2b") == (
        "model-2b: found no such folder, nor a downloaded model of that name; "
        "did you mean model-1b? or download it first: hf download model-2b"
    )
    assert told("a/b/c") == "a/b/c: found no such folder; check the path"


# --- what is no model


def test_a_folder_of_another_kind_is_refused(copy, tmp_path):
    adapter, run, empty = tmp_path / "adapter", tmp_path / "run", tmp_path / "empty"
    for folder in (adapter, run, empty):
        folder.mkdir()
    (adapter / "adapter_config.json").write_text("{}", encoding="utf-8")
    (run / "recipe.yaml").write_text("", encoding="utf-8")
    mend = f"give its base as model.path and go on with adapter.path: {adapter}, or merge it first: hanpuri publish"
    for path in (adapter, tmp_path):  # itself, and the run that it lies in
        assert told(path) == f"{path}: found an adapter, expected a whole model; {mend}"
    assert told(run) == f"{run}: found a run that is not finished, expected its model/; finish it: hanpuri train"
    assert told(empty) == f"{empty}: found no config.json in this folder; give the folder of a model"
    file = copy / "model.safetensors"
    assert told(file) == f"{file}: found a file, expected a model's folder; give the folder: {copy}"


@pytest.mark.parametrize(
    ("size", "found"),
    [
        # a download that broke off, at three places
        (lambda whole: whole - 1, "found {size:,} bytes, expected {whole:,}: the file is cut short"),
        (lambda whole: 50, "found 50 bytes that are no safetensors file"),
        (lambda whole: 0, "found 0 bytes that are no safetensors file"),
    ],
)
def test_weights_that_are_cut_short_are_refused(copy, size, found):
    path = copy / "model.safetensors"
    whole = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size(whole))
    message = found.format(size=size(whole), whole=whole)
    assert told(copy) == f"{path}: {message}; download or save it again"


def test_weights_that_are_none_are_refused(copy):
    path = copy / "model.safetensors"
    for content in (
        b"<html>not found</html>",
        (2).to_bytes(8, "little") + b"[]",
        (4).to_bytes(8, "little") + b"\xff{}}",
    ):
        path.write_bytes(content)
        assert told(copy) == (
            f"{path}: found {len(content)} bytes that are no safetensors file; download or save it again"
        )
    path.unlink()
    assert told(copy) == f"{copy}: found no weights, expected model.safetensors; download or save it again"


def test_a_missing_part_of_the_weights_is_named(tiny_model, tmp_path):
    with quiet_loading():
        load(tiny_model("llama")).save_pretrained(tmp_path, max_shard_size="100KB")
    check_weights(tmp_path, "model")
    parts = sorted(tmp_path.glob("*.safetensors"))
    parts[1].unlink()
    assert told(tmp_path) == (
        f"{tmp_path}: found no {parts[1].name}, expected {len(parts)} files of weights; download or save it again"
    )


def test_weights_of_a_smaller_model_are_refused(copy):
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}), encoding="utf-8")
    assert told(copy) == (
        f"{copy}: found no weights for 9 parts of the model, such as model.layers.2.input_layernorm.weight; "
        "download or save it again"
    )
    (copy / "config.json").write_text(json.dumps(config | {"hidden_size": 32}), encoding="utf-8")
    assert told(copy).startswith(f"{copy}: cannot be read as a model (")
    assert len(told(copy).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{",
            "/config.json cannot be read (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))",
        ),
        ("[]", "/config.json cannot be read ('list' object has no attribute 'get')"),
        (
            '{"model_type": "lama"}',
            ": found the architecture lama, which transformers does not know; did you mean llama?",
        ),
        (
            '{"model_type": "quux7", "auto_map": {"AutoConfig": "code.Config"}}',
            ": found the architecture quux7, which transformers does not know; "
            "take a model that the installed transformers knows",
        ),
        ("{}", ": found the architecture None, which transformers does not know; "),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(copy, text, message):
    (copy / "config.json").write_text(text, encoding="utf-8")
    (copy / "code.py").write_text("raise SystemExit('code of a stranger ran')", encoding="utf-8")
    assert told(copy).startswith(f"{copy}{message}")


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (BertConfig(architectures=["BertForMaskedLM"]), "BertForMaskedLM"),
        (T5Config(architectures=["T5ForConditionalGeneration"]), "T5ForConditionalGeneration"),
        (T5Config(), "t5"),
        # a network of the right kind whose head gives one number
        (GPT2Config(architectures=["GPT2ForSequenceClassification"]), "GPT2ForSequenceClassification"),
    ],
)
def test_a_model_that_does_not_write_is_refused(copy, config, found):
    config.save_pretrained(copy)
    assert told(copy) == (
        f"{copy}: found {found}, expected a causal language model such as LlamaForCausalLM; "
        "take a model that writes text from left to right"
    )


def test_a_configuration_alone_can_be_read(copy):
    (copy / "model.safetensors").unlink()
    assert read_config(copy).num_hidden_layers == 2


def test_shapes_are_read_without_the_weights(tiny_model):
    shapes = read_shapes(tiny_model("llama") / "model.safetensors")
    assert shapes["model.layers.1.self_attn.k_proj.weight"] == (32, 64)


# --- the tokenizer


def test_the_tokenizer_of_a_model_fits(tiny_model, tokenizer_of):
    for architecture in ARCHITECTURES:
        check_tokenizer(AutoConfig.from_pretrained(tiny_model(architecture)), tokenizer_of("bytes"))


# As Gemma 3 1B has it: its tokenizer names a piece of a picture behind the last embedding.
@pytest.mark.parametrize(
    ("sign", "chat", "refused"),
    [
        ("<image_soft_token>", None, False),
        ("<image_soft_token>", "{{ messages[0]['content'] }}", False),
        # a chat template writes it
        ("<|turn_end|>", "{{ messages[0]['content'] }}<|turn_end|>", True),
    ],
)
def test_a_sign_that_never_comes_up_needs_no_embedding(tiny_model, tokenizer_folder, sign, chat, refused):
    config, tokenizer = AutoConfig.from_pretrained(tiny_model("llama")), load_tokenizer(tokenizer_folder("bytes"))
    tokenizer.fast.add_special_tokens({"additional_special_tokens": [sign]})
    tokenizer.fast.chat_template = chat
    tokenizer = Tokenizer("tiny-bytes", tokenizer.fast)
    if refused:
        with pytest.raises(ModelError, match="and the model embeddings for"):
            check_tokenizer(config, tokenizer)
    else:
        check_tokenizer(config, tokenizer)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        # a few rows too many are usual: they make the matrix a round one
        ({"vocab_size": lambda tokens: tokens + 64}, None),
        ({"eos_token_id": lambda tokens: [7, 2]}, None),
        ({"eos_token_id": lambda tokens: None}, None),
        # the last token is a word, and no sign that never comes up
        (
            {"vocab_size": lambda tokens: tokens - 1},
            "the tokenizer tiny-bytes has {tokens} tokens, and the model embeddings for {rows}; "
            "take the tokenizer of this model, or extend the model's own: tokenizer.extend",
        ),
        (
            {"vocab_size": lambda tokens: 32_000},
            "the tokenizer tiny-bytes has {tokens} tokens, and the model embeddings for 32,000: "
            "they do not belong together; take the tokenizer of this model",
        ),
        (
            {"eos_token_id": lambda tokens: 7},
            "the tokenizer tiny-bytes ends texts with token 2, and the model with 7; "
            "take the tokenizer of this model, or correct eos_token_id in its config.json",
        ),
        (
            {"eos_token_id": lambda tokens: [7, 8]},
            "the tokenizer tiny-bytes ends texts with token 2, and the model with 7 or 8; "
            "take the tokenizer of this model, or correct eos_token_id in its config.json",
        ),
    ],
)
def test_a_tokenizer_of_another_model_is_refused(tiny_model, tokenizer_of, change, message):
    config, tokenizer = AutoConfig.from_pretrained(tiny_model("llama")), tokenizer_of("bytes")
    for key, value in change.items():
        setattr(config, key, value(tokenizer.vocab_size))
    if message is None:
        check_tokenizer(config, tokenizer)
        return
    with pytest.raises(ModelError) as caught:
        check_tokenizer(config, tokenizer)
    assert str(caught.value) == message.format(tokens=tokenizer.vocab_size, rows=config.vocab_size)
