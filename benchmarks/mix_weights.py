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


def main() -> None:
    """Write the third folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("to", type=Path)
    told = parser.parse_args()
    (network, vocabulary), (new, same) = load_network(told.old), load_network(told.new)
    if same != vocabulary:
        parser.error(
            f"{told.old} and {told.new} label with other syllables; give runs of which one began from the other"
        )
    with torch.no_grad():
        for weights, learnt in zip(network.parameters(), new.parameters(), strict=True):
            weights.lerp_(learnt, told.share)
    told.to.mkdir(parents=True)
    shutil.copy(told.new / "recipe.yaml", told.to)
    save_network(network, vocabulary, told.to)
    print(f"{told.to}: {told.share} of the way from {told.old} to {told.new}; hanpuri export {told.to}")


if __name__ == "__main__":
    main()
