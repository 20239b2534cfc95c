"""
All that a step needs: the stream of text, the noise, the network, the optimisers, the random numbers.

In:  a CompactRecipe and a run's folder.   Out: a network that is one step further, metrics, a checkpoint.

A step is one function, `Trainer.work`: a CPU calls it, a GPU records it once for each window length and plays it from
then on. What lasts from step to step are tensors that stay where they are and are filled in place. Needs torch.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from hanpuri.compact.learning.averaging import WeightAverage
from hanpuri.compact.learning.corpus import TextStream, draw_corpora, read_corpora
from hanpuri.compact.learning.graph import Pace, put_back, record
from hanpuri.compact.learning.loss import head_loss
from hanpuri.compact.learning.noising import Noiser
from hanpuri.compact.learning.optimizer import Optimizers
from hanpuri.compact.learning.schedule import Schedule
from hanpuri.compact.learning.teaching import Teachers, taught_loss
from hanpuri.compact.network import NetworkShape, RestorerNetwork
from hanpuri.compact.restoring.labelling import Restoring
from hanpuri.compact.restoring.torch_predictor import TorchPredictor
from hanpuri.compact.settings import CompactRecipe, EvaluationSettings
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.data.files.sources import open_source
from hanpuri.errors import DataError, RecipeError
from hanpuri.runs import Run

# How well hypotheses match references; what "well" means is the caller's to say.
Score = Callable[[Sequence[str], Sequence[str]], float]
# What a training may begin with in place of random weights, as `load_network` gives it.
Beginning = tuple[RestorerNetwork, Vocabulary]

CHECKPOINT = "checkpoint.pt"


class Trainer:
    """
    A training between two of its steps.

    Args:
        recipe: what to do.
        run: where it is kept.
        device: where to train.
        begin_from: a network to learn on from, with its vocabulary.
        as_graph: whether steps are recorded; on a GPU they are by default.

    Raises:
        DataError: if a corpus or an evaluation set cannot be read.
        RecipeError: if the teachers' vocabulary is another.
        ValueError: if `begin_from` is of another shape than the recipe's network.
    """

    def __init__(
        self,
        recipe: CompactRecipe,
        run: Run,
        device: torch.device,
        *,
        begin_from: Beginning | None = None,
        as_graph: bool | None = None,
    ) -> None:
        self.recipe, self.run, self.device = recipe, run, device
        torch.manual_seed(recipe.seed)
        self.teachers = Teachers.load(recipe.teaching.runs, device) if recipe.teaching else None
        stream, self.vocabulary = self._read_texts(begin_from)
        self.stream = stream.to(device)
        self.network = self._make_network(begin_from).to(device)
        self.noiser = Noiser(recipe.noise, self.vocabulary, recipe.training.masked).to(device)
        self.schedule = Schedule(recipe.training)
        self.optimizers = Optimizers(self.network, recipe.training)
        self.average = WeightAverage(self.network.parameters(), recipe.training.average_decay)
        self.corpus_weights = torch.zeros(len(recipe.data), device=device)
        self._weigh_corpora(is_last_part=False)
        self.loss_of, self.taught_loss, self.loss_sum = head_loss, taught_loss, torch.zeros((), device=device)
        self.pairs = [(settings, _read_pairs(settings)) for settings in recipe.evaluation]
        self.work_of_length = self._prepare_work(device.type == "cuda" if as_graph is None else as_graph)
        self.step, self.seconds, self.last_log = 0, 0.0, (0, 0.0)
        self.pace, self.clock = Pace(device), time.monotonic()

    def _read_texts(self, begin_from: Beginning | None) -> tuple[TextStream, Vocabulary]:
        kept = self.run.folder / "vocabulary.json"
        taught = self.teachers.vocabulary if self.teachers else None
        known = Vocabulary.load(kept) if kept.exists() else begin_from[1] if begin_from else taught
        if known is not None and taught is not None and known != taught:
            raise RecipeError("the teachers label with other syllables than what is trained on", "teach from the start")
        stream, vocabulary = read_corpora(self.recipe.data, self.recipe.seed, known)
        vocabulary.save(kept)
        longest = max(self.recipe.training.window_lengths)
        if len(stream) <= longest:
            raise DataError(
                f"the corpora hold {len(stream)} characters, fewer than one window of {longest}",
                "add text, or set shorter training.window_lengths",
            )
        return stream, vocabulary

    def _make_network(self, begin_from: Beginning | None) -> RestorerNetwork:
        sizes = self.recipe.network
        shape = NetworkShape(self.vocabulary.offsets[-1], self.vocabulary.num_labels, sizes.width, sizes.num_layers)
        network = RestorerNetwork(shape, self.recipe.training.dropout)
        if begin_from is not None:
            if begin_from[0].shape != shape:
                raise ValueError(f"the network to begin from is {begin_from[0].shape}, the recipe's is {shape}")
            network.load_state_dict(begin_from[0].state_dict())
        return network

    def _prepare_work(self, as_graph: bool) -> dict[int, Callable[[], None]]:
        if self.recipe.training.compile:
            self._compile()
        work = {length: partial(self.work, length) for length in self.recipe.training.window_lengths}
        return {length: record(one, self.tensors()) if as_graph else one for length, one in work.items()}

    def _compile(self) -> None:
        """Compile what repeats, once for each window length: one block for all blocks, one draw for all ten."""
        for block in self.network.blocks:
            block.compile(dynamic=False)
        self.noiser.compile_parts()
        self.loss_of = torch.compile(head_loss, dynamic=False)
        if self.teachers is not None:
            self.teachers.compile_parts()
            self.taught_loss = torch.compile(taught_loss, dynamic=False)
        embedding, muon = self.network.embedding, self.optimizers.muon
        embedding.gather = torch.compile(embedding.gather, dynamic=False)
        muon.direction = torch.compile(muon.direction, dynamic=False)

    @property
    def is_over(self) -> bool:
        """Whether there is no step left to take."""
        return self.schedule.is_over(self.step, self.seconds)

    def take_step(self) -> None:
        """Draw windows, make noise, learn."""
        lengths = self.recipe.training.window_lengths
        if (is_last_part := self.schedule.is_last_part(self.step, self.seconds)) != self.is_last_part:
            self._weigh_corpora(is_last_part)
        self.optimizers.set_rate(self.schedule.learning_rate(self.step, self.seconds))
        self.work_of_length[lengths[self.step % len(lengths)]]()
        self.step += 1
        self.average.update(self.step)
        self.pace.keep()
        now = time.monotonic()
        self.seconds, self.clock = self.seconds + now - self.clock, now

    def _weigh_corpora(self, is_last_part: bool) -> None:
        weights = [corpus.final_weight if is_last_part else corpus.weight for corpus in self.recipe.data]
        self.corpus_weights.copy_(torch.tensor(weights))  # a GPU waits for this: once a part, not once a step
        self.is_last_part = is_last_part

    def work(self, length: int) -> None:
        """Take one step with windows of a length; what changes from step to step is read from tensors alone."""
        settings = self.recipe.training
        corpora = draw_corpora(self.corpus_weights, max(1, settings.batch_tokens // length))
        features, labels = self.noiser(*self.stream.draw(corpora, length, as_texts=length < settings.texts_below))
        self.optimizers.forget_gradients()
        is_short = settings.precision == "bf16"
        # Without its cache: a graph would keep what is in it, and read old weights for ever.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_short, cache_enabled=False):
            loss = self.loss(features, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers.step()
        self.loss_sum += loss.detach()

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """Say how far the network is from the labels: features (B, T, 6), labels (B, T)."""
        said = self.network.encode(features), self.network.head.weight, self.network.head.bias, labels
        if self.teachers is None or self.recipe.teaching is None:
            return self.loss_of(*said)
        return self.taught_loss(*said, self.teachers.probabilities(features), self.recipe.teaching.share)

    def log(self) -> dict[str, float]:
        """Write the mean loss since the last log, the rate, the speed and the share done to metrics.jsonl."""
        step, seconds = self.last_log
        loss = self.loss_sum.item() / (self.step - step)
        items = (self.step - step) * self.recipe.training.batch_tokens
        metrics = {
            "loss": round(loss, 4),
            "learning_rate": self.schedule.learning_rate(self.step, self.seconds),
            "items_per_second": round(items / max(self.seconds - seconds, 1e-6)),
            "progress": round(self.schedule.progress(self.step, self.seconds), 4),
        }
        self.loss_sum.zero_()
        self.last_log = self.step, self.seconds
        self.run.log(step=self.step, **metrics)
        return metrics

    @contextmanager
    def shown_weights(self) -> Iterator[None]:
        """Hold the averaged weights in the network meanwhile, without dropout: what is evaluated and written."""
        self.network.eval()
        try:
            with self.average.shown():
                yield
        finally:
            self.network.train()

    def evaluate(self, score: Score, whole: bool = False) -> dict[str, float]:
        """Restore the evaluation sets (a part of each, unless `whole`) and score them."""
        restoring = Restoring(TorchPredictor(self.network, self.vocabulary))
        scores = {}
        # Texts have a hundred lengths; compiling for each would take longer than training.
        self.network.eval()
        with self._clock_stopped(), self.shown_weights(), torch.compiler.set_stance("force_eager"):
            for settings, pairs in self.pairs:
                chosen = pairs if whole else pairs[: settings.rows]
                restored = [one.text for one in restoring.restore_stream(noisy for noisy, _ in chosen)]
                scores[settings.name] = round(score(restored, [clean for _, clean in chosen]), 4)
        self.network.train()
        self.run.log(step=self.step, whole=str(whole).lower(), **scores)
        return scores

    @contextmanager
    def _clock_stopped(self) -> Iterator[None]:
        """Looking and saving is not learning: speed and schedule leave it out."""
        started = time.monotonic()
        yield
        self.clock += time.monotonic() - started

    def tensors(self) -> dict[str, Tensor]:
        """All that lasts from step to step but for the averages."""
        network = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        optimizers = {f"optimizers.{name}": value for name, value in self.optimizers.tensors().items()}
        return {**network, **optimizers, "loss_sum": self.loss_sum}

    def _lasting(self) -> dict[str, Tensor]:
        averages = {f"average.{number}": value for number, value in enumerate(self.average.averages)}
        return {**self.tensors(), **averages}

    def save(self) -> None:
        """Write all that the next step depends on, beside the old checkpoint, then rename."""
        with self._clock_stopped():
            state = {
                "step": self.step,
                "seconds": self.seconds,
                "last_log": self.last_log,
                "tensors": self._lasting(),
                "random": torch.get_rng_state(),
                "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
            }
            beside = self.run.folder / f"{CHECKPOINT}.part"
            torch.save(state, beside)
            beside.replace(self.run.folder / CHECKPOINT)

    def resume(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        path = self.run.folder / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        if "tensors" not in state:
            raise DataError(f"{path} is an earlier version's", "give the run another name, or remove its folder")
        put_back(self._lasting(), state["tensors"])
        self.step, self.seconds, self.last_log = state["step"], state["seconds"], state["last_log"]
        torch.set_rng_state(state["random"])
        if state["cuda_random"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"])
        self.clock = time.monotonic()


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
