"""
What a machine cannot do is said before anything is loaded.

In: recipes and devices; a missing library is one whose import fails; a GPU is what torch says of one. Out: silence,
or one line.
"""

import logging
import subprocess
import sys

import pytest
import torch

from hanpuri.errors import HanpuriError
from hanpuri.training.loading.hardware import check_hardware, resolve_precision, resolve_weights
from hanpuri.training.recipe import ModelSettings, SftRecipe

QLORA = {"model": {"path": "m", "quantization": {}}, "adapter": {}}


def recipe_of(training=None, **more):
    fields = {"kind": "sft", "name": "a", "model": {"path": "m"}, "data": {"path": "rows.jsonl"}} | more
    return SftRecipe.model_validate(fields | {"training": {"epochs": 1, "learning_rate": 1e-4} | (training or {})})


def told(recipe, device):
    with pytest.raises(HanpuriError) as caught:
        check_hardware(recipe, device)
    return str(caught.value)


@pytest.fixture
def gpu(monkeypatch):
    """Have torch speak as on a machine with one GPU, of the generation that is told."""

    def plug_in(capability):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    return plug_in


T4, A100 = (7, 5), (8, 0)


@pytest.mark.parametrize(
    "recipe",
    [
        recipe_of(),
        recipe_of(adapter={}),
        recipe_of({"optimizer": "adamw_8bit"}),
        recipe_of({"optimizer": "adamw_torch_fused"}),
        recipe_of(**QLORA),
        recipe_of(model={"path": "m", "attention": "eager", "precision": "bf16"}),
    ],
)
def test_what_a_processor_can_do_is_let_through(recipe):
    check_hardware(recipe, "cpu")


@pytest.mark.parametrize(
    ("capability", "recipe"),
    [
        (T4, recipe_of()),
        (T4, recipe_of(model={"path": "m", "precision": "fp16"})),
        (A100, recipe_of(model={"path": "m", "precision": "bf16", "weights": "bf16"})),
        (A100, recipe_of({"optimizer": "adamw_torch"}, adapter={}, model={"path": "m", "weights": "fp16"})),
    ],
)
def test_what_a_gpu_can_do_is_let_through(gpu, capability, recipe):
    gpu(capability)
    check_hardware(recipe, "cuda")


@pytest.mark.parametrize("library", ["torch", "transformers", "trl", "peft", "accelerate", "datasets"])
def test_a_missing_library_is_named(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    assert told(recipe_of(), "cpu") == (
        f"training a language model needs the library {library}, which is not installed; "
        'install it: pip install "hanpuri[llm]"'
    )


@pytest.mark.parametrize(
    ("recipe", "wish"),
    [
        (recipe_of(**QLORA), "model.quantization"),
        (recipe_of({"optimizer": "adamw_8bit"}), "training.optimizer adamw_8bit"),
    ],
)
def test_bitsandbytes_is_missed_only_where_it_is_needed(monkeypatch, recipe, wish):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    check_hardware(recipe_of(adapter={}), "cpu")
    assert told(recipe, "cpu") == (
        f'{wish} needs the library bitsandbytes, which is not installed; install it: pip install "hanpuri[llm]"'
    )


def test_a_tracker_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackio", None)
    assert told(recipe_of(watch={"trackers": ["wandb", "trackio"]}), "cpu") == (
        "watch.trackers trackio needs the library trackio, which is not installed; pip install trackio, or take it out"
    )


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            recipe_of(model={"path": "m", "precision": "fp16"}),
            "model.precision is fp16, which trains on a GPU alone, and the device is cpu; take fp32",
        ),
        (
            recipe_of(model={"path": "m", "weights": "fp16"}, adapter={}),
            "model.weights is fp16, which trains on a GPU alone, and the device is cpu; take fp32",
        ),
        (
            recipe_of(model={"path": "m", "quantization": {"compute": "fp16"}}, adapter={}),
            "model.quantization.compute is fp16, which trains on a GPU alone, and the device is cpu; take fp32",
        ),
        (
            recipe_of(model={"path": "m", "attention": "flash_attention_2"}),
            "model.attention flash_attention_2 runs on a GPU alone, and the device is cpu; take sdpa",
        ),
        (
            recipe_of({"optimizer": "paged_adamw_8bit"}),
            "training.optimizer paged_adamw_8bit moves memory between GPU and CPU, and the device is cpu; "
            "take adamw_8bit",
        ),
        (
            recipe_of({"optimizer": "paged_adamw_32bit"}),
            "training.optimizer paged_adamw_32bit moves memory between GPU and CPU, and the device is cpu; "
            "take adamw_torch",
        ),
    ],
)
def test_what_a_processor_cannot_do_is_refused(recipe, message):
    assert told(recipe, "cpu") == message


