"""
The weights between two runs: a share of the way from one that learnt much to one that learnt on from it.

In:  two folders of finished runs of one shape, the second begun from the first.   Out: a third, which `export` takes:

    python benchmarks/mix_weights.py runs/small runs/small-short 0.5 runs/small-mixed
    hanpuri export runs/small-mixed

What a short training with other texts gains is often kept half-way, where less of the old is lost (Wortsman et al.,
Robust fine-tuning of zero-shot models, 2022).
"""

import argparse
import shutil
from pathlib import Path

import torch

from hanpuri.compact.weights import load_network, save_network
from hanpuri.errors import HanpuriError


def main() -> None:
    """Write the third folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("to", type=Path)
    told = parser.parse_args()
    try:
        mix(told.old, told.new, told.share, told.to)
    except (HanpuriError, FileExistsError, ValueError) as error:
        parser.error(str(error))
    print(f"{told.to}: {told.share} of the way from {told.old} to {told.new}; hanpuri export {told.to}")


def mix(old: Path, new: Path, share: float, to: Path) -> None:
    """
    Write the weights that lie `share` of the way from one run's to the other's, with the recipe of the other.

    Raises:
        ModelError: if a run has no weights.
        FileExistsError: if `to` is there already.
        ValueError: if the two are of other shapes, or label with other syllables.
    """
    (network, vocabulary), (learnt, same) = load_network(old), load_network(new)
    if same != vocabulary or learnt.shape != network.shape:
        raise ValueError(
            f"{old} and {new} are of other shapes or syllables; give runs of which one began from the other"
        )
    with torch.no_grad():
        for weights, towards in zip(network.parameters(), learnt.parameters(), strict=True):
            weights.lerp_(towards, share)
    to.mkdir(parents=True)
    shutil.copy(new / "recipe.yaml", to)
    save_network(network, vocabulary, to)


if __name__ == "__main__":
    main()
