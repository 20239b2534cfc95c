"""
A trained network that edits ─► a quantised ONNX file that answers three questions of each item.

In:  the network and features to calibrate with.   Out: model.onnx with actions, inserts, spacings and how sure each is.

All but the last nodes is what `export` writes; only how scores become answers is another matter. Needs torch and onnx.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from hanpuri.compact.editing.edits import EditVocabulary
from hanpuri.compact.learning.export import export
from hanpuri.compact.network import RestorerNetwork

QUESTIONS = ("actions", "inserts", "spacings")
ANSWERS_OF_EXPORT = {"Softmax", "ReduceMax"}


def export_edits(network: RestorerNetwork, vocabulary: EditVocabulary, calibration: Tensor, path: Path) -> None:
    """
    Write a network as quantised ONNX, beside the target first, then renamed.

    Args:
        network: the trained network.
        vocabulary: what its labels mean.
        calibration: features (B, T, 6) of hidden text, to choose the activation scales by.
        path: the file to write.
    """
    beside = path.with_name(path.name + ".edits.part")
    export(network, calibration, beside)
    model = onnx.load(beside)
    answer_three(model.graph, vocabulary.sizes)
    onnx.save(model, beside)
    beside.replace(path)


def answer_three(graph: onnx.GraphProto, sizes: tuple[int, int, int]) -> None:
    """Split the scores by question, in place: labels (B, T) of each, then the probabilities (B, T) of each."""
    kept = [node for node in graph.node if node.op_type not in ANSWERS_OF_EXPORT]
    parts = [f"{question}.scores" for question in QUESTIONS]
    kept.append(helper.make_node("Split", ["scores", "question_sizes"], parts, axis=-1))
    for question, part in zip(QUESTIONS, parts, strict=True):
        kept.append(helper.make_node("ArgMax", [part], [question], axis=-1, keepdims=0))
        kept.append(helper.make_node("Softmax", [part], [f"{part}.probabilities"], axis=-1))
        inputs = [f"{part}.probabilities", "last_axis"]
        kept.append(helper.make_node("ReduceMax", inputs, [f"{question}_sure"], keepdims=0))
    graph.initializer.append(numpy_helper.from_array(np.array(sizes, dtype=np.int64), "question_sizes"))
    answers = [(question, TensorProto.INT64) for question in QUESTIONS]
    answers += [(f"{question}_sure", TensorProto.FLOAT) for question in QUESTIONS]
    outputs = [helper.make_tensor_value_info(name, kind, ["rows", "items"]) for name, kind in answers]
    del graph.node[:], graph.output[:]
    graph.node.extend(kept)
    graph.output.extend(outputs)
