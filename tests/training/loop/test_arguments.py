import math

import pytest
import torch

from hanpuri.training.loop.arguments import make_arguments
from hanpuri.training.loop.next_token import NextToken
from hanpuri.training.loop.stopping import Stopping
from hanpuri.training.loop.trainer import _prepare


@pytest.fixture
def arguments_of(recipe_of, tmp_path):
    """What the trainer is told of a recipe."""

    def make(training=None, *, precision="fp32", learns_in_fp32=True, **other):
        recipe = recipe_of(training, **other)
        return make_arguments(
            recipe, tmp_path, NextToken, device="cpu", precision=precision, learns_in_fp32=learns_in_fp32
        )

    return make


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"steps": 7}, {"max_steps": 7}),
        ({"epochs": 2.5}, {"max_steps": -1, "num_train_epochs": 2.5}),
        (
            {"batch_size": 3, "accumulation": 4},
            {"per_device_train_batch_size": 3, "per_device_eval_batch_size": 3, "gradient_accumulation_steps": 4},
        ),
        ({"learning_rate": 2e-4}, {"learning_rate": 2e-4}),
        ({"optimizer": "adafactor"}, {"optim": "adafactor"}),
        ({"weight_decay": 0.1, "beta2": 0.95}, {"weight_decay": 0.1, "adam_beta2": 0.95}),
        ({"max_grad_norm": 0.3}, {"max_grad_norm": 0.3}),
        ({}, {"gradient_checkpointing": False}),
        (
            {"gradient_checkpointing": True},
            {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}},
        ),
        # nothing is cut, dropped or told to anybody in silence
        ({}, {"max_length": None, "packing": False, "remove_unused_columns": False, "report_to": [], "bf16": False}),
    ],
)
def test_each_setting_reaches_the_trainer(arguments_of, training, told):
    arguments = arguments_of(training)
    assert {name: getattr(arguments, name) for name in told} == told


def test_the_seed_decides_the_order_too(arguments_of):
    arguments = arguments_of(seed=5)
    assert (arguments.seed, arguments.data_seed) == (5, 5)


@pytest.mark.parametrize(
    ("precision", "learns_in_fp32", "autocast"),
    [
        ("fp32", True, (False, False)),
        ("bf16", True, (True, False)),
        ("fp16", True, (False, True)),
        ("bf16", False, (False, False)),  # the weights themselves are bf16
    ],
)
def test_sixteen_bits_are_autocast_where_weights_learn_in_fp32(arguments_of, precision, learns_in_fp32, autocast):
    arguments = arguments_of(precision=precision, learns_in_fp32=learns_in_fp32)
    assert (arguments.bf16, arguments.fp16) == autocast


@pytest.fixture
def rates_of(recipe_of, run_of, material_of):
    """The learning rate before each step, as the trainer's own schedule gives it."""

    def rates(**training):
        recipe = recipe_of({"learning_rate": 1.0, "steps": 20, **training})
        loop, _ = _prepare(recipe, run_of(recipe), material_of(), "cpu", lambda *_: None, Stopping())
        loop.create_optimizer_and_scheduler(20)
        told = []
        for _ in range(20):
            told.append(loop.lr_scheduler.get_last_lr()[0])
            loop.optimizer.step()
            loop.lr_scheduler.step()
        return [*told, loop.lr_scheduler.get_last_lr()[0]]

    return rates


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("linear", 0.25, {0: 0.0, 3: 0.6, 5: 1.0, 20: 0.0}),  # a share of 20 steps
        ("linear", 5, {0: 0.0, 3: 0.6, 5: 1.0, 20: 0.0}),  # steps
        ("cosine", 0, {0: 1.0, 10: 0.5, 20: 0.0}),
        ("cosine_with_min_lr", 0, {0: 1.0, 10: 0.55, 20: 0.1}),
        ("constant", 5, {0: 1.0, 20: 1.0}),
        ("constant_with_warmup", 5, {0: 0.0, 5: 1.0, 20: 1.0}),
        ("inverse_sqrt", 5, {0: 0.0, 5: 1.0, 20: 0.5}),
    ],
)
def test_the_rate_warms_up_and_falls_as_the_recipe_says(rates_of, schedule, warmup, expected):
    rates = rates_of(schedule=schedule, warmup=warmup)
    assert {step: pytest.approx(rates[step], abs=1e-6) for step in expected} == expected


def test_norms_and_biases_are_not_pulled_to_zero(recipe_of, run_of, material_of):
    recipe = recipe_of({"weight_decay": 0.1, "beta2": 0.95})
    loop, _ = _prepare(recipe, run_of(recipe), material_of("gpt-neox"), "cpu", lambda *_: None, Stopping())
    optimizer = loop.create_optimizer()
    names = {id(weight): name for name, weight in loop.model.named_parameters()}
    pulled = {names[id(one)] for group in optimizer.param_groups if group["weight_decay"] for one in group["params"]}
    assert {"gpt_neox.layers.0.mlp.dense_h_to_4h.weight"} <= pulled
    assert not [name for name in pulled if "norm" in name or name.endswith("bias")]
    assert {group["betas"] for group in optimizer.param_groups} == {(0.9, 0.95)}


def test_weights_in_bf16_learn_in_bf16_and_adapters_of_them_in_fp32(recipe_of, run_of, material_of, tiny_model):
    from hanpuri.training.loading.adapters import attach_adapter
    from hanpuri.training.loading.models import load_model
    from hanpuri.training.loop.trainer import run_loop

    for adapter in (None, {"r": 4}):
        told = {"path": str(tiny_model("llama")), "precision": "bf16", "weights": "bf16"}
        recipe = recipe_of({"steps": 2}, model=told, **({"adapter": adapter} if adapter else {}))
        model = load_model(recipe.model, learns_whole=not adapter, device="cpu")
        model = attach_adapter(model, recipe.adapter, seed=0) if adapter else model
        run = run_of(recipe, str(bool(adapter)))
        result = run_loop(recipe, run, material_of(model=model), device="cpu")
        learnt = {weight.dtype for weight in model.parameters() if weight.requires_grad}
        assert learnt == {torch.float32 if adapter else torch.bfloat16}
        assert math.isfinite(result.scores["loss"])
