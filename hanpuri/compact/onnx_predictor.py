"""
The quantised ONNX file as a predictor, on the CPU: all that restoring needs at run time.

In:  features (B, T, 6).   Out: labels (B, T) and their probabilities, or the scores of all labels.
"""

import os
from typing import Any

import numpy as np

# Since 1.29 it reports models and errors, with an id of this machine, to its makers, unless told before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.predictor import Confidences, Features
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.errors import ModelError
from hanpuri.hangul import Indices

ERRORS_ONLY = 3


def open_session(network: bytes | str, threads: int = 1) -> Any:
    """Open a network, an ONNX file or where it lies, for calls from any thread; `threads` of its own share one call."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.force_spinning_stop", "1")  # threads of ours do not wait by working
    options.log_severity_level = ERRORS_ONLY
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


class OnnxPredictor:
    """An onnxruntime session that may be called from many threads."""

    # More items in a batch do not fit the processor's cache.
    batch_items = 256

    def __init__(self, network: bytes | str, vocabulary: Vocabulary, threads: int = 1) -> None:
        """
        Load a network.

        Args:
            network: the ONNX file, or where it lies.
            vocabulary: what its labels mean.
            threads: that share one call. On one, a call computes on the thread that it comes from, and two batches on
                two threads are done sooner than one after the other on both; on two, a batch that is alone is.
        """
        self.session = open_session(network, threads)
        self.vocabulary = vocabulary

    @classmethod
    def load(cls, files: ModelFiles, threads: int = 1) -> "OnnxPredictor":
        """
        Load a model's network and vocabulary.

        Raises:
            ModelError: if one of the two cannot be read, or they are not of one model.
        """
        path = files.vocabulary
        try:
            vocabulary = Vocabulary.load(path)
            path = files.network
            predictor = cls(str(path), vocabulary, threads)
        except Exception as error:  # onnxruntime has a class of its own for every cause
            cause = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"{path} cannot be loaded: {cause}", "install hanpuri again, or train the model again"
            ) from error
        answers = {one.name: one.shape for one in predictor.session.get_outputs()}
        if "scores" not in answers:
            raise ModelError(f"{files.folder} holds a model that edits", "it is used by --reach wide; name another")
        num_labels = answers["scores"][-1]
        if num_labels != vocabulary.num_labels:
            raise ModelError(
                f"{files.vocabulary} has {vocabulary.num_labels} labels, {files.network.name} has {num_labels}",
                "copy both files from the same model",
            )
        return predictor

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable label of each item: by numpy, which finds the largest faster than onnxruntime."""
        scores, confidences = self.session.run(["scores", "confidences"], {"features": features})
        return scores.argmax(-1), confidences

    def score(self, features: Features) -> Confidences:
        """Give the scores of all labels, (B, T, num_labels)."""
        scores: Confidences = self.session.run(["scores"], {"features": features})[0]
        return np.array(scores)
