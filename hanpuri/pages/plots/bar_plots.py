"""
Counts and shares to plots: a histogram over bins, or a bar a label.

In:  bars("Rows by label", ["긍정", "부정"], {"rows": [3, 5]}, axes=("label", "rows"), told="…").   Out: a Plot:

    <svg role="img" aria-label="Rows by label: …" viewBox="0 0 400 108"> … <text …>긍정</text> … </svg>
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hanpuri.pages.plots.drawing import (
    COLUMN_WIDTH,
    HEIGHT,
    SERIES,
    Plot,
    columns_of,
    draw_mark,
    drawing,
    dress,
    frame,
    svg,
)

BAR_HEIGHT = 22
MAX_LABEL_COLUMNS = 24


def histogram(
    title: str,
    series: Mapping[str, Sequence[float]],
    edges: Sequence[float],
    *,
    axes: tuple[str, str],
    told: str,
    doubling: bool = False,
    mark: tuple[str, float] | None = None,
) -> Plot:
    """
    Draw how values are spread: a stepped line a series, over bins that all of them share.

    Args:
        title: what stands above the plot.
        series: the height in each bin, one fewer than there are edges.
        edges: where the bins begin, and where the last one ends; from above 0 on if the axis doubles.
        axes: the names of the axis below and of the upright one, with their units.
        told: what the plot shows, in words.
        doubling: each step along the axis below is twice the one before.
        mark: a value on the axis below to draw a line at, and what to write there.

        >>> plot = histogram("Length", {"train": [2, 5]}, [0, 10, 20], axes=("characters", "rows"), told="Most are 10.")
        >>> plot.svg[:51], plot.legend
        ('<svg role="img" aria-label="Length: Most are 10." v', ('train',))

    Raises:
        ValueError: if there are more series than colours, or a series does not fit the edges.
    """
    _check(series, len(edges) - 1)
    with drawing(title, HEIGHT) as figure:
        canvas = figure.add_axes(frame(HEIGHT, left=52, bottom=42, top=26))
        for colour, heights in zip(SERIES, series.values(), strict=False):
            if len(series) == 1:  # the fillings of several would mix to a grey
                canvas.stairs(heights, edges, fill=True, color=colour, alpha=0.15)
            canvas.stairs(heights, edges, color=colour, linewidth=1.8)
        last = max(edges[-1], mark[1] * 1.05 if mark else 0)
        if doubling:
            _double(canvas, edges[0], last)
        canvas.set_xlim(edges[0], last)
        canvas.set_ylim(0, max(1e-9, *(height for heights in series.values() for height in heights)) * 1.08)
        if mark:
            draw_mark(canvas, *mark)
        dress(canvas, figure, axes, HEIGHT, left=52, lines="y", whole=_whole(series))
        element = svg(figure, title, told)
    return Plot(title, element, told, tuple(series))


def bars(
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    axes: tuple[str, str],
    told: str,
) -> Plot:
    """
    Draw a bar a label from left to right, the first label on top; with several series, a bar of each.

    Args:
        title: what stands above the plot.
        labels: what each bar stands for; a long one is cut.
        series: the length of each label's bar.
        axes: what the labels are, and the name of the axis below, with its unit.
        told: what the plot shows, in words.

        >>> plot = bars("Labels", ["긍정", "부정"], {"rows": [3, 5]}, axes=("label", "rows"), told="3 and 5.")
        >>> "긍정</text>" in plot.svg
        True

    Raises:
        ValueError: if there are more series than colours, or a series does not fit the labels.
    """
    _check(series, len(labels))
    names = [_short(label) for label in labels]
    left = 16 + max([0, *(columns_of(name) for name in names)]) * COLUMN_WIDTH
    height = 64 + len(labels) * (BAR_HEIGHT if len(series) == 1 else 8 + 12 * len(series))
    with drawing(title, height) as figure:
        canvas = figure.add_axes(frame(height, left=left, bottom=42, top=22))
        thickness = 0.72 / len(series)
        for index, (colour, lengths) in enumerate(zip(SERIES, series.values(), strict=False)):
            offset = (index - (len(series) - 1) / 2) * thickness
            canvas.barh([row + offset for row in range(len(labels))], lengths, thickness * 0.92, color=colour)
        canvas.set_yticks(range(len(labels)), names, parse_math=False)  # a label such as $a$ is no formula
        canvas.set_ylim(len(labels) - 0.5, -0.5)
        canvas.set_xlim(0, max(1e-9, *(length for lengths in series.values() for length in lengths)) * 1.05)
        dress(canvas, figure, axes[::-1], height, left=left, lines="x", whole=_whole(series))
        element = svg(figure, title, told)
    return Plot(title, element, told, tuple(series))


def _check(series: Mapping[str, Sequence[float]], length: int) -> None:
    if not 1 <= len(series) <= len(SERIES):
        raise ValueError(f"found {len(series)} series, expected 1 to {len(SERIES)}")
    for name, values in series.items():
        if len(values) != length or not length:
            raise ValueError(f"the series {name!r} has {len(values)} values, expected {max(length, 1)}")


def _double(canvas: Any, first: float, last: float) -> None:
    """Let the axis below double at each step, with a figure at each power of two, or at every other one."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    canvas.set_xscale("log", base=2)
    powers = [2**power for power in range(40) if first <= 2**power <= last]
    canvas.xaxis.set_major_locator(FixedLocator(powers if len(powers) <= 10 else powers[::2]))
    canvas.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    canvas.xaxis.set_minor_locator(NullLocator())


def _whole(series: Mapping[str, Sequence[float]]) -> bool:
    """Say whether rows are counted, of which there are no halves."""
    return all(isinstance(value, int) for values in series.values() for value in values)


def _short(label: str) -> str:
    """Cut a long label, and show what is no printing character, such as a line end, as a dot."""
    shown = "".join(character if character.isprintable() else "·" for character in label) or "(empty)"
    if columns_of(shown) <= MAX_LABEL_COLUMNS:
        return shown
    while columns_of(shown) > MAX_LABEL_COLUMNS - 1:
        shown = shown[:-1]
    return shown + "…"
