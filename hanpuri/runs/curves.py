"""
metrics.jsonl ─► curves.html: how a run went, and how several went beside each other.

In:  a run's folder.   Out: `curves.html` in it, with a plot of each of these that the run told of:

    loss and validation loss · next-token accuracy · bits per byte · accuracy and margin of pairs · reward, KL, entropy
    and length of the model's own answers · scores of what was generated · learning rate · length of the gradient ·
    speed

Up to 500 points of a line are drawn as they are; of more, means of so many neighbours as the plot's words say. A step
whose loss was no number is a gap.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hanpuri.pages.page import Block, Cell, Notices, Numbers, Page, Paragraph, Plots, Section, Table, render
from hanpuri.pages.plots import SERIES, Plot, lines
from hanpuri.runs.comparison import Comparison
from hanpuri.runs.files import write_whole
from hanpuri.runs.metrics import Line
from hanpuri.runs.reading import COURSE, PLACE, RunFacts, read_run, smaller_is_better
from hanpuri.runs.wording import duration, printable, run_cells, turned

CURVES = "curves.html"
MAX_POINTS = 500
LONG_FALL = 20  # a loss that falls to less than a twentieth is drawn on a logarithmic axis

Points = list[tuple[float, float]]


def _sides(name: str) -> dict[str, str]:
    """Name the lines of both answers of a pair."""
    told = {f"{side}_{name}": side for side in ("chosen", "rejected")}
    return told | {f"eval_{key}": f"{side}, validation" for key, side in told.items()}


# Title, upright axis, and what is drawn: the name in a line of metrics and the name in the legend.
COURSES = (
    ("Loss", "nats", {"loss": "training", "eval_loss": "validation"}),
    ("Next-token accuracy", "share of the tokens", {"token_accuracy": "training", "eval_token_accuracy": "validation"}),
    ("Bits per byte", "bits", {"eval_bits_per_byte": "validation"}),
    ("Pairs told apart", "share of the pairs", {"accuracy": "training", "eval_accuracy": "validation"}),
    ("Margin", "chosen − rejected", {"margin": "training", "eval_margin": "validation"}),
    ("Likelihood of answers", "nats an answer", _sides("logps")),
    ("Reward of answers", "beta × nats", _sides("reward")),
    ("Reward", "weighted sum", {"reward": "own answers", "eval_reward": "validation"}),
    ("Drift", "nats a token", {"kl": "training", "eval_kl": "validation", "eval_kl_own": "own answers"}),
    ("Entropy", "nats a token", {"entropy": "own answers"}),
    ("Length of answers", "tokens", {"mean_length": "own answers", "eval_mean_length": "validation"}),
    ("Learning rate", "learning rate", {"learning_rate": "learning rate"}),
    ("Length of the gradient", "norm", {"grad_norm": "before shortening"}),
    ("Speed", "tokens a second", {"tokens_per_second": "tokens a second"}),
    ("Speed in items", "items a second", {"items_per_second": "items a second"}),
)
KNOWN = {name for _, _, names in COURSES for name in names} | set(COURSE) | set(PLACE)
ALONE = ("learning_rate", "grad_norm")  # not drawn beside those of other runs
WARNINGS = (
    *("overfitting", "checkpoint_failed", "tracker_lost", "failed"),
    *("drift", "chosen_falls", "chance", "hacking", "no_spread", "clipped"),
)


def write_curves(folder: Path) -> Path:
    """
    Write curves.html into a run's folder, in place of an older one.

    Raises:
        OSError: if it cannot be written; the older one stays.
    """
    run = read_run(folder)
    plots = tuple(_plots_of(run))
    blocks: list[Block] = [Numbers(tuple(_numbers(run))), Notices(tuple(_notices(run)), "Nothing to warn of.")]
    blocks.append(Plots(plots) if plots else Paragraph("Nothing has been logged yet."))
    page = Page(printable(run.name), f"A run of kind {printable(run.kind)}.", (Section("Curves", tuple(blocks)),))
    write_whole(folder / CURVES, render(page))
    return folder / CURVES


def write_comparison(path: Path, runs: Sequence[RunFacts], comparison: Comparison) -> None:
    """
    Write the table of a comparison as a page, with the curves of the runs laid over each other.

    Raises:
        OSError: if it cannot be written.
    """
    head, rows = turned(*run_cells(comparison))
    table = Table(head, tuple(tuple(f"{cell.text} ★" if cell.best else cell.text for cell in row) for row in rows))
    differing = Table(
        ("key", *(printable(row.name) for row in comparison.rows)),
        tuple((printable(key), *map(printable, values)) for key, values in comparison.differing),
        "Recipe keys that differ",
    )
    warnings = Notices(tuple((f"{printable(told)}.", "") for told in comparison.warnings), "The runs can be compared.")
    sections = [Section("Runs", (warnings, table, differing))]
    if plots := tuple(_plots_beside(runs)):
        told = f"The curves are those of the first {len(SERIES)} runs." if len(runs) > len(SERIES) else ""
        sections.append(Section("Curves", (*((Paragraph(told),) if told else ()), Plots(plots))))
    lead = f"{len(runs)} runs beside each other."
    write_whole(path, render(Page("Comparison of runs", lead, tuple(sections))))


def _numbers(run: RunFacts) -> Iterator[tuple[str, Cell]]:
    """Give the numbers that a reader looks for first."""
    yield "steps", run.step if run.steps in (None, run.step) else f"{run.step:,} of {run.steps:,}"
    if run.best_step is not None:
        yield "best step", run.best_step
    yield from ((printable(name), value) for name, value in run.scores.items())
    if run.seconds:
        yield "time", duration(run.seconds)


def _notices(run: RunFacts) -> Iterator[tuple[str, str]]:
    """Repeat what the run warned of."""
    for event in run.events:
        if event.get("event") in WARNINGS:
            yield f"Step {event.get('step', '?')}: {printable(str(event.get('message', event['event'])))}", ""
    lost = sum(1 for line in run.lines if isinstance(loss := line.get("loss"), float) and not math.isfinite(loss))
    if lost:
        yield f"The loss is no number in {lost:,} of the lines.", "A lower learning rate, or bf16 for fp16, may help."


def _plots_of(run: RunFacts) -> Iterator[Plot]:
    """Draw what the run told of, what it was chosen by with its best step."""
    for title, axis, names in COURSES:
        series = {legend: points for name, legend in names.items() if (points := _points(run.lines, name))}
        if series:
            yield _plot(title, axis, series, run, marked=any("eval_" in name for name in names))
    known = KNOWN | {"whole"}
    scores = dict.fromkeys(name for line in run.evaluations for name in line if name not in known)
    series = {name.removeprefix("eval_"): points for name in scores if (points := _points(run.lines, name))}
    named = list(series.items())
    for start in range(0, len(named), len(SERIES)):
        part = f" ({start // len(SERIES) + 1})" if len(named) > len(SERIES) else ""
        shown = {printable(name): points for name, points in named[start : start + len(SERIES)]}
        yield _plot(f"Scores{part}", "score", shown, run, marked=True)


def _plot(title: str, axis: str, series: dict[str, Points], run: RunFacts, *, marked: bool) -> Plot:
    """Draw one plot, and say in words where it ends and how it was thinned."""
    thin = {name: _thinned(points) for name, points in series.items()}
    sizes = {math.ceil(len(points) / MAX_POINTS) for points in series.values()} - {1}
    told = [_last_values(series)]
    told += [f"Each point is the mean of up to {max(sizes):,} lines."] if sizes else []
    if title == "Loss" and (rises := _rises(run)):
        thin["rises: overfitting"] = rises
    mark = ("best", float(run.best_step)) if marked and run.best_step is not None else None
    logarithmic = title == "Loss" and _falls_far(series)
    return lines(title, thin, axes=("step", axis), told=" ".join(told), logarithmic=(False, logarithmic), mark=mark)


def _last_values(series: Mapping[str, Points]) -> str:
    last = [(name, *points[-1]) for name, points in series.items()]
    if len({step for _, step, _ in last}) == 1:
        return f"At step {last[0][1]:,.0f}: " + ", ".join(f"{name} {_said(value)}" for name, _, value in last) + "."
    return "Last values: " + ", ".join(f"{name} {_said(value)} (step {step:,.0f})" for name, step, value in last) + "."


def _said(value: float) -> str:
    return "no number" if not math.isfinite(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _rises(run: RunFacts) -> Points:
    """Give the points at which the run said that it learns by heart, a gap between any two of them."""
    losses = dict(_points(run.lines, "eval_loss"))
    steps = [
        float(step)
        for event in run.events
        if event.get("event") == "overfitting" and isinstance(step := event.get("step"), int)
    ]
    return [point for step in steps if step in losses for point in ((step, losses[step]), (math.nan, math.nan))]


def _falls_far(series: Mapping[str, Points]) -> bool:
    values = [y for points in series.values() for _, y in points if math.isfinite(y)]
    return bool(values) and min(values) > 0 and max(values) > LONG_FALL * min(values)


def _plots_beside(runs: Sequence[RunFacts]) -> Iterator[Plot]:
    """Draw what several runs told of: a plot a measure, a line a run."""
    shown = runs[: len(SERIES)]
    known = {name: (title, axis) for title, axis, names in COURSES for name in names if name not in ALONE}
    scores = dict.fromkeys(name for run in shown for line in run.evaluations for name in line if name not in KNOWN)
    for name in [*known, *(name for name in scores if name != "whole")]:
        series = {printable(run.name): _thinned(points) for run in shown if (points := _points(run.lines, name))}
        if len(series) < 2:
            continue
        title, axis = known.get(name, (printable(name.removeprefix("eval_")), "score"))
        if name.startswith("eval_") and name in known:
            title += ", validation"
        better = "Less is better." if smaller_is_better(name) else ""
        logarithmic = name.endswith("loss") and _falls_far(series)
        told = f"{_last_values(series)} {better}".strip()
        yield lines(title, series, axes=("step", axis), told=told, logarithmic=(False, logarithmic))


def _points(told: Sequence[Line], name: str) -> Points:
    """Give (step, value) of each line that has the value; one that is no number is kept as a gap."""
    return [
        (step, value if isinstance(value, int | float) else math.nan)
        for line in told
        if name in line and isinstance(step := line.get("step"), int | float)
        for value in (line[name],)
        if "event" not in line
    ]


def _thinned(points: Points) -> Points:
    """Draw up to 500 points as they are; of more, the mean of each few neighbours."""
    size = math.ceil(len(points) / MAX_POINTS)
    if size <= 1:
        return points
    groups = (points[start : start + size] for start in range(0, len(points), size))
    return [(_mean(group, 0), _mean(group, 1)) for group in groups]


def _mean(group: Sequence[tuple[float, float]], index: int) -> float:
    return sum(point[index] for point in group) / len(group)
