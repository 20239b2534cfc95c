"""The estimate, against tensors that are really there."""

import pytest
import torch

from hanpuri.errors import ModelError
from hanpuri.training.loading.adapters import attach_adapter
from hanpuri.training.loading.models import load_model, read_config
from hanpuri.training.preflight import memory as estimate
from hanpuri.training.preflight.memory import (
    GIB,
    Devices,
    Memory,
    estimate_memory,
    optimizer_bytes,
    sketch_model,
    weight_bytes,
)
from hanpuri.training.preflight.proposals import apply_changes, propose, refuse
from hanpuri.training.preflight.rehearsal import Batch

ADAPTER = {"r": 4, "dropout": 0.1}
BATCH = Batch(rows=2, length=32, trained=20)
ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")


def real_bytes(tensors):
    """Count bytes, shared tensors once, tensors in 4 bits with their scales."""
    total = 0
    for one in {id(tensor): tensor for tensor in tensors}.values():
        total += one.numel() * one.element_size()
        if (state := getattr(one, "quant_state", None)) is not None:
            parts = [state.absmax, state.code]
            parts += [state.offset, state.state2.absmax, state.state2.code] if state.nested else []
            total += sum(part.numel() * part.element_size() for part in parts)
    return total


def load(recipe):
    model = load_model(recipe.model, learns_whole=recipe.adapter is None, device="cpu")
    return attach_adapter(model, recipe.adapter, recipe.seed) if recipe.adapter else model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "sections",
    [
        # all weights learn
        {},
        # LoRA, the base in 16 bits
        {"adapter": ADAPTER, "model": {"weights": "bf16"}},
    ],
)
def test_weights_and_gradients_are_counted_to_the_byte(tiny_model, make_recipe, architecture, sections):
    recipe = make_recipe(tiny_model(architecture), **sections)
    model = load(recipe)
    told = estimate_memory(recipe, model.config, BATCH, device="cpu")
    learning = [one for one in model.parameters() if one.requires_grad]
    assert told.weights + told.adapter == real_bytes([*model.parameters(), *model.buffers()])
    assert told.gradients == real_bytes(learning)
    assert told.adapter == (real_bytes(learning) if recipe.adapter else 0)


@pytest.mark.parametrize("double", [True, False])
def test_a_model_in_four_bits_is_counted_to_the_byte(tiny_model, make_recipe, double):
    model = {"quantization": {"double": double}}
    recipe = make_recipe(tiny_model("gemma"), adapter={**ADAPTER, "target_modules": ["q_proj"]}, model=model)
    loaded = load(recipe)
    told = estimate_memory(recipe, read_config(tiny_model("gemma")), BATCH, device="cpu")
    assert told.weights + told.adapter == real_bytes([*loaded.parameters(), *loaded.buffers()])
    assert told.gradients == real_bytes(one for one in loaded.parameters() if one.requires_grad)


@pytest.mark.parametrize("name", ["adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_32bit", "adafactor"])
def test_optimizer_states_are_counted_to_the_byte(name):
    import bitsandbytes
    from transformers import Adafactor

    class Small(torch.nn.Module):
        def __init__(self):
            super().__init__()
            # 8-bit states begin at 4,096 numbers; 5,000 is no multiple of a block
            self.wide, self.odd = torch.nn.Linear(96, 64), torch.nn.Linear(50, 100, bias=False)

    model = Small()
    weights = list(model.parameters())
    make = {
        "adamw_torch": lambda: torch.optim.AdamW(weights),
        "adamw_torch_fused": lambda: torch.optim.AdamW(weights, fused=True),
        "adamw_8bit": lambda: bitsandbytes.optim.AdamW(weights, optim_bits=8),
        "paged_adamw_32bit": lambda: bitsandbytes.optim.AdamW(weights),
        "adafactor": lambda: Adafactor(weights, lr=1e-3, scale_parameter=False, relative_step=False),
    }
    optimizer = make[name]()
    for one in weights:
        one.grad = torch.ones_like(one)
    optimizer.step()
    shared = ("qmap1", "qmap2")  # one table of 2 KiB for all tensors
    held = [
        tensor
        for state in optimizer.state.values()
        for key, tensor in state.items()
        if isinstance(tensor, torch.Tensor) and key not in shared
    ]
    assert optimizer_bytes(model, name, on_gpu=False)[0] == real_bytes(held)


def config_of(tiny_model, **sizes):
    config = read_config(tiny_model("llama"))
    for name, size in sizes.items():
        setattr(config, name, size)
    return config


