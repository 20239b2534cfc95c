"""
Numbers to plots: SVG to stand inside a page, its text as text, its colours those of the page.

In: numbers, names, and a sentence that says what the plot shows. Out: a Plot, whose `svg` a page takes in as it is:

    <svg role="img" aria-label="Rows by label: …" viewBox="0 0 400 108"> … <text …>긍정</text> … </svg>

The same numbers give the same bytes: there is no date in them, no random id, and no measure taken from a font of the
machine.
"""

from hanpuri.pages.plots.bar_plots import MAX_LABEL_COLUMNS, bars, histogram
from hanpuri.pages.plots.drawing import SERIES, Plot
from hanpuri.pages.plots.heat_maps import heat_map
from hanpuri.pages.plots.line_plots import lines
from hanpuri.pages.plots.reliability_plots import reliability

__all__ = ["MAX_LABEL_COLUMNS", "SERIES", "Plot", "bars", "heat_map", "histogram", "lines", "reliability"]
