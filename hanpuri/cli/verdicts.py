"""`hanpuri verdict`: ask all candidates of a recipe, print what they reach and what to do."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanpuri.cli.recipes import find_recipe
from hanpuri.cli.texts import reader_may_leave
from hanpuri.recipe import read_recipe

if TYPE_CHECKING:
    from hanpuri.evaluation.verdict.facts import DataFacts
    from hanpuri.evaluation.verdict.recipe import VerdictRecipe
    from hanpuri.evaluation.verdict.verdict import Report, Verdict


def run(recipe: str, overrides: Sequence[str], out: Path, *, dry_run: bool, as_json: bool) -> None:
    """Ask and advise; with `dry_run`, look at the rows and say who would be asked."""
    from hanpuri.evaluation.verdict.recipe import VerdictRecipe

    settings = read_recipe(find_recipe(recipe, "verdict"), {"verdict": VerdictRecipe}, overrides)
    assert isinstance(settings, VerdictRecipe)
    if dry_run:
        with reader_may_leave():
            _look_ahead(settings, as_json=as_json)
        return
    from hanpuri.evaluation.report.report import check_libraries
    from hanpuri.evaluation.verdict.page import save
    from hanpuri.evaluation.verdict.verdict import judge

    check_libraries()
    try:
        with _progress() as report:
            verdict = judge(settings, out / settings.name, report=report)
        save(verdict)
    except KeyboardInterrupt:
        print("the same command goes on from here", file=sys.stderr)
        raise
    with reader_may_leave():
        print(json.dumps(verdict.as_dict(), ensure_ascii=False) if as_json else _told(verdict))


def _look_ahead(settings: "VerdictRecipe", *, as_json: bool) -> None:
    from hanpuri.evaluation.verdict.verdict import look_ahead

    material, asked = look_ahead(settings)
    curve = settings.learning_curve
    shares = [f"{share:.3g}" for share in curve.shares] if curve and curve.recipe else []
    if as_json:
        candidates = [{"label": one.label, "way": one.way, "shots": one.shots} for one in asked]
        told = {"data": asdict(material.facts), "candidates": candidates, "trained_on_shares": shares}
        print(json.dumps(told, ensure_ascii=False))
        return
    print("\n".join(_said_of_data(material.facts)))
    for one in asked:
        print(f"  {one.label} ({one.way})" if one.way != "echo" else f"  {one.label}")
    if shares:
        print(f"and a model on each of the shares {', '.join(shares)}, trained by {curve.recipe if curve else ''}")
    elif curve:
        print(f"and {', '.join(str(one) for one in curve.runs)}")


def _said_of_data(data: "DataFacts") -> list[str]:
    """Say what is asked, and what is wrong with it."""
    train = "no training rows" if data.num_train is None else f"{data.num_train:,} training rows"
    counts = {
        "test rows stand among the training rows": data.num_leaked,
        "rows are broken, or have no answer": data.num_empty,
        "test rows are answered otherwise elsewhere": data.num_contradictory,
        "test rows have the question as their answer": data.num_same,
    }
    found = [f"  {count:,} {what}" for what, count in counts.items() if count]
    return [f"{data.num_test:,} test rows, {train}", *found, "would be asked:"]


def _told(verdict: "Verdict") -> str:
    """Print the table and the advice for a person."""
    from hanpuri.evaluation.verdict.tables import table

    head, cells = table(verdict)
    widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
    rows = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *cells)
    ]
    advice = verdict.advice
    reasons = [f"  {reason}" for reason in advice.reasons]
    steps = [f"  → {step}" for step in advice.steps]
    page = verdict.folder / "verdict.html"
    return "\n".join(
        [*rows, "", f"{advice.kind}: {advice.because}", *reasons, *steps, f"{page} tells more"],
    )


@contextmanager
def _progress() -> "Iterator[Report]":
    """Draw a bar for each candidate where somebody is looking; say nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def report(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield report
