"""
What restoring asks of a network, whichever library runs it: labels and probabilities, or the scores of all labels.

`onnx_predictor` answers with the shipped file on a CPU, `torch_predictor` with the network as it is trained.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.hangul import Indices

Features = npt.NDArray[np.int32]
Confidences = npt.NDArray[np.float32]
Scored = tuple[Indices, Confidences, Confidences]
Answer = Callable[[], tuple[Indices, Confidences]]
"""Waits for labels and their probabilities, which a network was asked for and may still be at."""


class Predictor(Protocol):
    """A network that labels: features (B, T, 6) ─► labels (B, T) and their probabilities (B, T)."""

    vocabulary: Vocabulary
    batch_items: int

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable label of each item."""

    def predict_scored(self, features: Features) -> Scored:
        """The same, with the scores of all labels, (B, T, num_labels), which the caller must not change."""

    def score(self, features: Features) -> Confidences:
        """Give the scores of all labels, (B, T, num_labels), for the caller to change."""


@runtime_checkable
class PackedPredictor(Predictor, Protocol):
    """A network that also labels windows of any lengths at once, laid end to end, while its caller does other work."""

    def begin_packed(self, features: Features, lengths: Sequence[int]) -> Answer:
        """(N, 6) features of windows of these lengths ─► what waits for labels (N,) and their probabilities (N,)."""
