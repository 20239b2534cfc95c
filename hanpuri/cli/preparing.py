"""`hanpuri prepare`: make a training set, show how far it is, say what came of it; or tell one row's way."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanpuri.cli.recipes import find_recipe
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.recipe import read_recipe

if TYPE_CHECKING:
    from hanpuri.data.preparation.explain import Way
    from hanpuri.data.preparation.prepare import Report


def run(
    recipe: str, overrides: Sequence[str], out: Path, *, asked: str | None, processes: int | None, as_json: bool
) -> None:
    """Make a training set; with `asked`, tell the way of that row instead."""
    from hanpuri.data.preparation.explain import explain
    from hanpuri.data.preparation.prepare import prepare

    settings = read_recipe(find_recipe(recipe, "prepare"), {"prepare": PrepareRecipe}, overrides)
    assert isinstance(settings, PrepareRecipe)
    folder = out / settings.name
    if asked is not None:
        ways = explain(settings, folder, asked)
        print("\n\n".join(json.dumps(asdict(way), ensure_ascii=False) if as_json else _told(way) for way in ways))
        return
    try:
        with _progress() as report:
            path = prepare(settings, folder, report=report, processes=processes)
    except KeyboardInterrupt:
        print("the same command goes on from here", file=sys.stderr)
        raise
    facts = json.loads(path.read_text(encoding="utf-8"))
    print(json.dumps({"folder": str(folder), **facts}, ensure_ascii=False) if as_json else _summary(facts, folder))


def _summary(facts: dict[str, Any], folder: Path) -> str:
    """Say in a few lines what came of it; the rest is in the report."""
    lines = [f"{sum(source['rows'] for source in facts['sources']):>11,} rows read"]
    for step in facts["steps"]:
        if step["dropped"]:
            lines.append(f"{-step['dropped']:>11,} {step['step']}")
    for split in facts["splits"]:
        lines.append(f"{split['rows']:>11,} in {split['name']}")
    for warned in facts["warnings"]:
        lines.append(f"warning: {warned['message']}; {warned['mend']}")
    return "\n".join([*lines, f"{folder / 'report.html'} tells more"])


def _told(way: "Way") -> str:
    """Tell a row's way for a person to read."""
    lines = [f"{way.id}  {way.source}  {way.where}", f"read       {_shown(way.read)}"]
    for change in way.changes:
        lines.append(f"{change.step:<10} {change.field}: {change.before!r} → {change.after!r}")
    lines += [f"found      {finding}" for finding in way.findings]
    if way.split is None:
        lines.append(f"left out   {way.cause}" + (f", the row {way.of} stays" if way.of else ""))
    else:
        lines.append(f"split      {way.split}")
    lines += [f"row        {_shown(row)}" for row in way.rows]
    return "\n".join(lines)


def _shown(fields: Any) -> str:
    return json.dumps({name: value for name, value in fields.items() if value is not None}, ensure_ascii=False)


@contextmanager
def _progress() -> "Iterator[Report]":
    """Draw a bar for each stage where somebody is looking; say nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield report
