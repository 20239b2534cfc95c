"""
Clean text + fresh noise at every step ─► a trained restorer.

In:  a CompactRecipe.   Out: a run's folder with the weights, a checkpoint, metrics.jsonl and the finished model.

No noisy text is ever stored: each step draws windows of clean text and obfuscates them on the device. Training may stop
at any step (`stop_after` seconds, ctrl-C, a lost machine) and the same command goes on from the last checkpoint with
the same random numbers: on a CPU, to the same weights bit for bit. Needs torch.
"""

import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from hanpuri.compact.learning.export import export_run
from hanpuri.compact.learning.trainer import Beginning, Score, Trainer
from hanpuri.compact.model_files import SUMS
from hanpuri.compact.network import RestorerNetwork
from hanpuri.compact.settings import CompactRecipe, NetworkSettings
from hanpuri.compact.weights import TRAINED, load_network, save_network
from hanpuri.errors import DataError, RecipeError
from hanpuri.runs import Run

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
    begin_from: Beginning | None = None,
    make_trainer: Callable[..., Trainer] = Trainer,
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
        begin_from: a network and its vocabulary, as `load_network` gives them, to learn on from in place of random
            weights and of what the recipe names; the recipe's network has to have its shape.
        make_trainer: makes the trainer, called as `Trainer` is; one with another loss, for example.

    Raises:
        DataError: if a corpus or an evaluation set cannot be read.
        RecipeError: if the folder holds another recipe's run, or the recipe begins from a network of another shape.
        ValueError: if `begin_from` is of another shape than the recipe's network.
        KeyboardInterrupt: at ctrl-C, once the step is done and saved; a second ctrl-C does not wait for that.
    """
    deadline = time.monotonic() + stop_after
    data_files = _data_files(recipe)
    if begin_from is None and recipe.begin_from is not None:
        begin_from = _load_beginning(recipe.begin_from, recipe.network)
    hashes = {} if begin_from is None else {"begin_from": _hash_of(begin_from[0])}
    run = Run.start(folder, recipe, data_files, hashes)
    if (result := _result_if_finished(run, recipe)) is not None:
        return result
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    trainer = make_trainer(recipe, run, where, begin_from=begin_from)
    trainer.resume()
    with _ctrl_c_waits() as interrupts:
        while not trainer.is_over and time.monotonic() < deadline and not interrupts:
            _take_step(trainer, score, report)
        trainer.save()
    if interrupts:
        raise KeyboardInterrupt
    finished = trainer.is_over
    scores = trainer.evaluate(score, whole=finished)
    report(trainer.step, scores)
    with trainer.shown_weights():
        save_network(trainer.network, trainer.vocabulary, folder)
    if finished:
        export_run(folder, recipe, trainer.stream.to(torch.device("cpu")))
        run.finish({"finished": True, "steps": trainer.step, "seconds": round(trainer.seconds, 1), "scores": scores})
    return TrainingResult(folder, trainer.step, finished, scores)


def _take_step(trainer: Trainer, score: Score, report: Report) -> None:
    """Take a step, and log, look and save where the recipe wants it."""
    watch = trainer.recipe.watch
    trainer.take_step()
    if trainer.step % watch.log_every == 0:
        report(trainer.step, trainer.log())
    if trainer.step % watch.evaluate_every == 0 and not trainer.is_over:
        report(trainer.step, trainer.evaluate(score))
    if trainer.step % watch.save_every == 0:
        trainer.save()


def _load_beginning(folder: Path, sizes: NetworkSettings) -> Beginning:
    network, vocabulary = load_network(folder)
    shape = network.shape
    if (shape.width, shape.num_layers) != (sizes.width, sizes.num_layers):
        raise RecipeError(
            f"begin_from: the network of {folder} is {shape.width} wide and has {shape.num_layers} blocks, the recipe's"
            f" {sizes.width} and {sizes.num_layers}",
            "give `network` the sizes of the run that it begins from",
        )
    return network, vocabulary


def _data_files(recipe: CompactRecipe) -> list[Path]:
    """List what the recipe reads, once it is known to be there: before the run has a folder."""
    mends = dict.fromkeys((corpus.path for corpus in recipe.data), "correct the path in the recipe's data")
    leave_out = "correct the path, or watch nothing (--set evaluation=[])"
    mends |= dict.fromkeys((pairs.path for pairs in recipe.evaluation), leave_out)
    others = (*(recipe.teaching.runs if recipe.teaching else ()), *([recipe.begin_from] if recipe.begin_from else ()))
    for run in others:
        mends |= dict.fromkeys((run / name for name in TRAINED), "name the folder of a run that has ended")
    for path, mend in mends.items():
        if not path.is_file():
            raise DataError(f"{path}: found no such file", mend)
    return list(mends)


def _hash_of(network: RestorerNetwork) -> str:
    """Name weights by their content, so that a run that goes on is known to have begun with them."""
    content = hashlib.sha256()
    for value in network.state_dict().values():
        content.update(value.detach().cpu().numpy().tobytes())
    return content.hexdigest()


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


def _result_if_finished(run: Run, recipe: CompactRecipe) -> TrainingResult | None:
    """Read the last scores of a run that came to its end and exported its model; None for any other."""
    if not (run.folder / "model" / SUMS).is_file():
        return None
    for metrics in reversed(list(run.metrics())):
        if metrics.get("whole") == "true":
            scores = {pairs.name: float(str(metrics[pairs.name])) for pairs in recipe.evaluation}
            return TrainingResult(run.folder, int(str(metrics["step"])), True, scores)
    return None
