"""
Courses to plots: how a value runs over another one, such as a loss over the steps.

In:  lines("Loss", {"train": [(10, 2.5), (20, 2.25)]}, axes=("step", "nats"), told="…").   Out: a Plot:

    <svg role="img" aria-label="Loss: …" viewBox="0 0 400 230"> … <path d="M 45.2 40.1 L 370 170" …> … </svg>

Both axes reach as far as what is drawn, so that a small change is seen; one begins at 0 only where that is near.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hanpuri.pages.plots.drawing import COLUMN_WIDTH, HEIGHT, SERIES, Plot, draw_mark, drawing, dress, frame, svg

FEW_POINTS = 24  # a line of so many shows them as dots too
FARTHEST = 1e100  # beyond it not even the length of an axis can be reckoned
GAP = (math.nan, math.nan)
Point = tuple[float, float]


def lines(
    title: str,
    series: Mapping[str, Sequence[Point]],
    *,
    axes: tuple[str, str],
    told: str,
    logarithmic: tuple[bool, bool] = (False, False),
    band: Sequence[tuple[float, float, float]] = (),
    mark: tuple[str, float] | None = None,
) -> Plot:
    """
    Draw a line a series through its points; where they are few, each is a dot too.

    A point that cannot be drawn (NaN, infinite, over 1e100, or not above 0 on a logarithmic axis) is a gap in the line.

    Args:
        title: what stands above the plot.
        series: the points (x, y) of each line, from left to right.
        axes: the names of the axis below and of the upright one, with their units.
        told: what the plot shows, in words.
        logarithmic: whether the axis below and the upright one multiply at each step.
        band: (x, low, high): what lies between is tinted in the colour of the first series.
        mark: a value on the axis below to draw a line at, and what to write there.

        >>> points = [(10, 2.5), (20, float("nan")), (30, 2.25)]
        >>> plot = lines("Loss", {"train": points}, axes=("step", "nats"), told="It falls.", mark=("best", 30))
        >>> ">best</text>" in plot.svg, "nan" in plot.svg
        (True, False)

    Raises:
        ValueError: if there are more series than colours, or a series without a point.
    """
    _check(series)
    drawn = {name: [_drawable(point, logarithmic) for point in points] for name, points in series.items()}
    edges = [_drawable((x, y), logarithmic) for x, *ends in band for y in ends]
    shown = [point for points in [*drawn.values(), edges] for point in points]
    marked = _drawable((mark[1], 1), logarithmic)[0] if mark else math.nan
    below = _Scale.over([*(x for x, _ in shown), marked], logarithmic[0], padding=0.02)
    upright = _Scale.over([y for _, y in shown], logarithmic[1], padding=0.07)
    left = 18 + max(len(label) for _, label in upright.ticks) * COLUMN_WIDTH
    with drawing(title, HEIGHT) as figure:
        canvas = figure.add_axes(frame(HEIGHT, left=left, bottom=42, top=40 if mark else 26))
        dress(canvas, figure, axes, HEIGHT, left=left, lines="y", whole=False)
        below.lay_on(canvas.xaxis, canvas.set_xscale, canvas.set_xlim)
        upright.lay_on(canvas.yaxis, canvas.set_yscale, canvas.set_ylim)
        if band:
            _draw_band(canvas, band, logarithmic, foot=upright.low)
        for colour, points in zip(SERIES, drawn.values(), strict=False):
            xs, ys = zip(*points, strict=True)
            dots: dict[str, Any] = {"marker": "o", "markersize": 4, "markevery": _dots(points)}
            canvas.plot(
                xs, ys, color=colour, linewidth=1.6, clip_on=False, **dots
            )  # half a dot would be cut at an edge
        if mark and math.isfinite(marked):
            draw_mark(canvas, *mark)
        element = svg(figure, title, told)
    return Plot(title, element, told, tuple(series))


def _check(series: Mapping[str, Sequence[Point]]) -> None:
    if not 1 <= len(series) <= len(SERIES):
        raise ValueError(f"found {len(series)} series, expected 1 to {len(SERIES)}")
    if empty := next((name for name, points in series.items() if not points), None):
        raise ValueError(f"the series {empty!r} has no points, expected 1 or more")


def _drawable(point: Point, logarithmic: tuple[bool, bool]) -> Point:
    """Give a point as it is, or a gap if it has no place on the axes."""
    for value, is_logarithmic in zip(point, logarithmic, strict=True):
        if not abs(value) < FARTHEST or (is_logarithmic and value < 1 / FARTHEST):
            return GAP
    return point


def _dots(points: Sequence[Point]) -> list[int]:
    """Choose the points to show as dots: all of a few; of many, those between two gaps, where no line runs."""
    gaps = [True, *(math.isnan(x) for x, _ in points), True]
    alone = [index for index in range(len(points)) if gaps[index] and gaps[index + 2]]
    return list(range(len(points))) if len(points) <= FEW_POINTS else alone


def _draw_band(
    canvas: Any, band: Sequence[tuple[float, float, float]], logarithmic: tuple[bool, bool], foot: float
) -> None:
    """Tint what lies between low and high; a low end that has no place on a logarithmic axis reaches to its foot."""
    tops = [_drawable((x, high), logarithmic) for x, _, high in band]
    lows = [max(low, foot) if abs(low) < FARTHEST else math.nan for _, low, _ in band]
    xs, highs = zip(*tops, strict=True)
    there = [not (math.isnan(low) or math.isnan(high)) for low, high in zip(lows, highs, strict=True)]
    canvas.fill_between(xs, lows, highs, where=there, color=SERIES[0], alpha=0.18, linewidth=0)


@dataclass(frozen=True)
class _Scale:
    """An axis: where it begins and ends, whether it is logarithmic, its ticks with what is written at each."""

    low: float
    high: float
    logarithmic: bool
    ticks: tuple[tuple[float, str], ...]

    @classmethod
    def over(cls, values: Sequence[float], logarithmic: bool, padding: float) -> "_Scale":
        """Reach over all values that are numbers; `padding` is the share of the axis left empty at each end."""
        known = [value for value in values if math.isfinite(value)] or [1.0]
        low, high = min(known), max(known)
        if logarithmic:
            room = max((high / low) ** padding, 1.02)
            low, high = low / room, high * room
        else:
            room = (high - low) * padding or abs(high) * 0.1 or 1.0
            low, high = (0.0 if 0 <= low < 3 * room else low - room), high + room
        ticks = _ticks(low, high, logarithmic, whole=all(isinstance(value, int) for value in known))
        return cls(low, high, logarithmic, tuple(zip(ticks, _labels(ticks), strict=True)))

    def lay_on(self, axis: Any, set_scale: Any, set_limits: Any) -> None:
        """Make an axis of a drawing this one."""
        from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

        set_scale("log" if self.logarithmic else "linear")
        set_limits(self.low, self.high)
        axis.set_major_locator(FixedLocator([value for value, _ in self.ticks]))
        axis.set_major_formatter(FixedFormatter([label for _, label in self.ticks]))
        axis.set_minor_locator(NullLocator())


def _ticks(low: float, high: float, logarithmic: bool, whole: bool) -> list[float]:
    """Choose round values from low to high: powers of ten on a long logarithmic axis, else about five steps."""
    if logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for leads in ((1,), (1, 3), (1, 2, 5)):
            ticks = [float(f"{lead}e{decade}") for decade in decades for lead in leads]
            ticks = [tick for tick in ticks if low <= tick <= high]
            if len(ticks) >= 3:
                return ticks[:: math.ceil(len(ticks) / 7)]
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole)
    return [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high] or [low]


def _labels(ticks: Sequence[float]) -> list[str]:
    """
    Write ticks in few figures, but so that no two look alike.

    >>> _labels([0, 50_000, 100_000]), _labels([0, 5e6, 1e7]), _labels([0, 1e-4, 2e-4]), _labels([1_000_100, 1_000_200])
    (['0', '50,000', '100,000'], ['0', '5e6', '1e7'], ['0', '1e-4', '2e-4'], ['1,000,100', '1,000,200'])
    """
    largest = max(abs(tick) for tick in ticks)
    if largest >= 1e-3 and all(tick == 0 or 1e-3 <= abs(tick) < 1e6 for tick in ticks):
        return [f"{tick:,.10g}" for tick in ticks]
    short = [_scientific(0 if abs(tick) < largest * 1e-9 else tick) for tick in ticks]
    return short if len(set(short)) == len(short) else [f"{tick:,.10g}" for tick in ticks]


def _scientific(value: float) -> str:
    if not value:
        return "0"
    figures, _, power = f"{value:.2e}".partition("e")
    return f"{figures.rstrip('0').rstrip('.')}e{int(power)}"
