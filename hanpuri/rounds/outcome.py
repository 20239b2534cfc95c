"""
Where rounds stand: the held-out score behind each stage, which round is the best, why they ended.

In: score.json of each model. Out: an Outcome; of two rounds of sft and dpo:

    round 0   start 0.520                  what the rounds began with
    round 1   sft 0.548   dpo 0.571
    round 2   sft 0.570   dpo 0.574        the best: runs/rounds-tiny/round-2/dpo

Intervals are those of the bootstrap over the held-out rows; two models are compared on the same rows, one by one.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hanpuri.errors import DataError
from hanpuri.evaluation.metrics import KNOWN, Tally
from hanpuri.evaluation.significance import Difference, Interval, difference
from hanpuri.rounds.ledger import Entry
from hanpuri.rounds.plan import Policy
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.stages import SampleStage, Stage
from hanpuri.runs.files import write_json, write_whole
from hanpuri.training.reinforcement.by_heart import known_by_heart

RESULT, TABLE, PAGE = "result.json", "table.csv", "rounds.html"
START = "start"
LIKELIEST = "likeliest answer"
"""What a sampling step calls the score of the answers that the model gives anyway."""
NOTE = "note"
"""Among the facts of a step: what should be known of it besides its figures."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A model's score on the held-out rows."""

    stage: str
    """The stage that made it; start of the model before the first round."""
    measure: str
    score: Interval
    tally: Tally
    scores: Mapping[str, Interval]
    """By all measures."""
    rows: Sequence[Mapping[str, str]]
    """id, asked, reference and answer of each row."""

    def as_line(self) -> dict[str, float]:
        """Give the scores as metrics.jsonl has them; those that are no number are left out."""
        return {f"eval_{name}": one.value for name, one in self.scores.items() if math.isfinite(one.value)}


@dataclass(frozen=True)
class RoundResult:
    """One round."""

    number: int
    """0 is the model that the first round begins with."""
    policy: Policy
    scored: tuple[Scored, ...]
    """Behind each stage that trains the model."""

    @property
    def last(self) -> Scored:
        """The score at the end of the round, which is the round's."""
        return self.scored[-1]


