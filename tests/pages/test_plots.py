"""
Plots: what stands in their SVG, and that the same numbers give the same bytes.

In: numbers and names. Out: an <svg> element to stand inside a page.
"""

import math
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.pages.plots import MAX_LABEL_COLUMNS, SERIES, Plot, bars, heat_map, histogram, lines, reliability


def labels_plot(labels=("긍정", "부정"), title="Rows by label", **series) -> Plot:
    series = series or {"rows": range(3, 3 + len(labels))}
    return bars(title, labels, series, axes=("label", "rows"), told="Most are 부정.")


def lengths_plot(edges=(0.5, 10.5, 20.5), title="Length of the rows", doubling=False, mark=None, **series) -> Plot:
    series = series or {"train": range(1, len(edges))}
    axes = ("characters", "% of the rows")
    return histogram(title, series, edges, axes=axes, told="Half have 10.", doubling=doubling, mark=mark)


def texts(plot: Plot) -> list[str]:
    return [element.text for element in ElementTree.fromstring(plot.svg).iter("text")]


# --- what stands in a plot


def test_text_is_text_and_the_axes_are_named():
    assert texts(labels_plot()) == ["0", "1", "2", "3", "4", "긍정", "부정", "rows", "label"]
    assert texts(lengths_plot())[-2:] == ["characters", "% of the rows"]


def test_a_plot_can_be_read_out():
    root = ElementTree.fromstring(labels_plot().svg)
    assert (root.get("role"), root.get("aria-label")) == ("img", "Rows by label: Most are 부정.")


def test_the_first_label_stands_on_top_and_the_longest_bar_is_the_last_here():
    root = ElementTree.fromstring(labels_plot().svg)
    heights = {text.text: float(text.get("y")) for text in root.iter("text")}
    assert heights["긍정"] < heights["부정"]


def test_each_series_has_the_colour_of_its_place_in_the_legend():
    plot = lengths_plot(train=[1, 2], validation=[2, 1], test=[1, 1])
    assert plot.legend == ("train", "validation", "test")
    assert re.findall(r"stroke: var\(--(series-\d)", plot.svg) == ["series-1", "series-2", "series-3"]
    assert "#0000" not in plot.svg  # the colours that matplotlib drew with


def test_the_font_is_that_of_the_page():
    assert "font-family" not in labels_plot().svg


def test_a_mark_is_drawn_and_lies_inside_the_plot_however_far_it_is():
    plot = lengths_plot(edges=(0.5, 1.5, 2.5, 4.5), doubling=True, mark=("max_length 2,048", 2048))
    root = ElementTree.fromstring(plot.svg)
    (text,) = (text for text in root.iter("text") if text.text == "max_length 2,048")
    assert 200 < float(text.get("x")) < 400
    assert {"1", "4", "1,024"} <= set(texts(plot))  # every other power of two: twelve figures would run together


def test_what_is_counted_has_no_halves():
    ticks = texts(labels_plot(rows=[1, 2]))[:-4]
    assert ticks == ["0", "1", "2"]


def test_figures_have_separators_and_bars_of_nothing_are_drawn():
    assert "12,000" in texts(labels_plot(rows=[25_000, 0]))
    assert texts(labels_plot(rows=[0, 0]))[-4:] == ["긍정", "부정", "rows", "label"]


def test_a_long_label_is_cut():
    (label,) = (text for text in texts(labels_plot(["가" * 200], rows=[1])) if "가" in text)
    assert label == "가" * ((MAX_LABEL_COLUMNS - 1) // 2) + "…"


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("$x^2$", "$x^2$"),  # matplotlib would read a formula
        ("<script>alert(1)</script>", "<script>alert(1)</script>"[:23] + "…"),
        ("두\n줄", "두·줄"),  # XML has no control characters
        ("\ud800\ufffe\0", "···"),
        ("fill: #000011", "fill: #000011"),  # a colour that is drawn with
        ('id="m1" #m1', 'id="m1" #m1'),
        ("font-family: x; ", "font-family: x; "),
        ("", "(empty)"),
    ],
)
def test_a_label_is_shown_as_it_is_whatever_is_in_it(label, shown):
    assert texts(labels_plot([label, "끝"], rows=[1, 1]))[-4] == shown


