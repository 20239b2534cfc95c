"""
Scores of engines side by side: in numbers with their intervals, and in plain words.

In:  evaluations of one file, and the differences to the first of them.   Out: tables, and sentences such as

    compact:base is the best of 3 on prose: char_accuracy 0.962 (0.958 to 0.966), 0.41 more than echo (p < 0.001).
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from hanpuri.evaluation.comparison import OF_TOKENS, Comparisons, best_of, headline_of, in_words
from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.evaluation.metrics import KNOWN
from hanpuri.evaluation.significance import Difference, Interval, difference
from hanpuri.pages.page import Block, Cell, Noted, Paragraph, Plots, RowText, Score, Table
from hanpuri.pages.plots import SERIES, Plot, bars
from hanpuri.runs.wording import printable

COMPARED = ("char_accuracy", "cer", "token_f1", "exact_match", "bits_per_byte")
"""Measures whose differences are told: those that say most."""
MAX_VALUES = 40


def sentence_on(evaluations: Sequence[Evaluation], seed: int = 0) -> str:
    """Say which engine is the best on a file, and whether it can be told from the next one."""
    row_set, measure = evaluations[0].row_set, headline_of(evaluations[0])
    rows = f"{printable(row_set.name)} ({len(row_set.rows):,} row{'s' * (len(row_set.rows) != 1)})"
    if not row_set.has_references:
        return f"{rows} has no right answers: only what needs none was measured."
    if measure is None:
        return f"On {rows} nothing was scored."
    scores = {one.engine: one.scores[measure] for one in evaluations if measure in one.scores}
    by_engine = {one.engine: one for one in evaluations}
    best, *others = sorted(scores, key=lambda name: scores[name].value, reverse=not is_less_better(measure))
    told = f"{measure} {_number(scores[best].value)}{_bounds(scores[best], ' ({})')}"
    if not others:
        return f"On {rows} {printable(best)} has {told}."
    beside = _beside(by_engine[others[0]], by_engine[best], measure, seed)
    return f"On {rows} {printable(best)} is the best of {len(scores)}: {told}. {beside}"


def _beside(second: Evaluation, best: Evaluation, measure: str, seed: int) -> str:
    """Say how the second best stands to the best."""
    found = difference(second.tallies[measure], best.tallies[measure], seed=seed, pool=KNOWN[measure].pool)
    words = in_words(measure, found)
    if found.significant() and found.value:
        words = f"chance alone would hardly make such a difference (p {_p_value(found, '= ')})"
    return f"The next, {printable(second.engine)}, has {_number(second.scores[measure].value)}: {words}."


def score_blocks(evaluations: Sequence[Evaluation], comparisons: Comparisons) -> Iterator[Block]:
    """Show all scores of one file, and the differences to the first engine."""
    headline = headline_of(evaluations[0])
    measures = dict.fromkeys([*([headline] if headline else []), *(name for one in evaluations for name in one.scores)])
    head = ("measure", *(printable(one.engine) for one in evaluations))
    rows = []
    for name in measures:
        values = [one.scores.get(name) for one in evaluations]
        # Where tokenizers differ, so do the tokens that are counted: less of a loss is not better then.
        best = None if name in OF_TOKENS else best_of(name, [value.value if value else None for value in values])
        cells = [_score(value, best) for value in values]
        rows.append((Noted(f"{name} {'↓' if is_less_better(name) else '↑'}", KNOWN[name].about), *cells))
    yield Table(head, tuple(rows), "Scores, with 95 % intervals; ↑ more is better, ↓ less is; ★ the best", "no scores")
    if found := tuple(_difference_rows(evaluations, comparisons)):
        first = printable(evaluations[0].engine)
        yield Table(
            ("engine", "measure", "difference", "p", "in words"), found, f"What the others have more than {first}"
        )
        yield Paragraph(
            f"“No difference” is none that {len(evaluations[0].answers):,} rows can show."
            " p is how often chance alone makes so large a difference, if a coin decides row by row whose answer is"
            " whose. It is not corrected for the number of comparisons: of twenty without a true difference, one falls"
            " below 0.05."
        )


def is_less_better(measure: str) -> bool:
    """
    Say whether less of a measure is better.

    >>> is_less_better("cer"), is_less_better("char_accuracy")
    (True, False)
    """
    return KNOWN[measure].better == "low"


def slice_blocks(evaluations: Sequence[Evaluation]) -> Iterator[Block]:
    """Show the first measure of one file slice by slice: a table a kind of slice, with bars."""
    measure = headline_of(evaluations[0])
    if measure is None:
        return
    plots = []
    for by in dict.fromkeys(one.by for evaluation in evaluations for one in evaluation.slices):
        scores = [
            {one.value: one.scores.get(measure) for one in evaluation.slices if one.by == by}
            for evaluation in evaluations
        ]
        counts = {one.value: one.num_rows for evaluation in evaluations for one in evaluation.slices if one.by == by}
        largest = sorted(sorted(counts, key=lambda value: -counts[value])[:MAX_VALUES], key=list(counts).index)
        rows = tuple((RowText(value), counts[value], *_slice_cells(measure, value, scores)) for value in largest)
        head = (by, "rows", *(printable(one.engine) for one in evaluations))
        more = f", of the {MAX_VALUES} with the most rows" if len(counts) > MAX_VALUES else ""
        yield Table(head, rows, f"{measure} by {by}{more}")
        if len(largest) > 1:
            plots.append(_slice_bars(evaluations, measure, by, largest, scores))
    if plots:
        yield Plots(tuple(plots))


def _slice_bars(
    evaluations: Sequence[Evaluation],
    measure: str,
    by: str,
    values: Sequence[str],
    scores: Sequence[Mapping[str, float | None]],
) -> Plot:
    shown = evaluations[: len(SERIES)]
    series = {
        printable(one.engine): [_finite(of.get(value)) for value in values]
        for one, of in zip(shown, scores, strict=False)
    }
    best = max(
        range(len(shown)), key=lambda at: shown[at].scores[measure].value if measure in shown[at].scores else 0.0
    )
    worst = min(values, key=lambda value: _finite(scores[best].get(value)))
    told = f"{printable(shown[best].engine)} does worst on {printable(worst)}."
    if is_less_better(measure):
        told = "Less is better."
    if len(evaluations) > len(shown):
        told += f" The first {len(shown)} engines are drawn."
    title = f"{measure} by {by}: {printable(evaluations[0].row_set.name)}"
    return bars(title, values, series, axes=(by, measure), told=told)


def _slice_cells(measure: str, value: str, scores: Sequence[Mapping[str, float | None]]) -> Iterator[Cell]:
    found = [of.get(value) for of in scores]
    best = best_of(measure, found)
    for one in found:
        yield None if one is None else Score(_number(one), best=one == best)


def _difference_rows(evaluations: Sequence[Evaluation], comparisons: Comparisons) -> Iterator[tuple[Cell, ...]]:
    for one in evaluations:
        differences = comparisons.get((one.row_set.name, one.engine), {})
        for measure, found in ((name, differences[name]) for name in COMPARED if name in differences):
            gap = Score(f"{found.value:+.4f}", f"{found.low:+.4f} to {found.high:+.4f}")
            words = in_words(measure, found).partition(" that ")[0]
            yield printable(one.engine), measure, gap, _p_value(found), words


def _p_value(found: Difference, equals: str = "") -> str:
    return "< 0.001" if found.p_value < 0.001 else f"{equals}{found.p_value:.3f}"


def _score(interval: Interval | None, best: float | None) -> Score | None:
    if interval is None or not math.isfinite(interval.value):
        return None
    return Score(_number(interval.value), _bounds(interval), interval.value == best)


def _bounds(interval: Interval, form: str = "{}") -> str:
    """Write an interval; none where it has no width, as nothing is known of it then."""
    said = f"{_number(interval.low, 3)} to {_number(interval.high, 3)}"
    return form.format(said) if interval.low < interval.high else ""


def _number(value: float, digits: int = 4) -> str:
    """
    Write a score; beyond 10 with fewer figures.

    >>> _number(0.96634), _number(12.3456), _number(float("nan"))
    ('0.9663', '12.35', '–')
    """
    if not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:,.2f}"


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0
