"""
What each further answer gains ─► a page: plots, a table, and rows to read.

In:  the facts of a call of `hanpuri sample`, its `Gains`, its rows.   Out: one HTML page that needs no other:

    In short · Gain · Answers that teach nothing · Rows · Origin
"""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hanpuri.data.files.targets import Target
from hanpuri.evaluation.significance import Interval
from hanpuri.pages.page import (
    Block,
    Cell,
    Notices,
    Numbers,
    Page,
    Paragraph,
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
from hanpuri.pages.plots import Plot, lines
from hanpuri.preferences.sampling.drawing import Sampled
from hanpuri.preferences.sampling.gains import Gain, Gains
from hanpuri.runs.wording import printable, score_text

SHOWN_ROWS = 12
ORIGIN = ("file", "sha256", "engine", "scores", "samples", "temperature", "seed")


def write_page(path: Path, facts: Mapping[str, object], gains: Gains, sampled: Sequence[Sampled]) -> None:
    """
    Write the page.

    Args:
        path: the file, there whole or not at all.
        facts: what was asked and how, of which ORIGIN is shown.
        gains: the figures.
        sampled: the rows, of which those that gained the most are shown.

    Raises:
        DataError: if the file cannot be written.
    """
    html = render(gains_page(facts, gains, sampled))
    target = Target(path)
    try:
        target.stream.write(html.encode("utf-8"))
        target.commit()
    except OSError as error:
        target.discard()
        raise target.fault(error) from None
    except BaseException:
        target.discard()
        raise


def gains_page(facts: Mapping[str, object], gains: Gains, sampled: Sequence[Sampled]) -> Page:
    """Lay out the page; see `write_page`."""
    sections = (
        Section("In short", tuple(_short(gains))),
        Section("Gain", tuple(_gain_blocks(gains))),
        Section("Answers that teach nothing", (_notices(gains),)),
        Section("Rows", tuple(_rows(sampled))),
        Section("Origin", tuple(_origin(facts))),
    )
    lead = f"{printable(str(facts.get('engine', '')))}: {facts.get('samples')} answers to each row, scored."
    return Page("Sampled answers", lead, tuple(section for section in sections if section.blocks))


def _short(gains: Gains) -> Iterator[Block]:
    items: list[tuple[str, Cell]] = [("rows", gains.num_rows), ("tokens", gains.num_tokens)]
    if gains.greedy is not None:
        items.append(("greedy answer", score_text(gains.greedy.value)))
    if gains.by_k:
        first, last = gains.by_k[0], gains.by_k[-1]
        items += [("one answer", score_text(first.best.value)), (f"best of {last.k}", score_text(last.best.value))]
        if last.reached is not None:
            items.append((f"rows with one at {gains.threshold:g} or more", Share(last.reached.value)))
    yield Numbers(tuple(items))


def _gain_blocks(gains: Gains) -> Iterator[Block]:
    if not gains.by_k:
        return
    yield Plots(tuple(_plots(gains)))
    shared = () if gains.threshold is None else (f"rows with one at {gains.threshold:g} or more",)
    head = ("k", "best of k", "gain of the k-th", "tokens a row", *shared)
    rows = (_cells(one, before) for one, before in zip(gains.by_k, (None, *gains.by_k), strict=False))
    yield Table(head, tuple(row[: len(head)] for row in rows), "The best of k answers")
    yield Paragraph(
        "The best of k is what may be expected of k answers, drawn from all that were asked for: unbiased, unlike the"
        " best of the first k. Behind ± is half of the 95 % interval over rows. All are means over rows."
    )


def _plots(gains: Gains) -> Iterator[Plot]:
    first, last = gains.by_k[0], gains.by_k[-1]
    series = {"best of k": [(one.k, one.best.value) for one in gains.by_k]}
    told = f"From {score_text(first.best.value)} with one answer to {score_text(last.best.value)} with {last.k}."
    if gains.greedy is not None:
        series["greedy answer"] = [(one.k, gains.greedy.value) for one in gains.by_k]
        told += f" The greedy answer has {score_text(gains.greedy.value)}."
    band = [(one.k, one.best.low, one.best.high) for one in gains.by_k]
    yield lines("Score of the best", series, axes=("answers", "score"), told=told, band=band)
    if gains.threshold is None:
        return
    shares = [(one.k, one.reached) for one in gains.by_k if one.reached is not None]
    told = f"From {shares[0][1].value:.1%} with one answer to {shares[-1][1].value:.1%} with {shares[-1][0]}."
    yield lines(
        f"Rows with an answer at {gains.threshold:g} or more",
        {"share of rows": [(k, share.value) for k, share in shares]},
        axes=("answers", "share"),
        told=told,
        band=[(k, share.low, share.high) for k, share in shares],
    )


def _cells(one: Gain, before: Gain | None) -> tuple[Cell, ...]:
    gained = None if before is None else Score(f"{one.best.value - before.best.value:+.4f}".replace("-", "−"))
    share = None if one.reached is None else Share(one.reached.value)
    return one.k, _score(one.best), gained, one.num_tokens, share


def _notices(gains: Gains) -> Notices:
    items = (
        (gains.num_alike, "Rows with all answers the same", "A higher temperature, or harder rows, would gain more."),
        (gains.num_cut, "Answers that were cut off", "Give them more tokens, or train the model to end."),
        (gains.num_empty, "Answers without a text", "See whether the template is the trained one."),
        (gains.num_failed, "Answers that never came", "The same command asks for them again."),
        (gains.num_unscored, "Rows in no figure", "An answer to them never came, or has no score."),
    )
    told = [(f"{what}: {count:,}.", mend) for count, what, mend in items if count]
    if gains.is_hot:
        told.append(("One drawn answer scores less than the greedy one.", "A lower temperature may gain more."))
    return Notices(tuple(told), "All answers came, were brought to an end, and differ.")


def _rows(sampled: Sequence[Sampled]) -> Iterator[Block]:
    """Show the rows whose best answer is the farthest above what one answer is worth."""
    gaining = [(max(score for _, score in one.usable) - one.first_score, one) for one in sampled if one.usable]
    risen = sorted((pair for pair in gaining if pair[0] > 0), key=lambda pair: -pair[0])
    if risen:
        shown = tuple(_specimen(gain, one) for gain, one in risen[:SHOWN_ROWS])
        yield Specimens("Rows that gained the most", shown)


def _specimen(gain: float, one: Sampled) -> Specimen:
    best, score = max(one.usable, key=lambda scored: scored[1])
    first = one.answers[0] if one.greedy is None else one.greedy
    name = "first answer" if one.greedy is None else "greedy answer"
    right = [] if one.row.reference is None else [("right", RowText(one.row.reference))]
    lines_shown = [
        ("asked", RowText(one.row.asked)),
        *right,
        (f"{name}, {score_text(one.first_score)}", RowText(first.text)),
        (f"best answer, {score_text(score)}", RowText(best.text)),
    ]
    risen = f"{gain:+.4f}".replace("-", "−")  # and not in the row's file, whose name is to be copied
    return Specimen(f"{printable(one.row.where)}: {risen}", tuple(lines_shown))


def _origin(facts: Mapping[str, object]) -> Iterator[Block]:
    rows = tuple((name, printable(_told(facts[name]))) for name in ORIGIN if name in facts)
    yield Table(("", ""), rows, "What was asked")
    yield Paragraph(f"To ask it again: hanpuri {printable(shlex.join(sys.argv[1:]))}")


def _told(value: object) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)


def _score(found: Interval) -> Score:
    return Score(score_text(found.value), f"±{(found.high - found.low) / 2:.4f}")
