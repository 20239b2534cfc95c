"""
A trained network on disk.

In: a network and its vocabulary. Out: three files, and the same network back.
"""

import pytest
import torch

from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.compact.weights import SHAPE, VOCABULARY, WEIGHTS, load_network, save_network
from hanpuri.errors import ModelError


@pytest.fixture
def saved(tmp_path) -> RestorerNetwork:
    torch.manual_seed(0)
    vocabulary = Vocabulary("방이", "\n!")
    network = RestorerNetwork(NetworkShape(vocabulary.offsets[-1], vocabulary.num_labels, width=64, num_layers=1))
    save_network(network, vocabulary, tmp_path)
    return network


def test_a_network_comes_back_with_its_weights_in_sixteen_bits(tmp_path, saved):
    network, vocabulary = load_network(tmp_path)
    assert vocabulary == Vocabulary("방이", "\n!")
    assert network.shape == saved.shape
    assert not network.training
    for name, value in saved.state_dict().items():
        assert torch.equal(network.state_dict()[name], value.half().float()), name


@pytest.mark.parametrize("name", [WEIGHTS, SHAPE, VOCABULARY])
def test_a_missing_file_is_named(tmp_path, saved, name):
    (tmp_path / name).unlink()
    with pytest.raises(ModelError) as caught:
        load_network(tmp_path)
    assert str(caught.value) == f"{tmp_path / name} is missing; give the folder of a run that has trained"
