"""
A scaling law ─► one HTML page: the figures with their intervals, the best use of a compute, the runs and the curve.

In: a Law and computes. Out: the page, and the numbers as a table and as JSON have them:

    compute  parameters N         tokens D           loss
    1e+18    47 M (36 M to 52 M)  3.5 B (3.2 to 4.6) 0.925 (0.913 to 0.929)
"""

import math
from collections.abc import Sequence

from hanpuri.pages.page import Notices, Numbers, Page, Paragraph, Plots, RowText, Section, Table, render
from hanpuri.pages.plots import Plot, lines
from hanpuri.training.scaling_law import SAMPLES, Budget, Figure, Law

POINTS = 40  # of the curve
FAR = 100  # a compute so many times that of the largest run is a leap
LARGE = (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3))
BUDGET_HEAD = ("compute", "parameters N", "tokens D", "loss")


def write_page(law: Law, budgets: Sequence[Budget]) -> str:
    """Write the page."""
    doubts = tuple((doubt, "until then, take the intervals at their word") for doubt in notes_on(law, budgets))
    exponents = tuple((name, interval(law.figures[name])) for name in ("alpha", "beta", "E"))
    figures = Table(("figure", "value", "5 % to 95 %"), tuple(_figure_row(name, law) for name in law.figures))
    ordered = sorted(law.trials, key=lambda one: (one.parameters, one.tokens))
    foretold = [law.loss(one.parameters, one.tokens).value for one in ordered]
    runs = tuple(
        (RowText(one.name), short(one.parameters), short(one.tokens), one.loss, loss)
        for one, loss in zip(ordered, foretold, strict=True)
    )
    uses = Table(BUDGET_HEAD, tuple(map(budget_row, budgets)))
    sections = (
        Section("The law", (Numbers(exponents), Notices(doubts, "The runs settle both exponents."), figures)),
        Section("Best use of a compute", (uses, Plots((_curve(law, budgets),)))),
        Section("The runs", (Table(("run", "N", "D", "measured", "by the law"), runs), Paragraph(_method(law)))),
    )
    lead = f"L = E + A/N^alpha + B/D^beta, fitted to {len(law.trials)} runs; L in {law.unit}."
    return render(Page("Scaling law", lead, sections))


def notes_on(law: Law, budgets: Sequence[Budget]) -> tuple[str, ...]:
    """Say what a reader of the figures must know: exponents that are not settled, computes far beyond the runs."""
    largest = max(6 * one.parameters * one.tokens for one in law.trials)
    far = tuple(
        f"compute {one.compute:.3g} is {one.compute / largest:,.0f} times the largest run's: the law may bend before"
        for one in budgets
        if one.compute > FAR * largest
    )
    return law.doubts + far


def budget_row(budget: Budget) -> tuple[str, ...]:
    """Write the best use of a compute as cells."""
    return f"{budget.compute:.3g}", *(interval(one) for one in (budget.parameters, budget.tokens, budget.loss))


def interval(figure: Figure) -> str:
    """
    Write a figure with its interval.

        >>> interval(Figure(4.7205e7, 3.612e7, 5.24e7)), interval(Figure(0.92535, 0.913, 0.9293))
        ('47.2 M (36.1 M to 52.4 M)', '0.925 (0.913 to 0.929)')
    """
    return f"{short(figure.value)} ({short(figure.low)} to {short(figure.high)})"


def short(value: float) -> str:
    """
    Write a number in three figures.

        >>> [short(value) for value in (3.5307e9, 999, 0.29)]
        ['3.53 B', '999', '0.29']
    """
    letter, size = next(((letter, size) for letter, size in LARGE if value >= size), ("", 1.0))
    return f"{value / size:.3g} {letter}".strip() if value < 1e15 else f"{value:.3g}"


def _figure_row(name: str, law: Law) -> tuple[str, str, str]:
    value, low, high = law.figures[name]
    return name, short(value), f"{short(low)} to {short(high)}"


def _curve(law: Law, budgets: Sequence[Budget]) -> Plot:
    """Draw the lowest loss at each compute, from the smallest run to the largest compute asked for."""
    measured = sorted((6 * one.parameters * one.tokens, one.loss) for one in law.trials)
    first, last = measured[0][0], max([measured[-1][0], *(one.compute for one in budgets)])
    step = math.log(last / first) / (POINTS - 1)
    along = [law.best_use(first * math.exp(step * number)) for number in range(POINTS)]
    low, high = along[0].loss.value, along[-1].loss.value
    return lines(
        "Lowest loss",
        {"by the law": [(one.compute, one.loss.value) for one in along], "runs": _hull(measured)},
        axes=("compute, 6·N·D", law.unit),
        told=f"From {low:.3g} at {first:.3g} to {high:.3g} at {last:.3g}; tinted is where it lies nine times in ten.",
        logarithmic=(True, True),
        band=[(one.compute, one.loss.low, one.loss.high) for one in along],
    )


def _hull(measured: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep the runs that are better than all with less compute: those that a lowest loss can be held against."""
    kept: list[tuple[float, float]] = []
    for compute, loss in measured:
        if not kept or loss < kept[-1][1]:
            kept.append((compute, loss))
    return kept


def _method(law: Law) -> str:
    return (
        f"N counts no embeddings. Intervals are from 5 % to 95 % of {SAMPLES} refits on {len(law.trials)} runs drawn"
        " with replacement. They cover the fit alone; that the law holds beyond the runs is assumed."
    )
