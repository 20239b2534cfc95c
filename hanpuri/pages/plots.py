"""
Numbers to plots: SVG to stand inside a page, its text as text, its colours those of the page.

In:  bars("Rows by label", ["긍정", "부정"], {"rows": [3, 5]}, axes=("label", "rows"), told="…").   Out: a Plot:

    <svg role="img" aria-label="Rows by label: …" viewBox="0 0 400 108"> … <text …>긍정</text> … </svg>

The same numbers give the same bytes: there is no date in them, no random id, and no measure taken from a font of the
machine. This is the one module that calls matplotlib, and it does so inside its functions only.
"""

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

WIDTH = 400  # points: two plots stand side by side on a desk, and one is still legible on a phone
HISTOGRAM_HEIGHT = 230
BAR_HEIGHT = 22
MAX_LABEL_COLUMNS = 24
FONT_SIZE = 11
COLUMN_WIDTH = 6.3  # points that a Latin letter takes at most, of that size; a Hangul syllable is two columns

# matplotlib draws with these; the page's style sheet says what they are in light and in dark. Without one, the second.
INK, GRID = "#000001", "#000002"
SERIES = ("#000011", "#000012", "#000013", "#000014", "#000015", "#000016")
COLOURS = {
    **{INK: "var(--ink, #22282f)", GRID: "var(--line, #d9dee4)"},
    **{
        SERIES[index]: f"var(--series-{index + 1}, {colour})"
        for index, colour in enumerate(("#2f6db3", "#c8641b", "#2e8b62", "#8559b0", "#a08412", "#68727d"))
    },
}
REFERENCE = re.compile(r"#([\w-]+)")  # url(#clip) and href="#mark"
FONT = re.compile(r"font-family: [^;]*; ?")


@dataclass(frozen=True)
class Plot:
    """A plot: its title, its SVG, what it shows in words, and the names of its series in the order of their colours."""

    title: str
    svg: str
    told: str
    legend: tuple[str, ...]


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
    with _drawing(title, HISTOGRAM_HEIGHT) as figure:
        canvas = figure.add_axes(_frame(HISTOGRAM_HEIGHT, left=52, bottom=42, top=26))
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
            _draw_mark(canvas, *mark)
        _dress(canvas, figure, axes, HISTOGRAM_HEIGHT, left=52, lines="y", whole=_whole(series))
        svg = _svg(figure, title, told)
    return Plot(title, svg, told, tuple(series))


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
    left = 16 + max([0, *(_columns(name) for name in names)]) * COLUMN_WIDTH
    height = 64 + len(labels) * (BAR_HEIGHT if len(series) == 1 else 8 + 12 * len(series))
    with _drawing(title, height) as figure:
        canvas = figure.add_axes(_frame(height, left=left, bottom=42, top=22))
        thickness = 0.72 / len(series)
        for index, (colour, lengths) in enumerate(zip(SERIES, series.values(), strict=False)):
            offset = (index - (len(series) - 1) / 2) * thickness
            canvas.barh([row + offset for row in range(len(labels))], lengths, thickness * 0.92, color=colour)
        canvas.set_yticks(range(len(labels)), names, parse_math=False)  # a label such as $a$ is no formula
        canvas.set_ylim(len(labels) - 0.5, -0.5)
        canvas.set_xlim(0, max(1e-9, *(length for lengths in series.values() for length in lengths)) * 1.05)
        _dress(canvas, figure, axes[::-1], height, left=left, lines="x", whole=_whole(series))
        svg = _svg(figure, title, told)
    return Plot(title, svg, told, tuple(series))


def _check(series: Mapping[str, Sequence[float]], length: int) -> None:
    if not 1 <= len(series) <= len(SERIES):
        raise ValueError(f"found {len(series)} series, expected 1 to {len(SERIES)}")
    for name, values in series.items():
        if len(values) != length or not length:
            raise ValueError(f"the series {name!r} has {len(values)} values, expected {max(length, 1)}")


@contextmanager
def _drawing(title: str, height: float) -> Iterator[Any]:
    """Give a figure to draw in; its ids come from the title, so that two plots of one page do not share any."""
    import matplotlib
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": title, "grid.color": GRID}
    settings |= {"font.family": "DejaVu Sans", "font.size": FONT_SIZE}  # the font that matplotlib brings along
    settings |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), INK)
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # That font lacks Hangul, and only measures: the browser draws the text with one of its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield Figure(figsize=(WIDTH / 72, height / 72))


