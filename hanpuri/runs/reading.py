"""
A run's folder, read back: what it is, how far it is, what it scored.

In:  `runs/mine/`, of any kind.   Out: RunFacts:

    RunFacts(name="mine", kind="sft", state="finished", step=1200, …); facts.scores == {"char_accuracy": 0.966}

The state is found so. *running*: a process of this machine holds the run's lock. Else *finished*: result.json says so;
or, where a kind writes none, the last line stands at the last step and there is a `model` folder. Else *failed*: the
last event says so, or the last loss is no number. Else *stopped*: the same command goes on with it.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeGuard

import yaml

from hanpuri.runs.folder import ENVIRONMENT, METRICS, RECIPE, RESULT, is_running, starts_of
from hanpuri.runs.metrics import Line, read_lines
from hanpuri.runs.recipes import value_at

State = Literal["running", "finished", "stopped", "failed"]
# What is told of every step; all other numbers of a line are scores.
COURSE = ("loss", "token_accuracy", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "items_per_second")
PLACE = ("time", "step", "epoch", "progress")
NO_SCORES = frozenset((*COURSE, *PLACE))
EVALUATION = "evaluation.json"
BOUNDED = 3  # a value and its bounds
PAUSE = 20  # a gap so many times longer than the median one is a pause: the run was stopped


@dataclass(frozen=True)
class RunFacts:
    """What stands in a run's folder. A file that is missing or damaged is an empty one."""

    folder: Path
    recipe: Mapping[str, Any]
    environment: Mapping[str, Any]
    result: Mapping[str, Any]
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """The folder's name, which is that of the run."""
        return self.folder.resolve().name

    @property
    def kind(self) -> str:
        """What the recipe calls its kind."""
        return str(self.recipe.get("kind", "?"))

    @cached_property
    def state(self) -> State:
        """Running, finished, stopped or failed; the module says how that is known."""
        if is_running(self.folder):
            return "running"
        at_its_end = not self.result and self.step and self.step == self.steps and (self.folder / "model").is_dir()
        if self.result.get("finished") or at_its_end:
            return "finished"
        losses = [line["loss"] for line in self.lines[-50:] if "loss" in line]
        lost = bool(losses) and not is_number(losses[-1])
        return "failed" if lost or (self.events and self.events[-1].get("event") == "failed") else "stopped"

    @cached_property
    def step(self) -> int:
        """The last step that was told of."""
        return max([0, *(int(at) for line in self.lines if is_number(at := line.get("step")))])

    @property
    def steps(self) -> int | None:
        """All steps there are to take; from the epochs, if the recipe counts those; None before the first line."""
        for key in ("training.steps", "rounds"):
            if is_number(steps := value_at(self.recipe, key)):
                return int(steps)
        if self.result.get("finished") and is_number(steps := self.result.get("steps")):
            return int(steps)
        epochs = value_at(self.recipe, "training.epochs")
        for line in reversed(self.lines):
            if (
                is_number(epochs)
                and is_number(done := line.get("epoch"))
                and is_number(at := line.get("step"))
                and done
            ):
                return math.ceil(round(epochs * at / done, 3))
        return None

    @cached_property
    def events(self) -> tuple[Line, ...]:
        """What was said besides numbers, such as that the validation loss rises."""
        return tuple(line for line in self.lines if "event" in line)

    @cached_property
    def evaluations(self) -> tuple[Line, ...]:
        """The lines with scores."""
        beyond = (line for line in self.lines if not line.keys() <= NO_SCORES)  # a quick look, at a hundred thousand
        return tuple(line for line in beyond if "event" not in line and any(True for _ in scores_in(line)))

    @property
    def best_step(self) -> int | None:
        """The step of the best checkpoint, where the run keeps one."""
        found = [line.get("step") for line in self.events if line.get("event") == "best"]
        step = self.result.get("best_step", found[-1] if found else None)
        return int(step) if is_number(step) else None

    @cached_property
    def scores(self) -> dict[str, float]:
        """What the best step scored, or else the last one that was; what the result says of that goes first."""
        at_best = [line for line in self.evaluations if line.get("step") == self.best_step]
        measured = dict(scores_in([*self.evaluations, *at_best][-1])) if self.evaluations else {}
        found = self.result.get("scores")
        told = dict(scores_in(found)) if isinstance(found, dict) else {}
        apart = {name: value for name, (value, _, _) in self.intervals.items()}
        return told | {name: value for name, value in measured.items() if name not in told} | apart

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float, float]]:
        """What was scored apart from the training, and its bounds: each score's value, low and high."""
        found = read_json(self.folder / EVALUATION).items()
        told = ((name, value) for name, value in found if isinstance(value, list) and len(value) == BOUNDED)
        return {name: (value[0], value[1], value[2]) for name, value in told if all(map(is_number, value))}

    @property
    def headline(self) -> str | None:
        """The name of the score that the run was chosen by, or else the first there is."""
        chosen = value_at(self.recipe, "watch.best_by", value_at(self.recipe, "measure", "loss"))
        for name in (chosen if chosen != "loss" else "bits_per_byte", "eval_loss", *self.scores):
            if name in self.scores:
                return name
        return None

    @property
    def seconds(self) -> float | None:
        """How long it worked; without a result, the time between its lines, pauses left out."""
        if is_number(seconds := self.result.get("seconds")):
            return float(seconds)
        gaps = [later - earlier for earlier, later in pairwise(self.times)]
        usual = median(gaps) * PAUSE if gaps else 0
        return sum(gap for gap in gaps if 0 <= gap <= max(usual, 60)) if gaps else None

    @property
    def last_time(self) -> float | None:
        """When the last line was written, in seconds since 1970."""
        return self.times[-1] if self.times else None

    @cached_property
    def times(self) -> list[float]:
        """When each line was written."""
        return [time for line in self.lines if is_number(time := line.get("time"))]

    @property
    def starts(self) -> list[dict[str, Any]]:
        """The environments that it was started in, the first one first."""
        return starts_of(self.environment)


