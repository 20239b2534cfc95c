"""
How many syllables a second the torch path restores, on a GPU or any other device of torch.

In:  eval/reviews_silver_dev.jsonl, many times over.   Out: a line a model and number of threads.

    python benchmarks/gpu_speed.py [--device cuda] [--copies 50] [--models base small] [--threads 1 2]

"whole" is `Restorer(model, device=…).restore_stream`, from texts to restorations with their confidences; "network" is
the features of one batch, put on the device, labelled and fetched back. Both behind a first pass that is not counted.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.hangul import syllable_mask

REVIEWS = Path("eval/reviews_silver_dev.jsonl")
WINDOW, TIMES = 128, 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--copies", type=int, default=50)
    parser.add_argument("--models", nargs="*", default=["base", "small"])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    texts = [json.loads(line)["noisy"] for line in REVIEWS.read_text(encoding="utf-8").splitlines()] * options.copies
    syllables = sum(map(count_syllables, texts[: len(texts) // options.copies])) * options.copies
    named = torch.cuda.get_device_name() if options.device.startswith("cuda") else platform.processor()
    print(f"{named}, torch {torch.__version__}; {len(texts):,} reviews, {syllables:,} syllables; median of {TIMES}")
    for model in options.models:
        print(f"{model:<8} network {network_rate(model, options.device):>12,.0f} syllables/s", flush=True)
        for threads in options.threads:
            restorer = Restorer(model, device=options.device, threads=threads)
            seconds = measure(lambda one=restorer: restore_all(one, texts))  # type: ignore[misc]
            print(f"{model:<8} whole, {threads} threads {syllables / seconds:>12,.0f} syllables/s", flush=True)


def count_syllables(text: str) -> int:
    """Count what is restored: syllables in their blocks."""
    return int(syllable_mask(np.array([ord(one) for one in text])).sum())


def restore_all(restorer: Restorer, texts: list[str]) -> None:
    """Restore and let go, as a file's reader does."""
    stream = restorer.restore_stream(texts)
    while list(islice(stream, 1000)):
        pass


def network_rate(model: str, device: str) -> float:
    """Measure syllables a second of one batch of windows full of syllables."""
    from hanpuri.compact.restoring.torch_predictor import TorchPredictor

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