@pytest.mark.parametrize(
    ("capability", "recipe", "message"),
    [
        (
            T4,
            recipe_of(model={"path": "m", "precision": "bf16"}),
            "model.precision is bf16, which this GPU does not compute in; take fp16",
        ),
        (
            T4,
            recipe_of(model={"path": "m", "quantization": {}}, adapter={}),
            "model.quantization.compute is bf16, which this GPU does not compute in; take fp16",
        ),
        # the scaler of gradients needs weights that hold small changes
        (
            A100,
            recipe_of(model={"path": "m", "precision": "fp16", "weights": "fp16"}),
            "model.weights is fp16 where all weights learn: small gradients would be lost; take model.weights: fp32; "
            "with model.precision: fp16 it computes in fp16 all the same",
        ),
        (
            A100,
            recipe_of(model={"path": "m", "precision": "fp32", "attention": "flash_attention_2"}),
            "model.attention flash_attention_2 computes in bf16 and fp16, and model.precision is fp32; take sdpa",
        ),
        (
            A100,
            recipe_of(model={"path": "m", "attention": "flash_attention_2"}),
            "model.attention flash_attention_2 needs the library flash_attn, which is not installed; "
            "pip install flash-attn, or take sdpa, which is about as fast",
        ),
        # bitsandbytes here has no part for a GPU that is none
        (
            A100,
            recipe_of({"optimizer": "paged_adamw_8bit"}),
            "the library bitsandbytes does not work on the device cuda (Torch not compiled with CUDA enabled); "
            "install the build for this machine, or take model.quantization and 8-bit optimizers out",
        ),
    ],
)
def test_what_a_gpu_cannot_do_is_refused(gpu, monkeypatch, capability, recipe, message):
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    gpu(capability)
    assert told(recipe, "cuda:0") == message.replace("device cuda ", "device cuda:0 ")


# a slip, another name, nothing
@pytest.mark.parametrize("device", ["cudda", "gpu", "cuda:x", "meta", ""])
def test_a_word_that_means_no_device_is_refused(device):
    assert told(recipe_of(), device) == (
        f"the device is {device!r}, expected cuda, cuda:1 and so on, or cpu; take the device cpu"
    )


@pytest.mark.parametrize(("device", "found"), [("cuda", 0), ("cuda:2", 1)])
def test_a_gpu_that_is_not_there_is_refused(monkeypatch, device, found):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    assert told(recipe_of(), device) == (
        f"the device {device} was asked for, and torch finds {found} GPUs; take the device cpu"
    )


def test_bf16_on_a_processor_is_allowed_and_said_to_be_slow(caplog):
    with caplog.at_level(logging.WARNING, logger="hanpuri.training"):
        check_hardware(recipe_of(model={"path": "m", "precision": "bf16"}), "cpu")
        check_hardware(recipe_of(), "cpu")
    assert caplog.messages == ["bf16 on the device cpu: slow, unless the processor has instructions for it"]


@pytest.mark.parametrize(
    ("settings", "capability", "precision", "learning", "frozen"),
    [
        ({}, None, "fp32", "fp32", "fp32"),
        ({}, T4, "fp32", "fp32", "fp32"),
        ({}, A100, "bf16", "fp32", "bf16"),
        ({"precision": "fp16"}, T4, "fp16", "fp32", "fp16"),
        ({"precision": "bf16", "weights": "bf16"}, A100, "bf16", "bf16", "bf16"),
        # what of a quantised model is not in 4 bits is held in what it computes in
        ({"quantization": {"compute": "fp16"}}, A100, "bf16", "fp16", "fp16"),
    ],
)
def test_number_formats_are_chosen_by_the_device(gpu, settings, capability, precision, learning, frozen):
    if capability:
        gpu(capability)
    device = "cuda" if capability else "cpu"
    model = ModelSettings(path="m", **settings)
    assert resolve_precision(model, device) == precision
    assert resolve_weights(model, device, learns_whole=True) == learning
    assert resolve_weights(model, device, learns_whole=False) == frozen


def test_bitsandbytes_is_imported_in_silence_and_asks_nobody_for_kernels(tmp_path):
    # a library `kernels` that says when it is asked; in a fresh interpreter, as bitsandbytes is imported once
    (tmp_path / "kernels.py").write_text("print('asked')", encoding="utf-8")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from hanpuri.training.loading.hardware import import_bitsandbytes as load; load()\n"
        "print('bitsandbytes' in sys.modules, 'kernels' in sys.modules); import kernels"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("True False\nasked\n", "")
