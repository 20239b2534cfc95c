"""
How many syllables a second the torch path restores, on a GPU or any other device of torch.

In:  eval/reviews_silver_dev.jsonl, many times over.   Out: three lines a model.

    python benchmarks/gpu_speed.py [--device cuda] [--copies 50] [--models base small] [--parts network texts whole]

"whole" is `Restorer(model, device=…).restore_stream`, from texts to restorations with their confidences; "network" is
the features of one batch, put on the device, labelled and fetched back; "texts" is the whole with a network that
answers at once: what reading and writing take. All behind a first pass that is not counted.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.labelling import Restoring
from hanpuri.compact.restoring.predictor import Answer, Features
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.compact.restoring.torch_predictor import ITEMS_ON_GPU, TorchPackedPredictor, TorchPredictor
from hanpuri.hangul import syllable_mask

REVIEWS = Path("eval/reviews_silver_dev.jsonl")
WINDOW, TIMES = 128, 3
PARTS = ("network", "texts", "whole")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--copies", type=int, default=50)
    parser.add_argument("--models", nargs="*", default=["base", "small"])
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=PARTS)
    options = parser.parse_args()
    texts = [json.loads(line)["noisy"] for line in REVIEWS.read_text(encoding="utf-8").splitlines()] * options.copies
    syllables = sum(map(count_syllables, texts[: len(texts) // options.copies])) * options.copies
    named = torch.cuda.get_device_name() if options.device.startswith("cuda") else platform.processor()
    print(f"{named}, torch {torch.__version__}; {len(texts):,} reviews, {syllables:,} syllables; median of {TIMES}")
    for model in options.models:
        for part in options.parts:
            print(f"{model:<8} {part:<7} {rate_of(part, model, options.device, texts):>12,.0f} syllables/s", flush=True)


def rate_of(part: str, model: str, device: str, texts: list[str]) -> float:
    """Measure syllables a second of one part of the way, or of all of it."""
    if part == "network":
        return network_rate(model, device)
    if part == "texts":
        restoring = Restoring(AtOnce.load(ModelFiles.find(model), "cpu"))
        restoring.predictor.batch_items = ITEMS_ON_GPU
    else:
        restoring = Restorer(model, device=device).restoring
    return sum(map(count_syllables, texts)) / measure(partial(restore_all, restoring, texts))


class AtOnce(TorchPackedPredictor):
    """A network that is done as soon as it is asked, and leaves every syllable as it is."""

    def begin_packed(self, features: Features, lengths: Sequence[int]) -> Answer:
        """Answer without looking."""
        return lambda: (np.zeros(len(features), dtype=np.int64), np.ones(len(features), dtype=np.float32))


def count_syllables(text: str) -> int:
    """Count what is restored: syllables in their blocks."""
    return int(syllable_mask(np.array([ord(one) for one in text])).sum())


def restore_all(restoring: Restoring, texts: list[str]) -> None:
    """Restore and let go, as a file's reader does."""
    stream = restoring.restore_stream(texts)
    while list(islice(stream, 1000)):
        pass


def network_rate(model: str, device: str) -> float:
    """Measure syllables a second of one batch of windows full of syllables."""
    predictor = TorchPredictor.load(ModelFiles.find(model), device)
    line = "확잠실읾 념뭄 잙앙욤 " * WINDOW
    one = predictor.vocabulary.encode(line).features[:WINDOW]
    features = np.repeat(one[None], predictor.batch_items // WINDOW, 0)
    return features[..., 0].size / measure(lambda: predictor.predict(features))


def measure(work: Callable[[], object]) -> float:
    """Give the median of the seconds that something takes."""
    work()
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
