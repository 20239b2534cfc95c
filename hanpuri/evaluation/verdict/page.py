"""
A verdict ─► one self-contained HTML page: the advice first, then what it hangs on.

In: a Verdict. Out: the page, with these sections:

    What to do · Candidates · Learning curve · The rows · What was asked
"""

import math
from collections.abc import Sequence

from hanpuri.errors import DataError
from hanpuri.evaluation.significance import Difference, Interval
from hanpuri.evaluation.verdict.candidates import Outcome
from hanpuri.evaluation.verdict.facts import Curve, told
from hanpuri.evaluation.verdict.recipe import ECHO
from hanpuri.evaluation.verdict.tables import cost_cells, cost_head, label_of, told_p
from hanpuri.evaluation.verdict.verdict import Verdict
from hanpuri.pages.page import Cell, Notices, Page, Paragraph, Plots, RowText, Score, Section, Share, Table, render
from hanpuri.pages.plots import Plot, bars, lines
from hanpuri.runs.files import write_json, write_whole

GAP = (math.nan, math.nan)


def save(verdict: Verdict) -> None:
    """
    Write verdict.json and verdict.html into the verdict's folder.

    Raises:
        DataError: if there is no room for them.
    """
    page = write_page(verdict)
    try:
        write_json(verdict.folder / "verdict.json", verdict.as_dict())
        write_whole(verdict.folder / "verdict.html", page)
    except OSError as error:
        raise DataError(f"{verdict.folder} cannot be written: {error.strerror}", "make room for it") from None


def write_page(verdict: Verdict) -> str:
    """Write the page."""
    advice, facts = verdict.advice, verdict.facts
    sections = [
        Section(
            "What to do",
            (
                Paragraph(f"{advice.kind.capitalize()}: {advice.because}."),
                Table(("reasons",), tuple((RowText(one),) for one in advice.reasons), empty="no more reasons"),
                Table(("next steps",), tuple((RowText(step),) for step in advice.steps), empty="nothing to do"),
            ),
        ),
        Section("Candidates", (_scores(verdict), _costs(verdict), Plots(tuple(_plots(verdict))), _left_out(verdict))),
    ]
    if facts.curve:
        sections.append(Section("Learning curve", (_curve_table(facts.curve), Plots((_curve_plot(verdict),)))))
    sections += [Section("The rows", (_data(verdict),)), Section("What was asked", (_prompts(verdict),))]
    lead = (
        f"{facts.data.num_test:,} rows, {facts.measure}; {facts.wanted}. Small: where it lies in 95 % of resampled"
        " sets of rows; p is of the same rows, answers swapped by chance."
    )
    return render(Page(f"Verdict: {verdict.recipe.name}", lead, tuple(sections)))


def _scores(verdict: Verdict) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for outcome in verdict.outcomes:
        if outcome.evaluation is None:
            continue
        label, best = outcome.asked.label, verdict.best.label
        score = outcome.evaluation.scores[verdict.facts.measure]
        over = (_gain(verdict.over(label, first)) for first in (ECHO, best))
        rows.append((RowText(label_of(outcome)), _score(score, best=label == best), *over))
    head = ("candidate", verdict.facts.measure, "over echo", "over the best")
    return Table(head, tuple(rows), caption="Scores")


def _costs(verdict: Verdict) -> Table:
    answered = [outcome for outcome in verdict.outcomes if outcome.evaluation is not None]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (RowText(label_of(outcome)), *cost_cells(verdict, outcome)) for outcome in answered
    )
    return Table(("candidate", *cost_head(verdict)), rows, caption="What they cost, and what went wrong")


def _score(score: Interval, *, best: bool) -> Score:
    return Score(f"{score.value:.3f}", f"{score.low:.3f} to {score.high:.3f}", best)


def _gain(gain: Difference | None) -> Score | None:
    if gain is None:
        return None
    return Score(f"{gain.value:+.3f}", f"{gain.low:+.3f} to {gain.high:+.3f}, p {told_p(gain)}")


