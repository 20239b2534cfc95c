"""
`hanpuri runs`: which runs there are, what one was and scored, and several of them beside each other.

    $ hanpuri runs compare base small
              base              small
    model     new encoder 8×384 new encoder 6×320
    …
"""

import json
import math
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hanpuri.errors import DataError
from hanpuri.recipe import Settings
from hanpuri.runs.comparison import Comparison, row_of
from hanpuri.runs.comparison import compare as compare_runs
from hanpuri.runs.curves import CURVES, write_comparison
from hanpuri.runs.folder import RECIPE
from hanpuri.runs.listing import find_run
from hanpuri.runs.listing import list_runs as read_runs
from hanpuri.runs.reading import RunFacts
from hanpuri.runs.recipes import chosen_values, say_value
from hanpuri.runs.wording import (
    Shown,
    as_markdown,
    duration,
    printable,
    rest_as_markdown,
    run_cells,
    score_text,
    turned,
)

WIDE = 200  # columns where nobody's terminal is the limit
SHOWN_HASH = 12
FILES = (
    *(RECIPE, "environment.json", "metrics.jsonl", "train.log", "preflight.json", CURVES, "checkpoints", "adapter"),
    *("samples.jsonl", "samples.html", "reward.json", "reward.html", "rounds.html", "table.csv"),
)
OUTCOMES = ("model", "result.json")


def list_runs(folder: Path, *, as_json: bool) -> None:
    """Print the runs of a folder, the one that was last at work first."""
    runs = read_runs(folder)
    if as_json:
        for run in runs:
            _print_json(_summary(run))
        return
    if not runs:
        print(f"{printable(str(folder))} holds no runs; `hanpuri train RECIPE` makes one")
        return
    head = ("run", "kind", "model", "method", "state", "step", "best score", "last line", "time")
    _print_table(head, [[Shown(text) for text in _list_cells(run)] for run in runs])


def _summary(run: RunFacts) -> dict[str, Any]:
    row = row_of(run)
    return {
        **{"name": run.name, "kind": run.kind, "model": row.model, "method": row.method, "state": run.state},
        **{"step": run.step, "steps": run.steps, "best_step": run.best_step, "scores": run.scores},
        **{"last_time": run.last_time, "seconds": run.seconds, "folder": str(run.folder)},
    }


def _list_cells(run: RunFacts) -> list[str]:
    row, score = row_of(run), run.headline
    steps = f"{run.step:,}" + (f" / {run.steps:,}" if run.steps else "")
    best = f"{printable(score)} {score_text(run.scores[score])}" if score else "–"
    took = "–" if run.seconds is None else duration(run.seconds)
    known = [printable(run.name), printable(run.kind), printable(row.model or "–"), printable(row.method or "–")]
    return [*known, run.state, steps, best, _clock(run.last_time), took]


def _clock(seconds: float | None) -> str:
    """Write a time as this machine's clock shows it."""
    return "–" if seconds is None else f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"


def show(run: str, folder: Path, *, as_json: bool) -> None:
    """Print what there is to know of one run: how far it is, scores, recipe, data, environment, files."""
    facts = find_run(run, folder)
    if as_json:
        told = {"recipe": facts.recipe, "environment": facts.environment, "result": facts.result}
        _print_json({**_summary(facts), "events": facts.events, **told})
        return
    for title, rows in _sections(facts):
        width = max(len(printable(name)) for name, _ in rows)
        print(title)
        for name, text in rows:
            print(f"  {printable(name):<{width}}  {printable(text)}")


def _sections(run: RunFacts) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the parts of what `show` prints; a part of which nothing is known is left out."""
    head, rows = run_cells(compare_runs([run]))
    of = f" of {run.steps:,}" if run.steps else ""
    standing = [("state", f"{run.state} at step {run.step:,}{of}"), ("last line", _clock(run.last_time))]
    best = [] if run.best_step is None else [("best step", f"{run.best_step:,}")]
    cells = [(name, cell.text) for name, cell in zip(head, rows[0], strict=True) if cell.text != "–"]
    parts = [
        (printable(run.name), standing + best + [cell for cell in cells if cell[0] != "run"]),
        ("events", [(f"step {event.get('step', '?')}", _told(event)) for event in run.events]),
        ("recipe, where it is not the default", [(key, say_value(value)) for key, value in _chosen(run)]),
        ("sources", list(_sources(run.result))),
        ("data and hashes", [(name, digest[:SHOWN_HASH]) for name, digest in _hashes(run.environment)]),
        *((_start_title(index, start), list(_environment(start))) for index, start in enumerate(run.starts)),
        ("files", [(name, str(run.folder / name)) for name in (*FILES, *OUTCOMES) if (run.folder / name).exists()]),
    ]
    yield from (part for part in parts if part[1])


def _told(event: Mapping[str, Any]) -> str:
    return f"{event['event']}: {event['message']}" if event.get("message") else str(event["event"])


def _chosen(run: RunFacts) -> Iterator[tuple[str, Any]]:
    """Give what the recipe says besides defaults; all of it, for a kind that is not known."""
    settings = _kinds().get(run.kind)
    yield from chosen_values(run.recipe, settings) if settings else run.recipe.items()


def _kinds() -> dict[str, type[Settings]]:
    from hanpuri.compact.settings import CompactRecipe
    from hanpuri.rounds.recipe import RoundsRecipe
    from hanpuri.training.recipe import KINDS

    return {"compact": CompactRecipe, "rounds": RoundsRecipe, **KINDS}


def _sources(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what each source of a mix had in the training."""
    found = result.get("sources")
    for one in found if isinstance(found, list) else ():
        copies = f" ({one['copies']:,} of them copies)" if one["copies"] else ""
        told = f"{one['asked']:.1%} asked, {one['given']:.1%} given: {one['rows']:,} rows{copies} of {one['there']:,}"
        yield one["path"], f"{told}, {one['tokens']:,} tokens, {one['trained_tokens']:,} trained"


