"""
Facts of runs ─► the words and figures that tables show, on a terminal, in Markdown and on a page.

In:  a Comparison.   Out: a head and a row of cells a run; columns of which no run knows anything are left out:

    ("run", "model", "method", …), [(Shown("mine"), …, Shown("0.9663", best=True)), …]
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hanpuri.runs.comparison import Comparison, Row


class Shown(NamedTuple):
    """A cell as it is shown: its text, and whether it is the best of its column."""

    text: str
    best: bool = False


def printable(text: str) -> str:
    """
    Write out what is no printing character: a line end or colour code in a name would break a table.

    >>> print(printable("한풀이 1\\x1b[31m"), printable("반쪽\\ud800"), printable("두\\n줄"))
    한풀이 1\\x1b[31m 반쪽\\ud800 두\\n줄
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def duration(seconds: float) -> str:
    """
    Say how long something took, in its two largest units.

    >>> [duration(seconds) for seconds in (0.42, 59.7, 95, 3725, 200_000)]
    ['0.4 s', '1 min', '1 min 35 s', '1 h 2 min', '2 d 7 h']
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)


def score_text(value: float) -> str:
    """
    Write a score in four figures after the point.

    >>> score_text(0.96634), score_text(12.5)
    ('0.9663', '12.5000')
    """
    return f"{value:,.4f}"


def memory(num_bytes: float) -> str:
    """
    Write a size in memory.

    >>> memory(12_345_678_901), memory(43_400_682)
    ('12.3 GB', '43 MB')
    """
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.0f} MB"


def _plain(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))


# Each column: its head, and what it shows of a row; None is shown as –. The scores stand before the time.
COLUMNS: tuple[tuple[str, Callable[["Row"], str | None]], ...] = (
    ("run", lambda row: printable(row.name)),
    ("model", lambda row: _known(row.model)),
    ("method", lambda row: _known(row.method)),
    ("data", lambda row: _known(row.data)),
    ("rows", lambda row: _known(row.rows)),
    ("epochs", lambda row: None if row.epochs is None else f"{row.epochs:.3g}"),
    ("batch", lambda row: _known(row.batch)),
    ("learning rate", lambda row: None if row.learning_rate is None else f"{row.learning_rate:g}"),
    ("max_length", lambda row: _known(row.max_length)),
    ("engine", lambda row: _known(row.engine)),
)
COSTS: tuple[tuple[str, Callable[["Row"], str | None]], ...] = (
    ("time", lambda row: None if row.seconds is None else duration(row.seconds)),
    ("tokens/s", lambda row: None if row.tokens_per_second is None else f"{row.tokens_per_second:,.0f}"),
    ("peak memory", lambda row: None if row.peak_memory_bytes is None else memory(row.peak_memory_bytes)),
)


def _known(value: object) -> str | None:
    return None if value is None else _plain(value)


def run_cells(comparison: "Comparison") -> tuple[tuple[str, ...], list[tuple[Shown, ...]]]:
    """Lay the rows of a comparison out as cells, under a head."""
    columns: list[tuple[str, list[Shown]]] = []
    for head, show in COLUMNS:
        columns.append((head, [Shown(show(row) or "–") for row in comparison.rows]))
    columns += [(printable(score), _scores(comparison, score)) for score in comparison.scores]
    for head, show in COSTS:
        columns.append((head, [Shown(show(row) or "–") for row in comparison.rows]))
    told = [(head, cells) for head, cells in columns if any(cell.text != "–" for cell in cells)]
    return tuple(head for head, _ in told), list(zip(*(cells for _, cells in told), strict=True))


def turned(head: Sequence[str], rows: Sequence[Sequence[Shown]]) -> tuple[tuple[str, ...], list[tuple[Shown, ...]]]:
    """
    Turn a table over its diagonal: a column a run, which fits a window where a row a run does not.

    >>> turned(("run", "rows"), [(Shown("a"), Shown("5")), (Shown("b"), Shown("7"))])[0]
    ('', 'a', 'b')
    """
    columns = list(zip(*rows, strict=True))
    body = [(Shown(name), *column) for name, column in zip(head[1:], columns[1:], strict=True)]
    return ("", *(cell.text for cell in columns[0])), body


def _scores(comparison: "Comparison", score: str) -> list[Shown]:
    best = comparison.best(score)
    return [_score(row, score, best) for row in comparison.rows]


def _score(row: "Row", score: str, best: float | None) -> Shown:
    value, bounds = row.scores.get(score), row.intervals.get(score)
    if value is None:
        return Shown("–")
    told = f" ({score_text(bounds[1])} to {score_text(bounds[2])})" if bounds else ""
    return Shown(f"{score_text(value)}{told}", value == best)


def as_markdown(head: Sequence[str], rows: Sequence[Sequence[Shown]]) -> str:
    """
    Write a table in Markdown, the best of each column in bold.

    >>> print(as_markdown(("run", "score"), [(Shown("a|b"), Shown("0.9", best=True))]))
    | run | score |
    |---|---|
    | a\\|b | **0.9** |
    """
    lines = [_markdown_row(head), "|" + "---|" * len(head)]
    lines += [_markdown_row([f"**{_escaped(c.text)}**" if c.best else _escaped(c.text) for c in row]) for row in rows]
    return "\n".join(lines)


def rest_as_markdown(comparison: "Comparison") -> Iterator[str]:
    """Write in Markdown what stands below the table: the keys that differ, and the warnings."""
    if comparison.differing:
        yield "\nRecipe keys that differ:\n"
        for key, values in comparison.differing:
            yield f"- {_escaped(printable(key))}: {_escaped(' · '.join(map(printable, values)))}"
    if comparison.warnings:
        yield "\nTo keep in mind:\n"
        yield from (f"- {_escaped(printable(warning))}" for warning in comparison.warnings)
    yield ""


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Keep a name from being read as Markdown or HTML."""
    return "".join(f"\\{one}" if one in "\\|<>*_`[]" else one for one in text)
