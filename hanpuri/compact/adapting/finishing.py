"""
Learnt weights ─► a model's files: part of the way back to the old weights, off their grid, quantised anew.

In:  the network that was begun with and the one that has learnt, phrases.   Out: the files that a restorer loads.

Half the way keeps most of what was gained and gives back most of what was lost elsewhere (Wortsman et al., "Robust
fine-tuning of zero-shot models", arXiv 2109.01903). Needs torch and onnx.
"""

import copy
from pathlib import Path

import torch
from torch import nn

from hanpuri.compact.learning.corpus import read_corpora
from hanpuri.compact.learning.export import draw_calibration, export
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.restoring.phrases import Phrases
from hanpuri.compact.settings import CompactRecipe
from hanpuri.compact.vocabulary import Vocabulary

# Of the largest weight of a row, what is kept: else the row's grid would be the one that the old weights stand on, and
# what moved by less than half a step would be rounded back. That cost a third of the gain.
KEPT = 0.96


def write_model(
    folder: Path,
    network: RestorerNetwork,
    vocabulary: Vocabulary,
    recipe: CompactRecipe,
    old: RestorerNetwork,
    share: float,
    phrases: Phrases | None = None,
) -> ModelFiles:
    """
    Write the files that a restorer loads.

    Args:
        folder: where; made if it is not there.
        network: what was learnt.
        vocabulary: what its labels mean.
        recipe: whose texts and noise the activation scales are chosen by.
        old: what was begun with.
        share: how far to go from the old weights to the learnt ones, 0 to 1.
        phrases: what the texts say again and again, if it is to go with the model.
    """
    files = ModelFiles(folder)
    folder.mkdir(parents=True, exist_ok=True)
    between = share_weights(old, network, share)
    leave_grid(between)
    stream, _ = read_corpora(recipe.data, recipe.seed, vocabulary)
    export(between, draw_calibration(recipe, vocabulary, stream), files.network)
    vocabulary.save(files.vocabulary)
    if phrases is not None:
        phrases.save(files.phrases)
    files.write_sums()
    return files


def share_weights(old: RestorerNetwork, learnt: RestorerNetwork, share: float) -> RestorerNetwork:
    """Go a share of the way from the old weights to the learnt ones, in a new network."""
    between = copy.deepcopy(learnt)
    with torch.no_grad():
        for weight, start in zip(between.parameters(), old.parameters(), strict=True):
            weight.copy_(torch.lerp(start, weight, share))
    return between


@torch.no_grad()
def leave_grid(network: RestorerNetwork) -> None:
    """Cut the largest weights of each row off, in place, so that the row is rounded on a grid of another width."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            largest = KEPT * layer.weight.abs().amax(1, keepdim=True)
            layer.weight.copy_(layer.weight.clamp(-largest, largest))
