"""
Evaluations ─► what a terminal shows of them.

In: evaluations of one file, the one that others are held against first. Out: a table of scores, one of differences:

    reviews.jsonl, 154 rows
                   echo             compact:base
    char_accuracy  0.1264 ±0.0040   0.9838 ±0.0017 ★

                   compact:base beside echo  p      in words
    char_accuracy  +0.8574 ±0.0042           0.001  better
"""

import math
import shutil
import sys
from collections.abc import Iterator, Sequence

from hanpuri.evaluation.comparison import Comparisons, best_of, headline_of, in_words
from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.evaluation.significance import Difference, Interval
from hanpuri.runs.wording import Shown, as_markdown, printable

COMPARED = (
    *("char_accuracy", "char_f1", "exact_match", "word_accuracy", "token_f1", "korquad_f1", "cer", "chrf"),
    *("unchanged_clean", "bits_per_byte"),
)
"""What is said in words; JSON has all."""
WIDE = 200  # columns where nobody's terminal is the limit
MAX_FAILURES = 5
COSTS = ("rows_per_second", "chars_per_second", "tokens_per_second")
NONE = "–"

Table = tuple[Sequence[str], Sequence[Sequence[Shown]]]


def print_file(
    evaluations: Sequence[Evaluation], comparisons: Comparisons, *, slices: bool = False, markdown: bool = False
) -> None:
    """Print all that was found for one file."""
    row_set = evaluations[0].row_set
    num_rows = len(row_set.rows)
    title = f"{printable(str(row_set.path))}, {num_rows:,} row{'s' * (num_rows != 1)}"
    print(f"### {title}\n" if markdown else title)
    tables = [_score_table(evaluations), *_difference_tables(evaluations, comparisons)]
    tables += _slice_tables(evaluations) if slices else []
    for number, table in enumerate(tables):
        print("\n" * (number > 0), end="")
        print(as_markdown(*table)) if markdown else _print_table(*table)
    for note in _notes(evaluations):
        print(f"\n{note}")
    print()


def _score_table(evaluations: Sequence[Evaluation]) -> Table:
    rows = []
    for name in dict.fromkeys(name for one in evaluations for name in one.scores):
        found = [one.scores.get(name) for one in evaluations]
        best = best_of(name, [one.value if one else None for one in found])
        rows.append(
            [Shown(name), *(Shown(_told(one), bool(one and one.value == best)) for one in found)],
        )
    facts = [one.as_dict() for one in evaluations]
    rows += [[Shown(name.replace("_", " ")), *(Shown(_rate(of[name])) for of in facts)] for name in COSTS]
    memory = [one.peak_memory_bytes for one in evaluations]
    rows.append([Shown("peak memory"), *(Shown(f"{one / 2**20:,.0f} MiB" if one else NONE) for one in memory)])
    return ("", *(printable(one.engine) for one in evaluations)), rows


def _difference_tables(evaluations: Sequence[Evaluation], comparisons: Comparisons) -> Iterator[Table]:
    first = evaluations[0]
    for one in evaluations[1:]:
        found = comparisons.get((one.row_set.name, one.engine), {})
        rows = [_difference_row(name, found[name]) for name in COMPARED if name in found]
        head = ("", f"{printable(one.engine)} beside {printable(first.engine)}", "p", "in words")
        if rows:
            yield head, rows


def _difference_row(name: str, found: Difference) -> list[Shown]:
    value = f"{found.value:+.4f}{_half(found.low, found.high)}"
    return [Shown(name), Shown(value), Shown(f"{found.p_value:.3f}"), Shown(in_words(name, found))]


def _slice_tables(evaluations: Sequence[Evaluation]) -> Iterator[Table]:
    measure = headline_of(evaluations[0])
    if measure is None:
        return
    for by in dict.fromkeys(one.by for one in evaluations[0].slices):
        sides = [{one.value: one for one in of.slices if one.by == by} for of in evaluations]
        rows = []
        for value, one in sides[0].items():
            scores = [of[value].scores.get(measure) if value in of else None for of in sides]
            best = best_of(measure, scores)
            cells = [
                Shown(NONE if score is None else f"{score:.4f}", score == best and best is not None) for score in scores
            ]
            rows.append([Shown(printable(value)), Shown(f"{one.num_rows:,}"), *cells])
        yield (f"{measure} by {by}", "rows", *(printable(one.engine) for one in evaluations)), rows


def _notes(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    if evaluations[0].row_set.has_references and all("chrf" not in one.scores for one in evaluations):
        yield 'chrf is left out: it needs sacrebleu, pip install "hanpuri[evaluate]"'
    for one in evaluations:
        if one.num_kept:
            yield f"{printable(one.engine)}: {one.num_kept:,} of {len(one.answers):,} answers were kept from before"
        if one.failures:
            told = "; ".join(f"{row.where}: {why}" for row, why in one.failures[:MAX_FAILURES])
            more = f"; and {one.num_failed - MAX_FAILURES:,} more" if one.num_failed > MAX_FAILURES else ""
            rows = f"{one.num_failed:,} row{'s' * (one.num_failed != 1)} without an answer, counted as wrong"
            yield f"{printable(one.engine)}: {rows}: {printable(told)}{more}"


def _print_table(head: Sequence[str], rows: Sequence[Sequence[Shown]]) -> None:
    """Print a table; a name such as [red] is a name, and no markup."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        grid.add_column(Text(name), overflow="fold")
    for row in rows:
        grid.add_row(*(Text(f"{text} ★", style="bold green") if best else Text(text) for text, best in row))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE
    console = Console(width=width, highlight=False)
    with console.capture() as told:  # by itself, rich ends the program when the reader of a pipe has gone
        console.print(grid)
    print(told.get(), end="")


def _told(one: Interval | None) -> str:
    if one is None:
        return NONE
    return f"{one.value:.4f}{_half(one.low, one.high)}" if abs(one.value) < 10 else f"{one.value:,.2f}"


def _half(low: float, high: float) -> str:
    """
    Write half the width of an interval; nothing where it has none, as of one row.

        >>> _half(0.94, 0.96), _half(1.0, 1.0)
        (' ±0.0100', '')
    """
    return f" ±{(high - low) / 2:.4f}" if math.isfinite(high - low) and high > low else ""


def _rate(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else NONE
