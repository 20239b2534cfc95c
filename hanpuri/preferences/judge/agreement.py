"""
How far a judge says what people say: accuracy, Cohen's kappa, and a table that hides nothing.

In: a label and a judgement of each pair. Out: an Agreement:

                people \\ judge    first  second  tie  disagreement  unjudged
                first                41       5    2             6         1
                second                4      38    1             7         0
                tie                   3       2    4             5         0

`decided` is the share of the same side where both take one; `same` the share of all labels that the judge repeats, a
tie with a tie, where a disagreement and an unjudged pair are none. Kappa is Cohen's (1960), of the three answers first,
second and neither: ties and disagreements take no side; unjudged pairs are left out. Which answer is called the first
is chance, or always the chosen one; so that this moves nothing, each pair counts from both sides. Intervals draw pairs
with all of their labels. Where several people label a pair, `people` is how often two of them say the same: no judge
can be asked for more.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from hanpuri.evaluation.metrics.tallies import Tally, ratio
from hanpuri.evaluation.significance import Interval, intervals
from hanpuri.preferences.judge.judgements import OUTCOMES, Outcome, Side

SIDES: tuple[Side, ...] = ("first", "second", "tie")
CLASS: dict[Outcome, int] = {"first": 0, "second": 1, "tie": 2, "disagreement": 2}
TURN = (1, 0, 2)
"""The classes, seen from the other side."""
Verdicts = Sequence[tuple[Side, Outcome]]


@dataclass(frozen=True)
class Agreement:
    """What a judge and people have in common."""

    num_labels: int
    table: Mapping[Side, Mapping[Outcome, int]]
    num_decided: int
    """Labels with a side, of pairs to which the judge gave one."""
    decided: Interval
    """NaN where nothing was decided."""
    same: Interval
    kappa: Interval
    """NaN where nothing can be said: no pair judged, or all of one class."""
    people: Interval
    """NaN where no pair has two labels."""

    def as_dict(self) -> dict[str, object]:
        """Give all of it for JSON; what is no number is null."""
        scores = {name: _told(getattr(self, name)) for name in ("decided", "same", "kappa", "people")}
        table = {side: dict(row) for side, row in self.table.items()}
        return {"labels": self.num_labels, "num_decided": self.num_decided, **scores, "table": table}


def cohens_kappa(table: npt.NDArray[np.float64]) -> float:
    """
    Give Cohen's kappa of a square table of counts: (observed − expected) / (1 − expected) agreement.

        >>> round(cohens_kappa(np.array([[20.0, 5.0], [10.0, 15.0]])), 6)
        0.4

    Args:
        table: (K, K), how often the one rater says the row and the other the column.

    Returns:
        NaN if the table is empty, or both raters say one and the same thing always.
    """
    return float(_kappas(table.reshape(1, -1))[0])


def agreement_of(verdicts: Verdicts, groups: Sequence[Hashable] = (), *, seed: int = 0) -> Agreement:
    """
    Compare labels with judgements.

        >>> found = agreement_of([("first", "first"), ("second", "first"), ("first", "unjudged")])
        >>> found.decided.value, round(found.same.value, 3), found.num_decided
        (0.5, 0.333, 2)

    Args:
        verdicts: what somebody says of a pair, and what the judge does.
        groups: the pair of each, so that labels of one pair are drawn together; each has its own, if not given.
        seed: of the draws that intervals are made by.

    Raises:
        ValueError: without a label.
    """
    if not verdicts:
        raise ValueError("found no label, expected one or more")
    table = {side: dict.fromkeys(OUTCOMES, 0) for side in SIDES}
    for side, outcome in verdicts:
        table[side][outcome] += 1
    groups = groups or range(len(verdicts))
    by_label = {"decided": _decided(verdicts), "same": _same(verdicts), "kappa": _crossed(verdicts)}
    tallies = {name: _gathered(tally, groups) for name, tally in by_label.items()}
    tallies["people"] = _people([side for side, _ in verdicts], groups)
    found = intervals(tallies, {"decided": ratio, "same": ratio, "kappa": _kappas, "people": ratio}, seed=seed)
    return Agreement(len(verdicts), table, int(tallies["decided"][:, 1].sum()), **found)


def _gathered(tally: Tally, groups: Sequence[Hashable]) -> Tally:
    """Add up the rows of a group."""
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    gathered = np.zeros((len(places), tally.shape[1]))
    np.add.at(gathered, [places[group] for group in groups], tally)
    return gathered


def _people(labels: Sequence[Side], groups: Sequence[Hashable]) -> Tally:
    """Count, of each group, the pairs of labels that are the same, and all pairs of labels."""
    by_group: dict[Hashable, list[Side]] = {}
    for label, group in zip(labels, groups, strict=True):
        by_group.setdefault(group, []).append(label)
    twos = [list(combinations(of, 2)) for of in by_group.values()]
    return np.array([(sum(one == other for one, other in of), len(of)) for of in twos], dtype=np.float64)


def _decided(verdicts: Verdicts) -> Tally:
    """Count, (N, 2), who takes the same side, of those pairs on which both take one."""
    rows = [(side == outcome, side != "tie" and outcome in ("first", "second")) for side, outcome in verdicts]
    return np.array([(same and both, both) for same, both in rows], dtype=np.float64)


def _same(verdicts: Verdicts) -> Tally:
    return np.array([(side == outcome, 1.0) for side, outcome in verdicts], dtype=np.float64)


def _crossed(verdicts: Verdicts) -> Tally:
    """Give each label's cell of the table of classes, flat: (N, 9), from both sides."""
    cells = np.zeros((len(verdicts), len(SIDES), len(SIDES)))
    for row, (side, outcome) in enumerate(verdicts):
        if outcome in CLASS:
            here, there = SIDES.index(side), CLASS[outcome]
            cells[row, here, there] += 1
            cells[row, TURN[here], TURN[there]] += 1
    return cells.reshape(len(verdicts), -1)


def _kappas(sums: Tally) -> Tally:
    """Reckon kappa of flat tables, (…, K·K)."""
    size = round(sums.shape[-1] ** 0.5)
    tables = sums.reshape(*sums.shape[:-1], size, size)
    total = tables.sum(axis=(-2, -1))
    whole = np.where(total > 0, total, np.nan)
    observed = np.trace(tables, axis1=-2, axis2=-1) / whole
    expected = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / whole**2
    kappas: Tally = np.divide(
        observed - expected, 1 - expected, out=np.full(np.shape(expected), np.nan), where=expected < 1
    )
    return kappas


def _told(score: Interval) -> dict[str, float] | None:
    return None if score.value != score.value else {name: round(value, 5) for name, value in vars(score).items()}
