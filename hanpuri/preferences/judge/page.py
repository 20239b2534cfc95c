"""
A Feedback ─► one page to be read by people: judge.html.

In: a Feedback. Out: HTML that needs no other file, with the sections:

    In short · Outcomes · Agreement with people · Position · Length · Cost · Pairs to read

Answers and replies are shown as text, whatever stands in them.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from hanpuri.errors import DataError
from hanpuri.evaluation.significance import Interval
from hanpuri.pages.page import (
    Block,
    Cell,
    Noted,
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
from hanpuri.pages.plots import bars
from hanpuri.preferences.judge.agreement import Agreement
from hanpuri.preferences.judge.feedback import Feedback
from hanpuri.preferences.judge.judgements import OUTCOMES, Judgement, Outcome
from hanpuri.preferences.judge.material import Pair
from hanpuri.preferences.judge.questions import EMPTY, told_question
from hanpuri.runs.files import write_json, write_whole
from hanpuri.runs.wording import printable

PAGE, FIGURES = "judge.html", "judge.json"
SHOWN = 10
"""Pairs of each outcome that are shown."""
MEANING: dict[Outcome, str] = {
    "first": "the first answer is better",
    "second": "the second answer is better",
    "tie": "neither is better",
    "disagreement": "the answer that stood in one place won both times",
    "unjudged": "no verdict could be read, or no reply came",
}


def save_page(feedback: Feedback, folder: Path) -> Path:
    """
    Write judge.html and judge.json into a folder; give the page's path.

    Raises:
        DataError: if they cannot be written.
        EngineError: if a library is missing.
    """
    html = render(feedback_page(feedback))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FIGURES, feedback.as_dict())
        write_whole(folder / PAGE, html)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}", "make room for it") from None
    return folder / PAGE


def feedback_page(feedback: Feedback) -> Page:
    """Lay out the page."""
    sections = [
        Section("In short", (_numbers(feedback), _notices(feedback))),
        Section("Outcomes", (_outcomes(feedback), _outcome_plot(feedback))),
        Section("Agreement with people", tuple(_agreement(feedback))),
        Section("Position", (_position(feedback),)),
        Section("Length", tuple(_length(feedback))),
        Section("Cost", (_cost(feedback),)),
        Section("Pairs to read", tuple(_specimens(feedback))),
    ]
    how = "what it writes" if feedback.by == "verdict" else "how likely it holds A and B"
    lead = f"{printable(feedback.engine)} on {len(feedback.material.pairs):,} pairs of answers, by {how}."
    return Page(f"Judge: {feedback.judge}", lead, tuple(sections))


def _numbers(feedback: Feedback) -> Numbers:
    decided = feedback.outcomes["first"] + feedback.outcomes["second"]
    items: list[tuple[str, Cell]] = [("pairs", len(feedback.material.pairs)), ("decided", decided)]
    items.append(("rows to learn from", len(feedback.rows)))
    if feedback.agreement:
        items.append(("agreement with people", _share(feedback.agreement.decided.value)))
    return Numbers(tuple(items))


def _notices(feedback: Feedback) -> Notices:
    return Notices(tuple(warnings(feedback)), "Nothing speaks against this judge.")


def warnings(feedback: Feedback) -> Iterator[tuple[str, str]]:
    """Say what speaks against a judge, and what to do about it."""
    outcomes, total = feedback.outcomes, len(feedback.material.pairs)
    place = feedback.position.first_place
    if place.value == place.value and not place.low <= 0.5 <= place.high:
        which = "first" if place.value > 0.5 else "second"
        told = f"the {which} place wins {max(place.value, 1 - place.value):.0%} of its sides"
        yield told, "it looks at the place of an answer: keep `orders: both`, or take another judge"
    if outcomes["unjudged"] > 0.1 * total:
        told = f"{outcomes['unjudged']:,} of {total:,} pairs are unjudged"
        yield told, "read their replies in the ledger: is there room for the reason, is the rubric clear?"
    if (agreement := feedback.agreement) and not agreement.kappa.low > 0:
        yield "its agreement with people is not surely above chance", "do not learn from it"
    if (by := feedback.by_length) and by.num_longer and by.num_shorter:
        gap = by.longer_right.low > by.shorter_right.high or by.shorter_right.low > by.longer_right.high
        if gap:
            told = f"right in {by.longer_right.value:.0%} where people take the longer answer"
            told += f", in {by.shorter_right.value:.0%} where they take the shorter"
            yield told, "it looks at the length: say in the rubric that length is no merit"
    if feedback.itself:
        yield "the judge wrote these answers itself", "it may prefer its own: take another model as the judge"


def _outcomes(feedback: Feedback) -> Table:
    total = len(feedback.material.pairs)
    first, second = _sides(feedback)
    names = {"first": f"first ({first})", "second": f"second ({second})"}
    rows: list[tuple[Cell, ...]] = [
        (Noted(names.get(outcome, outcome), MEANING[outcome]), count, Share(count / total) if total else None)
        for outcome, count in feedback.outcomes.items()
    ]
    if feedback.material.left_out:
        left_out = len(feedback.material.left_out)
        rows.append((Noted("left out", "fewer than two answers differ: no pair"), left_out, None))
    return Table(("outcome", "pairs", "share"), tuple(rows))


def _sides(feedback: Feedback) -> tuple[str, str]:
    return ("chosen", "rejected") if feedback.material.origin == "preferences" else ("better scored", "other")


def _outcome_plot(feedback: Feedback) -> Plots:
    counts = [float(count) for count in feedback.outcomes.values()]
    decided = feedback.outcomes["first"] + feedback.outcomes["second"]
    told = f"{decided:,} of {len(feedback.material.pairs):,} pairs are decided."
    return Plots((bars("What came of the pairs", list(OUTCOMES), {"pairs": counts}, axes=("", "pairs"), told=told),))


def _agreement(feedback: Feedback) -> Iterator[Block]:
    agreement = feedback.agreement
    if agreement is None:
        yield Paragraph("No labels of people were given, so nobody knows whether this judge is right.")
        return
    yield Paragraph(
        f"{agreement.num_labels:,} labels. Small: where the figure lies in 95 % of resampled sets of pairs. Ties and"
        " disagreements take no side in kappa, unjudged pairs are left out of it; each pair counts from both sides."
    )
    yield Table(
        ("measure", "value"),
        (
            (Noted("same side", f"of {agreement.num_decided:,} labels where both take one"), _score(agreement.decided)),
            (Noted("same answer", "of all labels; disagreements and unjudged pairs are none"), _score(agreement.same)),
            (Noted("Cohen's kappa", "0 is chance, 1 is one mind"), _score(agreement.kappa)),
            (Noted("people among themselves", "two labels of one pair that are the same"), _score(agreement.people)),
        ),
    )
    yield _table(agreement)


def _table(agreement: Agreement) -> Table:
    rows: list[tuple[Cell, ...]] = [(side, *row.values()) for side, row in agreement.table.items()]
    return Table(("people", *OUTCOMES), tuple(rows), caption="What people say, and what the judge says")


def _position(feedback: Feedback) -> Table:
    position = feedback.position
    rows: tuple[tuple[Cell, ...], ...] = (
        (Noted("orders contradict", f"of {position.num_pairs:,} pairs read both ways"), _score(position.contradicted)),
        (Noted("orders differ at all", "ties included"), _score(position.changed)),
        (Noted("won by the first place", "one half, if only the answers count"), _score(position.first_place)),
    )
    return Table(("what", "share"), rows)


def _length(feedback: Feedback) -> Iterator[Block]:
    rows: list[tuple[Cell, ...]] = [(f"judge, {one.name}", one.num_pairs, _score(one.won)) for one in feedback.longer]
    given = (("the file", feedback.longer_given), ("people", feedback.longer_by_people))
    rows += [(name, one.num_pairs, _score(one.won)) for name, one in given if one]
    yield Table(("by", "pairs", "won by the longer answer"), tuple(rows), "Pairs of different length, a side taken")
    if by := feedback.by_length:
        right: tuple[tuple[Cell, ...], ...] = (
            ("the longer answer", by.num_longer, _score(by.longer_right)),
            ("the shorter answer", by.num_shorter, _score(by.shorter_right)),
        )
        yield Table(("people take", "labels", "so does the judge"), right, "Right by length")


def _cost(feedback: Feedback) -> Numbers:
    cost = feedback.cost
    tokens = (("tokens read", cost.num_prompt_tokens), ("tokens written", cost.num_tokens))
    price = (("price", cost.price),) if cost.price else ()
    return Numbers((("replies", cost.num_replies), *tokens, *price))


def _specimens(feedback: Feedback) -> Iterator[Block]:
    wrong = [
        (one.pair, feedback.of(one.pair), f"people: {one.label}")
        for one in feedback.labelled
        if one.label != feedback.of(one.pair).outcome
    ]
    yield from _folded("not what people say", wrong)
    for outcome in ("disagreement", "unjudged", "tie", "second", "first"):
        pairs = [(pair, feedback.of(pair), "") for pair in feedback.material.pairs]
        yield from _folded(outcome, [one for one in pairs if one[1].outcome == outcome])
    if not feedback.material.pairs:
        yield Paragraph("There is no pair.")


def _folded(name: str, pairs: Sequence[tuple[Pair, Judgement, str]]) -> Iterator[Block]:
    if pairs:
        shown = tuple(_specimen(*one) for one in pairs[:SHOWN])
        yield Specimens(f"{name}: {len(shown):,} of {len(pairs):,} pairs", shown, folded=True)


def _specimen(pair: Pair, judgement: Judgement, told: str) -> Specimen:
    lines = [("asked", RowText(told_question(pair.asked, pair.where)))]
    lines += [("first", RowText(pair.first or EMPTY)), ("second", RowText(pair.second or EMPTY))]
    for heard in judgement.heard:
        name = "second shown first" if heard.turned else "first shown first"
        said = " ⏎ ".join(reply or "(nothing)" for reply in heard.replies) or "(nothing)"
        side = heard.side or "unread"
        share = f", {heard.share:.2f} for the first" if heard.share is not None else ""
        why = f" ({heard.why})" if heard.why else ""
        lines.append((f"{name}: {side}{share}", RowText(said + why)))
    heading = f"{PurePath(pair.where).name} · {judgement.outcome}" + (f" · {told}" if told else "")
    return Specimen(printable(heading), tuple(lines))


def _score(score: Interval) -> Score | None:
    if math.isnan(score.value):
        return None
    return Score(f"{score.value:.3f}", f"{score.low:.3f} to {score.high:.3f}")


def _share(value: float) -> Share | None:
    return None if math.isnan(value) else Share(value)
