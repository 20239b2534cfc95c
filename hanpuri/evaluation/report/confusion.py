"""
Which letter was taken for which: counted over all syllables that an engine restored.

In:  an engine's answers, aligned with the clean texts.   Out: Confusions: counts of (clean, restored) for each letter,

    vowels[VOWELS.index("ㅔ"), VOWELS.index("ㅐ")] == 120      # 120 times ㅐ was written for ㅔ

and for whole syllables, the most frequent first: (("씨", "시", 31, 402), …), 31 of 402 times 씨 became 시.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hanpuri.evaluation.report.compared import Compared
from hanpuri.hangul import FIRST_SYLLABLE, LEADS, NUM_SYLLABLES, TAILS, VOWELS, Indices, split, syllable_mask
from hanpuri.pages.page import Block, Paragraph, Plots, RowText, Share, Table, figure
from hanpuri.pages.plots import Plot, heat_map

MAX_SYLLABLES = 20
NO_TAIL = "–"
LETTERS = (("Leads", LEADS), ("Vowels", VOWELS), ("Tails", (NO_TAIL, *TAILS[1:])))


@dataclass(frozen=True, eq=False)
class Confusions:
    """
    What was written for what, of all syllables that have a counterpart.

    Attributes:
        letters: (19, 19), (21, 21), (28, 28) counts of (clean, restored) leads, vowels and tails.
        syllables: (clean, restored, times, times that the clean one stood there), the most frequent first.
        num_syllables: syllables of the clean texts with a counterpart that is a syllable.
        num_wrong: of these, how many are another one.
    """

    letters: tuple[Indices, Indices, Indices]
    syllables: tuple[tuple[str, str, int, int], ...]
    num_syllables: int
    num_wrong: int


def confusions(compared: Sequence[Compared]) -> Confusions:
    """Count the confusions of an engine, over all files that it answered."""
    pairs = [one.points(row) for one in compared for row in range(len(one.references))]
    written, right = (np.concatenate([np.empty(0, dtype=np.int64), *side]) for side in zip(*pairs, strict=True))
    both = syllable_mask(written) & syllable_mask(right)
    written, right = written[both] - FIRST_SYLLABLE, right[both] - FIRST_SYLLABLE
    letters = [
        np.bincount(clean * size + restored, minlength=size * size).reshape(size, size)
        for clean, restored, size in zip(split(right), split(written), map(len, (LEADS, VOWELS, TAILS)), strict=True)
    ]
    wrong = written != right
    return Confusions(
        letters=(letters[0], letters[1], letters[2]),
        syllables=tuple(_most_frequent(written[wrong], right[wrong], np.bincount(right, minlength=NUM_SYLLABLES))),
        num_syllables=len(right),
        num_wrong=int(wrong.sum()),
    )


def _most_frequent(written: Indices, right: Indices, totals: Indices) -> Iterator[tuple[str, str, int, int]]:
    codes, counts = np.unique(right * NUM_SYLLABLES + written, return_counts=True)
    for place in np.lexsort((codes, -counts))[:MAX_SYLLABLES]:  # of those as frequent, in the order of the alphabet
        if counts[place] == 1 < counts.max():
            return  # what happened once says nothing
        clean, restored = divmod(int(codes[place]), NUM_SYLLABLES)
        names = chr(FIRST_SYLLABLE + clean), chr(FIRST_SYLLABLE + restored)
        yield *names, int(counts[place]), int(totals[clean])


def confusion_blocks(engine: str, counted: Confusions) -> Iterator[Block]:
    """Show the confusions of one engine."""
    share = figure(Share(counted.num_wrong / counted.num_syllables)) if counted.num_syllables else "0 %"
    told = f"{engine}: of {counted.num_syllables:,} syllables, {counted.num_wrong:,} became another one ({share})."
    yield Paragraph(told)
    if plots := tuple(_plots(engine, counted)):
        rows = tuple(
            (RowText(f"{clean} → {restored}"), times, total, Share(times / total))
            for clean, restored, times, total in counted.syllables
        )
        yield Plots(plots)
        head = ("clean → restored", "times", "of so many", "share")
        yield Table(head, rows, f"Syllables that {engine} most often took for another")


def _plots(engine: str, counted: Confusions) -> Iterator[Plot]:
    """Draw the wrong letters, and only the letters that any mistake has to do with."""
    for (title, letters), counts in zip(LETTERS, counted.letters, strict=True):
        wrong = counts * ~np.eye(len(counts), dtype=np.bool_)
        rows, columns = np.flatnonzero(wrong.any(1)), np.flatnonzero(wrong.any(0))
        if len(rows):
            yield heat_map(
                f"{title} of {engine}",
                [letters[row] for row in rows.tolist()],
                [letters[column] for column in columns.tolist()],
                wrong[np.ix_(rows, columns)].tolist(),
                axes=("restored", "clean"),
                told=_told(letters, wrong, int(counts.sum())),
            )


def _told(letters: Sequence[str], wrong: Indices, total: int) -> str:
    """Say how many are wrong, and name the three most frequent."""
    most = [divmod(int(place), len(letters)) for place in np.argsort(-wrong, axis=None, kind="stable")[:3]]
    named = [
        f"{letters[clean]} → {letters[restored]} ({wrong[clean, restored]:,})"
        for clean, restored in most
        if wrong[clean, restored]
    ]
    return f"{int(wrong.sum()):,} of {total:,} are wrong. Most often: {', '.join(named)}."