def _hashes(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for part in ("data", "hashes"):
        found = environment.get(part)
        yield from ((str(name), str(digest)) for name, digest in found.items()) if isinstance(found, dict) else ()


def _start_title(index: int, start: Mapping[str, Any]) -> str:
    title = f"start {index + 1}" if index else "first start"
    return f"{title}, {start['time']}" if "time" in start else title


def _environment(start: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say in what environment a start was made; libraries that are not installed are left out."""
    command = start.get("command")
    if isinstance(command, list):
        yield "command", "hanpuri " + " ".join(map(str, command))
    if isinstance(git := start.get("git"), dict):
        yield "git", f"{str(git.get('commit'))[:SHOWN_HASH]}{', files changed since' if git.get('dirty') else ''}"
    yield from ((name, str(start[name])) for name in ("python", "platform", "num_cpus") if name in start)
    if isinstance(libraries := start.get("libraries"), dict):
        there = [f"{name} {version}" for name, version in libraries.items() if version != "not installed"]
        yield "libraries", ", ".join(there)
    if changes := start.get("recipe_changes"):
        yield "recipe changed", "; ".join(map(str, changes))


def compare(runs: Sequence[str], folder: Path, *, markdown: bool, html: Path | None, as_json: bool) -> None:
    """
    Print runs beside each other, the best of each score marked; below it what differs in their recipes.

    Raises:
        DataError: if fewer than two runs are named, one is not found, or the page cannot be written.
    """
    if len(set(runs)) < 2:
        raise DataError("found one run to compare, expected two or more", "name them: hanpuri runs compare A B")
    facts = [find_run(run, folder) for run in dict.fromkeys(runs)]
    comparison = compare_runs(facts)
    if html:
        _write_page(html, facts, comparison)
    if as_json:
        _print_json(_comparison_fields(comparison))
    elif markdown:
        print(as_markdown(*run_cells(comparison)))
        print("\n".join(rest_as_markdown(comparison)), end="")
    else:
        _print_table(*turned(*run_cells(comparison)))
        _print_rest(comparison)


def _write_page(path: Path, runs: Sequence[RunFacts], comparison: Comparison) -> None:
    if missing := [name for name in ("matplotlib", "jinja2") if find_spec(name) is None]:
        raise DataError(f"the page needs {', '.join(missing)}", 'pip install "hanpuri[data]"')
    try:
        write_comparison(path, runs, comparison)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}", "give --html another path") from None


def _comparison_fields(comparison: Comparison) -> dict[str, Any]:
    names = [row.name for row in comparison.rows]
    return {
        "runs": [dict(vars(row)) for row in comparison.rows],
        "best": {score: comparison.best(score) for score in comparison.scores},
        "differing": {key: dict(zip(names, values, strict=True)) for key, values in comparison.differing},
        "warnings": comparison.warnings,
    }


def _print_rest(comparison: Comparison) -> None:
    """Print the keys that differ; warnings go to standard error."""
    if comparison.differing:
        print("\nrecipe keys that differ")
    for key, values in comparison.differing:
        print(f"  {printable(key)}: {printable(' | '.join(values))}")
    for warning in comparison.warnings:
        print(f"hanpuri: {printable(warning)}", file=sys.stderr)


def _print_table(head: Sequence[str], rows: Sequence[Sequence[Shown]]) -> None:
    """Print a table; a name such as [red] is a name, and no markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(f"{text} ★", style="bold green") if best else Text(text) for text, best in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE
    Console(width=width, highlight=False).print(table)


def _print_json(content: object) -> None:
    """Print one line of JSON; NaN, which JSON has not, becomes null, and half a surrogate pair is written out."""
    line = json.dumps(_jsonable(content), ensure_ascii=False, default=str)
    print(line.encode("utf-8", "backslashreplace").decode("utf-8"))


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _jsonable(inner) for name, inner in value.items()}
    return [_jsonable(inner) for inner in value] if isinstance(value, list | tuple) else value
