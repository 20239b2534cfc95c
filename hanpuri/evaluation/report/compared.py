"""
An engine's answers to a file of pairs, aligned with the clean texts: the ground of rows, confusions and confidence.

In:  an Evaluation.   Out: a Compared: texts in NFC, their alignment, and how many characters of each row are wrong:

    hypotheses=("방이 작아오",), references=("방이 작아요",), errors=array([1])
"""

import unicodedata
from dataclasses import dataclass

import numpy as np

from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.evaluation.report.alignment import Pairing, align
from hanpuri.hangul import Indices, code_points


@dataclass(frozen=True, eq=False)
class Compared:
    """What an engine made of the rows of one file, beside what is right."""

    evaluation: Evaluation
    hypotheses: tuple[str, ...]
    references: tuple[str, ...]
    pairings: tuple[Pairing | None, ...]
    """None for texts that are too long to be aligned."""
    errors: Indices
    """(N,) characters that are wrong, too much or missing."""

    @property
    def engine(self) -> str:
        """What tables call the engine."""
        return self.evaluation.engine

    def points(self, row: int) -> tuple[Indices, Indices]:
        """
        Give the code points that were written and the right ones, pair by pair; only where both are there.

        A row that was not aligned has none.
        """
        pairing = self.pairings[row]
        if pairing is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        both = (pairing.hypothesis >= 0) & (pairing.reference >= 0)
        return (
            code_points(self.hypotheses[row])[pairing.hypothesis[both]],
            code_points(self.references[row])[pairing.reference[both]],
        )


def compare(evaluation: Evaluation) -> Compared:
    """
    Align the answers of an evaluation with the references; a row that failed has an empty text.

    Raises:
        ValueError: if the file has no references.
    """
    references = [row.reference for row in evaluation.row_set.rows]
    if any(reference is None for reference in references):
        raise ValueError(f"{evaluation.row_set.name} has rows without a reference, expected one for each")
    clean = [unicodedata.normalize("NFC", reference or "") for reference in references]
    written = [unicodedata.normalize("NFC", answer.text) for answer in evaluation.answers]
    pairings = align(written, clean)
    errors = [_count(*texts) for texts in zip(written, clean, pairings, strict=True)]
    return Compared(evaluation, tuple(written), tuple(clean), tuple(pairings), np.array(errors, dtype=np.int64))


def _count(hypothesis: str, reference: str, pairing: Pairing | None) -> int:
    """Count what is wrong; place by place where the texts were too long to be aligned."""
    if hypothesis == reference:
        return 0
    written, right = code_points(hypothesis), code_points(reference)
    if pairing is None:
        shared = min(len(written), len(right))
        return int((written[:shared] != right[:shared]).sum()) + abs(len(written) - len(right))
    both = (pairing.hypothesis >= 0) & (pairing.reference >= 0)
    same = written[pairing.hypothesis[both]] == right[pairing.reference[both]]
    return len(pairing.hypothesis) - int(same.sum())