@dataclass(frozen=True)
class Outcome:
    """Where the rounds stand."""

    folder: Path
    recipe: RoundsRecipe
    rounds: tuple[RoundResult, ...]
    """The model before the first one, and each that is done."""
    entries: Mapping[str, Entry]
    """Of each step that is done, by its name."""
    finished: bool
    """Whether nothing is left to do; else the same call goes on."""
    stopped: str
    """Why no more rounds were done; "" if all were."""

    @property
    def best(self) -> RoundResult:
        """The round with the best held-out score; of equal ones the first."""
        return best_round(self.recipe, self.rounds)

    @property
    def best_folder(self) -> str:
        """The folder of the best round's model: what `hanpuri chat` is given."""
        policy = self.best.policy
        place = policy.adapter or Path(policy.base)
        return str(place.parent if place.name in ("adapter", "model") else place)

    def gain(self, scored: Scored, before: Scored) -> Difference:
        """Say what a model has over another, so that above 0 is better, whichever way the measure counts."""
        return gain(self.recipe, scored, before)

    @property
    def notes(self) -> list[str]:
        """What a reader should know besides the figures."""
        told = [self.stopped] if self.stopped else []
        warned = [(name, entry.facts[NOTE]) for name, entry in self.entries.items() if entry.facts.get(NOTE)]
        told += [f"{name}: {note}" for name, note in warned[:1]]  # those of later rounds say the same
        if self.rounds and self.finished and self.best.number == 0:
            told.append("no round is better than the model that the rounds began with, which is the result")
        for one in self.rounds:
            top = max(one.scored, key=lambda scored: _sign(self.recipe) * scored.score.value, default=None)
            if top is not None and top is not one.last:
                found = f"round {one.number}: {top.stage} scored {top.score.value:.4f}"
                told.append(f"{found}, and {one.last.stage}, with which the round ended, {one.last.score.value:.4f}")
        return told

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON: result.json."""
        from hanpuri.rounds.table import lines_of

        best = {"round": self.best.number, "model": self.best_folder} if self.rounds else None
        return {
            "kind": "rounds",
            "name": self.recipe.name,
            "finished": self.finished,
            "stopped": self.stopped,
            "measure": self.recipe.measure,
            "best": best and best["model"],
            "best_round": best and best["round"],
            "best_step": best and best["round"],
            "steps": self.rounds[-1].number if self.rounds else 0,
            "score": _told(self.best.last.score) if self.rounds else None,
            "rounds": [self._round(place) for place in range(len(self.rounds))],
            "stages": [line.as_dict() for line in lines_of(self)],
            "notes": self.notes,
            "seconds": round(sum(entry.seconds for entry in self.entries.values()), 1),
        }

    def _round(self, place: int) -> dict[str, Any]:
        one = self.rounds[place]
        before = self.rounds[place - 1].last if place else None
        return {
            "round": one.number,
            "score": _told(one.last.score),
            "scores": {name: _told(score) for name, score in one.last.scores.items()},
            "over_the_round_before": before and gain_told(self.gain(one.last, before)),
            "over_the_start": before and gain_told(self.gain(one.last, self.rounds[0].last)),
        }

    def save(self) -> None:
        """
        Write result.json, table.csv and the page.

        Raises:
            DataError: if there is no room for them.
        """
        from hanpuri.rounds.page import write_page
        from hanpuri.rounds.table import as_csv

        try:
            write_json(self.folder / RESULT, self.as_dict())
            write_whole(self.folder / TABLE, as_csv(self))
            if self.rounds:
                write_whole(self.folder / PAGE, write_page(self))
        except OSError as error:
            raise DataError(f"{self.folder} cannot be written: {error.strerror}", "make room for it") from None


def best_round(recipe: RoundsRecipe, rounds: Sequence[RoundResult]) -> RoundResult:
    """Choose the round with the best held-out score; of equal ones the first."""
    return max(rounds, key=lambda one: (_sign(recipe) * one.last.score.value, -one.number))


def note_on_samples(recipe: RoundsRecipe, stage: Stage | None, facts: Mapping[str, Any], model: RoundResult) -> str:
    """Say of a sampling step that its model knows the prompts by heart; "" if not, or if nothing tells."""
    measures = [term.measure for term in stage.score] if isinstance(stage, SampleStage) else []
    if LIKELIEST not in facts or measures != [recipe.measure]:
        return ""
    return known_by_heart(recipe.measure, facts[LIKELIEST], model.last.score.value)


def no_better(recipe: RoundsRecipe, rounds: Sequence[RoundResult]) -> str:
    """Say why no more rounds are done; "" if the next one is."""
    if recipe.stop is None:
        return ""
    best, idle = rounds[0].last.score.value, 0
    for one in rounds[1:]:
        value = one.last.score.value
        idle = 0 if _sign(recipe) * (value - best) > recipe.stop.min_gain else idle + 1
        best = value if idle == 0 else best
    if idle < recipe.stop.patience:
        return ""
    over = f" by more than {recipe.stop.min_gain:g}" if recipe.stop.min_gain else ""
    if idle == 1:
        return f"stopped behind round {rounds[-1].number}, whose held-out score is no better{over}"
    return f"stopped behind round {rounds[-1].number}: {idle} rounds in a row without a better held-out score{over}"


def gain(recipe: RoundsRecipe, scored: Scored, before: Scored) -> Difference:
    """Say what a model has over another on the same rows; above 0 is better."""
    measure = KNOWN[recipe.measure]
    first, second = (before, scored) if measure.better == "high" else (scored, before)
    return difference(first.tally, second.tally, seed=recipe.seed, pool=measure.pool)


def gain_told(found: Difference) -> dict[str, float]:
    """Give a difference for JSON."""
    told = {"value": found.value, "low": found.low, "high": found.high, "p_value": found.p_value}
    return {name: round(value, 5) for name, value in told.items()}


def read_score(path: Path, stage: str, measure: str) -> Scored:
    """
    Read what a scoring step wrote.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        scores = {name: Interval(*found) for name, found in told["scores"].items()}
        tally = np.array(told["tally"], dtype=np.float64)
        stage = START if stage == "score" else stage
        return Scored(stage, measure, scores[measure], tally, scores, told["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path} cannot be read as a score of rounds", "remove it; it is made anew") from None


def _sign(recipe: RoundsRecipe) -> int:
    return 1 if KNOWN[recipe.measure].better == "high" else -1


def _told(score: Interval) -> dict[str, float | None]:
    told = {"value": score.value, "low": score.low, "high": score.high}
    return {name: round(value, 5) if math.isfinite(value) else None for name, value in told.items()}
