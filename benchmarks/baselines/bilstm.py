"""
A recurrent network that labels every syllable: the compact model's features and labels, two-way LSTMs in its middle.

In:  text files, and noise that is drawn anew at each step. Out: a folder, and an engine that restores with it:

    python -m benchmarks.baselines.bilstm --to runs/bilstm --steps 4000 [--stop-after 120] [--device cpu]

    {"noisy": "확잠실읾 념뭄 잙앙욤"}   ─►   Answer("화장실이 너무 작아요", 10, finished=True)

The features of a syllable (its three letters, itself, whether a space stands before it) are embedded and added up,
three layers read them from both sides, and a linear layer scores every syllable of the vocabulary. Windows, vocabulary
and noise are those of `hanpuri.compact`: the two differ in what stands in the middle, and in how long they have learnt.
A training that was stopped goes on with the same command. Needs torch.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from hanpuri.compact.learning.corpus import read_corpora
from hanpuri.compact.learning.noising import NOT_LEARNT, Noiser
from hanpuri.compact.restoring.labelling import Restoring
from hanpuri.compact.restoring.predictor import Confidences, Features, Scored
from hanpuri.compact.settings import CorpusSettings, NoiseSettings
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.errors import ModelError
from hanpuri.hangul import Indices

WEIGHTS, SHAPE, VOCABULARY, CHECKPOINT, METRICS = (
    "weights.safetensors",
    "network.json",
    "vocabulary.json",
    "checkpoint.pt",
    "metrics.jsonl",
)
OPEN = (  # as in the recipe of the compact model `base`
    ("nsmc.txt.xz", None, 0.36, False),
    ("kowiki.txt.xz", None, 0.44, False),
    ("comments.txt.xz", None, 0.05, False),
    ("klue_lodging.txt.xz", None, 0.01, True),
    ("chatbot_qa.jsonl", "output", 0.02, False),
    ("lodging_written.txt", None, 0.03, True),
)
GUESTS = ("corpus/lodging_guests.txt", 0.09)


@dataclass(frozen=True)
class Shape:
    """The sizes that make a network."""

    num_embeddings: int
    num_labels: int
    width: int = 512
    num_layers: int = 3


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    steps: int
    batch_items: int = 49_152
    window_lengths: tuple[int, ...] = (384, 128)
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    cooling: float = 0.4
    """The last share of the steps, over which the rate falls to nothing; before, it stays where it is."""

    def rate(self, step: int) -> float:
        """
        Give the learning rate of a step.

            >>> [round(Schedule(steps=1000).rate(step), 6) for step in (0, 199, 600, 800, 999)]
            [5e-06, 0.001, 0.001, 0.0005, 3e-06]
        """
        rising = (step + 1) / max(1, self.warmup_steps)
        falling = (self.steps - step) / max(1.0, self.steps * self.cooling)
        return self.learning_rate * min(1.0, rising, falling)


class BilstmNetwork(nn.Module):
    """Embeddings, LSTM layers that read both ways, and a linear layer that scores the labels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.num_embeddings, shape.width)
        self.layers = nn.LSTM(shape.width, shape.width, shape.num_layers, batch_first=True, bidirectional=True)
        self.narrow = nn.Linear(2 * shape.width, shape.width)
        self.head = nn.Linear(shape.width, shape.num_labels)
        nn.init.normal_(self.embedding.weight, std=0.3)

    def forward(self, features: Tensor) -> Tensor:
        """Score the labels: (B, T, 6) ─► (B, T, num_labels)."""
        syllables = F.layer_norm(self.embedding(features).sum(2), (self.shape.width,))
        read, _ = self.layers(syllables)
        # Past the recurrence too: without this way round, training found nothing but how often a syllable occurs.
        scores: Tensor = self.head(F.layer_norm(syllables + self.narrow(read), (self.shape.width,)))
        return scores


def find_corpora(folder: Path, root: Path = Path()) -> list[CorpusSettings]:
    """List those of the open corpora that lie in `folder`, and the guests' reviews of the repository."""
    found = [
        CorpusSettings(path=folder / name, field=field, weight=weight, final_weight=weight, shuffle=shuffle)
        for name, field, weight, shuffle in OPEN
        if (folder / name).is_file()
    ]
    path, weight = root / GUESTS[0], GUESTS[1]
    if path.is_file():
        found.append(CorpusSettings(path=path, weight=weight, final_weight=weight, shuffle=True))
    return found


