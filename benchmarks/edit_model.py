"""
Train a model that edits, on one GPU: the way to `hanpuri/models/wide`.

In:  corpora of clean lines, pairs of hidden and clean text, a restorer's run to begin from.   Out: a run's folder with
weights.safetensors, network.json, vocabulary.json, metrics.jsonl, checkpoint.pt and, at the end, model/.

    python benchmarks/edit_model.py --begin runs/base --pairs pairs.jsonl --run runs/wide --seconds 700 --stop-after 540

A second call goes on from the checkpoint. The rate falls with the seconds that went into training, to 1 % at the end;
`--pairs` come in the last part alone. Batches are made by processes of their own, ahead of the network.
"""

import argparse
import json
import multiprocessing
import random
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hanpuri.compact.editing.edits import FIRST_OTHER, NOT_LEARNT, EditVocabulary
from hanpuri.compact.editing.export import export_edits
from hanpuri.compact.editing.windows import EditMixture, EditWindows
from hanpuri.compact.learning.averaging import WeightAverage
from hanpuri.compact.learning.optimizer import Optimizers
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.settings import TrainingSettings
from hanpuri.compact.weights import load_network, save_network
from hanpuri.data.files.sources import open_source
from hanpuri.hiding import scripts, symbols
from hanpuri.hiding.alignment import align
from hanpuri.hiding.tables import read_table

OPEN = Path("corpus/open")
# Share of the characters that are drawn from each corpus.
CORPORA = {
    OPEN / "nsmc.txt.xz": 0.30,
    OPEN / "kowiki.txt.xz": 0.34,
    OPEN / "comments.txt.xz": 0.12,
    OPEN / "chatbot_qa.jsonl": 0.10,
    OPEN / "klue_lodging.txt.xz": 0.02,
    OPEN / "lodging_written.txt": 0.04,
    Path("corpus/lodging_guests.txt"): 0.08,
}
LONGEST_LINE = 280
CHUNK = 16_384
CHUNKS = 3
LENGTHS = (384, 128)
WARMUP_STEPS = 300
LAST_PART, PAIRS_SHARE = 0.3, 0.02
SPACING_WEIGHT = 0.3
LOG_EVERY = 50


def read_lines(path: Path) -> list[str]:
    """Read clean lines in NFC, long ones cut at a space."""
    lines = []
    for row in open_source(path, field="output" if path.suffix == ".jsonl" else None).rows():
        line = " ".join(unicodedata.normalize("NFC", row.text).split())
        while len(line) > LONGEST_LINE:
            cut = max(line.rfind(" ", 40, LONGEST_LINE), 40)
            lines.append(line[:cut])
            line = line[cut:].strip()
        if len(line) > 1:
            lines.append(line)
    return lines


def make_vocabulary(known: Any) -> EditVocabulary:
    """Add letters, signs and whatever the tables write to the characters that a restorer knows."""
    wanted = [chr(point) for point in (*range(0x3131, 0x3164), *range(33, 127))]
    for name, column in (("signs.tsv", 0), ("letters.tsv", 1), ("rotations.tsv", 1)):
        wanted += [c for row in read_table(name) for c in row[column]]
    wanted += [*"".join((*symbols.SIGNS, *symbols.PAIRS, *symbols.MARKS)), *scripts.EASY]
    return EditVocabulary.extend(known, [*wanted, *symbols.INVISIBLE, *symbols.COMBINING])


@torch.no_grad()
def begin_from(folder: Path) -> tuple[RestorerNetwork, EditVocabulary]:
    """Widen a trained restorer: its blocks, letters and labels are kept, new characters begin near the unknown one."""
    restorer, known = load_network(folder)
    vocabulary = make_vocabulary(known)
    shape = replace(restorer.shape, num_embeddings=vocabulary.offsets[-1], num_labels=vocabulary.num_labels)
    network = RestorerNetwork(shape)
    network.blocks.load_state_dict(restorer.blocks.state_dict())
    new, old = vocabulary.offsets, known.offsets
    table, kept = network.embedding.weight, restorer.embedding.weight
    table[: new[4]] = kept[: old[4]]
    table[new[4]] = kept[old[4]]
    table[new[4] + 1 : new[5]] += 0.5 * kept[old[4] + 1]
    table[new[4] + FIRST_OTHER : new[4] + FIRST_OTHER + len(known.others)] = kept[old[4] + 2 : old[5]]
    for spacing in range(4):
        table[new[5] + spacing] = kept[old[5] + spacing % 2]
    network.head.weight[: known.num_labels] = restorer.head.weight
    network.head.bias[: known.num_labels] = restorer.head.bias
    network.head.bias[vocabulary.sizes[0]] = 6.0  # nothing is put in
    return network, vocabulary


def edit_loss(hidden: Tensor, head: torch.nn.Linear, labels: Tensor, sizes: tuple[int, int, int]) -> Tensor:
    """Cross-entropy of the three answers: hidden (B, T, width), labels (3, B, T)."""
    scores = F.linear(hidden, head.weight.type_as(hidden), head.bias.type_as(hidden)).flatten(0, 1).float()
    weights = (1.0, 1.0, SPACING_WEIGHT)
    parts = zip(torch.split(scores, list(sizes), -1), labels.flatten(1), weights, strict=True)
    return torch.stack([w * F.cross_entropy(s, wanted, ignore_index=NOT_LEARNT) for s, wanted, w in parts]).sum()


