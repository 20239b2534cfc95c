"""
The optimisers, held against those of torch.

In: the same weights and gradients for both. Out: the same weights.
"""

import pytest
import torch
from torch import nn

from hanpuri.compact.learning.optimizer import MAX_GRADIENT_NORM, Muon, Optimizers
from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.settings import TrainingSettings

SHAPES = [(64, 64), (192, 64), (64, 192), (64, 64), (256, 64)]
RATES = (2**-10, 2**-9, 2**-11, 0.0)  # the same number in 32 bits and in 64


def matrices() -> list[nn.Parameter]:
    random = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=random) * 0.02) for shape in SHAPES]


def give_gradients(*networks: list[nn.Parameter], seed: int) -> None:
    """The same gradients to each."""
    for parameters in networks:
        random = torch.Generator().manual_seed(seed)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=random)


@pytest.fixture
def network() -> RestorerNetwork:
    torch.manual_seed(0)
    return RestorerNetwork(NetworkShape(num_embeddings=30, num_labels=9, width=64, num_layers=2))


def settings(**fields: object) -> TrainingSettings:
    return TrainingSettings.model_validate({"steps": 1, **fields})


# --- Muon


def test_matrices_taken_together_move_as_torchs_muon_moves_each():
    ours, theirs, rate = matrices(), matrices(), torch.zeros(())
    muon = Muon(ours, rate, weight_decay=0.05)
    reference = torch.optim.Muon(theirs, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    for step in range(8):
        rate.fill_(RATES[step % len(RATES)])
        reference.param_groups[0]["lr"] = rate.item()
        give_gradients(ours, theirs, seed=step)
        muon.step()
        reference.step()
    for ours_now, theirs_now, before in zip(ours, theirs, matrices(), strict=True):
        assert (theirs_now - before).abs().max() > 1e-3
        # both round to 16 bits on the way
        torch.testing.assert_close(ours_now, theirs_now, atol=2e-5, rtol=1e-3)


def test_matrices_of_one_shape_lie_in_one_stack_the_tall_ones_on_their_side():
    stacks = Muon(matrices(), torch.zeros(()), 0.0).stacks
    assert [stack.momentum.shape for stack in stacks] == [(2, 64, 64), (2, 64, 192), (1, 64, 256)]
    assert [stack.is_tall for stack in stacks] == [[False, False], [True, False], [True]]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_step_of_muon_is_as_large_as_one_of_adamw_whatever_the_gradient(scale):
    parameters, rate = matrices(), torch.tensor(1.0)
    before = [parameter.detach().clone() for parameter in parameters]
    give_gradients(parameters, seed=0)
    for parameter in parameters:
        parameter.grad *= scale
    Muon(parameters, rate, weight_decay=0.0).step()
    for parameter, old in zip(parameters, before, strict=True):
        assert (parameter - old).square().mean().sqrt().item() == pytest.approx(0.2, rel=0.2)


def test_a_gradient_of_nought_moves_nothing():
    parameters = matrices()
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    Muon(parameters, torch.tensor(1.0), weight_decay=0.0).step()
    assert all(torch.equal(now, before) for now, before in zip(parameters, matrices(), strict=True))


# --- both together


@pytest.mark.parametrize(("optimizer", "counts"), [("muon", [2, 1, 8]), ("adamw", [10, 1, 0])])
def test_muon_moves_the_matrices_of_the_blocks_and_adamw_all_else(network, optimizer, counts):
    optimizers = Optimizers(network, settings(optimizer=optimizer))
    decayed, free = optimizers.adam.param_groups
    in_stacks = sum(len(stack.parameters) for stack in optimizers.muon.stacks)
    assert [len(decayed["params"]), len(free["params"]), in_stacks] == counts
    assert free["weight_decay"] == 0


def test_optimisers_that_were_just_made_have_moved_nothing_and_leave_no_gradient(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizers = Optimizers(network, settings())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(value.any() for value in optimizers.tensors().values())


def test_adamw_is_torchs_from_its_first_step_with_the_rate_of_each_step(network):
    optimizers = Optimizers(network, settings(optimizer="adamw", weight_decay=0.1))
    ours = list(network.parameters())
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in ours]
    groups = [{"params": [p for p in theirs if p.dim() > 1]}, {"params": [p for p in theirs if p.dim() < 2]}]
    groups[1]["weight_decay"] = 0.0
    reference = torch.optim.AdamW(groups, 1.0, betas=(0.9, 0.98), weight_decay=0.1)
    for step, rate in enumerate(RATES):
        for group in reference.param_groups:
            group["lr"] = rate
        give_gradients(ours, theirs, seed=step)
        optimizers.set_rate(rate)
        optimizers.step()
        nn.utils.clip_grad_norm_(theirs, MAX_GRADIENT_NORM)
        reference.step()
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_state_that_is_copied_back_in_place_is_gone_on_from(network, optimizer):
    optimizers = Optimizers(network, settings(optimizer=optimizer))
    lasting = {**network.state_dict(), **optimizers.tensors()}
    optimizers.set_rate(1e-2)

    def go_on() -> dict[str, torch.Tensor]:
        give_gradients(list(network.parameters()), seed=5)
        optimizers.step()
        return {name: value.clone() for name, value in lasting.items()}

    kept = go_on()
    first = go_on()
    for name, value in lasting.items():
        value.copy_(kept[name])
    assert all(torch.equal(value, first[name]) for name, value in go_on().items())
    assert any(not torch.equal(value, kept[name]) for name, value in first.items())
