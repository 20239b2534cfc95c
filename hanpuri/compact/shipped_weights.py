"""
A quantised model.onnx ─► the network that it was made of, in 32 bits, to learn on from there.

In:  the folder of a model, shipped or trained.   Out: RestorerNetwork, Vocabulary, the scale of each layer's input.

No other weights are shipped than those that restore: int8 with a scale for each column, the embedding in 16 bits. Read
back, each weight is exactly number · scale, so that the network that is written again with the same scales is the same
file's twin: the same integers, the same scales, the same labels. Needs torch and onnx.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from hanpuri.compact.learning.export import LARGEST_WEIGHT, Scale
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import HEAD_WIDTH, NetworkShape, RestorerNetwork
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.errors import ModelError

Array = npt.NDArray[Any]
MEND = "give base, small, or the folder of a model that hanpuri has trained"


def load_shipped(files: ModelFiles) -> tuple[RestorerNetwork, Vocabulary, dict[str, Scale]]:
    """
    Rebuild a model's network from its quantised file.

    >>> network, vocabulary, scales = load_shipped(ModelFiles.find("small"))
    >>> network.shape.width, vocabulary.num_labels, round(scales["head"].scale, 3)
    (320, 2473, 0.082)

    Raises:
        ModelError: if the file is not one that `export` writes.
    """
    path, vocabulary = files.network, Vocabulary.load(files.vocabulary)
    try:
        constants = {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}
        network = RestorerNetwork(_shape(constants))
        network.load_state_dict({name: _weight(constants, name) for name in network.state_dict()})
        scales = {name.removesuffix(".scale"): _scale(constants, name) for name in constants if name.endswith(".scale")}
    except Exception as error:  # onnx, numpy and torch each have classes of their own for what is not as it should be
        cause = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ModelError(f"{path} cannot be read back as a network: {cause}", MEND) from error
    if network.shape.num_labels != vocabulary.num_labels or network.shape.num_embeddings != vocabulary.offsets[-1]:
        found = f"{files.vocabulary} has {vocabulary.num_labels} labels, {path.name} has {network.shape.num_labels}"
        raise ModelError(found, "copy both files from the same model, or begin from base or small")
    return network.eval(), vocabulary, scales


def _shape(constants: dict[str, Array]) -> NetworkShape:
    num_embeddings, width = constants["embedding"].shape
    num_layers = sum(name.endswith(".up.weight") for name in constants)
    num_heads = width // HEAD_WIDTH
    if constants["blocks.0.query_key_value.weight"].shape != (width, 3 * num_heads * HEAD_WIDTH):
        raise ValueError(f"its blocks are not {width} wide")
    return NetworkShape(int(num_embeddings), int(constants["head.bias"].size), int(width), num_layers)


def _weight(constants: dict[str, Array], name: str) -> Tensor:
    """Give one parameter of the network, by the name that it has there."""
    if name == "embedding.weight":
        return torch.from_numpy(constants["embedding"].astype(np.float32))
    if name.endswith(".bias"):
        return torch.from_numpy(constants[name].copy())
    numbers, scale = constants[name].astype(np.float32), constants[f"{name}_scale"]
    weight = numbers * scale
    largest = np.abs(numbers).argmax(0)
    columns = np.arange(weight.shape[1])
    weight[largest, columns] = np.sign(numbers[largest, columns]) * _largest(scale)
    return torch.from_numpy(np.ascontiguousarray(weight.T))


def _largest(scale: Array) -> Array:
    """
    Give the largest weight of each column: the float that gives back exactly its `scale` when it is divided again.

    63 · scale is rounded, and a 63rd of what was rounded may be the scale's neighbour.
    """
    product = scale * np.float32(LARGEST_WEIGHT)
    for near in (np.nextafter(product, np.float32(0)), np.nextafter(product, np.float32(np.inf))):
        product = np.where(product / np.float32(LARGEST_WEIGHT) == scale, product, near)
    exact: Array = product.astype(np.float32)
    return exact


def _scale(constants: dict[str, Array], name: str) -> Scale:
    zero_point = constants[f"{name.removesuffix('.scale')}.zero"]
    return Scale(constants[name].item(), zero_point.item())