@settings(max_examples=25)
@given(st.text(st.characters(), max_size=30))
def test_any_label_and_title_give_an_element_that_can_be_read(text):
    plot = labels_plot([text, "끝"], title="".join(filter(str.isprintable, text)), rows=[1, 2])
    assert ElementTree.fromstring(plot.svg).tag == "svg"


# --- courses


def loss_plot(points=((10, 2.5), (20, 2.25)), title="Loss", **options) -> Plot:
    series = options.pop("series", {"training": points})
    return lines(title, series, axes=("step", "nats"), told="It falls.", **options)


def dots(plot: Plot) -> int:
    return sum("--series" in use.get("style", "") for use in ElementTree.fromstring(plot.svg).iter("use"))


def line_of(plot: Plot) -> str:
    """The path of the first series: M begins a stretch of it, L goes on with it."""
    found = (path for path in ElementTree.fromstring(plot.svg).iter("path") if "fill: none" in path.get("style", ""))
    (path,) = (path.get("d") for path in found if "--series-1" in path.get("style"))
    return path


def test_both_axes_reach_over_the_points_and_are_named():
    shown = texts(loss_plot())
    assert shown[-2:] == ["step", "nats"]
    assert (shown[0], shown[-3]) == ("10", "2.5")


def test_few_points_are_dots_and_many_are_a_line():
    course = [(step, step / 7) for step in range(200)]
    assert [dots(loss_plot(course[:count])) for count in (1, 24, 200)] == [1, 24, 0]


def test_a_point_that_cannot_be_drawn_is_a_gap_and_one_alone_between_gaps_a_dot():
    course = [(step, math.nan if step in (50, 52, 90) else math.sin(step)) for step in range(100)]
    plot = loss_plot(course)
    assert line_of(plot).count("M") in (3, 4)  # up to 49; 53 to 89; from 91 on; 51 is a stretch without length
    assert dots(plot) == 1


@pytest.mark.parametrize(
    "points",
    [
        [(1, math.nan), (2, math.inf), (3, -math.inf)],
        [(0, 0.0)],  # no place on a logarithmic axis
        [(1, 1e-300), (2, 1e300)],
        [(1, 5e-324)],
        [(1, 0.1), (2, 0.1)],  # a course that stands still
        [(-5, -1.0), (0, -1.0000001)],
        [(10**9, 1), (10**9 + 1, 2)],
    ],
)
@pytest.mark.parametrize("logarithmic", [(False, False), (False, True), (True, True)])
def test_whatever_the_numbers_are_a_plot_comes_of_them(points, logarithmic):
    plot = loss_plot(points, logarithmic=logarithmic, band=[(x, y / 2, y * 2) for x, y in points], mark=("best", 0))
    assert not re.search(r"\b(nan|inf)\b", plot.svg)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=5), st.tuples(st.booleans(), st.booleans()))
def test_any_points_give_an_element_that_can_be_read(points, logarithmic):
    plot = loss_plot(points, logarithmic=logarithmic)
    assert ElementTree.fromstring(plot.svg).tag == "svg"
    assert "nan" not in plot.svg


def test_powers_of_ten_stand_on_a_long_logarithmic_axis_and_figures_on_a_short_one():
    compute = [(10.0**power, 4 - (power - 15) / 4) for power in range(15, 21)]
    shown = texts(loss_plot(compute, logarithmic=(True, True)))
    assert shown[:6] == ["1e15", "1e16", "1e17", "1e18", "1e19", "1e20"]
    assert shown[6:-2] == ["3", "3.5", "4"]


