"""
Who is told how a run goes: metrics.jsonl, train.log, the curves page, trackers, and whoever called.

In: figures of the steps. Out: lines such as these, one for each log, evaluation and event:

    {"time": …, "step": 20, "epoch": 0.1, "loss": 1.93, "token_accuracy": 0.61, "learning_rate": 0.0002,
     "grad_norm": 0.8, "tokens": 81920, "tokens_per_second": 5120.0}
    {"time": …, "step": 200, "epoch": 1.0, "eval_loss": 1.52, "eval_char_accuracy": 0.83}
    {"time": …, "step": 200, "event": "best", "message": "best so far: char_accuracy 0.8300"}

None of them may stop a run: what cannot be written is let go. Of several processes, the first one alone tells.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hanpuri.errors import HanpuriError
from hanpuri.runs import Run

# Step, steps in all, and the line that was logged; an empty one at steps where nothing is.
Report = Callable[[int, int, Mapping[str, Any]], None]
DIGITS = 7
SECONDS_BETWEEN_DRAWINGS = 30.0
ALARMS = (
    *("overfitting", "early_stop", "checkpoint_failed", "tracker_lost", "drift", "chosen_falls", "chance"),
    *("hacking", "no_spread", "clipped"),
)

logger = logging.getLogger("hanpuri.training")


class Watch:
    """Tells how one run goes."""

    def __init__(self, run: Run, report: Report, *, is_first: bool, seconds_before: float) -> None:
        self.run, self.report, self.is_first = run, report, is_first
        self.trackers: list[Any] = []
        """Each with `log(line)`; see `trackers`."""
        self.steps = 0
        self._started, self._seconds_before = time.monotonic(), seconds_before
        self._last_log, self._last_tokens = time.monotonic(), 0
        self._next_drawing = 0.0

    def seconds(self) -> float:
        """Give the time of all starts together."""
        return round(self._seconds_before + time.monotonic() - self._started, 1)

    def begin(self, steps: int, tokens: int) -> None:
        """Learn how many steps there are, and count the speed from here on."""
        self.steps = steps
        self._last_log, self._last_tokens = time.monotonic(), tokens

    def pause(self, seconds: float) -> None:
        """Leave time that went into looking or saving out of the speed."""
        self._last_log += seconds

    def tick(self, step: int) -> None:
        """Tell whoever shows a bar that a step is done."""
        if self.is_first:
            self.report(step, self.steps, {})

    def training_line(self, step: int, epoch: float, metrics: Mapping[str, float], tokens: int) -> None:
        """Log what was learnt since the last such line."""
        now = time.monotonic()
        speed = (tokens - self._last_tokens) / max(now - self._last_log, 1e-9)
        self._last_log, self._last_tokens = now, tokens
        self.line(step, epoch, {**metrics, "tokens": tokens, "tokens_per_second": speed})

    def line(self, step: int, epoch: float, metrics: Mapping[str, float]) -> None:
        """Log figures."""
        figures = {name: _rounded(value) for name, value in metrics.items()}
        self._tell({"step": step, "epoch": epoch, **figures})
        for tracker in [*self.trackers] if self.is_first else ():
            if fault := tracker.log(step, figures):
                self.trackers.remove(tracker)
                self.event("tracker_lost", step, f"{tracker.name} is told no more: {fault}")

    def event(self, event: str, step: int, message: str) -> None:
        """Say aloud what happened, and keep it."""
        if self.is_first:
            logger.log(logging.WARNING if event in ALARMS else logging.INFO, "step %s: %s", step, message)
        self._tell({"step": step, "event": event, "message": message})

    def draw_curves(self, *, now: bool = False) -> None:
        """Write the page of curves anew, unless that was done a moment ago; a fault in it costs the page alone."""
        if not self.is_first or (time.monotonic() < self._next_drawing and not now):
            return
        self._next_drawing = time.monotonic() + SECONDS_BETWEEN_DRAWINGS
        try:
            from hanpuri.runs.curves import write_curves

            write_curves(self.run.folder)
        except (OSError, ValueError, HanpuriError, ImportError) as error:
            logger.debug("the curves were not drawn: %s", error)

    def end(self) -> None:
        """Let the trackers write what they still hold."""
        for tracker in self.trackers:
            if fault := tracker.end():
                self.event("tracker_lost", self.steps, f"{tracker.name} did not end well: {fault}")
        self.trackers.clear()

    def _tell(self, line: Mapping[str, Any]) -> None:
        if self.is_first:
            self.run.log(**line)
            self.report(line["step"], self.steps, line)


class _LogFile(logging.FileHandler):
    """A log file that lets a line go which the disk does not take: a full disk must not end a run."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # of opening the file
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing."""


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Keep what the training says in a file too, from level INFO on."""
    handler = _LogFile(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


def _rounded(value: float) -> float:
    """Round to what a reader can use; a rate of 1e-9 stays one."""
    if isinstance(value, int) or not math.isfinite(value) or value == 0:
        return value
    return float(f"{value:.{DIGITS}g}")