class Batches:
    """Processes that draw chunks of windows, and the batches that they make up; none of the two lengths waits."""

    def __init__(self, windows: EditWindows, workers: int, seed: int) -> None:
        context = multiprocessing.get_context("fork")
        self.in_last_part = context.Value("b", False)
        self.chunks: Any = context.Queue(maxsize=4 * workers)
        self.waiting: dict[int, list[Any]] = defaultdict(list)
        self.processes = [
            context.Process(target=self._work, args=(windows, seed * 1_000 + number), daemon=True)
            for number in range(workers)
        ]
        for process in self.processes:
            process.start()

    def _work(self, windows: EditWindows, seed: int) -> None:
        windows.rng = random.Random(seed)
        plain, with_pairs = windows.mixture, replace(windows.mixture, pairs=PAIRS_SHARE)
        for number in range(seed, 1 << 60):
            windows.mixture = with_pairs if self.in_last_part.value else plain
            length = LENGTHS[number % len(LENGTHS)]
            self.chunks.put((length, windows.draw(CHUNK // length, length)))

    def next(self, length: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Take the next batch of windows of one length."""
        while len(self.waiting[length]) < CHUNKS:
            found, chunk = self.chunks.get()
            self.waiting[found].append(chunk)
        taken, self.waiting[length] = self.waiting[length][:CHUNKS], self.waiting[length][CHUNKS:]
        features = torch.from_numpy(np.concatenate([chunk.features for chunk in taken]))
        labels = torch.from_numpy(np.concatenate([chunk.labels for chunk in taken], 1))
        return features.to(device).long(), labels.to(device).long()

    def stop(self) -> None:
        """End the processes."""
        for process in self.processes:
            process.terminate()


def train(options: argparse.Namespace) -> None:
    """Train, or go on; see the module's head."""
    started = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, vocabulary = begin_from(options.begin)
    windows = EditWindows(
        vocabulary,
        {str(path): read_lines(path) for path in CORPORA},
        {str(path): weight for path, weight in CORPORA.items()},
        list(_aligned(options.pairs)) if options.pairs else (),
        EditMixture(),
    )
    options.run.mkdir(parents=True, exist_ok=True)
    checkpoint = options.run / "checkpoint.pt"
    batches = Batches(windows, options.workers, seed=int(checkpoint.exists()) + 1)
    torch.manual_seed(0)
    network.to(device)
    settings = TrainingSettings(steps=1, learning_rate=options.rate)
    optimizers, average = Optimizers(network, settings), WeightAverage(network.parameters(), 0.9995)
    step, seconds = 0, 0.0
    if checkpoint.exists():
        kept = torch.load(checkpoint, map_location=device, weights_only=True)
        step, seconds = kept["step"], kept["seconds"]
        network.load_state_dict(kept["network"])
        for name, tensor in optimizers.tensors().items():
            tensor.copy_(kept["optimizers"][name])
        for tensor, value in zip(average.averages, kept["averages"], strict=True):
            tensor.copy_(value)
    encode = torch.compile(network.encode, dynamic=False) if device.type == "cuda" else network.encode
    losses: list[Tensor] = []
    with (options.run / "metrics.jsonl").open("a", encoding="utf-8") as log:
        before = time.monotonic()
        while seconds < options.seconds and time.monotonic() - started < options.stop_after:
            batches.in_last_part.value = seconds >= (1 - LAST_PART) * options.seconds
            features, labels = batches.next(LENGTHS[step % len(LENGTHS)], device)
            rate = min(1.0, (step + 1) / WARMUP_STEPS, 1 - seconds / options.seconds)
            optimizers.set_rate(options.rate * max(0.01, rate))
            with torch.autocast(device.type, torch.bfloat16, device.type == "cuda"):
                loss = edit_loss(encode(features), network.head, labels, vocabulary.sizes)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizers.step()
            optimizers.forget_gradients()
            average.update(step)
            losses.append(loss.detach())
            step += 1
            if step % LOG_EVERY == 0:
                mean = torch.stack(losses).mean().item()  # waits for the GPU
                losses.clear()
                log.write(json.dumps({"step": step, "seconds": round(seconds, 1), "loss": round(mean, 5)}) + "\n")
                log.flush()
            seconds, before = seconds + time.monotonic() - before, time.monotonic()
    batches.stop()
    state = {"step": step, "seconds": seconds, "network": network.state_dict(), "averages": average.averages}
    torch.save({**state, "optimizers": optimizers.tensors()}, checkpoint)
    with average.shown():
        save_network(network, vocabulary, options.run)  # type: ignore[arg-type]
        if seconds >= options.seconds:
            files = ModelFiles(options.run / "model")
            files.folder.mkdir(exist_ok=True)
            drawn = windows.draw(128, min(LENGTHS)).features.astype(np.int32)
            export_edits(network.cpu().eval(), vocabulary, torch.from_numpy(drawn), files.network)
            vocabulary.save(files.vocabulary)
            files.write_sums()
    print(f"{step} steps, {seconds:.0f} of {options.seconds:.0f} s; {options.run}")


def _aligned(path: Path) -> Iterator[Any]:
    for row in open_source(path, format="jsonl", field="noisy").rows():
        noisy, clean = row.text, str((row.record or {})["clean"])
        yield align(*(" ".join(unicodedata.normalize("NFC", text).split()) for text in (noisy, clean)))


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--begin", type=Path, default=Path("runs/base"), help="the run of a restorer")
    parser.add_argument("--pairs", type=Path, help="JSONL with noisy and clean, for the last part")
    parser.add_argument("--run", type=Path, default=Path("runs/wide"))
    parser.add_argument("--seconds", type=float, default=700, help="of training, in all calls together")
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds of this call")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--workers", type=int, default=15)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
