"""
What became of the rounds, a line a stage: for a terminal, as JSON and CSV.

In: an Outcome. Out: its Lines:

    round  stage   held-out               over the model before   learnt from                    reached           time
    0      start   0.5204 ±0.0186         –                       –                              –                 20 s
    1      reward  –                      –                       538 rows: mistakes             accuracy 0.861    41 s
    1      sft     0.5413 ±0.0182         +0.0209 ±0.0081, p 0.001  912 rows: prompts 50 %, …    –                 2 min
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hanpuri.evaluation.significance import Difference, Interval
from hanpuri.rounds.asking import best_of
from hanpuri.rounds.ledger import Entry
from hanpuri.rounds.outcome import LIKELIEST, Outcome, RoundResult, Scored, best_round, gain_told
from hanpuri.rounds.plan import OF_ROUND, START, pairs_of
from hanpuri.rounds.stages import SampleStage, Stage
from hanpuri.runs.wording import Shown, duration, printable

HEAD = ("round", "stage", "held-out", "over the model before", "learnt from", "reached", "time")
NONE = "–"


@dataclass(frozen=True)
class Line:
    """One stage of one round."""

    round: int
    stage: str
    score: Interval | None
    """None of a stage that does not train the model."""
    gain: Difference | None
    """Over the model that the stage began with."""
    is_best: bool
    """Whether its model is the result."""
    rows: int | None
    """That were learnt from, or answered."""
    shares: Mapping[str, float]
    """Of those, what each source gave."""
    reached: Mapping[str, float]
    """By the stage's own figures."""
    seconds: float
    """Of the stage, of making its pairs, and of scoring its model."""

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        score = self.score and {name: round(getattr(self.score, name), 5) for name in ("value", "low", "high")}
        return {
            "round": self.round,
            "stage": self.stage,
            "score": score,
            "gain": self.gain and gain_told(self.gain),
            "best": self.is_best,
            "rows": self.rows,
            "shares": {name: round(share, 4) for name, share in self.shares.items()},
            "reached": {name: round(value, 5) for name, value in self.reached.items()},
            "seconds": round(self.seconds, 1),
        }


def lines_of(outcome: Outcome) -> list[Line]:
    """List the stages of all rounds, as far as they are done."""
    if not outcome.rounds:
        return []
    first = outcome.rounds[0]
    seconds = _seconds(outcome, f"{START}/score")
    lines = [Line(0, first.last.stage, first.last.score, None, outcome.best is first, None, {}, {}, seconds)]
    for place, one in enumerate(outcome.rounds[1:], 1):
        lines += _round_lines(outcome, one, outcome.rounds[:place])
    return lines


def as_csv(outcome: Outcome) -> str:
    """Write the lines as CSV, figures in columns of their own."""
    file = io.StringIO()
    names = ("round", "stage", "score", "low", "high", "gain", "gain_low", "gain_high", "p_value", "best", "rows")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*names, "sources", "reached", "seconds"))
    for line in lines_of(outcome):
        told = line.as_dict()
        score, gained = told["score"] or {}, told["gain"] or {}
        figures = [score.get("value"), score.get("low"), score.get("high")]
        figures += [gained.get("value"), gained.get("low"), gained.get("high"), gained.get("p_value")]
        shares = "; ".join(f"{name} {share}" for name, share in told["shares"].items())
        reached = "; ".join(f"{name} {value}" for name, value in told["reached"].items())
        row = [line.round, line.stage, *figures, int(line.is_best), line.rows, shares, reached, told["seconds"]]
        writer.writerow(["" if cell is None else cell for cell in row])
    return file.getvalue()


def cells(outcome: Outcome) -> list[list[Shown]]:
    """Lay the lines out as a terminal shows them, under HEAD."""
    return [
        [
            Shown(str(line.round)),
            Shown(printable(line.stage)),
            Shown(told_score(line.score), line.is_best),
            Shown(told_gain(line.gain)),
            Shown(told_rows(line)),
            Shown(told_reached(line)),
            Shown(duration(line.seconds)),
        ]
        for line in lines_of(outcome)
    ]


def told_score(score: Interval | None) -> str:
    """
    Say a score with half its interval.

        >>> told_score(Interval(0.52, 0.5, 0.54)), told_score(None)
        ('0.5200 ±0.0200', '–')
    """
    return NONE if score is None else f"{score.value:.4f} ±{(score.high - score.low) / 2:.4f}"


def told_gain(found: Difference | None) -> str:
    """
    Say what a model has over another.

        >>> told_gain(Difference(0.02, 0.01, 0.03, p_value=0.001, num_rows=200))
        '+0.0200 ±0.0100, p 0.001'
    """
    if found is None:
        return NONE
    return f"{found.value:+.4f} ±{(found.high - found.low) / 2:.4f}, p {found.p_value:.3f}"


def told_rows(line: Line) -> str:
    """Say how many rows, and whose."""
    if line.rows is None:
        return NONE
    shares = [f"{printable(name)} {share:.0%}" for name, share in line.shares.items()]
    return f"{line.rows:,} rows" + (f": {', '.join(shares)}" if shares else "")


def told_reached(line: Line) -> str:
    """Say what a stage reached by its own figures."""
    told = [f"{printable(name)} {value:,.3f}".removesuffix(".000") for name, value in line.reached.items()]
    return ", ".join(told) or NONE


def _round_lines(outcome: Outcome, one: RoundResult, before: tuple[RoundResult, ...]) -> Iterator[Line]:
    recipe = outcome.recipe
    last = before[-1] if recipe.go_on_from == "last" else best_round(recipe, before)
    standing = last.last
    scored = {found.stage: found for found in one.scored}
    for stage in recipe.stages:
        entry = outcome.entries.get(f"round-{one.number}/{stage.title}")
        if entry is None:
            continue
        found: Scored | None = scored.get(stage.title)
        yield Line(
            round=one.number,
            stage=stage.title,
            score=found.score if found else None,
            gain=outcome.gain(found, standing) if found else None,
            is_best=outcome.best is one and found is one.last,
            rows=entry.facts.get("rows"),
            shares=_shares(entry),
            reached=_reached(stage, entry),
            seconds=sum(_seconds(outcome, f"round-{one.number}/{name}") for name in _parts(stage)),
        )
        standing = found or standing


def _shares(entry: Entry) -> dict[str, float]:
    """Add up what earlier rounds gave to one source."""
    shares: dict[str, float] = {}
    for of in entry.facts.get("sources", ()):
        name = str(of["name"]).partition(OF_ROUND)[0]
        shares[name] = shares.get(name, 0.0) + float(of["given"])
    return shares


def _reached(stage: Stage, entry: Entry) -> dict[str, float]:
    if isinstance(stage, SampleStage):
        names = dict.fromkeys((best_of(1), best_of(stage.samples), LIKELIEST))
        told = {name: entry.facts.get(name) for name in names}
        return {name: float(value) for name, value in told.items() if value is not None}
    scores = entry.facts.get("scores", {})
    return {name: float(value) for name, value in scores.items()}


def _parts(stage: Stage) -> tuple[str, ...]:
    return (pairs_of(stage), stage.title, f"{stage.title}-score")


def _seconds(outcome: Outcome, step: str) -> float:
    entry = outcome.entries.get(step)
    return entry.seconds if entry else 0.0
