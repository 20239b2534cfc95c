"""
Confidence against truth: how often is right what a model was so and so sure of?

In:  reliability("Confidence", {"compact:base": [(0.55, 0.5, 40), (0.97, 0.99, 9000)]}, axes=(…), told="…").
Out: a Plot in which what is honest lies on the line from corner to corner, and what boasts below it:

    <svg role="img" aria-label="Confidence: …" viewBox="0 0 400 300"> … </svg>
"""

from collections.abc import Mapping, Sequence

from hanpuri.pages.plots.drawing import INK, SERIES, Plot, drawing, dress, frame, svg

HEIGHT = 300
SMALLEST, LARGEST = 12.0, 90.0  # areas of dots, in square points

Bin = tuple[float, float, int]


def reliability(title: str, series: Mapping[str, Sequence[Bin]], *, axes: tuple[str, str], told: str) -> Plot:
    """
    Draw a dot a bin, the larger the more fell into it, and the line on which confidence and truth are the same.

    Args:
        title: what stands above the plot.
        series: of each, (mean confidence, share that is right, how many) of each bin that is not empty.
        axes: the names of the axis below and of the upright one.
        told: what the plot shows, in words.

        >>> plot = reliability("Confidence", {"base": [(0.55, 0.5, 40)]}, axes=("confidence", "right"), told="Sure.")
        >>> plot.legend
        ('base',)

    Raises:
        ValueError: if there are more series than colours, or a series without a bin.
    """
    if not 1 <= len(series) <= len(SERIES):
        raise ValueError(f"found {len(series)} series, expected 1 to {len(SERIES)}")
    if empty := next((name for name, bins in series.items() if not bins), None):
        raise ValueError(f"the series {empty!r} has no bins, expected 1 or more")
    with drawing(title, HEIGHT) as figure:
        canvas = figure.add_axes(frame(HEIGHT, left=44, bottom=42, top=26))
        canvas.plot([0, 1], [0, 1], color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
        for colour, bins in zip(SERIES, series.values(), strict=False):
            confidences, shares, counts = zip(*sorted(bins), strict=True)
            canvas.plot(confidences, shares, color=colour, linewidth=1.2, clip_on=False)
            sizes = [SMALLEST + (LARGEST - SMALLEST) * (count / max(counts)) ** 0.5 for count in counts]
            canvas.scatter(confidences, shares, s=sizes, color=colour, linewidths=0, clip_on=False)
        canvas.set_xlim(0, 1)
        canvas.set_ylim(0, 1)
        dress(canvas, figure, axes, HEIGHT, left=44, lines="y", whole=False)
        element = svg(figure, title, told)
    return Plot(title, element, told, tuple(series))
