"""
The network itself as a predictor, on any torch device: for watching training, and for files of millions on a GPU.

In:  features (B, T, 6).   Out: labels (B, T) and their probabilities. Needs torch.
"""

from collections.abc import Sequence
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.restoring.packed import score_packed, send
from hanpuri.compact.restoring.predictor import Answer, Confidences, Features, Scored
from hanpuri.compact.shipped_weights import load_shipped
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.errors import ModelError
from hanpuri.hangul import Indices

# Items of a batch: a GPU is slowed by many small ones, a processor by what does not fit its caches.
ITEMS_ON_CPU, ITEMS_ON_GPU = 32_768, 131_072
FLASH_CAPABILITY = (8, 0)


class TorchPredictor:
    """Labels with a `RestorerNetwork` in the precision that autocast gives on its device."""

    def __init__(self, network: RestorerNetwork, vocabulary: Vocabulary) -> None:
        self.network, self.vocabulary = network, vocabulary
        self.device = next(network.parameters()).device
        self.on_gpu = self.device.type == "cuda"
        self.batch_items = ITEMS_ON_GPU if self.on_gpu else ITEMS_ON_CPU

    @classmethod
    def load(cls, files: ModelFiles, device: str) -> Self:
        """
        Read a shipped model's weights back from its quantised file; on a GPU they are kept in 16 bits.

        Raises:
            ModelError: if the file is not one that `export` writes, or torch finds no such device.
        """
        try:
            where = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:  # the latter where torch was built without CUDA
            cause = str(error).splitlines()[0]
            raise ModelError(f"device {device} cannot be used: {cause}", "leave the device out") from None
        network, vocabulary, _ = load_shipped(files)
        return cls(network.to(where, torch.bfloat16 if where.type == "cuda" else torch.float32), vocabulary)

    def score(self, features: Features) -> Confidences:
        """Give the scores of all labels, (B, T, num_labels)."""
        scores: Confidences = self._scores(features).cpu().numpy()
        return scores

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable label of each item."""
        return _fetch(*_most_probable(self._scores(features)))

    def predict_scored(self, features: Features) -> Scored:
        """Take the most probable label of each item, and give the scores of all."""
        scores = self._scores(features)
        return *_fetch(*_most_probable(scores)), scores.cpu().numpy()

    @torch.inference_mode()
    def _scores(self, features: Features, lengths: Sequence[int] | None = None) -> Tensor:
        given = send(torch.from_numpy(features), self.device)
        with torch.autocast(self.device.type, torch.bfloat16, self.on_gpu):
            scores: Tensor = self.network(given) if lengths is None else score_packed(self.network, given, lengths)
        return scores.float()


class TorchPackedPredictor(TorchPredictor):
    """Labels windows of all lengths at once: what keeps a GPU busy."""

    def begin_packed(self, features: Features, lengths: Sequence[int]) -> Answer:
        """Take the most probable label of each item of windows that are laid end to end, as soon as the device can."""
        labels, confidences = (told.to("cpu", non_blocking=True) for told in self._labels(features, lengths))
        if not self.on_gpu:
            return partial(_fetch, labels, confidences)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self.device))

        def answer() -> tuple[Indices, Confidences]:
            done.synchronize()
            return _fetch(labels, confidences)

        return answer

    @torch.inference_mode()
    def _labels(self, features: Features, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
        return _most_probable(self._scores(features, lengths))


def choose_predictor(device: str) -> type[TorchPredictor]:
    """Choose what suits a device: FlashAttention, which packing wants, runs on NVIDIA's GPUs since Ampere."""
    if not device.startswith("cuda") or not torch.cuda.is_available() or torch.version.hip is not None:
        return TorchPredictor
    try:
        packs = torch.cuda.get_device_capability(device) >= FLASH_CAPABILITY
    except (RuntimeError, AssertionError):  # no such device, as `load` will say
        return TorchPredictor
    return TorchPackedPredictor if packs else TorchPredictor


def _most_probable(scores: Tensor) -> tuple[Tensor, Tensor]:
    best, labels = scores.max(-1)
    return labels, (best - scores.logsumexp(-1)).exp()


def _fetch(labels: Tensor, confidences: Tensor) -> tuple[Indices, Confidences]:
    return labels.cpu().numpy().astype(np.int64, copy=False), confidences.cpu().numpy()