def test_a_model_of_billions_is_estimated_without_a_weight(tiny_model, make_recipe):
    sizes = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "vocab_size": 32000}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 128, "tie_word_embeddings": False}
    config = config_of(tiny_model, **sizes, **heads)
    whole = sketch_model(make_recipe("m"), config, "cuda")
    assert weight_bytes(whole) == pytest.approx(4 * 6_738_415_616, rel=1e-6)  # Llama 2 7B in float32
    recipe = make_recipe(
        "m", model={"precision": "bf16", "quantization": {}}, adapter={"r": 16, "target_modules": ["q_proj"]}
    )
    four_bit = weight_bytes(sketch_model(recipe, config, "cuda"), recipe.model.quantization)
    assert four_bit / GIB == pytest.approx(4.11, abs=0.03)  # 6.5e9 weights in 4.13 bits, embeddings in 32


@pytest.mark.parametrize(
    ("sections", "part", "grows"),
    [
        # activations are computed twice in place of being kept
        ({"training": {"gradient_checkpointing": True}}, "activations", False),
        # all scores of attention are kept
        ({"model": {"attention": "eager"}}, "activations", True),
        # gradients of the batch before are held while the next one is at its peak
        ({"training": {"accumulation": 2}}, "step", True),
        # nothing but the adapter has states
        ({"adapter": ADAPTER}, "optimizer", False),
    ],
)
def test_a_setting_moves_the_part_that_it_should(tiny_model, make_recipe, sections, part, grows):
    config, batch = config_of(tiny_model, num_hidden_layers=4), Batch(4, 128, 100)
    before = estimate_memory(make_recipe("m"), config, batch, device="cpu")
    after = estimate_memory(make_recipe("m", **sections), config, batch, device="cpu")
    assert (getattr(after, part) > getattr(before, part)) is grows
    assert getattr(after, part) != getattr(before, part)


def test_what_is_sharded_is_shared_and_what_is_copied_is_not(tiny_model, make_recipe):
    config = config_of(tiny_model)
    alone, copied, sharded = (
        estimate_memory(make_recipe("m"), config, BATCH, device="cpu", devices=devices)
        for devices in (Devices(), Devices(4), Devices(4, sharded=True))
    )
    assert (copied.weights, copied.optimizer) == (alone.weights, alone.optimizer)
    assert (sharded.weights, sharded.optimizer) == (alone.weights // 4, alone.optimizer // 4)
    assert copied.step == alone.step + alone.gradients


def test_proposals_fit_and_keep_the_batch_that_a_step_learns_from(tiny_model, make_recipe):
    config = config_of(tiny_model, num_hidden_layers=4, vocab_size=300)
    recipe, batch = make_recipe("m", training={"batch_size": 4}), Batch(4, 256, 400)
    memory = estimate_memory(recipe, config, batch, device="cpu")
    kept = apply_changes(recipe, {"training.gradient_checkpointing": True})
    enough = estimate_memory(kept, config, batch, device="cpu").total
    assert enough < 0.97 * memory.total
    tight = Memory(**{**vars(memory), "available": enough})
    proposals, least = propose(recipe, config, batch, tight, device="cpu")
    assert least < memory.total
    assert proposals[0].sets == ("training.gradient_checkpointing=true",)
    assert ("training.batch_size=2", "training.accumulation=2") in [one.sets for one in proposals]
    assert all(one.total <= (tight.available or 0) for one in proposals)


def test_if_nothing_helps_the_smallest_need_is_said(tiny_model, make_recipe):
    recipe = make_recipe("m")
    memory = estimate_memory(recipe, config_of(tiny_model), BATCH, device="cpu", available=1000)
    proposals, least = propose(recipe, config_of(tiny_model), BATCH, memory, device="cpu")
    assert proposals == []
    with pytest.raises(ModelError, match=r"take a smaller model or a larger device: the least .* is \d+\.\d MiB$"):
        raise refuse(memory, proposals, least)


def test_a_proposal_is_a_recipe_that_can_be_pasted(make_recipe, tmp_path):
    import yaml

    from hanpuri.recipe import read_recipe
    from hanpuri.training.preflight.proposals import QLORA, _yaml
    from hanpuri.training.recipe import KINDS

    recipe = make_recipe("m")
    changes = {"adapter": {"r": 16, "alpha": 32.0, "dropout": 0.05}, **QLORA, "training.batch_size": 1}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
    sets = [f"{key}={_yaml(value)}".replace("'", "") for key, value in changes.items()]  # a shell takes the quotes off
    assert read_recipe(path, KINDS, sets) == apply_changes(recipe, changes)


def test_a_cpu_says_what_it_has():
    assert GIB // 4 < estimate.available_memory("cpu") < 1 << 50
