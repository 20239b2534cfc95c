"""
What held-out pairs tell of a reward model ─► one HTML page.

In: PairScores, and a way to read a pair. Out: the page: figures, margins, calibration, lengths, the most wrong pairs:

    accuracy 94.2 % (92.0 to 96.1)     margin 2.1     500 pairs
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher

import numpy as np

from hanpuri.pages.page import (
    Block,
    Cell,
    Mark,
    Marked,
    Notices,
    Numbers,
    Page,
    Paragraph,
    Piece,
    Plots,
    RowText,
    Score,
    Section,
    Share,
    Specimen,
    Specimens,
    Table,
    figure,
    render,
)
from hanpuri.pages.plots import Plot, histogram, reliability
from hanpuri.training.preference.pair_scores import PairScores, PairTexts

NUM_WORST = 20
MARKS: Mapping[str, Mark] = {"equal": "", "replace": "wrong", "insert": "extra", "delete": "missing"}
NUM_MARGIN_BINS = 40
DOUBT = 0.1
"""How far a share may be off before it is said."""
Intervals = Mapping[str, tuple[float, float]]
Read = Callable[[int], PairTexts]


def write_page(scored: PairScores, read: Read, *, title: str, intervals: Intervals | None = None) -> str:
    """
    Write the page.

    Args:
        scored: the scores of all pairs.
        read: gives a pair by its place.
        title: what was scored.
        intervals: of figures such as accuracy, where somebody has reckoned them.
    """
    sections = (
        Section("In short", tuple(_in_short(scored, intervals or {}))),
        Section("Margins", (Plots((_margins(scored),)),)),
        Section("Calibration", tuple(_calibration(scored))),
        Section("Length", tuple(_lengths(scored))),
        Section("The most wrong pairs", (_worst(scored, read),)),
    )
    return render(Page(f"Reward model: {title}", f"On {_pairs(len(scored))}.", sections))


def _in_short(scored: PairScores, intervals: Intervals) -> Iterator[Block]:
    cells = {name: _cell(name, value) for name, value in scored.figures().items()}
    yield Numbers((("pairs", len(scored)), *((name.replace("_", " "), cell) for name, cell in cells.items())))
    yield Notices(tuple(_doubts(scored)), "Nothing to warn of.")
    if intervals:
        rows = ((name, Score(figure(cells[name]), _bounds(name, *intervals[name]))) for name in intervals)
        yield Table(("figure", "with its 95 % interval"), tuple(rows))
    yield Paragraph(
        "A pair is right if the chosen answer has the higher reward; of a tie half counts. The loss is the negative"
        " logarithm of sigmoid(margin), the probability that the chosen answer wins."
    )


def _cell(name: str, value: float) -> Cell:
    return Share(value) if name == "accuracy" else value


def _bounds(name: str, low: float, high: float) -> str:
    return f"{figure(_cell(name, low))} to {figure(_cell(name, high))}"


def _doubts(scored: PairScores) -> Iterator[tuple[str, str]]:
    figures = scored.figures()
    if figures["accuracy"] <= 0.5:
        yield "It is right no more often than a coin.", "train longer, or on pairs that tell more"
    if figures["calibration_error"] > DOUBT:
        off = figure(Share(figures["calibration_error"]))
        yield f"Its probabilities are {off} off on average.", "do not take sigmoid(margin) for a probability"
    wins, chosen = scored.longer_wins(), scored.longer_chosen()
    if wins is not None and chosen is not None and abs(wins - chosen) > DOUBT:
        longer = "longer" if wins > chosen else "shorter"
        told = f"The longer answer wins in {figure(Share(wins))} of pairs, and is the better one in"
        yield f"{told} {figure(Share(chosen))}.", f"add pairs in which the {longer} answer is the worse one"


def _margins(scored: PairScores) -> Plot:
    margins = scored.margins
    far = max(1e-6, float(np.abs(margins).max()))
    counts, edges = np.histogram(margins, bins=NUM_MARGIN_BINS, range=(-far, far))
    below = int((margins < 0).sum())
    return histogram(
        "Margins",
        {"pairs": counts.tolist()},
        edges.tolist(),
        axes=("reward of the chosen answer − reward of the rejected", "pairs"),
        told=f"Of {_pairs(len(scored))}, {below:,} lie below 0, where the rejected answer wins.",
        mark=("a tie", 0.0),
    )


def _calibration(scored: PairScores) -> Iterator[Block]:
    bins = scored.bins()
    plot = reliability(
        "Calibration",
        {"pairs": [(one.confidence, one.right, one.pairs) for one in bins]},
        axes=("probability of the winner", "share that is right"),
        told="Dots on the line are pairs whose probability can be believed; those below it boast.",
    )
    rows = tuple((Share(one.confidence), Share(one.right), one.pairs) for one in bins)
    yield Plots((plot,))
    yield Table(("probability of the winner", "right", "pairs"), rows)


def _lengths(scored: PairScores) -> Iterator[Block]:
    rows = tuple(
        (name, number, None if share is None else Share(share)) for name, (number, share) in scored.by_length().items()
    )
    yield Table(("pairs in which", "pairs", "accuracy"), rows)
    wins, chosen = scored.longer_wins(), scored.longer_chosen()
    if wins is not None and chosen is not None:
        yield Paragraph(
            f"Where lengths differ, the longer answer is the chosen one in {figure(Share(chosen))} of pairs,"
            f" and wins in {figure(Share(wins))}."
        )


def _worst(scored: PairScores, read: Read) -> Block:
    margins = scored.margins
    places = [int(place) for place in np.argsort(margins, kind="stable")[:NUM_WORST] if margins[place] <= 0]
    if not places:
        return Paragraph("Every chosen answer wins.")
    return Specimens(
        "Pairs whose rejected answer wins, by the most first.", tuple(_specimen(scored, p, read) for p in places)
    )


def _specimen(scored: PairScores, place: int, read: Read) -> Specimen:
    texts = read(place)
    chosen, rejected = float(scored.chosen[place]), float(scored.rejected[place])
    return Specimen(
        f"{texts.name}: {chosen - rejected:+.2f}",
        (
            ("prompt", RowText(texts.prompt)),
            (f"chosen, {chosen:.2f}", RowText(texts.chosen)),
            (f"rejected, {rejected:.2f}", _marked(texts)),
        ),
    )


def _marked(texts: PairTexts) -> Marked:
    """Mark in the rejected answer what the chosen one does not have, and what it lacks."""
    pieces = []
    for how, start, end, first, last in SequenceMatcher(None, texts.chosen, texts.rejected, False).get_opcodes():
        lacks, has = texts.chosen[start:end], texts.rejected[first:last]
        told = f"chosen: {lacks}" if how == "replace" else ""
        pieces.append(Piece(has or lacks, MARKS[how], told=told))
    return Marked(tuple(pieces))


def _pairs(number: int) -> str:
    return "1 pair" if number == 1 else f"{number:,} pairs"
