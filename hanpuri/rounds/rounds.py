"""
The door to rounds: a recipe and a folder ─► models, the best of which is the result.

In: a RoundsRecipe. Out: the folder, and an Outcome that says where the rounds stand:

    runs/rounds-tiny/
    ├── recipe.yaml  environment.json  metrics.jsonl  result.json  table.csv  rounds.html
    ├── held-out/rows.jsonl                      what every model is scored by
    ├── round-0/score/                           the model before the first round
    ├── round-1/prompts/ … reward/ sample/ sft/ sft-score/ dpo-pairs/ dpo/ dpo-score/   steps/*.json
    ├── round-2/ …
    └── replaced/                                what was made with other settings

The same call goes on where the last one stopped. A step whose settings, rows and models are those that it was done
with is not done again; a change of one setting does anew what hangs on it, and nothing else.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.errors import DataError, ModelError
from hanpuri.rounds.ahead import check_ahead, check_files_apart
from hanpuri.rounds.asking import ANSWERS_FILE, Asking, Progress
from hanpuri.rounds.ledger import Entry, Inputs, Ledger, Look, hash_of
from hanpuri.rounds.outcome import NOTE, Outcome, RoundResult, Scored, no_better, note_on_samples, read_score
from hanpuri.rounds.plan import (
    HELD_OUT,
    PROMPTS_FILE,
    ROWS_FILE,
    SCORE_FILE,
    Plan,
    Policy,
    Step,
    plan_round,
    plan_start,
)
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.rows import write_held_out, write_prompts
from hanpuri.rounds.training import freeing_memory, run_stage
from hanpuri.runs import Run
from hanpuri.training.loop.watching import Report as StepReport

FILES_MADE = ("*.jsonl", SCORE_FILE)

Reports = tuple[Progress, StepReport]
Show = Callable[[Step, Look], AbstractContextManager[Reports]]
Done = Callable[[Step, Entry, bool], None]


class _OutOfTime(Exception):
    """What was given as `stop_after` is over."""


@dataclass(frozen=True)
class _Clock:
    """Says when the time is over."""

    ends: float

    def left(self) -> float:
        return max(0.0, self.ends - time.monotonic())

    def check(self) -> None:
        if time.monotonic() > self.ends:
            raise _OutOfTime


def _show_nothing(step: Step, look: Look) -> AbstractContextManager[Reports]:
    return nullcontext((lambda done, total: None, lambda step, steps, line: None))


def run_rounds(
    recipe: RoundsRecipe,
    folder: Path,
    *,
    device: str | None = None,
    stop_after: float = math.inf,
    show: Show = _show_nothing,
    done: Done = lambda step, entry, skipped: None,
) -> Outcome:
    """
    Do the rounds, or go on with them; what is done and unchanged is left as it is.

    Args:
        recipe: what to do.
        folder: where.
        device: "cuda" or "cpu"; a GPU if there is one.
        stop_after: seconds after which to stop, at the next point from which the same call goes on.
        show: opened around each step that is worked at; gives what is told how far it is.
        done: told of each step that is done, and whether it was before.

    Raises:
        DataError, EngineError, ModelError, RecipeError: with one line on what is wrong.
        KeyboardInterrupt: at ctrl-C; nothing is lost.
    """
    check_ahead(recipe)
    with _held(folder):
        # The ledger says what a change of the recipe does anew; as a run, rounds take any change.
        run = Run.start(folder, recipe, [], may_change=tuple(RoundsRecipe.model_fields))
        try:
            return _Work(recipe, run, device, _Clock(time.monotonic() + stop_after), show, done).all()
        finally:
            run.let_go()


class _Work:
    """The rounds while they are done."""

    def __init__(
        self, recipe: RoundsRecipe, run: Run, device: str | None, clock: _Clock, show: Show, done: Done
    ) -> None:
        self.recipe, self.run, self.folder, self.device, self.clock = recipe, run, run.folder, device, clock
        self.show, self.done = show, done
        self.ledger = Ledger(run.folder)
        self.entries: dict[str, Entry] = {}
        self.rounds: list[RoundResult] = []

    def all(self) -> Outcome:
        """Do what is left of all rounds."""
        stopped, finished = "", True
        try:
            self._do_all(plan_start(self.recipe, self.folder))
            check_files_apart(self.recipe, self.folder / HELD_OUT / ROWS_FILE)
            while not stopped and self.rounds[-1].number < self.recipe.rounds:
                self._do_all(plan_round(self.recipe, self.folder, self.rounds[-1].number + 1, self._begins()))
                stopped = no_better(self.recipe, self.rounds)
        except _OutOfTime:
            finished = False
        outcome = Outcome(self.folder, self.recipe, tuple(self.rounds), self.entries, finished, stopped)
        outcome.save()
        return outcome

    def _begins(self) -> Policy:
        """Say which model the next round begins with."""
        if self.recipe.go_on_from == "last":
            return self.rounds[-1].policy
        return Outcome(self.folder, self.recipe, tuple(self.rounds), {}, False, "").best.policy

    def _do_all(self, plan: Plan) -> None:
        scored: list[Scored] = []
        for step in plan.steps:
            self.entries[step.name] = self._do(step)
            if step.work == "score":
                scored.append(self._scored(step))
        self.rounds.append(RoundResult(plan.number, plan.end, tuple(scored)))

    def _scored(self, step: Step) -> Scored:
        stage = step.name.rpartition("/")[2].removesuffix("-score")
        return read_score(self.folder / step.name / SCORE_FILE, stage, self.recipe.measure)

    def _do(self, step: Step) -> Entry:
        """Do a step, unless it is done."""
        self.clock.check()
        inputs = inputs_of(step)
        look = self.ledger.look(step.name, inputs)
        if look.state == "done":
            assert look.entry is not None
            self.done(step, look.entry, True)
            return look.entry
        if look.state == "changed" or (look.state == "new" and (self.folder / step.name).exists()):
            self.ledger.set_aside(step.name, ANSWERS_FILE)
        before = look.entry.seconds if look.state == "begun" and look.entry else 0.0
        entry = self._work_at(step, inputs, look, before)
        if step.work == "score":
            scored = self._scored(step)
            self.run.log(step=step.round, stage=scored.stage, **scored.as_line())
        self.done(step, entry, False)
        return entry

    def _work_at(self, step: Step, inputs: Inputs, look: Look, before: float) -> Entry:
        started = time.monotonic()
        self.ledger.begin(step.name, inputs, before)
        try:
            with self.show(step, look) as (progress, report_step), _saying_that_it_is_full(self.folder):
                facts = self._facts(step, self._timed(progress), report_step)
        except BaseException:
            self.ledger.begin(step.name, inputs, before + time.monotonic() - started)
            raise
        seconds = before + time.monotonic() - started
        return self.ledger.finish(step.name, inputs, made_by(step, self.folder), seconds, facts)

    def _timed(self, progress: Progress) -> Progress:
        """Stop between two answers when the time is over: those that came are kept."""

        def tell(done: int, total: int) -> None:
            progress(done, total)
            self.clock.check()

        return tell

    def _facts(self, step: Step, progress: Progress, report_step: StepReport) -> Mapping[str, Any]:
        """Do the work of a step; gives what the table says of it."""
        recipe, target = self.recipe, self.folder / step.name
        if step.work != "train":
            target.mkdir(parents=True, exist_ok=True)
        if step.work == "held_out":
            files = step.reads["held-out rows"], recipe.prompts, step.reads["prompts"]
            return {"rows": write_held_out(recipe.held_out, *files, recipe.seed, target / ROWS_FILE)}
        if step.work == "prompts":
            rows = write_prompts(recipe.prompts, step.reads["prompts"], recipe.seed, step.round, target / PROMPTS_FILE)
            return {"rows": rows}
        if step.work == "train":
            return self._train(step, report_step)
        asking = Asking(recipe, self.folder, self.device, progress)
        with freeing_memory():
            facts = {"score": asking.held_out, "sample": asking.samples, "pairs": asking.pairs}[step.work](step)
        note = note_on_samples(recipe, step.stage, facts, self.rounds[-1]) if self.rounds else ""
        return {**facts, NOTE: note} if note else facts

    def _train(self, step: Step, report_step: StepReport) -> Mapping[str, Any]:
        given: dict[str, Any] = {"device": self.device, "stop_after": self.clock.left(), "report_step": report_step}
        trained, facts = run_stage(step, self.recipe, self.folder, **given)
        if not trained.finished:
            raise _OutOfTime
        return facts


def inputs_of(step: Step) -> Inputs:
    """
    Hash what a step depends on.

    Raises:
        DataError: if something of it is not there.
    """
    reads = {}
    for name, path in step.reads.items():
        digest = hash_of(path)
        if digest is None:
            raise DataError(f"{path}: found nothing there, expected the {name} of {step.name}", "check the recipe")
        reads[name] = digest
    return Inputs(step.settings, reads)


def made_by(step: Step, folder: Path) -> tuple[Path, ...]:
    """Name what a step has made, and others read: files, or a run's weights."""
    place = folder / step.name
    if step.work == "train":
        return tuple(path for path in (place / "adapter", place / "model") if path.is_dir())
    return tuple(sorted(path for pattern in FILES_MADE for path in place.glob(pattern) if path.name != ANSWERS_FILE))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """
    Hold the folder, so that no second process works in it; the system lets go of it however this one ends.

    Raises:
        DataError: if it cannot be written.
        ModelError: if another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}", "give another place for runs") from None
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = f"{folder}: another process is at work on these rounds"
            raise ModelError(found, "wait for it, or stop it") from None
        except (ImportError, OSError):
            pass  # a system without locks
        yield


@contextmanager
def _saying_that_it_is_full(folder: Path) -> Iterator[None]:
    """Say in one line that a file could not be written."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and not Path(str(error.filename)).is_relative_to(folder):
            raise
        found = f"{folder} cannot be written: {error.strerror or error}"
        raise DataError(found, "make room; the same command then goes on") from None
