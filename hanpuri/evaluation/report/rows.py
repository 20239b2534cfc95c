"""
The rows that went worst, and those on which engines disagree, to be read one by one.

In:  engines' answers to one file.   Out: specimens, of pairs with what is wrong marked down to the letter:

    reviews.jsonl:12 · 2 of 11 characters wrong
    noisy     확잠실읾 념뭄 잙앙욤
    restored  화장실이 너무 작아오          오: ㅗ→ㅛ
    clean     화장실이 너무 작아요

How bad a row is: of pairs, its wrong characters by its length; of other rows, what its score lacks to 1. A row that an
engine gave no answer to is not among them: those are counted as failures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.evaluation.report.compared import Compared
from hanpuri.evaluation.report.marking import mark
from hanpuri.pages.page import Block, Cell, Marked, Paragraph, RowText, Share, Specimen, Specimens, Table
from hanpuri.runs.wording import printable

MAX_ROWS = 15
SHORT = 10
"""Added to the length of a row, or else one wrong syllable of two would be worse than twenty of fifty."""
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Judged:
    """
    How bad each answer of an engine is.

    Attributes:
        evaluation: whose.
        badness: (N,) 0 is right; nan where there is no answer.
        compared: the answers aligned with the clean texts; None of other rows than pairs.
    """

    evaluation: Evaluation
    badness: npt.NDArray[np.float64]
    compared: Compared | None

    def line(self, row: int) -> RowText | Marked:
        """Give what the engine wrote, its faults marked where it was aligned."""
        text = self.evaluation.answers[row].text
        if self.compared and (pairing := self.compared.pairings[row]) is not None:
            return mark(self.compared.hypotheses[row], self.compared.references[row], pairing)
        return RowText(text)


def judge(evaluation: Evaluation, measure: str, compared: Compared | None) -> Judged:
    """
    Say how bad the answers are.

    Args:
        evaluation: of rows with references.
        measure: by which rows that are no pairs are judged; more of it is better.
        compared: of pairs, the answers aligned with the clean texts.
    """
    if compared:
        lengths = np.array(
            [max(map(len, texts)) for texts in zip(compared.hypotheses, compared.references, strict=True)]
        )
        badness = compared.errors / (lengths + SHORT)
    else:
        tally = evaluation.tallies[measure]
        badness = 1 - np.divide(tally[:, 0], tally[:, 1], out=np.ones(len(tally)), where=tally[:, 1] > 0)
    failed = np.array(
        [bool(answer.failure) or not answer.text.strip() for answer in evaluation.answers], dtype=np.bool_
    )
    return Judged(evaluation, np.where(failed, np.nan, badness), compared)


def worst_rows(judged: Judged, folded: bool) -> Block:
    """Show the worst rows of an engine."""
    badness = np.nan_to_num(judged.badness)
    wrong = int((badness > 0).sum())
    engine = printable(judged.evaluation.engine)
    if not wrong:
        return Paragraph(f"{engine}: every row that was answered is right.")
    answered = zip(judged.evaluation.answers, judged.evaluation.row_set.rows, strict=True)
    if all(answer.text == row.asked for answer, row in answered):
        return Paragraph(f"{engine}: every answer is its question; they are not shown.")
    shown = [int(row) for row in np.argsort(-badness, kind="stable")[: min(wrong, MAX_ROWS)]]
    names = _names(judged)
    caption = f"{engine}: the worst {len(shown):,} of {wrong:,} rows with a fault"
    return Specimens(caption, tuple(_specimen([judged], row, (names[1],)) for row in shown), folded)


def disagreements(judged: Sequence[Judged]) -> Iterator[Block]:
    """Count which rows both of two engines have right, and show the rows on which engines differ most."""
    badness = np.array([one.badness for one in judged])
    engines = [printable(one.evaluation.engine) for one in judged]
    right = badness <= ROUNDING  # no answer is not right either
    first, name = right[0], engines[0]
    rows: list[tuple[Cell, ...]] = []
    for engine, one in zip(engines[1:], right[1:], strict=True):
        cases = (first & one, first & ~one, ~first & one, ~first & ~one)
        rows.append((engine, *(Share(float(case.mean())) for case in cases)))
    head = ("engine", "both right", f"only {name} right", "only this one right", "neither right")
    yield Table(head, tuple(rows), f"Rows that are wholly right, beside {name}")
    filled = np.where(np.isnan(badness), 1.0, badness)
    spread = filled.max(0) - filled.min(0)
    shown = [int(row) for row in np.argsort(-spread, kind="stable")[:MAX_ROWS] if spread[row] > 0]
    if shown:
        items = tuple(_specimen(judged, row, engines) for row in shown)
        yield Specimens(f"The {len(shown):,} rows on which they differ most", items, folded=True)
    else:
        yield Paragraph("No row is better with one of them than with another.")


def _names(judged: Judged) -> tuple[str, str, str]:
    """Name the question, the answer and the right answer."""
    pairs = judged.evaluation.row_set.form == "pairs"
    return ("noisy", "restored", "clean") if pairs else ("asked", "answered", "expected")


def _specimen(judged: Sequence[Judged], row: int, names: Sequence[str]) -> Specimen:
    """Lay out a row: the question, each engine's answer, the right one."""
    asked, _, right = _names(judged[0])
    question = judged[0].evaluation.row_set.rows[row]
    answers = [
        (name, one.line(row) if not np.isnan(one.badness[row]) else RowText("(no answer)"))
        for name, one in zip(names, judged, strict=True)
    ]
    heading = printable(PurePath(question.where).name) + (f" · {_told(judged[0], row)}" if len(judged) == 1 else "")
    reference = RowText(question.reference or "")
    return Specimen(heading, ((asked, RowText(question.asked)), *answers, (right, reference)))


def _told(judged: Judged, row: int) -> str:
    if judged.compared is None:
        return f"score {1 - judged.badness[row]:.2f}"
    total = max(len(judged.compared.hypotheses[row]), len(judged.compared.references[row]))
    return f"{judged.compared.errors[row]:,} of {total:,} characters wrong"