def test_a_band_is_tinted_and_the_axis_reaches_over_it():
    plot = loss_plot(band=[(10, 2, 3), (20, 1, math.nan), (30, 2, 4)])
    assert "fill-opacity: 0.18" in plot.svg
    assert {"2", "4", "30"} <= set(texts(plot))


def test_a_mark_of_a_course_lies_inside_the_plot():
    plot = loss_plot(mark=("best", 40))
    (text,) = (text for text in ElementTree.fromstring(plot.svg).iter("text") if text.text == "best")
    assert 200 < float(text.get("x")) < 400
    assert "40" in texts(plot)


def test_the_same_courses_give_the_same_bytes():
    assert loss_plot(mark=("best", 20)) == loss_plot(mark=("best", 20))


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"training": []}, "the series 'training' has no points, expected 1 or more"),
        ({str(number): [(1, 1)] for number in range(7)}, "found 7 series, expected 1 to 6"),
        ({}, "found 0 series, expected 1 to 6"),
    ],
)
def test_courses_that_cannot_be_drawn_are_refused(series, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loss_plot(series=series)


# --- heat maps


def letters_map(counts=((0, 30), (2, 0)), rows="ㄱㄲ", columns="ㄱㄲ", title="Leads") -> Plot:
    return heat_map(title, rows, columns, counts, axes=("restored", "clean"), told="ㄱ as ㄲ.")


def fields(plot: Plot) -> list[tuple[float, str]]:
    """How dark the fields are, and where: a path holds all of one shade. Behind them the scale is drawn."""
    root = ElementTree.fromstring(plot.svg)
    paths = [path for path in root.iter("path") if "fill: var(--series-2" in path.get("style", "")]
    scale = sum(text[0].isdigit() for text in texts(plot))
    opacities = (re.search(r"opacity: ([\d.]+)", path.get("style")) for path in paths)
    dark = [float(found[1]) if found else 1.0 for found in opacities]
    return [(one, path.get("d")) for one, path in zip(dark, paths, strict=True)][:-scale]


def test_a_heat_map_names_its_rows_columns_and_axes():
    assert texts(letters_map(rows="ㅏㅑ")) == [
        "ㄱ",
        "ㄲ",
        "ㅏ",
        "ㅑ",
        "1+",
        "2+",
        "4+",
        "8+",
        "16+",
        "restored",
        "clean",
    ]


def test_the_more_often_the_darker():
    assert [dark for dark, _ in fields(letters_map([[0, 100], [1, 0]]))] == [0.2, 1.0]
    assert [dark for dark, _ in fields(letters_map([[0, 100, 99], [9, 0, 1]], columns="가나다"))] == [0.2, 0.56, 1.0]


def test_a_count_of_nothing_is_an_empty_field():
    ((_, path),) = fields(letters_map([[0, 5, 0], [0, 0, 5]], columns="가나다"))
    assert path.count("M") == 2


def test_the_field_of_a_row_and_column_is_where_their_names_are():
    plot = letters_map([[0, 0], [7, 0]], rows="ㅏㅑ")
    names = {text.text: text for text in ElementTree.fromstring(plot.svg).iter("text")}
    ((_, field),) = fields(plot)
    corners = [tuple(map(float, corner)) for corner in re.findall(r"(-?[\d.]+) (-?[\d.]+)", field)]
    (left, right), (top, bottom) = ((min(side), max(side)) for side in zip(*corners, strict=True))
    assert left < float(names["ㄱ"].get("x")) < right
    assert top < float(names["ㅑ"].get("y")) - 4 < bottom


@pytest.mark.parametrize("most", [1, 2, 3, 31, 32, 10**6])
def test_the_scale_begins_at_one_and_reaches_the_most_frequent(most):
    scale = [text for text in texts(letters_map([[0, most], [1, 0]])) if text[0].isdigit()]
    starts = [int(start.rstrip("+").replace(",", "")) for start in scale]
    assert starts[0] == 1
    assert starts[-1] <= most
    assert len(starts) <= 5


def test_the_largest_table_of_letters_fits_the_width():
    letters = [chr(0x3131 + place) for place in range(28)]
    plot = letters_map([[1] * 28] * 28, rows=letters, columns=letters)
    assert ElementTree.fromstring(plot.svg).get("viewBox").split()[2] == "400"
    assert len(plot.svg) < 100_000


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (((0, 0), (0, 0)), "expected counts of 0 and more, and one of them above 0"),
        (((0, 1), (-1, 0)), "expected counts of 0 and more, and one of them above 0"),
        (((0, 1),), "found counts of the shape (1, 2), expected (2, 2)"),
        (((0, 1), (0,)), "found counts of the shape (2, 1, 2), expected (2, 2)"),
    ],
)
def test_a_heat_map_that_cannot_be_drawn_is_refused(counts, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        letters_map(counts)


# --- confidence and truth


def sure_plot(**series) -> Plot:
    series = series or {"base": [(0.55, 0.5, 40), (0.97, 0.99, 9000)]}
    return reliability("Confidence", series, axes=("confidence", "right"), told="It is sure.")


def test_a_bin_is_a_dot_on_axes_from_0_to_1():
    plot = sure_plot(base=[(0.0, 0.0, 1), (1.0, 1.0, 1)], small=[(0.5, 0.5, 3)])
    assert plot.legend == ("base", "small")
    assert texts(plot)[-2:] == ["confidence", "right"]
    assert [label for label in texts(plot) if label in ("0", "1")] == ["0", "1", "0", "1"]
    assert plot == sure_plot(base=[(1.0, 1.0, 1), (0.0, 0.0, 1)], small=[(0.5, 0.5, 3)])  # in whatever order


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"base": []}, "the series 'base' has no bins, expected 1 or more"),
        ({str(number): [(1, 1, 1)] for number in range(7)}, "found 7 series, expected 1 to 6"),
    ],
)
def test_confidence_that_cannot_be_drawn_is_refused(series, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        sure_plot(**series)


# --- what must not stand in a plot


def test_a_plot_brings_no_address_no_style_sheet_and_no_metadata():
    for plot in (labels_plot(), lengths_plot(), loss_plot(mark=("best", 20)), letters_map(), sure_plot()):
        assert "http" not in plot.svg
        assert "<style" not in plot.svg
        assert "metadata" not in plot.svg
        assert set(re.findall(r"url\((.)", plot.svg)) == {"#"}


def test_two_plots_of_one_page_share_no_id():
    ids = [set(re.findall(r' id="([^"]+)"', lengths_plot(title=title).svg)) for title in ("one", "two")]
    assert all(ids)
    assert not ids[0] & ids[1]


def test_the_same_numbers_give_the_same_bytes_in_another_process():
    program = (
        "from hanpuri.pages.plots import bars;"
        "series = {'rows': [3, 4]};"
        "plot = bars('Rows by label', ['긍정', '부정'], series, axes=('label', 'rows'), told='Most are 부정.');"
        "import sys; sys.stdout.buffer.write(plot.svg.encode())"
    )
    root = Path(__file__).parents[2]
    finished = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, timeout=60, check=True)
    assert finished.stdout.decode() == labels_plot().svg


# --- a wrong call


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"rows": [1]}, "the series 'rows' has 1 values, expected 2"),
        ({"rows": [1, 2], "more": [1, 2, 3]}, "the series 'more' has 3 values, expected 2"),
        ({str(n): [1, 2] for n in range(len(SERIES) + 1)}, "found 7 series, expected 1 to 6"),
    ],
)
def test_series_that_do_not_fit_are_refused(series, message):
    for draw in (labels_plot, lengths_plot):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            draw(**series)


def test_a_plot_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"^the series 'rows' has 0 values, expected 1$"):
        labels_plot([], rows=[])
