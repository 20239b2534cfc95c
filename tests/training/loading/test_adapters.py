"""
Adapters: which modules learn, that they go on where they stopped, and whom they belong to.

In: tiny models of each architecture, whole and in 4 bits. Out: losses that fall, the same logits after saving, or one
line with the mend.
"""

import json
import logging
import shutil
import socket

import pytest
import torch
from huggingface_hub import constants

from hanpuri.errors import ModelError, RecipeError
from hanpuri.training.loading.adapters import (
    Parameters,
    adapter_place,
    attach_adapter,
    check_new_tokens,
    count_parameters,
    load_adapter,
    read_base,
    save_adapter,
)
from hanpuri.training.loading.lora import embedding_names
from hanpuri.training.loading.models import load_model, quiet_loading, read_shapes
from hanpuri.training.recipe import AdapterSettings, ModelSettings

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")
TOKENS = torch.arange(5, 45).reshape(2, 20)


def load(folder, *, bits=16):
    quantization = {"compute": "fp32"} if bits == 4 else None
    return load_model(ModelSettings(path=str(folder), quantization=quantization), learns_whole=False, device="cpu")


def attach(folder, *, bits=16, seed=0, **settings):
    return attach_adapter(load(folder, bits=bits), AdapterSettings(**{"dropout": 0.0} | settings), seed)


