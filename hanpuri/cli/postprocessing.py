"""
`hanpuri postprocess`: does a correction behind the model help? Told by held-out rows.

    $ hanpuri postprocess pairs.jsonl --engine compact:base --train clean.txt
    78 rows to choose by, 76 held out; char_accuracy 0.9836 before
      spelling      0.9571   −0.0265 (−0.0351 … −0.0190)   p 0.004    1 better, 31 worse   harmful
"""

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.formats import nearest
from hanpuri.data.files.targets import Target
from hanpuri.engines.base import Engine
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.engines.restoring import restore
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import DataError, EngineError
from hanpuri.evaluation.metrics import MEASURES
from hanpuri.evaluation.postprocessing.recipe import STEPS, PostprocessRecipe, StepSettings
from hanpuri.evaluation.postprocessing.selection import Rows, Selection, Trial, select
from hanpuri.evaluation.postprocessing.steps import Workshop
from hanpuri.evaluation.postprocessing.texts import Restored
from hanpuri.evaluation.rows import RowSet, read_rows
from hanpuri.recipe import dump_recipe

NEEDS_TEXTS = ("dictionary", "rescoring")
FEW = 20
"""Rows below which nothing can be told."""


@dataclass(frozen=True)
class Wanted:
    """What is tried, and on what."""

    engine: str = "compact:base"
    steps: tuple[str, ...] = ()
    train: Path | None = None
    lm: str = ""
    choose_on: Path | None = None
    measure: str = "char_accuracy"
    seed: int = 0

    def settings(self) -> list[StepSettings]:
        """
        List the steps to try: those that were named, else all that have what they need.

        Raises:
            DataError: if there is no such step or measure, or a named step lacks what it needs.
        """
        _check_names("step", self.steps, STEPS)
        _check_names("measure", (self.measure,), tuple(MEASURES))
        for step in self.steps:
            if step in NEEDS_TEXTS and self.train is None:
                raise DataError(f"the step {step} needs clean texts", "name a file of them: --train clean.txt")
            if step == "rescoring" and not self.lm:
                raise DataError(f"the step {step} needs a model", "name one: --lm transformers:runs/cpu-tiny")
        able = [
            step
            for step in STEPS
            if not (step in NEEDS_TEXTS and self.train is None) and not (step == "rescoring" and not self.lm)
        ]
        return [
            StepSettings(step=step, texts=self.train, engine=self.lm) for step in STEPS if step in (self.steps or able)
        ]


def run(path: Path, wanted: Wanted, *, out: Path | None, kept: Path | None, as_json: bool) -> None:
    """
    Restore the noisy sides, try the steps, print what they did.

    Args:
        path: pairs of noisy and clean.
        wanted: what is tried.
        out: where the steps that help are written.
        kept: where answers are kept, so that a call that was stopped goes on.
        as_json: print one JSON object.

    Raises:
        HanpuriError: if rows, engine or a step is not what it should be.
    """
    steps = wanted.settings()
    if out is not None:
        Target(out).discard()  # that it cannot be written is known before the rows are asked
    row_sets = [_read_pairs(one) for one in (path, wanted.choose_on) if one is not None]
    _check_apart(*row_sets)
    rows, *others = _restored(wanted.engine, row_sets, kept)
    with Workshop() as workshop:
        selection = select(
            rows,
            steps,
            workshop,
            choose_on=others[0] if others else None,
            measure=wanted.measure,
            seed=wanted.seed,
            tell=_tell,
        )
    if out is not None:
        _write(out, selection)
    with reader_may_leave():
        print(json.dumps(as_dict(selection), ensure_ascii=False) if as_json else "\n".join(lines(selection)))
        if out is not None and not as_json:
            told = ", ".join(step.name for step in selection.kept) or "none of them"
            print(f"{out} holds what helps: {told}")


def _write(out: Path, selection: Selection) -> None:
    target = Target(out)
    try:
        target.stream.write(dump_recipe(PostprocessRecipe(steps=selection.kept)).encode("utf-8", "surrogatepass"))
        target.commit()
    except OSError as error:
        target.discard()
        raise target.fault(error) from None


