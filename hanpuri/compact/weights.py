"""
A trained network on disk: `weights.safetensors` (16 bits each), `network.json` (its shape) and `vocabulary.json`.

In:  a run's folder.   Out: the network that was trained there, and back. Needs torch.
"""

import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.errors import ModelError
from hanpuri.runs import write_json

WEIGHTS, SHAPE, VOCABULARY = "weights.safetensors", "network.json", "vocabulary.json"
TRAINED = (WEIGHTS, SHAPE, VOCABULARY)


def save_network(network: RestorerNetwork, vocabulary: Vocabulary, folder: Path) -> None:
    """Write a network's three files into `folder`."""
    weights = {name: value.half().contiguous().cpu() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    write_json(folder / SHAPE, network.shape.as_dict())
    vocabulary.save(folder / VOCABULARY)


def load_network(folder: Path) -> tuple[RestorerNetwork, Vocabulary]:
    """
    Rebuild the trained network of a run's folder, on the CPU, in 32 bits.

    Raises:
        ModelError: if a file is missing.
    """
    for name in TRAINED:
        if not (folder / name).is_file():
            raise ModelError(f"{folder / name} is missing", "give the folder of a run that has trained")
    network = RestorerNetwork(NetworkShape(**json.loads((folder / SHAPE).read_text(encoding="utf-8"))))
    network.load_state_dict({name: value.float() for name, value in load_file(folder / WEIGHTS).items()})
    return network.eval(), Vocabulary.load(folder / VOCABULARY)
