"""
What all plots share: the figure to draw in, the page's colours, the axes' dress, and the way to SVG.

In:  drawing("Loss", 230) gives a figure of matplotlib.   Out: svg(figure, …) writes it as an element of a page:

    <svg role="img" aria-label="Loss: …" viewBox="0 0 400 230"> … <path style="stroke: var(--series-1, #2f6db3)" …>

This room is the one that calls matplotlib, and it does so inside its functions only.
"""

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

WIDTH = 400  # points: two plots stand side by side on a desk, and one is still legible on a phone
HEIGHT = 230
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


@contextmanager
def drawing(title: str, height: float) -> Iterator[Any]:
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


def frame(height: float, left: float, bottom: float, top: float) -> tuple[float, float, float, float]:
    """Place the axes by points rather than by the size of texts, which would hang on fonts."""
    return left / WIDTH, bottom / height, (WIDTH - left - 22) / WIDTH, (height - bottom - top) / height


def dress(canvas: Any, figure: Any, axes: tuple[str, str], height: float, left: float, lines: str, whole: bool) -> None:
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


def draw_mark(canvas: Any, label: str, value: float) -> None:
    """Draw a line at `value`, its label above the axes on the side where there is room."""
    from matplotlib.transforms import blended_transform_factory

    canvas.axvline(value, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    place = blended_transform_factory(canvas.transData, canvas.transAxes)
    left_half = canvas.transAxes.inverted().transform(canvas.transData.transform((value, 0)))[0] < 0.5
    canvas.text(value, 1.02, label, transform=place, ha="left" if left_half else "right", va="bottom", parse_math=False)


def columns_of(text: str) -> int:
    """Count the columns that a text takes: a Hangul syllable is two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def svg(figure: Any, title: str, told: str) -> str:
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
