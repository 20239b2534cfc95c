"""
Does an engine know when it is wrong? Its confidence in each syllable, held against whether the syllable is right.

In:  answers with `confidence`, aligned with the clean texts.   Out: a Calibration:

    Calibration(bins=(Bin(0.55, 0.5, 40), Bin(0.97, 0.99, 9000)), error=0.02, caught=0.61, …)

The expected calibration error is the mean distance between confidence and share of right syllables in ten bins of equal
width, weighted by their syllables (Guo et al. 2017). What an editor asks for is `caught`: of all wrong syllables, the
share among the 5 % that the engine was least sure of.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hanpuri.evaluation.report.compared import Compared
from hanpuri.hangul import Mask, code_points, syllable_mask
from hanpuri.pages.page import Block, Paragraph, Plots, Share, Table, figure
from hanpuri.pages.plots import SERIES, reliability

NUM_BINS = 10
LEAST_SURE = 0.05


class Bin(NamedTuple):
    """Syllables of about the same confidence: their mean confidence, the share that is right, their number."""

    confidence: float
    right: float
    num_syllables: int


@dataclass(frozen=True)
class Calibration:
    """
    How far an engine's confidence can be believed.

    Attributes:
        bins: from unsure to sure; empty ones are left out.
        error: the expected calibration error, 0 to 1.
        confidence: the mean confidence.
        right: the share of right syllables.
        caught: of the wrong syllables, the share among the 5 % that it was least sure of; None if none is wrong.
        num_syllables: that were counted.
    """

    bins: tuple[Bin, ...]
    error: float
    confidence: float
    right: float
    caught: float | None
    num_syllables: int


def calibrate(confidences: npt.NDArray[np.float64], right: Mask) -> Calibration | None:
    """
    Hold confidence against truth; None without a syllable.

        >>> found = calibrate(np.array([0.95, 0.95, 0.5, 0.5]), np.array([True, True, True, False]))
        >>> found.bins[0], round(found.error, 3)
        (Bin(confidence=0.5, right=0.5, num_syllables=2), 0.025)
    """
    count = len(confidences)
    if not count:
        return None
    place = np.minimum((confidences * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    counts, sure, truly = (
        np.bincount(place, weights=weights, minlength=NUM_BINS) for weights in (np.ones(count), confidences, right)
    )
    bins = tuple(
        Bin(float(sure[one] / counts[one]), float(truly[one] / counts[one]), int(counts[one]))
        for one in np.flatnonzero(counts)
    )
    least = np.argsort(confidences, kind="stable")[: max(1, round(count * LEAST_SURE))]
    num_wrong = int((~right).sum())
    return Calibration(
        bins=bins,
        error=float(np.abs(sure - truly).sum() / count),
        confidence=float(confidences.mean()),
        right=float(right.mean()),
        caught=float((~right[least]).sum() / num_wrong) if num_wrong else None,
        num_syllables=count,
    )


def calibration_of(compared: Sequence[Compared]) -> Calibration | None:
    """Gather the syllables of an engine over all files; None if it tells no confidence."""
    sides = [_syllables(one, row) for one in compared for row in range(len(one.references))]
    confidences, right = zip(*sides, strict=True) if sides else ((), ())
    return calibrate(np.concatenate([np.empty(0), *confidences]), np.concatenate([np.empty(0, dtype=np.bool_), *right]))


def _syllables(compared: Compared, row: int) -> tuple[npt.NDArray[np.float64], Mask]:
    """Give the confidence in each syllable of an answer, and whether it is right; one that is too much is not."""
    pairing, text = compared.pairings[row], compared.hypotheses[row]
    confidence = compared.evaluation.answers[row].confidence
    if pairing is None or len(confidence) != len(text):
        return np.empty(0), np.empty(0, dtype=np.bool_)
    points, right = code_points(text), np.zeros(len(text), dtype=np.bool_)
    both = (pairing.hypothesis >= 0) & (pairing.reference >= 0)
    places = pairing.hypothesis[both]
    right[places] = points[places] == code_points(compared.references[row])[pairing.reference[both]]
    syllables = syllable_mask(points)
    return np.array(confidence, dtype=np.float64)[syllables], right[syllables]


def calibration_blocks(found: Mapping[str, Calibration | None]) -> Iterator[Block]:
    """Show what the engines' confidence is worth, engine by engine."""
    told = {engine: one for engine, one in found.items() if one is not None}
    if silent := [engine for engine in found if engine not in told]:
        yield Paragraph(f"No confidence is told by: {', '.join(silent)}.")
    if not told:
        return
    for start in range(0, len(told), len(SERIES)):
        part = dict(list(told.items())[start : start + len(SERIES)])
        title = "Confidence and truth" + (f" ({start // len(SERIES) + 1})" if len(told) > len(SERIES) else "")
        words = "What can be believed lies on the dashed line; below it an engine is too sure of itself."
        axes = ("confidence in a syllable", "share that is right")
        yield Plots((reliability(title, {engine: one.bins for engine, one in part.items()}, axes=axes, told=words),))
    yield _in_numbers(told)
    for engine, one in told.items():
        yield Table(
            ("confidence", "syllables", "mean confidence", "right"),
            tuple(
                (_range(bin.confidence), bin.num_syllables, Share(bin.confidence), Share(bin.right)) for bin in one.bins
            ),
            f"Confidence of {engine}",
        )


def _in_numbers(told: Mapping[str, Calibration]) -> Table:
    rows = tuple(
        (engine, one.num_syllables, Share(one.confidence), Share(one.right), Share(one.error), _caught(one))
        for engine, one in told.items()
    )
    caught = f"wrong syllables among the {figure(Share(LEAST_SURE))} least sure"
    head = ("engine", "syllables", "mean confidence", "right", "expected calibration error", caught)
    return Table(head, rows, "Confidence, in numbers")


def _caught(calibration: Calibration) -> Share | None:
    return None if calibration.caught is None else Share(calibration.caught)


def _range(confidence: float) -> str:
    place = min(int(confidence * NUM_BINS), NUM_BINS - 1)
    return f"{100 * place // NUM_BINS} to {100 * (place + 1) // NUM_BINS} %"