def train(model, steps=3):
    """Take a few steps on one batch; give the losses."""
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    losses = []
    for _ in range(steps):
        loss = model(input_ids=TOKENS, labels=TOKENS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def logits(model):
    with torch.no_grad():
        return model.eval()(TOKENS).logits


def learning(model):
    """The names of what learns, from the block's name on, without PEFT's words around them."""
    names = {name.partition(".layers.0.")[2] for name, weight in model.named_parameters() if weight.requires_grad}
    return {name.replace(".default", "") for name in names if name}


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach another machine is a fault."""

    def refuse(*address):
        raise AssertionError(f"dialled {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# --- what learns


@pytest.mark.parametrize("bits", [16, 4])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_adapter_learns_and_its_base_stays_as_it_is(tiny_model, architecture, bits):
    base = load(tiny_model(architecture), bits=bits)
    frozen = {name: weight.detach().clone() for name, weight in base.named_parameters()}
    before = logits(base)
    model = attach_adapter(base, AdapterSettings(dropout=0.0), 0)
    assert torch.allclose(logits(model), before, atol=1e-5)  # a new adapter adds nothing yet
    losses = train(model.train())
    assert losses[-1] < losses[0]
    kept = dict(model.get_base_model().named_parameters())
    for name, weight in frozen.items():
        found = kept.get(
            name, kept.get(name.replace(".weight", ".base_layer.weight").replace(".bias", ".base_layer.bias"))
        )
        assert torch.equal(found, weight)


def test_every_linear_module_of_the_blocks_learns_unless_some_are_named(tiny_model):
    every = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    for names, expected in [("all-linear", every), (("q_proj", "v_proj"), ("q_proj", "v_proj"))]:
        found = learning(attach(tiny_model("llama"), target_modules=names))
        assert {name.split(".")[1] for name in found} == set(expected)
        assert {name.split(".", 2)[2] for name in found} == {"lora_A.weight", "lora_B.weight"}
    # the module's whole name is one too
    one = attach(tiny_model("llama"), target_modules=("layers.0.mlp.up_proj",))
    assert learning(one) == {"mlp.up_proj.lora_A.weight", "mlp.up_proj.lora_B.weight"}


def test_the_settings_reach_the_adapter(tiny_model):
    model = attach(tiny_model("llama"), r=4, alpha=8, dropout=0.25, rslora=True, dora=True)
    module = model.get_submodule("base_model.model.model.layers.0.self_attn.q_proj")
    assert module.lora_A["default"].weight.shape == (4, 64)
    assert module.scaling["default"] == pytest.approx(8 / 4**0.5)
    assert module.lora_dropout["default"].p == 0.25
    assert "lora_magnitude_vector" in {name.split(".")[2] for name in learning(model)}
    assert attach(tiny_model("llama"), r=4, alpha=8).get_submodule(
        "base_model.model.model.layers.0.self_attn.q_proj"
    ).scaling == {"default": 2.0}


def test_a_seed_gives_the_same_matrices_and_leaves_other_draws_alone(tiny_model):
    def matrices(seed):
        return torch.cat([w.flatten() for w in attach(tiny_model("llama"), seed=seed).parameters() if w.requires_grad])

    first = matrices(3)
    torch.rand(5)
    state = torch.get_rng_state()
    assert torch.equal(first, matrices(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, matrices(4))


@pytest.mark.parametrize("bits", [16, 4])
def test_parameters_are_counted_by_what_they_stand_for(tiny_model, bits):
    base = load(tiny_model("llama"), bits=bits)
    tokens = base.config.vocab_size
    blocks = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128 + 2 * 64)
    assert count_parameters(base).all == 2 * tokens * 64 + blocks + 64
    # r times inputs and outputs of each of the seven matrices
    added = 2 * 16 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 128))
    model = attach_adapter(base, AdapterSettings(), 0)
    assert count_parameters(model) == Parameters(all=2 * tokens * 64 + blocks + 64 + added, trainable=added)
    assert count_parameters(model).trainable == model.get_nb_trainable_parameters()[0]


def test_gradients_in_4_bits_are_the_same_after_an_evaluation(tiny_model):
    def gradients(*, evaluated):
        model = attach(tiny_model("llama"), bits=4)
        if evaluated:
            logits(model)
        model.train()(input_ids=TOKENS, labels=TOKENS).loss.backward()
        return {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}

    expected = gradients(evaluated=False)
    for name, gradient in gradients(evaluated=True).items():
        assert torch.equal(gradient, expected[name])


# --- saved, and gone on with


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("llama", {}),
        ("gemma3", {"dora": True, "rslora": True}),
        ("gpt-neox", {"target_modules": ("query_key_value",)}),
        ("qwen3", {"modules_to_save": ("embed_tokens", "lm_head")}),
        ("gemma", {"modules_to_save": ("embed_tokens",)}),  # one matrix for reading and writing
    ],
)
def test_an_adapter_is_the_same_when_it_was_saved(tiny_model, tmp_path, no_network, capfd, architecture, settings):
    folder = tiny_model(architecture)
    model = attach(folder, **settings)
    train(model.train())
    save_adapter(model, tmp_path / "adapter")
    read = load_adapter(load(folder), tmp_path)  # given as a run
    assert torch.equal(logits(read), logits(model))
    assert not any(weight.requires_grad for weight in read.parameters())
    assert capfd.readouterr() == ("", "")
    assert read_base(adapter_place(tmp_path)) == str(folder)


def test_training_goes_on_where_it_stopped(tiny_model, tmp_path):
    folder = tiny_model("llama")
    model = attach(folder, r=4)
    train(model.train())
    save_adapter(model, tmp_path)
    again = attach(folder, path=str(tmp_path))
    assert torch.equal(logits(again), logits(model))
    assert count_parameters(again) == count_parameters(model)
    assert train(again.train()) == train(model.train())


def test_a_recipe_that_asks_for_another_shape_than_the_adapter_has_is_told(tiny_model, tmp_path, caplog):
    save_adapter(attach(tiny_model("llama"), r=4), tmp_path)
    with caplog.at_level(logging.WARNING, logger="hanpuri.training"):
        model = attach(tiny_model("llama"), path=str(tmp_path), r=8, alpha=32)
    assert model.peft_config["default"].r == 4
    assert caplog.messages == ["adapter.r is 8; the adapter that goes on has 4, which counts"]


def test_an_adapter_of_the_layer_that_writes_does_not_go_on(tiny_model, tmp_path):
    # made elsewhere: TRL computes the loss past it, and would refuse it once all is loaded
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=2, target_modules=["q_proj", "lm_head"], task_type="CAUSAL_LM")
    save_adapter(get_peft_model(load(tiny_model("llama")), settings), tmp_path)
    with pytest.raises(ModelError) as caught:
        attach(tiny_model("llama"), path=str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path}: found an adapter of the layer that writes tokens, which could not go on learning; "
        "begin a new adapter, or merge this one first: hanpuri publish"
    )


def test_an_adapter_that_learnt_new_tokens_finds_a_base_without_them(tiny_model, tmp_path):
    folder = tiny_model("llama")
    base = load(folder)
    rows = base.config.vocab_size
    base.resize_token_embeddings(rows + 3, mean_resizing=False)
    settings = AdapterSettings(modules_to_save=("embed_tokens", "lm_head"))
    check_new_tokens(base, settings)
    model = attach_adapter(base, settings, 0)
    train(model.train())
    save_adapter(model, tmp_path)
    read = load_adapter(load(folder), tmp_path)
    assert read.get_base_model().config.vocab_size == rows + 3
    assert torch.equal(logits(read), logits(model))


def test_embeddings_that_learn_stay_one_matrix_if_they_were_one(tiny_model):
    folder = tiny_model("gemma")
    assert embedding_names(load(folder)) == ["embed_tokens"]
    for names in (("embed_tokens",), ("embed_tokens", "lm_head")):
        model = attach(folder, modules_to_save=names)
        train(model.train())
        merged = model.merge_and_unload()
        assert merged.get_output_embeddings().weight is merged.get_input_embeddings().weight


def test_new_tokens_need_embeddings_that_learn(tiny_model):
    model = load(tiny_model("llama"))
    mend = "write adapter.modules_to_save: [embed_tokens, lm_head]"
    for saved, frozen in [((), "embed_tokens, lm_head"), (("embed_tokens",), "lm_head")]:
        with pytest.raises(RecipeError) as caught:
            check_new_tokens(model, AdapterSettings(modules_to_save=saved))
        assert str(caught.value) == (
            f"tokenizer.extend adds tokens, and the adapter leaves their embeddings ({frozen}) as they are; {mend}"
        )
    check_new_tokens(load(tiny_model("gemma")), AdapterSettings(modules_to_save=("embed_tokens",)))


# --- whose it is


def named_for(folder, base):
    """Write another base into an adapter."""
    path = folder / "adapter_config.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(fields | {"base_model_name_or_path": base}), encoding="utf-8")


@pytest.fixture
def adapter(tiny_model, tmp_path):
    """An adapter of the tiny llama that a test may break."""
    folder = tmp_path / "runs" / "first" / "adapter"
    save_adapter(attach(tiny_model("llama"), r=2), folder)
    return folder


def told(folder, path, **settings):
    with pytest.raises(ModelError) as caught:
        attach(folder, path=str(path), **settings)
    return str(caught.value)


def test_an_adapter_of_another_model_is_refused(tiny_model, adapter):
    llama, qwen = tiny_model("llama"), tiny_model("qwen3")
    assert told(qwen, adapter) == (
        f"{adapter}: found an adapter for {llama}, expected one for {qwen}; give model.path: {llama}, "
        "or if it was only moved, correct base_model_name_or_path in its adapter_config.json"
    )


@pytest.mark.parametrize("base", ["someone/Tiny-Llama", "/gone/tiny-llama", "/gone/tiny-llama/model"])
def test_a_base_that_was_moved_is_known_by_its_last_name(tiny_model, adapter, base, no_network):
    named_for(adapter, base)
    assert attach(tiny_model("llama"), path=str(adapter)).peft_config["default"].r == 2


def test_a_base_of_the_hub_that_is_another_is_refused(tiny_model, adapter, no_network):
    named_for(adapter, "someone/other-llama")
    assert told(tiny_model("llama"), adapter).startswith(f"{adapter}: found an adapter for someone/other-llama, ")


def test_an_adapter_that_lies_about_its_base_is_found_out_by_its_shapes(tiny_model, adapter, tmp_path):
    other = tmp_path / "wide"
    base = load(tiny_model("llama"))
    base.config.intermediate_size = 96
    with quiet_loading():
        type(base)(base.config).save_pretrained(other)
    named_for(adapter, str(other))
    assert told(other, adapter) == (
        f"{adapter}: found an adapter for a model.layers.0.mlp.down_proj of 128 numbers, and the model's has 96; "
        "take the model that it belongs to"
    )
    named_for(adapter, str(tiny_model("gpt-neox")))
    assert told(tiny_model("gpt-neox"), adapter) == (
        f"{adapter}: found an adapter for model.layers.0.mlp.down_proj, which the model does not have; "
        "take the model that it belongs to"
    )


def test_an_adapter_that_is_not_whole_is_refused(tiny_model, adapter, tmp_path):
    llama, weights, config = tiny_model("llama"), adapter / "adapter_model.safetensors", adapter / "adapter_config.json"
    size = weights.stat().st_size
    with weights.open("r+b") as file:
        file.truncate(size - 5)
    assert told(llama, adapter) == (
        f"{weights}: found {size - 5:,} bytes, expected {size:,}: the file is cut short; download or save it again"
    )
    weights.unlink()
    assert told(llama, adapter) == (
        f"{adapter}: found no weights, expected adapter_model.safetensors; download or save it again"
    )
    shutil.copy(tiny_model("llama") / "model.safetensors", weights)  # whole, and of another kind
    assert told(llama, adapter).startswith(
        f"{adapter}: cannot be read as an adapter of this model (Found missing adapter keys while loading "
    )
    for text in ("{", "{}", '{"base_model_name_or_path": null}', "[]"):
        config.write_text(text, encoding="utf-8")
        with pytest.raises(ModelError, match=r"adapter_config.json: found no base_model_name_or_path; write the name"):
            read_base(adapter)
    shutil.rmtree(adapter)
    assert told(llama, tmp_path) == (
        f"{tmp_path}: found no adapter_config.json in this folder; give the folder of an adapter"
    )
    assert told(llama, adapter) == (
        f"{adapter}: found no such folder, expected one with an adapter; check adapter.path"
    )


def test_a_downloaded_adapter_is_found_by_its_name(adapter, tmp_path, monkeypatch, no_network):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = tmp_path / "hub" / "models--someone--lora"
    shutil.copytree(adapter, kept / "snapshots" / "c0ffee")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("c0ffee", encoding="utf-8")
    assert adapter_place("someone/lora") == kept / "snapshots" / "c0ffee"


def test_a_downloaded_base_is_named_as_on_the_hub(tiny_model, tmp_path):
    model = attach(tiny_model("llama"))
    model.get_base_model().config._name_or_path = "/cache/hub/models--Some--Tiny/snapshots/c0ffee"
    model.name_or_path = "/cache/hub/models--Some--Tiny/snapshots/c0ffee"
    save_adapter(model, tmp_path)
    assert read_base(tmp_path) == "Some/Tiny"
    assert read_shapes(tmp_path / "adapter_model.safetensors")
