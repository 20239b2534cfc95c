"""
Rounds ─► one self-contained HTML page: the score by round first, then what each was made of, then answers to read.

In: an Outcome. Out: the page, with these sections:

    Rounds · Stages · Data · Answers
"""

from collections.abc import Iterator, Mapping, Sequence

from hanpuri.evaluation.report.alignment import align
from hanpuri.evaluation.report.marking import mark
from hanpuri.pages.page import (
    Block,
    Cell,
    Marked,
    Notices,
    Numbers,
    Page,
    Plots,
    RowText,
    Score,
    Section,
    Share,
    Specimen,
    Specimens,
    Table,
    render,
)
from hanpuri.pages.plots import Plot, bars, lines
from hanpuri.rounds.outcome import Outcome, RoundResult, Scored
from hanpuri.rounds.table import Line, lines_of, told_reached
from hanpuri.runs.wording import duration

MAX_SERIES = 6
"""As many colours as plots have."""


def write_page(outcome: Outcome) -> str:
    """Write the page."""
    recipe, found = outcome.recipe, lines_of(outcome)
    num_rows = len(outcome.rounds[0].last.rows)
    lead = (
        f"{num_rows:,} held-out rows, {recipe.measure}. Small: where it lies in 95 % of resampled sets of rows; p is of"
        " the same rows, answers swapped by chance. The best round was chosen by these rows: a figure for others to"
        " rely on needs rows of its own."
    )
    sections = [
        Section("Rounds", (_numbers(outcome), _notices(outcome), _rounds(outcome), Plots(tuple(_plots(outcome))))),
        Section("Stages", (_stages(found, recipe.measure), Plots(tuple(_stage_plots(outcome, found))))),
        Section("Data", tuple(_data(found))),
        Section("Answers", tuple(_answers(outcome))),
    ]
    return render(Page(f"Rounds: {recipe.name}", lead, tuple(sections)))


def _numbers(outcome: Outcome) -> Numbers:
    best, first = outcome.best, outcome.rounds[0]
    seconds = sum(entry.seconds for entry in outcome.entries.values())
    return Numbers(
        (
            ("the best round", best.number),
            (outcome.recipe.measure, best.last.score.value),
            ("at the start", first.last.score.value),
            ("rounds done", outcome.rounds[-1].number),
            ("time", duration(seconds)),
        )
    )


def _notices(outcome: Outcome) -> Notices:
    items = [(note, "") for note in outcome.notes]
    if not outcome.finished:
        items.append(("the rounds are not at their end", "the same command goes on"))
    return Notices(tuple(items), f"The result is {outcome.best_folder}.")


def _rounds(outcome: Outcome) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for place, one in enumerate(outcome.rounds):
        over = [outcome.rounds[place - 1], outcome.rounds[0]] if place else []
        gains: list[Cell] = [_gain(outcome, one, before) for before in over] or [None, None]
        rows.append((str(one.number), one.last.stage, _score(one.last, best=one is outcome.best), *gains))
    head = ("round", "ends with", outcome.recipe.measure, "over the round before", "over the start")
    return Table(head, tuple(rows), caption="The model at the end of each round")


def _score(scored: Scored, *, best: bool = False) -> Score:
    score = scored.score
    return Score(f"{score.value:.4f}", f"{score.low:.4f} to {score.high:.4f}", best)


def _gain(outcome: Outcome, one: RoundResult, before: RoundResult) -> Score:
    found = outcome.gain(one.last, before.last)
    return Score(f"{found.value:+.4f}", f"{found.low:+.4f} to {found.high:+.4f}, p {found.p_value:.3f}")


def _plots(outcome: Outcome) -> Iterator[Plot]:
    measure, done = outcome.recipe.measure, outcome.rounds
    ends = [(one.number, one.last.score.value) for one in done]
    yield lines(
        "Score by round",
        {"end of the round": ends},
        axes=("round", measure),
        told=f"From {ends[0][1]:.4f} at the start to {ends[-1][1]:.4f}; the band is the 95 % interval.",
        band=[(one.number, one.last.score.low, one.last.score.high) for one in done],
        mark=("best", outcome.best.number),
    )
    stages: dict[str, list[tuple[float, float]]] = {}
    for one in done[1:]:
        for scored in one.scored:
            stages.setdefault(scored.stage, []).append((one.number, scored.score.value))
    if 1 < len(stages) <= MAX_SERIES:
        told = "Behind each stage that trains the model."
        yield lines("Score behind each stage", stages, axes=("round", measure), told=told)


