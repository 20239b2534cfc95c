"""
Counts of pairs to plots: a field a pair, the darker the more often, such as which letter was taken for which.

In:  heat_map("Leads", "ㄱㄲ", "ㄱㄲ", [[0, 30], [2, 0]], axes=("restored", "clean"), told="…").   Out: a Plot:

    <svg role="img" aria-label="Leads: …" viewBox="0 0 400 152"> … <text …>ㄲ</text> … </svg>

Counts of letters lie far apart, so each of the five shades stands for several times as much as the one before.
"""

from collections.abc import Sequence
from typing import Any

from hanpuri.pages.plots.drawing import COLUMN_WIDTH, GRID, INK, SERIES, WIDTH, Plot, columns_of, drawing, frame, svg

SHADES = (0.2, 0.38, 0.56, 0.78, 1.0)
MAX_FIELD = 26  # points
BOTTOM, TOP, RIGHT = 42, 40, 22


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    axes: tuple[str, str],
    told: str,
) -> Plot:
    """
    Draw a field for each row and column; a count of 0 leaves it empty.

    Args:
        title: what stands above the plot.
        rows: what each row stands for, the first one on top.
        columns: what each column stands for.
        counts: a count for each row and column.
        axes: what the columns are, and what the rows are.
        told: what the plot shows, in words.

        >>> plot = heat_map("Leads", "ㄱㄲ", "ㄱㄲ", [[0, 30], [2, 0]], axes=("restored", "clean"), told="ㄱ as ㄲ.")
        >>> "ㄲ</text>" in plot.svg, plot.legend
        (True, ())

    Raises:
        ValueError: if the counts do not fit the rows and columns, or there are none above 0.
    """
    _check(rows, columns, counts)
    most = max(max(row) for row in counts)
    left = 20 + max(map(columns_of, rows)) * COLUMN_WIDTH
    field = min(MAX_FIELD, (WIDTH - left - RIGHT) / len(columns))
    height = BOTTOM + TOP + field * len(rows)
    with drawing(title, height) as figure:
        x, y, _, tall = frame(height, left=left, bottom=BOTTOM, top=TOP)
        canvas = figure.add_axes((x, y, field * len(columns) / WIDTH, tall))
        _dress(canvas, rows, columns, field)
        _shade(canvas, counts, most)
        _draw_scale(figure, height, most)
        figure.text(x + field * len(columns) / 2 / WIDTH, 8 / height, axes[0], ha="center", parse_math=False)
        figure.text(8 / WIDTH, 1 - 13 / height, axes[1], ha="left", parse_math=False)
        element = svg(figure, title, told)
    return Plot(title, element, told, ())


def _shade(canvas: Any, counts: Sequence[Sequence[int]], most: int) -> None:
    num_shades = len(_starts(most))
    for shade in range(num_shades):
        places = [
            (column, row)
            for row, counted in enumerate(counts)
            for column, count in enumerate(counted)
            if count and shade_of(count, most) == shade
        ]
        _fill(canvas, places, _opacity(shade, num_shades))


def _opacity(shade: int, num_shades: int) -> float:
    """Spread few shades over the whole scale."""
    return SHADES[(len(SHADES) - 1) * shade // (num_shades - 1)] if num_shades > 1 else SHADES[len(SHADES) // 2]


def shade_of(count: int, most: int) -> int:
    """
    Choose the shade of a count, 0 to 4: each begins at several times the count of the one before.

    >>> [shade_of(count, 1000) for count in (1, 3, 4, 15, 16, 63, 64, 255, 256, 1000)]
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """
    return min(len(SHADES) - 1, sum(count >= start for start in _starts(most)[1:]))


def _starts(most: int) -> list[int]:
    """Give the count that each shade begins at: powers of the least whole number that reaches far enough."""
    base = next(base for base in range(2, most + 3) if base ** len(SHADES) > most)
    return [base**power for power in range(len(SHADES)) if base**power <= most]


def _check(rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    shape = (len(counts), *{len(row) for row in counts})
    if shape != (len(rows), len(columns)):
        raise ValueError(f"found counts of the shape {shape}, expected {(len(rows), len(columns))}")
    if not any(map(any, counts)) or min(map(min, counts)) < 0:
        raise ValueError("expected counts of 0 and more, and one of them above 0")


def _dress(canvas: Any, rows: Sequence[str], columns: Sequence[str], field: float) -> None:
    """Name the rows and columns, and draw the lines between them; ticks of matplotlib take a second for as much."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    bottom, right = len(rows) - 0.5, len(columns) - 0.5
    canvas.set_xlim(-0.5, right)
    canvas.set_ylim(bottom, -0.5)
    canvas.set_xticks([])
    canvas.set_yticks([])
    size, gap = min(11.0, 0.72 * field), 5 / field
    for place, name in enumerate(columns):
        canvas.text(place, bottom + gap, name, fontsize=size, ha="center", va="top", parse_math=False)
    for place, name in enumerate(rows):
        canvas.text(-0.5 - gap, place, name, fontsize=size, ha="right", va="center_baseline", parse_math=False)
    ends = [((-0.5, place + 0.5), (right, place + 0.5)) for place in range(len(rows) - 1)]
    ends += [((place + 0.5, -0.5), (place + 0.5, bottom)) for place in range(len(columns) - 1)]
    if ends:
        codes = [Path.MOVETO, Path.LINETO] * len(ends)
        lines = Path([end for line in ends for end in line], codes)
        canvas.add_patch(PathPatch(lines, fill=False, edgecolor=GRID, linewidth=0.5, zorder=0.5))
    for spine in canvas.spines.values():
        spine.set_linewidth(0.5)


def _fill(canvas: Any, places: Sequence[tuple[float, float]], opacity: float, size: float = 0.92) -> None:
    """Fill all fields of one shade as one path: a path each would be most of the page."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    if places:
        half = size / 2
        square = ((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))
        vertices = [(x + dx, y + dy) for x, y in places for dx, dy in square]
        codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(places)
        canvas.add_patch(PathPatch(Path(vertices, codes), color=SERIES[1], alpha=opacity, linewidth=0))


def _draw_scale(figure: Any, height: float, most: int) -> None:
    """Show from which count on each shade stands, on the right above the fields."""
    starts = _starts(most)
    labels = [f"{start:,}" if shade == 0 else f"{start:,}+" for shade, start in enumerate(starts)]
    if len(starts) > 1:
        labels[0] = f"{starts[0]}+"
    widths = [22 + len(label) * COLUMN_WIDTH for label in labels]
    scale = figure.add_axes(frame(height, left=WIDTH - RIGHT - sum(widths), bottom=height - 22, top=6))
    scale.set_axis_off()
    scale.set_xlim(0, sum(widths))
    scale.set_ylim(0, 16)
    at = 0.0
    for shade, (label, width) in enumerate(zip(labels, widths, strict=True)):
        _fill(scale, [(at + 6, 8)], _opacity(shade, len(starts)), size=11)
        scale.text(at + 15, 8, label, va="center", fontsize=9, color=INK, parse_math=False)
        at += width