def train(
    corpora: Sequence[CorpusSettings],
    folder: Path,
    schedule: Schedule,
    *,
    width: int = 512,
    num_layers: int = 3,
    stop_after: float = float("inf"),
    device: str | None = None,
    seed: int = 0,
) -> int:
    """
    Train, or go on with the training that stands in `folder`; give the step that was reached.

    Raises:
        DataError: if a corpus cannot be read.
    """
    deadline = time.monotonic() + stop_after
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    known = Vocabulary.load(folder / VOCABULARY) if (folder / VOCABULARY).is_file() else None
    stream, vocabulary = read_corpora(corpora, seed, known)
    vocabulary.save(folder / VOCABULARY)
    stream = stream.to(where)
    noiser = Noiser(NoiseSettings(), vocabulary).to(where)
    network = BilstmNetwork(Shape(vocabulary.offsets[-1], vocabulary.num_labels, width, num_layers)).to(where)
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    random = torch.Generator(where).manual_seed(seed)
    step = _resume(folder, network, optimizer, random, where)
    weights = torch.tensor([corpus.weight for corpus in corpora], device=where)
    losses: list[Tensor] = []
    started, before = time.monotonic(), step
    while step < schedule.steps and time.monotonic() < deadline:
        length = schedule.window_lengths[step % len(schedule.window_lengths)]
        rows = weights.multinomial(max(1, schedule.batch_items // length), replacement=True, generator=random)
        features, labels = noiser(*stream.draw(rows, length, random))
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        losses.append(_learn(network, optimizer, features, labels))
        step += 1
        if step % 100 == 0 or step == schedule.steps:
            speed = (step - before) * schedule.batch_items / (time.monotonic() - started)
            line = {"step": step, "loss": round(torch.stack(losses).mean().item(), 4), "items_per_second": round(speed)}
            _log(folder, line)
            losses.clear()
    _save(folder, network, optimizer, random, step)
    return step


def _learn(network: BilstmNetwork, optimizer: torch.optim.Optimizer, features: Tensor, labels: Tensor) -> Tensor:
    """Take one step, and give its loss."""
    on_gpu = features.device.type == "cuda"
    with torch.autocast("cuda", torch.bfloat16) if on_gpu else nullcontext():
        scores = network(features)
        loss = F.cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=NOT_LEARNT)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def _log(folder: Path, line: dict[str, float]) -> None:
    print(json.dumps(line), file=sys.stderr, flush=True)
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _save(
    folder: Path, network: BilstmNetwork, optimizer: torch.optim.Optimizer, random: torch.Generator, step: int
) -> None:
    """Write what the next step depends on, and the weights in 16 bits for who only restores."""
    state = {
        "step": step,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": random.get_state(),
        "torch_random": torch.get_rng_state(),
    }
    beside = folder / f"{CHECKPOINT}.part"
    torch.save(state, beside)
    beside.replace(folder / CHECKPOINT)
    save_file({name: value.half().contiguous().cpu() for name, value in network.state_dict().items()}, folder / WEIGHTS)
    (folder / SHAPE).write_text(json.dumps(asdict(network.shape)) + "\n", encoding="utf-8")


def _resume(
    folder: Path, network: BilstmNetwork, optimizer: torch.optim.Optimizer, random: torch.Generator, where: torch.device
) -> int:
    """Go back to the last checkpoint, if there is one; give its step."""
    if not (folder / CHECKPOINT).is_file():
        return 0
    state: dict[str, Any] = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    random.set_state(state["random"])
    torch.set_rng_state(state["torch_random"])
    if where.type == "cuda":
        torch.cuda.manual_seed(state["step"])  # the noise draws from it: other noise than before, and never the same
    return int(state["step"])


class BilstmPredictor:
    """A trained network as `Restoring` wants it: features ─► labels and their probabilities."""

    batch_items = 8_192

    def __init__(self, network: BilstmNetwork, vocabulary: Vocabulary) -> None:
        self.network, self.vocabulary = network, vocabulary

    def score(self, features: Features) -> Confidences:
        """Give the scores of all labels, (B, T, num_labels)."""
        with torch.inference_mode():
            scores: Confidences = self.network(torch.from_numpy(features)).float().numpy()
        return scores

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable label of each item."""
        labels, confidences, _ = self.predict_scored(features)
        return labels, confidences

    def predict_scored(self, features: Features) -> Scored:
        """Take the most probable label of each item, and give the scores of all."""
        scores = self.score(features)
        confidences, labels = torch.from_numpy(scores).softmax(-1).max(-1)
        return labels.numpy().astype(np.int64), confidences.numpy(), scores


class BilstmEngine:
    """The trained network as an engine. Made by `load`."""

    name = "bilstm"

    def __init__(self, predictor: BilstmPredictor, identity: str) -> None:
        self.identity = identity
        self.restoring = Restoring(predictor)

    @classmethod
    def load(cls, folder: Path) -> "BilstmEngine":
        """
        Load what `train` has left in a folder.

        Raises:
            ModelError: if a file is missing.
        """
        for name in (WEIGHTS, SHAPE, VOCABULARY):
            if not (folder / name).is_file():
                found = f"{folder / name} is missing"
                raise ModelError(found, f"train it: python -m benchmarks.baselines.bilstm --to {folder}")
        network = BilstmNetwork(Shape(**json.loads((folder / SHAPE).read_text(encoding="utf-8"))))
        network.load_state_dict({name: value.float() for name, value in load_file(folder / WEIGHTS).items()})
        predictor = BilstmPredictor(network.eval(), Vocabulary.load(folder / VOCABULARY))
        return cls(predictor, f"bilstm {folder} {(folder / WEIGHTS).stat().st_mtime_ns}")

    def prompt(self, row: Fields, name: str) -> str:
        """Give the noisy text of a row; see `Engine.prompt`."""
        return str(row["noisy"])

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """Restore rows; see `Engine.generate`. Of `decoding` nothing applies: no token is drawn."""
        texts = [self.prompt(row, "") for row in rows]
        return [
            Answer(one.text, len(one.text), finished=True, confidence=one.confidence)
            for one in self.restoring.restore_stream(texts)
        ]


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=Path("runs/bilstm"))
    parser.add_argument("--corpora", type=Path, default=Path("corpus/open"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-items", type=int, default=49_152)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--device")
    told = parser.parse_args()
    schedule = Schedule(told.steps, told.batch_items)
    sizes = {"width": told.width, "num_layers": told.layers}
    step = train(find_corpora(told.corpora), told.to, schedule, **sizes, stop_after=told.stop_after, device=told.device)
    print(f"{told.to}: step {step} of {told.steps}")


if __name__ == "__main__":
    main()
