"""
Clean text + fresh noise at every step ─► a trained restorer.

In:  a CompactRecipe.   Out: a run's folder with the weights, a checkpoint, metrics.jsonl and the finished model.

No noisy text is ever stored: each step draws windows of clean text and obfuscates them on the device. Training may stop
at any step (`stop_after` seconds, ctrl-C, a lost machine) and the same command goes on from the last checkpoint with
the same random numbers: on a CPU, to the same weights bit for bit. Needs torch.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from hanpuri.compact.corpus import TextStream, read_corpora
from hanpuri.compact.export import export_run
from hanpuri.compact.model_files import SUMS
from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.noising import NOT_LEARNT, Noiser
from hanpuri.compact.optimizer import Optimizers
from hanpuri.compact.runtime import Restoring
from hanpuri.compact.settings import CompactRecipe, EvaluationSettings
from hanpuri.compact.torch_predictor import TorchPredictor
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.compact.weights import save_network
from hanpuri.data.files.sources import open_source
from hanpuri.errors import DataError
from hanpuri.runs import Run

# How well hypotheses match references; what "well" means is the caller's to say.
Score = Callable[[Sequence[str], Sequence[str]], float]
Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class TrainingResult:
    """Where a training stands when it returns: the folder, the step reached, whether that is the last, the scores."""

    folder: Path
    step: int
    finished: bool
    scores: dict[str, float]


def train(
    recipe: CompactRecipe,
    folder: Path,
    *,
    score: Score,
    report: Report = lambda step, metrics: None,
    stop_after: float = float("inf"),
    device: str | None = None,
) -> TrainingResult:
    """
    Train a restorer, or go on with the training that stands in `folder`; one that is finished is left as it is.

    Args:
        recipe: what to do.
        folder: the run's folder.
        score: judges hypotheses against references on the recipe's evaluation sets.
        report: is told the step and its metrics, as often as the recipe logs.
        stop_after: seconds after which to save and return, finished or not.
        device: "cuda" or "cpu"; a GPU if there is one.

    Raises:
        DataError: if a corpus or an evaluation set cannot be read.
        RecipeError: if the folder holds another recipe's run.
        KeyboardInterrupt: at ctrl-C, once the step is done and saved; a second ctrl-C does not wait for that.
    """
    deadline = time.monotonic() + stop_after
    mends = dict.fromkeys((corpus.path for corpus in recipe.data), "correct the path in the recipe's data")
    leave_out = "correct the path, or watch nothing (--set evaluation=[])"
    mends |= dict.fromkeys((pairs.path for pairs in recipe.evaluation), leave_out)
    for path, mend in mends.items():
        if not path.is_file():
            raise DataError(f"{path}: found no such file", mend)
    run = Run.start(folder, recipe, mends)
    scores = _scores_if_finished(run, recipe)
    if scores is not None:
        return TrainingResult(folder, recipe.training.steps, True, scores)
    trainer = Trainer(recipe, run, torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
    trainer.resume()
    with _ctrl_c_waits() as interrupts:
        while trainer.step < recipe.training.steps and time.monotonic() < deadline and not interrupts:
            trainer.take_step()
            if trainer.step % recipe.watch.log_every == 0:
                report(trainer.step, trainer.log())
            if trainer.step % recipe.watch.evaluate_every == 0 and trainer.step < recipe.training.steps:
                report(trainer.step, trainer.evaluate(score))
            if trainer.step % recipe.watch.save_every == 0:
                trainer.save()
        trainer.save()
    if interrupts:
        raise KeyboardInterrupt
    finished = trainer.step >= recipe.training.steps
    scores = trainer.evaluate(score, whole=finished)
    report(trainer.step, scores)
    save_network(trainer.network, trainer.vocabulary, folder)
    if finished:
        export_run(folder, recipe, trainer.stream.to(torch.device("cpu")))
    return TrainingResult(folder, trainer.step, finished, scores)


@contextmanager
def _ctrl_c_waits() -> Iterator[list[int]]:
    """Collect the first ctrl-C in a list, to be looked at between steps: half a step cannot be gone on from."""
    interrupts: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield interrupts  # signals reach the main thread alone, and what a shell started in the background not at all
        return
    before = signal.getsignal(signal.SIGINT) or signal.default_int_handler

    def collect(number: int, frame: object) -> None:
        interrupts.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, collect)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _scores_if_finished(run: Run, recipe: CompactRecipe) -> dict[str, float] | None:
    """Read the last scores of a run that took all of its steps and exported its model; None for any other."""
    if not (run.folder / "model" / SUMS).is_file():
        return None
    scores = None
    for metrics in run.metrics():
        if metrics["step"] == recipe.training.steps and metrics.get("whole") == "true":
            scores = {pairs.name: float(str(metrics[pairs.name])) for pairs in recipe.evaluation}
    return scores


class Trainer:
    """All that a step needs: the stream of text, the noise, the network, the optimisers, the random numbers."""

    def __init__(self, recipe: CompactRecipe, run: Run, device: torch.device) -> None:
        self.recipe, self.run, self.device = recipe, run, device
        torch.manual_seed(recipe.seed)
        kept = run.folder / "vocabulary.json"
        known = Vocabulary.load(kept) if kept.exists() else None
        stream, self.vocabulary = read_corpora(recipe.data, recipe.seed, known)
        self.vocabulary.save(kept)
        self._check_windows(stream)
        self.stream = stream.to(device)
        self.network = RestorerNetwork(self._shape()).to(device)
        self.noiser = Noiser(recipe.noise, self.vocabulary).to(device)
        self.optimizers = Optimizers(self.network, recipe.training)
        self.random = torch.Generator(device).manual_seed(recipe.seed)
        self.step = 0
        self.losses: list[Tensor] = []
        self.loss_of = head_loss
        self.last_log = (time.monotonic(), 0)
        self.pairs = [(settings, _read_pairs(settings)) for settings in recipe.evaluation]
        if recipe.training.compile:
            self._compile()

    def _compile(self) -> None:
        """Compile what repeats, once for each window length: one block for all blocks, one draw for all ten."""
        for block in self.network.blocks:
            block.compile(dynamic=False)
        generator = self.noiser.generator
        generator.draw_once = torch.compile(generator.draw_once, dynamic=False)  # type: ignore[method-assign]
        self.loss_of = torch.compile(head_loss, dynamic=False)

    def _shape(self) -> NetworkShape:
        sizes = self.recipe.network
        return NetworkShape(self.vocabulary.offsets[-1], self.vocabulary.num_labels, sizes.width, sizes.num_layers)

    def _check_windows(self, stream: TextStream) -> None:
        longest = max(self.recipe.training.window_lengths)
        if len(stream) <= longest:
            raise DataError(
                f"the corpora hold {len(stream)} characters, fewer than one window of {longest}",
                "add text, or set shorter training.window_lengths",
            )

    def take_step(self) -> None:
        """Draw windows, make noise, learn."""
        settings = self.recipe.training
        length = settings.window_lengths[self.step % len(settings.window_lengths)]
        num_rows = max(1, settings.batch_tokens // length)
        last_part = self.step >= settings.steps * (1 - settings.final_share)
        weights = [corpus.final_weight if last_part else corpus.weight for corpus in self.recipe.data]
        corpora = torch.tensor(weights, device=self.device).multinomial(
            num_rows, replacement=True, generator=self.random
        )
        features, labels = self.noiser(*self.stream.draw(corpora, length, self.random))
        precision = torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bf16")
        with precision:
            loss = self.loss_of(self.network.encode(features), self.network.head.weight, self.network.head.bias, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers.step(self.step)
        self.losses.append(loss.detach())
        self.step += 1

    def log(self) -> dict[str, float]:
        """Write the mean loss since the last log, the rate and the speed to metrics.jsonl."""
        loss = torch.stack(self.losses).mean().item()
        self.losses.clear()
        now, before = time.monotonic(), self.last_log
        items = (self.step - before[1]) * self.recipe.training.batch_tokens
        metrics = {
            "loss": round(loss, 4),
            "learning_rate": self.optimizers.learning_rate(self.step),
            "items_per_second": round(items / max(now - before[0], 1e-6)),
        }
        self.last_log = now, self.step
        self.run.log(step=self.step, **metrics)
        return metrics

    def evaluate(self, score: Score, whole: bool = False) -> dict[str, float]:
        """Restore the evaluation sets (a part of each, unless `whole`) and score them."""
        started = time.monotonic()
        restoring = Restoring(TorchPredictor(self.network, self.vocabulary))
        scores = {}
        for settings, pairs in self.pairs:
            chosen = pairs if whole else pairs[: settings.rows]
            # Texts have a hundred lengths; compiling for each would take longer than training.
            with torch.compiler.set_stance("force_eager"):
                restored = [one.text for one in restoring.restore_stream(noisy for noisy, _ in chosen)]
            scores[settings.name] = round(score(restored, [clean for _, clean in chosen]), 4)
        self.run.log(step=self.step, whole=str(whole).lower(), **scores)
        # Looking is not learning: the speed that is logged leaves it out.
        self.last_log = self.last_log[0] + time.monotonic() - started, self.last_log[1]
        return scores

    def save(self) -> None:
        """Write all that the next step depends on, beside the old checkpoint, then rename."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "random": self.random.get_state(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }
        beside = self.run.folder / "checkpoint.pt.part"
        torch.save(state, beside)
        beside.replace(self.run.folder / "checkpoint.pt")

    def resume(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        path = self.run.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.random.set_state(state["random"])
        torch.set_rng_state(state["torch_random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state_all(state["cuda_random"])
        self.last_log = time.monotonic(), self.step


def head_loss(hidden: Tensor, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the labels: hidden (B, T, width), labels (B, T) with −100 where nothing is learnt."""
    scores = F.linear(hidden, weight.type_as(hidden), bias.type_as(hidden))
    return F.cross_entropy(scores.flatten(0, 1).float(), labels.flatten(), ignore_index=NOT_LEARNT)


def _read_pairs(settings: EvaluationSettings) -> list[tuple[str, str]]:
    pairs = []
    for row in open_source(settings.path, format="jsonl", field="noisy").rows():
        clean = (row.record or {}).get("clean")
        if not isinstance(clean, str):
            raise DataError(
                f"{row.where}: the field clean is {clean!r}, expected a text", "give pairs of noisy and clean"
            )
        pairs.append((row.text, clean))
    return pairs
