"""
A run on a terminal: a bar that moves with each step, and what is said above it.

In: what `run_loop` reports. Out, on a terminal; where there is none (a file, a job's log), a line for each log:

    ━━━━━━━━╸━━━━━━━━━━━━━━━━━  340/1000  loss 1.2041  lr 1.8e-04  5,120 tok/s  0:11:24 left
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hanpuri.training.loop.watching import Report

HIDDEN = ("step", "epoch", "tokens", "grad_norm")


@contextmanager
def show_progress(console: Console) -> Iterator[Report]:
    """Show a run on a console; gives what to hand to `run_loop` as its `report`."""
    logger = logging.getLogger("hanpuri.training")
    handler = RichHandler(console=console, show_time=False, show_path=False, markup=False)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # said once: not by the root's handler too
    try:
        if console.is_terminal:
            with _bar(console) as progress:
                yield _Bar(progress)
        else:
            yield lambda step, steps, line: _print_line(console, step, steps, line)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


def _bar(console: Console) -> Progress:
    left = TimeRemainingColumn()
    return Progress(BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"), left, console=console)


class _Bar:
    """Moves the bar; the figures of the last line stay beside it."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.task = progress, progress.add_task("training", total=None, told="")

    def __call__(self, step: int, steps: int, line: Mapping[str, Any]) -> None:
        self.progress.update(self.task, completed=step, total=steps)
        if "loss" in line:
            self.progress.update(self.task, told=escape(_figures(line)))
        elif "eval_loss" in line:
            self.progress.console.print(f"step {step}: {escape(_figures(line))}", highlight=False)


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
