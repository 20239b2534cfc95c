"""
Learnt weights on their way into a file: how far they go, and that rounding does not take them back.

In: an old network on its grid of seven bits, and one that moved by less than half a step. Out: what a file keeps of it.
"""

import copy

import pytest
import torch

from hanpuri.compact.adapting.finishing import leave_grid, share_weights
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.shipped_weights import load_shipped


def tiny(seed):
    torch.manual_seed(seed)
    return RestorerNetwork(NetworkShape(50, 9, 64, 1))


@pytest.mark.parametrize(("share", "like"), [(0.0, 1), (1.0, 2)])
def test_no_share_is_the_old_network_and_all_of_it_the_learnt_one(share, like):
    between = share_weights(tiny(1), tiny(2), share)
    assert all(map(torch.equal, between.parameters(), tiny(like).parameters()))


def test_half_the_way_is_half_the_way():
    between = share_weights(tiny(1), tiny(2), 0.5)
    mean = (tiny(1).head.weight + tiny(2).head.weight) / 2
    torch.testing.assert_close(between.head.weight, mean)


def test_a_move_of_less_than_half_a_step_is_not_rounded_back(begun):
    """All weights move a quarter of a step in one direction; rounded, they have to have moved so far on the whole."""
    old, _, _ = load_shipped(ModelFiles.find(begun))
    weight = old.blocks[0].up.weight.detach()
    step = weight.abs().amax(1, keepdim=True) / 63
    moved = copy.deepcopy(old)
    with torch.no_grad():
        moved.blocks[0].up.weight += 0.25 * step * (weight.abs() < 40 * step)
    leave_grid(moved)
    kept = [rounded(one) for one in (moved.blocks[0].up.weight.detach(), weight + 0.25 * step)]
    inner = weight.abs() < 40 * step
    means = [((one - weight) / step)[inner].mean().item() for one in kept]
    assert means[0] == pytest.approx(0.25, abs=0.03)


def rounded(weight):
    """As a file holds it."""
    step = weight.abs().amax(1, keepdim=True) / 63
    return (weight / step).round() * step
