"""
A trained network ─► a quantised ONNX file that any laptop's integer arithmetic runs.

In:  the network and some features to calibrate with.   Out: model.onnx, int8 matrices, fixed activation scales.

The graph is written node by node, in the operators that onnxruntime runs fastest on a CPU. Two choices make its
results the same everywhere. Activation scales are fixed (calibrated here), not measured on each batch, so a row's
result does not depend on the rows beside it. Weights keep to 7 of their 8 bits, so that processors without VNNI, which
add products in 16 bits, cannot overflow. Needs torch and onnx.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from hanpuri.compact.learning.corpus import TextStream, read_corpora
from hanpuri.compact.learning.noising import Noiser
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import HEAD_WIDTH, NORM_EPSILON, RestorerNetwork, rotary_angles
from hanpuri.compact.settings import MAX_LENGTH, CompactRecipe
from hanpuri.compact.vocabulary import NUM_FEATURES, Vocabulary
from hanpuri.compact.weights import load_network

CONTRIB = "com.microsoft"
OPSET, CONTRIB_OPSET, IR_VERSION = 20, 1, 10
LARGEST_WEIGHT = 63
LEVELS = 255
# How many activations of a layer are kept to choose its scale, and the cuts of the largest that are tried.
SAMPLES_KEPT = 200_000
CUTS = np.linspace(0.3, 1.0, 36)
CALIBRATION_WINDOWS = 128

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Scale:
    """An affine map of activations to 0…255: real = (stored − zero_point) · scale."""

    scale: float
    zero_point: int


def export_run(folder: Path, recipe: CompactRecipe, stream: TextStream | None = None) -> Path:
    """
    Make `folder/model` from the weights that a run has written: what `Restorer(folder / "model")` loads.

    Args:
        folder: the run's folder.
        recipe: its recipe, for the texts and the noise to calibrate with.
        stream: the recipe's texts, if they are in memory already.
    """
    network, vocabulary = load_network(folder)
    if stream is None:
        stream, _ = read_corpora(recipe.data, recipe.seed, vocabulary)
    model = ModelFiles(folder / "model")
    model.folder.mkdir(exist_ok=True)
    export(network, draw_calibration(recipe, vocabulary, stream), model.network)
    vocabulary.save(model.vocabulary)
    model.write_sums()
    return model.folder


def draw_calibration(recipe: CompactRecipe, vocabulary: Vocabulary, stream: TextStream) -> Tensor:
    """Draw features (B, T, 6) as the last part of a training does."""
    random = torch.Generator().manual_seed(recipe.seed)
    weights = torch.tensor([corpus.final_weight for corpus in recipe.data])
    corpora = weights.multinomial(CALIBRATION_WINDOWS, replacement=True, generator=random)
    length = min(recipe.training.window_lengths)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        features: Tensor = Noiser(recipe.noise, vocabulary)(*stream.draw(corpora, length, random))[0]
    return features


def export(network: RestorerNetwork, calibration: Tensor, path: Path) -> None:
    """
    Write a network as quantised ONNX, beside the target first, then renamed.

    Args:
        network: the trained network.
        calibration: features (B, T, 6) of noisy text, to choose the activation scales by.
        path: the file to write.
    """
    write_onnx(network, calibrate(network, calibration), path)


def write_onnx(network: RestorerNetwork, scales: dict[str, Scale], path: Path) -> None:
    """Write a network whose activation scales are known, beside the target first, then renamed."""
    model = _Graph(network, scales).build()
    beside = path.with_name(path.name + ".part")
    onnx.save(model, beside)
    beside.replace(path)


def calibrate(network: RestorerNetwork, features: Tensor) -> dict[str, Scale]:
    """Run the network on `features` and choose a scale for the input of every linear layer."""
    inputs: dict[str, list[Tensor]] = defaultdict(list)
    with _watch_inputs(network, inputs), torch.inference_mode():
        for rows in torch.split(features, 8):
            network(rows)
    return {name: choose_scale(torch.cat(parts).numpy()) for name, parts in inputs.items()}


def choose_scale(values: Array) -> Scale:
    """
    Choose the map to 0…255 with the smallest squared error; rare large values may be cut off for it.

    >>> choose_scale(np.linspace(0, 255, 1000)).zero_point
    0
    """
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    candidates = []
    for cut in CUTS:
        scale = max((high - low) * cut / LEVELS, 1e-8)
        zero_point = round(-max(low, low * cut) / scale)
        stored = np.clip(np.round(values / scale) + zero_point, 0, LEVELS)
        error = float(np.square((stored - zero_point) * scale - values).mean())
        candidates.append((error, scale, zero_point))
    _, scale, zero_point = min(candidates)
    return Scale(scale, zero_point)


@contextmanager
def _watch_inputs(network: nn.Module, inputs: dict[str, list[Tensor]]) -> Iterator[None]:
    """Collect a sample of what goes into each linear layer."""
    random = torch.Generator().manual_seed(0)

    def keep(name: str, values: Tensor) -> None:
        flat = values.flatten()
        chosen = torch.randint(len(flat), (min(len(flat), SAMPLES_KEPT // 16),), generator=random)
        inputs[name].append(torch.cat([flat[chosen], flat.min()[None], flat.max()[None]]))

    hooks = [
        module.register_forward_pre_hook(lambda _, arguments, name=name: keep(name, arguments[0]))
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Graph:
    """The nodes and constants of the graph while it grows; every method adds to them and names its output."""

    def __init__(self, network: RestorerNetwork, scales: dict[str, Scale]) -> None:
        self.network, self.scales = network, scales
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def build(self) -> onnx.ModelProto:
        self._constants()
        hidden = self._embed()
        for number in range(self.network.shape.num_layers):
            hidden = self._block(f"blocks.{number}", hidden)
        scores = self._linear("head", self._normalise("last", hidden), "scores")
        self._node("Softmax", [scores], "probabilities", axis=-1)
        self._node("ReduceMax", ["probabilities", "last_axis"], "confidences", keepdims=0)
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "hanpuri",
            [info("features", TensorProto.INT32, ["rows", "items", NUM_FEATURES])],
            [
                info("confidences", TensorProto.FLOAT, ["rows", "items"]),
                info("scores", TensorProto.FLOAT, ["rows", "items", self.network.shape.num_labels]),
            ],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, CONTRIB_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="hanpuri")

    def _constants(self) -> None:
        angles = rotary_angles()
        self._constant("embedding", self.network.embedding.weight.detach().half().numpy())
        self._constant("cosine", angles.cos().numpy())
        self._constant("sine", angles.sin().numpy())
        self._constant("ones", np.ones(self.network.shape.width, dtype=np.float32))
        self._constant("positions", np.arange(MAX_LENGTH)[None])
        for name, value in (("zero", [0]), ("one", [1]), ("feature_axis", [2]), ("last_axis", [-1])):
            self._constant(name, np.array(value))

    def _embed(self) -> str:
        """Sum the six embeddings, and number the positions (1, T) → (B, T) for the rotations."""
        self._node("Gather", ["embedding", "features"], "embedded_16")
        self._node("Cast", ["embedded_16"], "embedded", to=TensorProto.FLOAT)
        self._node("Shape", ["features"], "rows_items", start=0, end=2)
        self._node("Shape", ["features"], "items", start=1, end=2)
        self._node("Slice", ["positions", "zero", "items", "one"], "row_positions")
        self._node("Expand", ["row_positions", "rows_items"], "position_ids")
        return self._node("ReduceSum", ["embedded", "feature_axis"], "embedded_sum", keepdims=0)

    def _block(self, name: str, hidden: str) -> str:
        heads = self.network.shape.num_heads
        parts = [f"{name}.query", f"{name}.key", f"{name}.value"]
        joint = self._linear(f"{name}.query_key_value", self._normalise(f"{name}.attention", hidden))
        self.nodes.append(helper.make_node("Split", [joint], parts, axis=-1, num_outputs=3))
        rotated = [
            self._node(
                "RotaryEmbedding",
                [part, "position_ids", "cosine", "sine"],
                f"{part}.rotated",
                CONTRIB,
                num_heads=heads,
                rotary_embedding_dim=HEAD_WIDTH,
            )
            for part in parts[:2]
        ]
        mixed = self._node("MultiHeadAttention", [*rotated, parts[2]], f"{name}.mixed", CONTRIB, num_heads=heads)
        attended = self._linear(f"{name}.attention_out", mixed)
        middle = self._node("Add", [hidden, attended], f"{name}.middle")
        up = self._linear(f"{name}.up", self._normalise(f"{name}.feed_forward", middle))
        down = self._linear(f"{name}.down", self._node("Gelu", [up], f"{name}.gelu", CONTRIB))
        return self._node("Add", [middle, down], f"{name}.out")

    def _normalise(self, name: str, hidden: str) -> str:
        inputs = [hidden, "ones"]
        return self._node("SimplifiedLayerNormalization", inputs, f"{name}.normal", axis=-1, epsilon=NORM_EPSILON)

    def _linear(self, name: str, hidden: str, output: str | None = None) -> str:
        """Quantise the input, multiply integers, scale back and add the bias, if there is one."""
        layer = self.network.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        weight = layer.weight.detach().numpy().T.astype(np.float32)
        weight_scale = np.maximum(np.abs(weight).max(0) / LARGEST_WEIGHT, 1e-12)
        scale = self.scales[name]
        inputs = [
            self._constant(f"{name}.scale", np.float32(scale.scale)),
            self._constant(f"{name}.zero", np.uint8(scale.zero_point)),
        ]
        stored = self._node("QuantizeLinear", [hidden, *inputs], f"{name}.stored")
        matrix = self._constant(f"{name}.weight", np.round(weight / weight_scale).astype(np.int8))
        matrix_scale = self._constant(f"{name}.weight_scale", weight_scale.astype(np.float32))
        bias = [] if layer.bias is None else ["", self._constant(f"{name}.bias", layer.bias.detach().numpy())]
        arguments = [stored, matrix, inputs[0], matrix_scale, inputs[1], *bias]
        return self._node("MatMulIntegerToFloat", arguments, output or f"{name}.out", CONTRIB)

    def _node(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def _constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name
