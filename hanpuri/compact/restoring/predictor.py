"""
What restoring asks of a network, whichever library runs it: labels and probabilities, or the scores of all labels.

`onnx_predictor` answers with the shipped file on a CPU, `torch_predictor` with the network as it is trained.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.hangul import Indices

Features = npt.NDArray[np.int32]
Confidences = npt.NDArray[np.float32]


class Predictor(Protocol):
    """A network that labels: features (B, T, 6) ─► labels (B, T) and their probabilities (B, T)."""

    vocabulary: Vocabulary
    batch_items: int

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable label of each item."""

    def score(self, features: Features) -> Confidences:
        """Give the scores of all labels, (B, T, num_labels)."""
