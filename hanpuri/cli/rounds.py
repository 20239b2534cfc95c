"""
`hanpuri train` for rounds: a line a step, a bar at what is being done, one table at the end.

In: a recipe of `kind: rounds`. Out, at the end:

    round  stage  held-out           over the model before     learnt from              reached            time
    0      start  0.5204 ±0.0186     –                         –                        –                  20 s
    1      sft    0.5413 ±0.0182     +0.0209 ±0.0081, p 0.001  570 rows: prompts 100 %  –                  2 min
    …
    the best is round 2: hanpuri chat runs/rounds-tiny/round-2/dpo
"""

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanpuri.cli.tuning import LIBRARIES
from hanpuri.errors import ModelError, RecipeError
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.runs.wording import Shown, duration
from hanpuri.training.processes import count_processes

if TYPE_CHECKING:
    from rich.console import Console

    from hanpuri.rounds.ledger import Entry, Look
    from hanpuri.rounds.outcome import Outcome
    from hanpuri.rounds.plan import Step
    from hanpuri.rounds.rounds import Reports

WIDE = 200  # columns where nobody's terminal is the limit


def train(
    recipe: RoundsRecipe, runs: Path, *, stop_after: float, device: str | None, dry_run: bool, as_json: bool
) -> None:
    """Do the rounds, and print where they stand at the end; with `dry_run`, only say what would be done."""
    if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        raise ModelError(f"rounds need {', '.join(missing)}", 'pip install "hanpuri[llm]"')
    if count_processes() > 1:
        raise RecipeError("rounds are done in one process", "leave the launcher out")
    from rich.console import Console

    folder = runs / recipe.name
    if dry_run:
        _look_ahead(recipe, folder, as_json=as_json)
        return
    console = Console(stderr=True)
    with _saying_how_to_go_on(folder):
        from hanpuri.rounds.rounds import run_rounds

        outcome = run_rounds(
            recipe,
            folder,
            device=device,
            stop_after=stop_after,
            show=lambda step, look: _show(console, step, look),
            done=lambda step, entry, skipped: _say_done(console, step, entry, skipped=skipped),
        )
    if as_json:
        print(json.dumps({"folder": str(folder), **outcome.as_dict()}, ensure_ascii=False))
    else:
        print_outcome(outcome)


def print_outcome(outcome: "Outcome") -> None:
    """Print the table, what should be known besides, and which model is the result."""
    from hanpuri.rounds.table import HEAD, cells

    _print_table(HEAD, cells(outcome))
    for note in outcome.notes:
        print(f"\n{note}")
    if not outcome.finished:
        print("\nstopped; the same command goes on from there")
    if outcome.rounds:
        print(f"\nthe best is round {outcome.best.number}: hanpuri chat {outcome.best_folder}")
        print(f"see {outcome.folder / 'rounds.html'}")


def _look_ahead(recipe: RoundsRecipe, folder: Path, *, as_json: bool) -> None:
    from hanpuri.rounds.ahead import check_ahead
    from hanpuri.rounds.foreseen import foresee

    check_ahead(recipe)
    steps = foresee(recipe, folder)
    if as_json:
        print(json.dumps({"folder": str(folder), "steps": [one.as_dict() for one in steps]}, ensure_ascii=False))
        return
    rows = [[Shown(one.name), Shown(one.what), Shown(one.told)] for one in steps]
    _print_table(("step", "what", "state"), rows)


@contextmanager
def _saying_how_to_go_on(folder: Path) -> Iterator[None]:
    """Say at ctrl-C that nothing is lost, if there is anything."""
    try:
        yield
    except KeyboardInterrupt:
        if folder.exists():
            print("the same command goes on from here", file=sys.stderr)
        raise


def _show(console: "Console", step: "Step", look: "Look") -> AbstractContextManager["Reports"]:
    if look.state == "changed":
        console.print(f"{step.name}: done again: {look.why}", markup=False, highlight=False, soft_wrap=True)
    elif look.state == "begun":
        console.print(f"{step.name}: goes on", markup=False, highlight=False, soft_wrap=True)
    return _training(console, step) if step.work == "train" else _asking(console, step)


@contextmanager
def _training(console: "Console", step: "Step") -> Iterator["Reports"]:
    from hanpuri.training.loop.terminal import show_progress

    with show_progress(console, before=f"{step.name}: looking at the data and the model") as report_step:
        yield (lambda done, total: None), report_step


@contextmanager
def _asking(console: "Console", step: "Step") -> Iterator["Reports"]:
    """Draw a bar while answers are written, where somebody is looking."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    def no_steps(step: int, steps: int, line: Any) -> None: ...

    if not console.is_terminal:
        yield (lambda done, total: None), no_steps
        return
    columns = TextColumn(step.name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(step.name, total=None)
        yield (lambda done, total: progress.update(task, completed=done, total=total)), no_steps


def _say_done(console: "Console", step: "Step", entry: "Entry", *, skipped: bool) -> None:
    took = "unchanged" if skipped else duration(entry.seconds)
    console.print(f"{step.name}: {_short(entry)}{took}", markup=False, highlight=False, soft_wrap=True)
    if note := entry.facts.get("note"):
        console.print(f"warning: {step.name}: {note}", markup=False, highlight=False, soft_wrap=True)


def _short(entry: "Entry") -> str:
    """Say the figures of a step that fit on its line."""
    told = []
    for name, value in entry.facts.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        told.append(f"{name} {value:,}" if isinstance(value, int) else f"{name} {value:.4f}")
    return "  ".join(told) + "  " if told else ""


def _print_table(head: Sequence[str], rows: Sequence[Sequence[Shown]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        grid.add_column(Text(name), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(f"{text} ★", style="bold green") if best else Text(text) for text, best in row))
    console = Console(width=shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE, highlight=False)
    with console.capture() as told:  # by itself, rich ends the program when the reader of a pipe has gone
        console.print(grid)
    print(told.get(), end="")
