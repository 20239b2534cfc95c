"""
A run on a terminal: a bar that moves with each step, and what is said above it.

In: what `run_loop` reports. Out, on a terminal; where there is none (a file, a job's log), a line for each log:

    ━━━━━━━━╸━━━━━━━━━━━━━━━━━  340/1000  loss 1.2041  lr 1.8e-04  5,120 tok/s  0:11:24 left
"""

import logging
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from hanpuri.training.loop.watching import Report

HIDDEN = ("step", "epoch", "tokens", "grad_norm")
WIDE = 100  # columns; where there are fewer, the bar leaves out what is in the log anyway
TOGETHER = "\u00a0"  # a space at which no line is broken


@contextmanager
def show_progress(console: Console, *, before: str = "looking at the data and the model") -> Iterator[Report]:
    """
    Show a run on a console; gives what to hand to `run_loop` as its `report`.

    Args:
        console: where.
        before: what a terminal says until the first step; if there is none, no bar is left behind.
    """
    logger = logging.getLogger("hanpuri.training")
    handler = _Handler(console)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # said once: not by the root's handler too
    try:
        if console.is_terminal:
            with _columns(console) as progress:
                yield _Bar(progress, before)
        else:
            yield lambda step, steps, line: _print_line(console, step, steps, line)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


class _Handler(logging.Handler):
    """Prints what is said, a line each; what a log's reader should not miss begins with its level."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        loud = record.levelno > logging.INFO
        told = f"{record.levelname.lower()}: {record.getMessage()}" if loud else record.getMessage()
        style = "yellow" if loud else None
        self.console.print(told, style=style, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _columns(console: Console) -> Progress:
    told, left = TextColumn("{task.fields[told]}"), TimeRemainingColumn()
    return Progress(BarColumn(), TextColumn("{task.fields[count]}"), told, left, console=console, transient=True)


class _Bar:
    """Moves the bar; the figures of the last line stay beside it."""

    def __init__(self, progress: Progress, before: str) -> None:
        self.progress = progress
        self.task = progress.add_task("training", total=None, count="", told=before)

    def __call__(self, step: int, steps: int, line: Mapping[str, Any]) -> None:
        if self.progress.live.transient:
            self.progress.live.transient = False
            self.progress.update(self.task, told="")
        self.progress.update(self.task, completed=step, total=steps, count=f"{step:,}/{steps:,}")
        width = self.progress.console.width
        if "loss" in line:
            short = line if width >= WIDE else {name: line[name] for name in line if name != "token_accuracy"}
            self.progress.update(self.task, told=escape(_figures(short)))
        elif "eval_loss" in line:
            self.progress.console.print(
                wrapped(f"step {step:,}: {_figures(line)}", width), markup=False, highlight=False
            )


def _print_line(console: Console, step: int, steps: int, line: Mapping[str, Any]) -> None:
    if line and "event" not in line:
        console.print(f"step {step}/{steps}: {escape(_figures(line))}", highlight=False, soft_wrap=True)


def _figures(line: Mapping[str, Any]) -> str:
    """
    Say the figures of a line as people read them.

        >>> _figures({"step": 20, "loss": 1.93, "learning_rate": 0.0002, "tokens_per_second": 5120.3})
        'loss 1.9300  lr 2.0e-04  5,120 tok/s'
    """
    names = {"learning_rate": "lr {:.1e}", "tokens_per_second": "{:,.0f} tok/s"}
    told = ((name, value) for name, value in line.items() if name not in HIDDEN)
    return "  ".join(names.get(name, name.removeprefix("eval_") + " {:.4f}").format(value) for name, value in told)


def wrapped(told: str, width: int) -> str:
    """
    Break a line between figures, never between a name and its number.

        >>> print(wrapped("step 3: loss 6.8014  char_accuracy 0.0154  token_f1 0.0000", 32))
        step 3: loss 6.8014
          char_accuracy 0.0154
          token_f1 0.0000
    """
    kept = "  ".join(part.replace(" ", TOGETHER) for part in told.split("  "))
    return textwrap.fill(kept, width, subsequent_indent="  ").replace(TOGETHER, " ")