def _frame(height: float, left: float, bottom: float, top: float) -> tuple[float, float, float, float]:
    """Place the axes by points rather than by the size of texts, which would hang on fonts."""
    return left / WIDTH, bottom / height, (WIDTH - left - 22) / WIDTH, (height - bottom - top) / height


def _dress(
    canvas: Any, figure: Any, axes: tuple[str, str], height: float, left: float, lines: str, whole: bool
) -> None:
    """Name the axes, write figures with separators, and take away what carries no information."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    counted = canvas.yaxis if lines == "y" else canvas.xaxis
    counted.set_major_locator(MaxNLocator(5, integer=whole))
    counted.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if lines == "y" and canvas.get_xscale() != "log":
        canvas.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    canvas.grid(axis=lines, linewidth=0.8)
    canvas.set_axisbelow(True)
    canvas.tick_params(length=0, pad=5)
    for side in ("top", "right", "left" if lines == "y" else "bottom"):
        canvas.spines[side].set_visible(False)
    below, upright = axes
    figure.text((left + WIDTH - 22) / 2 / WIDTH, 8 / height, below, ha="center", parse_math=False)
    figure.text(8 / WIDTH, 1 - 13 / height, upright, ha="left", parse_math=False)


def _double(canvas: Any, first: float, last: float) -> None:
    """Let the axis below double at each step, with a figure at each power of two, or at every other one."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    canvas.set_xscale("log", base=2)
    powers = [2**power for power in range(40) if first <= 2**power <= last]
    canvas.xaxis.set_major_locator(FixedLocator(powers if len(powers) <= 10 else powers[::2]))
    canvas.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    canvas.xaxis.set_minor_locator(NullLocator())


def _draw_mark(canvas: Any, label: str, value: float) -> None:
    """Draw a line at `value`, its label above the axes on the side where there is room."""
    from matplotlib.transforms import blended_transform_factory

    canvas.axvline(value, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    place = blended_transform_factory(canvas.transData, canvas.transAxes)
    left_half = canvas.transAxes.inverted().transform(canvas.transData.transform((value, 0)))[0] < 0.5
    canvas.text(value, 1.02, label, transform=place, ha="left" if left_half else "right", va="bottom", parse_math=False)


def _whole(series: Mapping[str, Sequence[float]]) -> bool:
    """Say whether rows are counted, of which there are no halves."""
    return all(isinstance(value, int) for values in series.values() for value in values)


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _short(label: str) -> str:
    """Cut a long label, and show what is no printing character, such as a line end, as a dot."""
    shown = "".join(character if character.isprintable() else "·" for character in label) or "(empty)"
    if _columns(shown) <= MAX_LABEL_COLUMNS:
        return shown
    while _columns(shown) > MAX_LABEL_COLUMNS - 1:
        shown = shown[:-1]
    return shown + "…"


def _svg(figure: Any, title: str, told: str) -> str:
    """Write the figure as an element that can stand in a page: no name space, no style of its own, no spare id."""
    written = io.StringIO()
    figure.set_facecolor("none")
    for axes in figure.axes:
        axes.set_facecolor("none")
    figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = written.getvalue()
    root = ElementTree.fromstring(svg[svg.index("<svg") :])
    used = {name for element in root.iter() for value in element.attrib.values() for name in REFERENCE.findall(value)}
    for element in list(root.iter()):
        element.tag = _local(element.tag)
        element.text, element.tail = element.text if element.tag == "text" else None, None
        kept = {_local(name): _restyled(value) for name, value in element.attrib.items() if "rotate(-0" not in value}
        element.attrib = {name: value for name, value in kept.items() if name != "id" or value in used}
    for definitions in root.findall("defs"):
        for style in definitions.findall("style"):  # it would hold for the whole page
            definitions.remove(style)
    root.attrib = {"role": "img", "aria-label": f"{title}: {told}", "viewBox": root.attrib["viewBox"]}
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _restyled(value: str) -> str:
    """Leave the font to the page, and write the page's colours for those that were drawn with."""
    value = FONT.sub("", value)
    for drawn, shown in COLOURS.items():
        value = value.replace(drawn, shown)
    return value
