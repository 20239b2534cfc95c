"""
Which steps help: thresholds are chosen on one half of the rows, and what they bring is judged on the other.

In: restored texts, the right ones, steps. Out: a `Trial` a step, and the steps that are kept:

    spelling     0.9838 ─► 0.9571   −0.0267 (−0.0351 … −0.0190), p 0.001    harmful
    dictionary   0.9838 ─► 0.9839   +0.0001 (−0.0004 …  0.0007), p 1.000    no difference that these rows can show

A step is kept only if the held-out score rises with significance, with p-values corrected for the number of steps that
were tried (Holm 1979); kept ones are then tried behind each other, and one that adds nothing there is dropped.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hanpuri.evaluation.metrics import MEASURES, Measure, Tally, pooled
from hanpuri.evaluation.postprocessing.recipe import EVERY_WORD, StepSettings
from hanpuri.evaluation.postprocessing.steps import Step, Workshop, make_step
from hanpuri.evaluation.postprocessing.texts import Restored
from hanpuri.evaluation.significance import Difference, difference

Verdict = Literal["kept", "harmful", "no difference", "adds nothing"]
ALPHA = 0.05
BELOWS = (0.5, 0.7, 0.9)
"""Confidences below which words may be looked at."""
MARGINS = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Rows:
    """Restored texts beside the right ones."""

    texts: tuple[Restored, ...]
    references: tuple[str, ...]

    def halves(self) -> tuple["Rows", "Rows"]:
        """
        Part the rows by a hash of what they hold: for choosing, and for judging; the same rows go the same way always.

            >>> rows = Rows(tuple(Restored(str(n), str(n), (1.0,)) for n in range(100)), ("",) * 100)
            >>> [len(half.texts) for half in rows.halves()]
            [47, 53]
        """
        first = [_is_first(*row) for row in zip(self.texts, self.references, strict=True)]
        return self._where(first), self._where([not one for one in first])

    def _where(self, wanted: Sequence[bool]) -> "Rows":
        places = [place for place, one in enumerate(wanted) if one]
        return Rows(tuple(self.texts[at] for at in places), tuple(self.references[at] for at in places))


@dataclass(frozen=True)
class Trial:
    """What one step did on the held-out rows."""

    step: StepSettings
    """With the thresholds that were chosen."""
    before: float
    after: float
    difference: Difference
    """With the p-value corrected for the number of steps."""
    num_better: int
    num_worse: int
    verdict: Verdict


@dataclass(frozen=True)
class Selection:
    """What became of all steps."""

    measure: str
    num_chosen_on: int
    num_held_out: int
    trials: tuple[Trial, ...]

    @property
    def kept(self) -> tuple[StepSettings, ...]:
        """The steps that help, in the order in which they are to be done."""
        return tuple(trial.step for trial in self.trials if trial.verdict == "kept")


def variants(step: StepSettings) -> Iterator[StepSettings]:
    """
    List the settings of a step that are tried on the first half; one that was set by hand is taken as it is.

        >>> [one.below for one in variants(StepSettings(step="dictionary"))]
        [0.5, 0.7, 0.9]
    """
    if step.step == "spacing" or "below" in step.model_fields_set:
        yield step
    elif step.step == "rescoring":
        yield from (
            step.model_copy(update={"below": below, "margin": margin}) for below in BELOWS for margin in MARGINS
        )
    elif step.step == "spelling":
        yield from (step.model_copy(update={"below": below, "hold_length": True}) for below in BELOWS)
    else:
        yield from (step.model_copy(update={"below": below}) for below in BELOWS)


def naive(step: StepSettings) -> StepSettings | None:
    """
    Give the step as it is commonly used: on every word, whatever the model's confidence; None if it has no such form.

        >>> naive(StepSettings(step="spelling")).name
        'spelling'
    """
    if step.step in ("spacing", "rescoring") or "below" in step.model_fields_set:
        return None
    return step.model_copy(update={"below": EVERY_WORD})


def select(
    rows: Rows,
    steps: Sequence[StepSettings],
    workshop: Workshop,
    *,
    choose_on: Rows | None = None,
    measure: str = "char_accuracy",
    seed: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> Selection:
    """
    Try steps one by one, then those that help behind each other.

    Args:
        rows: restored texts and the right ones.
        steps: what is tried; thresholds that were set by hand are taken as they are.
        workshop: what steps need.
        choose_on: other rows to choose thresholds by; then all of `rows` are held out. A half of them, if not given.
        measure: a name of `MEASURES`.
        seed: of intervals and p-values.
        tell: hears which step is tried.

    Raises:
        HanpuriError: if what a step needs is not there.
        ValueError: if there is no such measure, or a half has no rows.
    """
    choosing, held_out = (choose_on, rows) if choose_on else rows.halves()
    if not choosing.texts or not held_out.texts:
        raise ValueError(f"{len(rows.texts)} rows are too few to be parted in two")
    judge = _Judge(MEASURES[measure], seed)
    trials: list[Trial] = []
    for step in steps:
        tell(step.step)
        best = max(variants(step), key=lambda one: judge.gain(make_step(one, workshop), choosing))
        asked = dict.fromkeys(one for one in (naive(step), best) if one is not None)
        trials += [judge.trial(one, make_step(one, workshop), held_out) for one in asked]
    judged = _corrected(trials)
    return Selection(measure, len(choosing.texts), len(held_out.texts), tuple(judge.behind(judged, held_out, workshop)))


class _Judge:
    """Scores texts by one measure."""

    def __init__(self, measure: Measure, seed: int) -> None:
        self._measure, self._seed = measure, seed
        self._sign = 1 if measure.better == "high" else -1

    def gain(self, step: Step, rows: Rows) -> float:
        return self._sign * (self._score(step(rows.texts), rows) - self._score(rows.texts, rows))

    def trial(self, settings: StepSettings, step: Step, rows: Rows) -> Trial:
        before, after = self._tally(rows.texts, rows), self._tally(step(rows.texts), rows)
        found = difference(before, after, seed=self._seed, pool=self._measure.pool)
        change = self._sign * (after[:, 0] * before[:, 1] - before[:, 0] * after[:, 1])
        scores = pooled(before, pool=self._measure.pool), pooled(after, pool=self._measure.pool)
        return Trial(settings, *scores, found, int((change > 0).sum()), int((change < 0).sum()), "no difference")

    def behind(self, trials: Sequence[Trial], rows: Rows, workshop: Workshop) -> Iterator[Trial]:
        """Lay the kept steps behind each other; what no longer raises the score is dropped."""
        current = rows
        for trial in trials:
            verdict = self._verdict(trial)
            if verdict == "kept":
                step = make_step(trial.step, workshop)
                if self.gain(step, current) > 0:
                    current = Rows(tuple(step(current.texts)), rows.references)
                else:
                    verdict = "adds nothing"
            yield replace(trial, verdict=verdict)

    def _verdict(self, trial: Trial) -> Verdict:
        if not trial.difference.significant(ALPHA):
            return "no difference"
        return "kept" if self._sign * trial.difference.value > 0 else "harmful"

    def _tally(self, texts: Sequence[Restored], rows: Rows) -> Tally:
        said = [text.text for text in texts]
        return self._measure.tally(said, rows.references, [text.noisy for text in rows.texts])

    def _score(self, texts: Sequence[Restored], rows: Rows) -> float:
        return pooled(self._tally(texts, rows), pool=self._measure.pool)


def _corrected(trials: Sequence[Trial]) -> list[Trial]:
    """Correct p-values for their number: the smallest counts N times, the next N − 1 times, and so on."""
    order = sorted(range(len(trials)), key=lambda at: trials[at].difference.p_value)
    corrected = list(trials)
    least = 0.0
    for rank, at in enumerate(order):
        least = max(least, min(1.0, trials[at].difference.p_value * (len(trials) - rank)))
        corrected[at] = replace(trials[at], difference=replace(trials[at].difference, p_value=least))
    return corrected


def _is_first(text: Restored, reference: str) -> bool:
    return hashlib.sha256(f"{text.noisy}\0{reference}".encode()).digest()[0] < 128