def _left_out(verdict: Verdict) -> Notices:
    return Notices(verdict.facts.unavailable, "All candidates answered.")


def _plots(verdict: Verdict) -> list[Plot]:
    answered = [outcome for outcome in verdict.outcomes if outcome.evaluation is not None]
    measure = verdict.facts.measure
    values = [outcome.evaluation.scores[measure].value for outcome in answered if outcome.evaluation]
    said = f"The best is {verdict.best.label}; {verdict.facts.wanted}."
    labels = [label_of(outcome) for outcome in answered]
    return [
        bars("Score", labels, {measure: values}, axes=("candidate", measure), told=said),
        _scatter(verdict, answered),
    ]


def _scatter(verdict: Verdict, answered: Sequence[Outcome]) -> Plot:
    """Draw score over price, or over seconds where not all prices are known: a dot a candidate, a colour a way."""
    rest = [outcome for outcome in answered if outcome.asked.way != "echo"] or list(answered)
    by_price = all(outcome.price is not None for outcome in rest)
    series: dict[str, list[tuple[float, float]]] = {}
    for outcome in answered:
        cost = outcome.price if by_price else outcome.seconds
        assert outcome.evaluation is not None
        score = outcome.evaluation.scores[verdict.facts.measure].value
        series.setdefault(outcome.asked.way, []).extend([(cost or 0.0, score), GAP])
    axis = f"{verdict.recipe.price.currency} for 1,000 rows" if by_price else "seconds for all rows"
    said = f"Further left is cheaper; the best score is that of {verdict.best.label}."
    return lines("Score by price", series, axes=(axis, verdict.facts.measure), told=said)


def _curve_table(curve: Curve) -> Table:
    rows: list[tuple[Cell, ...]] = [(num_rows, told(score), "measured") for num_rows, score in curve.points]
    rows.append((curve.forecast.num_rows, told(curve.forecast.score), "if the curve goes on as it ran"))
    return Table(("training rows", "score", "how it is known"), tuple(rows))


def _curve_plot(verdict: Verdict) -> Plot:
    curve = verdict.facts.curve
    assert curve is not None
    measured = [(float(num_rows), score.value) for num_rows, score in curve.points]
    ahead = (float(curve.forecast.num_rows), curve.forecast.score.value)
    bounds = [*curve.points, (curve.forecast.num_rows, curve.forecast.score)]
    return lines(
        "Score by training rows",
        {"measured": measured, "forecast": [measured[-1], ahead]},
        axes=("training rows", verdict.facts.measure),
        told=f"From {measured[0][1]:.3f} to {measured[-1][1]:.3f}; twice the data would bring {ahead[1]:.3f}.",
        logarithmic=(True, False),
        band=[(float(num_rows), score.low, score.high) for num_rows, score in bounds],
        mark=("the last measured", measured[-1][0]),
    )


def _data(verdict: Verdict) -> Table:
    data = verdict.facts.data
    known = None if data.known_words is None else Share(data.known_words)
    rows: tuple[tuple[str, Cell], ...] = (
        ("test rows asked", data.num_test),
        ("training rows", data.num_train),
        ("test rows that stand among the training rows", data.num_leaked),
        ("rows without an answer, training rows broken otherwise", data.num_empty),
        ("test rows answered otherwise elsewhere", data.num_contradictory),
        ("best score that one answer a question can reach", data.ceiling),
        ("test rows whose answer is the question", data.num_same),
        ("test rows whose answer stands, word for word, among the training rows", data.num_answers_in_training),
        ("words of the answers that their questions have", known),
    )
    return Table(("what", "how much"), rows)


def _prompts(verdict: Verdict) -> Table:
    """Show the first row as each candidate was given it: a wrong template is seen here."""
    rows = tuple(
        (RowText(outcome.asked.label), RowText(outcome.prompt), RowText(outcome.evaluation.answers[0].text))
        for outcome in verdict.outcomes
        if outcome.evaluation is not None
    )
    return Table(("candidate", "given for the first row", "answered"), rows)
