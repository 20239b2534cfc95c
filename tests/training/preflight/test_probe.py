"""One real step, of which nothing stays."""

import copy

import pytest
import torch

from hanpuri.training.feeding.datasets import Collator
from hanpuri.training.loading.adapters import attach_adapter
from hanpuri.training.preflight.probe import probe_step


def batch_of(given):
    return Collator(3)([given.train[place] for place in (1, 3)])


def learn(model, batch, steps=4):
    """Train by a plain loop with dropout; the losses."""
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-2, weight_decay=0.1)
    model.train()
    losses = []
    for _ in range(steps):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("optimizer", ["adamw_torch", "adamw_8bit", "adafactor"])
@pytest.mark.parametrize("adapter", [None, {"r": 4, "dropout": 0.5}])
def test_the_probe_leaves_no_trace(parts, make_recipe, adapter, optimizer):
    given = parts()
    training = {"optimizer": optimizer, "weight_decay": 0.1, "gradient_checkpointing": adapter is None}
    recipe = make_recipe(given.model.name_or_path, adapter=adapter, training=training)
    model = attach_adapter(given.model, recipe.adapter, 0) if recipe.adapter else given.model
    twin = copy.deepcopy(model)
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    probed = probe_step(model, batch_of(given), recipe, "cpu")
    assert probed.fits
    assert probed.loss > 0
    assert min(probed.batch_seconds, probed.step_seconds, probed.token_seconds) > 0
    assert torch.equal(random, torch.get_rng_state())
    after = model.state_dict()
    assert before.keys() == after.keys()
    # to the bit: -0.0 equals 0.0, and is another number
    assert all(torch.equal(before[name].view(torch.uint8), after[name].view(torch.uint8)) for name in before)
    assert all(one.grad is None for one in model.parameters())
    assert model.training == twin.training
    assert not model.is_gradient_checkpointing
    torch.manual_seed(7)
    first = learn(model, batch_of(given))
    torch.manual_seed(7)
    assert first == learn(twin, batch_of(given))


def test_a_probe_that_fails_leaves_no_trace_either(parts, make_recipe):
    given = parts()
    recipe = make_recipe(given.model.name_or_path)
    before = copy.deepcopy(given.model.state_dict())
    bad = {name: tensor + 100_000 for name, tensor in batch_of(given).items()}  # tokens that the model does not have
    with pytest.raises(IndexError):
        probe_step(given.model, bad, recipe, "cpu")
    assert all(torch.equal(before[name], one) for name, one in given.model.state_dict().items())
    assert "forward" not in vars(given.model)