def read_run(folder: Path) -> RunFacts:
    """Read what is there of a run."""
    metrics = tuple(read_lines(folder / METRICS)) if (folder / METRICS).is_file() else ()
    return RunFacts(
        folder, _read_yaml(folder / RECIPE), read_json(folder / ENVIRONMENT), read_json(folder / RESULT), metrics
    )


def scores_in(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """
    Give the scores in a line, by the names that all kinds share.

    What is told of every step too keeps its `eval_`: `eval_loss` is not `loss`.

        >>> dict(scores_in({"step": 10, "eval_loss": 2.5, "eval_char_accuracy": 0.9, "reviews": 0.8, "whole": "true"}))
        {'eval_loss': 2.5, 'char_accuracy': 0.9, 'reviews': 0.8}
        >>> dict(scores_in({"step": 10, "loss": 2.5, "learning_rate": 0.1}))
        {}
    """
    is_result = not set(PLACE) & line.keys()
    for name, value in line.items():
        if name in PLACE or not is_number(value) or (name in COURSE and not is_result):
            continue
        bare = name.removeprefix("eval_")
        yield (f"eval_{bare}" if bare in COURSE else bare), float(value)


def is_number(value: Any) -> TypeGuard[float]:
    """
    Say whether a value is a number that can be reckoned with.

    >>> [is_number(value) for value in (1, 0.5, float("nan"), "1", True, None)]
    [True, True, False, False, False, False]
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def smaller_is_better(score: str) -> bool:
    """
    Say of which scores less is better.

    >>> [smaller_is_better(score) for score in ("eval_loss", "bits_per_byte", "prose cer", "char_accuracy")]
    [True, True, True, False]
    """
    if score.split(" ")[-1] in ("cer", "wer", "wrong_length"):
        return True
    return any(word in score for word in ("loss", "bits_per_byte", "perplexity", "error", "unfinished"))


def read_json(path: Path) -> dict[str, Any]:
    """Read an object, an empty one if the file is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