def _stages(found: Sequence[Line], measure: str) -> Table:
    rows = tuple(
        (
            str(line.round),
            RowText(line.stage),
            None if line.score is None else Score(f"{line.score.value:.4f}", _bounds(line), line.is_best),
            None if line.gain is None else Score(f"{line.gain.value:+.4f}", f"p {line.gain.p_value:.3f}"),
            line.rows,
            told_reached(line),
            duration(line.seconds),
        )
        for line in found
    )
    head = ("round", "stage", measure, "over the model before", "rows", "reached", "time")
    return Table(head, rows, caption="Stage by stage")


def _bounds(line: Line) -> str:
    return "" if line.score is None else f"{line.score.low:.4f} to {line.score.high:.4f}"


def _stage_plots(outcome: Outcome, found: Sequence[Line]) -> Iterator[Plot]:
    """Draw what reward models and preference training say of themselves, and the time."""
    for name, title in (
        ("accuracy", "Pairs told right, held out of each stage"),
        ("kl", "Drift from the model before"),
    ):
        series: dict[str, list[tuple[float, float]]] = {}
        for line in found:
            if name in line.reached:
                series.setdefault(line.stage, []).append((line.round, line.reached[name]))
        if 0 < len(series) <= MAX_SERIES:
            axis = "share" if name == "accuracy" else "nats a token"
            yield lines(title, series, axes=("round", axis), told="By the stage's own rows, not the held-out ones.")
    labels = [f"{line.round} {line.stage}" for line in found]
    seconds = [line.seconds for line in found]
    told = f"{duration(sum(seconds))} in all."
    yield bars("Time", labels, {"seconds": seconds}, axes=("round and stage", "seconds"), told=told)


def _data(found: Sequence[Line]) -> Iterator[Block]:
    mixed = [line for line in found if line.shares]
    names = list(dict.fromkeys(name for line in mixed for name in line.shares))
    rows = tuple(
        (str(line.round), RowText(line.stage), line.rows, *(_share(line.shares, name) for name in names))
        for line in mixed
    )
    yield Table(("round", "stage", "rows", *names), rows, caption="What each stage learnt from", empty="nothing yet")
    if mixed and len(names) <= MAX_SERIES:
        labels = [f"{line.round} {line.stage}" for line in mixed]
        shares = {name: [line.shares.get(name, 0.0) for line in mixed] for name in names}
        told = "The share of each source in the rows that a stage learnt from."
        yield Plots((bars("Shares of the sources", labels, shares, axes=("round and stage", "share"), told=told),))


def _share(shares: Mapping[str, float], name: str) -> Share | None:
    return Share(shares[name]) if name in shares else None


def _answers(outcome: Outcome) -> Iterator[Block]:
    """Show the same held-out rows as each round's model answered them."""
    rows = outcome.rounds[0].last.rows
    wanted = min(outcome.recipe.held_out.to_read, len(rows))
    places = [number * len(rows) // wanted for number in range(wanted)] if wanted else []
    restored = [_marked(one.last, places) for one in outcome.rounds]
    items = []
    for number, place in enumerate(places):
        row = rows[place]
        told: list[tuple[str, RowText | Marked]] = [
            ("asked", RowText(row["asked"])),
            ("right", RowText(row["reference"])),
        ]
        told += [(f"round {one.number}", texts[number]) for one, texts in zip(outcome.rounds, restored, strict=True)]
        items.append(Specimen(f"row {row['id']}", tuple(told)))
    yield Specimens("Held-out rows, answered by the model at the end of each round", tuple(items))


def _marked(scored: Scored, places: Sequence[int]) -> list[Marked | RowText]:
    """Mark what is wrong in answers, where they are not too long for it."""
    answers = [scored.rows[place]["answer"] for place in places]
    rights = [scored.rows[place]["reference"] for place in places]
    each = zip(answers, rights, align(answers, rights), strict=True)
    return [mark(answer, right, pairing) if pairing else RowText(answer) for answer, right, pairing in each]
