"""The network itself as a predictor, on any torch device: for watching training, and for a GPU. Needs torch."""

import numpy as np
import torch

from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.predictor import Confidences, Features
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.hangul import Indices


class TorchPredictor:
    """Labels with a `RestorerNetwork` in the precision that autocast gives on its device."""

    batch_items = 32_768

    def __init__(self, network: RestorerNetwork, vocabulary: Vocabulary) -> None:
        self.network, self.vocabulary = network, vocabulary
        self.device = next(network.parameters()).device

    def score(self, features: Features) -> Confidences:
        """Give the scores of all labels, (B, T, num_labels)."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, self.device.type == "cuda"):
            scores: Confidences = self.network(torch.from_numpy(features).to(self.device)).float().cpu().numpy()
        return scores

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable label of each item."""
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, self.device.type == "cuda"):
            scores = self.network(torch.from_numpy(features).to(self.device)).float()
            confidences, labels = scores.softmax(-1).max(-1)
        return labels.cpu().numpy().astype(np.int64), confidences.cpu().numpy()
