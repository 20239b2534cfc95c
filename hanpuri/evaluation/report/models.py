"""
How the models that answered were trained: the facts and curves of their runs, side by side.

In:  engines' settings, of which some name a run's folder: `transformers:runs/faq`.   Out: what a page shows of them:
the table of `hanpuri runs compare`, the recipe keys that differ, and the losses laid over each other.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hanpuri.engines.settings import EngineSettings
from hanpuri.pages.page import Block, Notices, Plots, Table
from hanpuri.pages.plots import SERIES, Plot, lines
from hanpuri.runs.comparison import compare
from hanpuri.runs.folder import METRICS, RECIPE
from hanpuri.runs.reading import RunFacts, is_number, read_run
from hanpuri.runs.wording import printable, run_cells, turned

MAX_POINTS = 300
LONG_FALL = 20  # a loss that falls to less than a twentieth is drawn on a logarithmic axis
LOSSES = (("Training loss", "loss"), ("Validation loss", "eval_loss"))


def find_runs(engines: Sequence[EngineSettings]) -> tuple[Path, ...]:
    """
    Find the run folders among the engines' models; `runs/faq/model` belongs to `runs/faq`.

        >>> from hanpuri.engines.settings import parse_engine
        >>> find_runs([parse_engine("echo"), parse_engine("compact:base")])
        ()
    """
    found = (_run_of(Path(one.model)) for one in engines if one.model and one.engine != "openai")
    return tuple(dict.fromkeys(folder for folder in found if folder))


def run_blocks(folders: Sequence[Path]) -> Iterator[Block]:
    """Show the runs beside each other."""
    runs = [read_run(folder) for folder in folders]
    comparison = compare(runs)
    if len(runs) > 1:
        warnings = tuple((f"{printable(told)}.", "") for told in comparison.warnings)
        yield Notices(warnings, "The runs can be compared.")
    head, rows = turned(*run_cells(comparison))
    yield Table(head, tuple(tuple(f"{one.text} ★" if one.best else one.text for one in row) for row in rows), "Runs")
    if comparison.differing:
        keys = tuple((printable(key), *map(printable, values)) for key, values in comparison.differing)
        yield Table(("key", *head[1:]), keys, "Recipe keys that differ")
    if plots := tuple(_plots({printable(row.name): run for row, run in zip(comparison.rows, runs, strict=True)})):
        yield Plots(plots)


def _run_of(model: Path) -> Path | None:
    return next((one for one in (model, model.parent) if (one / RECIPE).is_file() and (one / METRICS).is_file()), None)


def _plots(runs: Mapping[str, RunFacts]) -> Iterator[Plot]:
    shown = list(runs.items())[: len(SERIES)]
    for title, name in LOSSES:
        series = {called: points for called, run in shown if (points := _points(run, name))}
        if series:
            ends = ", ".join(f"{run} {points[-1][1]:.4g}" for run, points in series.items())
            values = [value for points in series.values() for _, value in points]
            falls_far = 0 < LONG_FALL * min(values) < max(values)
            told = f"At the end: {ends}. Less is better."
            yield lines(title, series, axes=("step", "nats"), told=told, logarithmic=(False, falls_far))


def _points(run: RunFacts, name: str) -> list[tuple[float, float]]:
    """Give the course of a loss; of many points, the mean of each few neighbours."""
    told = [
        (float(step), float(value))
        for line in run.lines
        if is_number(value := line.get(name)) and is_number(step := line.get("step"))
    ]
    size = max(1, math.ceil(len(told) / MAX_POINTS))
    groups = (told[start : start + size] for start in range(0, len(told), size))
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