def as_dict(selection: Selection) -> dict[str, Any]:
    """Give a selection for JSON."""
    trials = [
        {
            "step": trial.step.name,
            "settings": trial.step.model_dump(mode="json", exclude_defaults=True),
            "before": round(trial.before, 5),
            "after": round(trial.after, 5),
            "difference": dataclasses.asdict(trial.difference),
            "rows_better": trial.num_better,
            "rows_worse": trial.num_worse,
            "verdict": trial.verdict,
        }
        for trial in selection.trials
    ]
    rows = {"rows_chosen_on": selection.num_chosen_on, "rows_held_out": selection.num_held_out}
    return {"measure": selection.measure, **rows, "trials": trials, "kept": [step.name for step in selection.kept]}


def lines(selection: Selection) -> list[str]:
    """Write a selection as a table."""
    rows = f"{selection.num_chosen_on:,} rows to choose by, {selection.num_held_out:,} held out"
    if not selection.trials:
        return [f"{rows}; no step was tried"]
    width = max(len(trial.step.name) for trial in selection.trials)
    before = f"{rows}; {selection.measure} {selection.trials[0].before:.4f} before"
    return [before, *(_line(trial, width) for trial in selection.trials)]


def _line(trial: Trial, width: int) -> str:
    found = trial.difference
    change = f"{found.value:+.4f} ({found.low:+.4f} … {found.high:+.4f})".replace("-", "−")
    moved = f"{trial.num_better} better, {trial.num_worse} worse"
    return (
        f"  {trial.step.name:<{width}}  {trial.after:.4f}  {change}  p {found.p_value:.3f}  {moved:<22} {trial.verdict}"
    )


def _read_pairs(path: Path) -> RowSet:
    row_set = read_rows(path, form="pairs")
    if not row_set.has_references:
        raise DataError(
            f"{path}: found no clean sides, by which steps could be judged", "give pairs of noisy and clean"
        )
    if len(row_set.rows) < FEW:
        raise DataError(f"{path}: found {len(row_set.rows)} rows, expected {FEW} or more", "give more pairs")
    return row_set


def _check_apart(pairs: RowSet, choose_on: RowSet | None = None) -> None:
    """See that no threshold is chosen by a row that then decides."""
    held_out = {(row.asked, row.reference) for row in pairs.rows}
    if choose_on and (common := sum((row.asked, row.reference) in held_out for row in choose_on.rows)):
        found = f"{choose_on.path}: found {common:,} rows that are in {pairs.path} too, expected other pairs"
        raise DataError(found, "leave --choose-on out: the file is then parted in two")


def _restored(spec: str, row_sets: Sequence[RowSet], kept: Path | None) -> list[Rows]:
    cache = AnswerCache(kept) if kept else None
    with open_engine(parse_engine(spec)) as engine:
        return [_answered(engine, row_set, cache) for row_set in row_sets]


def _answered(engine: Engine, row_set: RowSet, cache: AnswerCache | None) -> Rows:
    noisy = [row.asked for row in row_set.rows]
    answers = list(restore(engine, noisy, names=[row.where for row in row_set.rows], cache=cache))
    failed = [answer.failure for answer in answers if answer.failure]
    if failed:
        mend = "steps are judged on whole sets: ask again" + (", those that came are kept" if cache is not None else "")
        raise EngineError(f"{len(failed):,} of {len(answers):,} rows have no answer: {failed[0]}", mend)
    texts = tuple(Restored.of(text, answer) for text, answer in zip(noisy, answers, strict=True))
    return Rows(texts, tuple(row.reference or "" for row in row_set.rows))


def _check_names(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            raise DataError(
                f"there is no {what} {name}", f"did you mean {guess}?" if guess else f"one of {', '.join(known)}"
            )


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        print(f"trying {text}", file=sys.stderr, flush=True)
