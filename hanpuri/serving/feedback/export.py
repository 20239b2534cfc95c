"""
What people said ─► files that the road to a better model reads as they are.

In:  a FeedbackStore, and a form.   Out: rows of JSONL, and a Report of what was left out:

    corrections   {"noisy": "확잠실읾", "restored": "확장실이", "corrected": "화장실이", "id": "f55f…", "time": "…"}
    preference    {"prompt": "확잠실읾", "chosen": "화장실이", "rejected": "확장실이", "source": "corrections", …}
    pairs         {"noisy": "확잠실읾", "clean": "화장실이"}

`hanpuri prefer corrections` reads the first form, `kind: reward` and `kind: dpo` the second, `hanpuri prepare` and
`hanpuri evaluate` the third. Only rows with consent are read. All that was said of one noisy text is looked at
together, so that memory holds one text's rows and no more, however many there are.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Any, Literal

from hanpuri.preferences import corrections as people
from hanpuri.preferences.pairs import LeftOut, Line, make_pair, same_text, without_twins
from hanpuri.serving.feedback.said import Correction, Said, Vote, utc
from hanpuri.serving.feedback.store import FeedbackStore

Form = Literal["corrections", "preference", "pairs"]
FORMS: tuple[Form, ...] = ("corrections", "preference", "pairs")
NO_CONSENT = "no consent"
TIE = "neither of both is better"
SAME = "both texts are the same"
EMPTY = "the better text is empty"
NO_CORRECTION = "a vote says no right text"
NO_NEED = (people.EARLIER, people.CONTRADICTED, people.UNSURE)
"""Why a correction is left out of a file of corrections; one that repeats or accepts stays: it says who agrees."""


@dataclass
class Report:
    """What became of the rows, counted while they are written."""

    form: Form
    num_rows: int = 0
    num_written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON; the most frequent reason first."""
        left_out = {why: count for why, count in self.left_out.most_common() if count}
        return {"form": self.form, "rows": self.num_rows, "written": self.num_written, "left_out": left_out}


def export(store: FeedbackStore, report: Report, since: datetime | None = None) -> Iterator[Line]:
    """
    Give the rows of a form, text by text; the report is whole when all were taken.

    Raises:
        EngineError: if the database does not answer.
    """
    for kind in (Correction, Vote):
        report.left_out[NO_CONSENT] += store.count(kind, since=since, consent=False)
    report.num_rows += report.left_out[NO_CONSENT]
    for corrections, votes in _by_text(store, since):
        report.num_rows += len(corrections) + len(votes)
        rows, out = _of_text(report.form, corrections, votes)
        report.left_out.update(one.why for one in out)
        report.num_written += len(rows)
        yield from rows


def _by_text(store: FeedbackStore, since: datetime | None) -> Iterator[tuple[list[Correction], list[Vote]]]:
    corrections = store.each(Correction, since=since, consented=True, by_text=True)
    votes = store.each(Vote, since=since, consented=True, by_text=True)
    both: Iterator[Said] = merge(corrections, votes, key=lambda one: one.noisy)
    for _, said in groupby(both, key=lambda one: one.noisy):
        of_text: tuple[list[Correction], list[Vote]] = [], []
        for one in said:
            if isinstance(one, Correction):
                of_text[0].append(one)
            else:
                of_text[1].append(one)
        yield of_text


def _of_text(
    form: Form, corrections: Sequence[Correction], votes: Sequence[Vote]
) -> tuple[Sequence[Line], Sequence[LeftOut]]:
    """Make the rows of one noisy text, of which people have said all this."""
    corrected = people.pairs_from_corrections([_told(one) for one in corrections])
    if form == "preference":
        return _preferences(corrected.gathered.rows, corrected.gathered.left_out, votes)
    no_texts = [LeftOut(str(one.id), NO_CORRECTION) for one in votes]
    out = {one.where: one for one in corrected.gathered.left_out if one.why in NO_NEED}
    kept = [one for one in corrections if str(one.id) not in out]
    if form == "corrections":
        return [_line(one) for one in kept], [*out.values(), *no_texts]
    twins = [LeftOut(str(one.id), people.AGREED) for one in kept[1:]]
    return [_pair(one) for one in kept[:1]], [*out.values(), *twins, *no_texts]


def _told(one: Correction) -> people.Correction:
    """Say it as `preferences` reads it from a file."""
    corrected = one.restored if one.accepted else one.corrected
    person = one.visitor or str(one.id)
    time = one.time.timestamp()
    return people.Correction(str(one.id), one.noisy, one.restored, corrected, person, time)


def _line(one: Correction) -> Line:
    """Write a correction as docs/preferences.md has it."""
    said = {"corrected": one.corrected, "accepted": one.accepted, "id": one.visitor, "model": one.model}
    told = {key: value for key, value in said.items() if value is not None}
    return {"noisy": one.noisy, "restored": one.restored, **told, "time": utc(one.time)}


def _pair(one: Correction) -> Line:
    return {"noisy": one.noisy, "clean": one.corrected or one.restored}


def _preferences(
    pairs: Sequence[Line], out: Sequence[LeftOut], votes: Sequence[Vote]
) -> tuple[Sequence[Line], Sequence[LeftOut]]:
    """Put what was voted behind what was corrected; of two pairs that say the opposite, neither stays."""
    voted, no_pairs = _votes(votes)
    kept, twins = without_twins((str(pair["where"]), pair) for pair in [*pairs, *voted])
    sides = {(pair["chosen"], pair["rejected"]) for _, pair in kept}
    opposite = [where for where, pair in kept if (pair["rejected"], pair["chosen"]) in sides]
    contradicted = [LeftOut(where, people.CONTRADICTED) for where in opposite]
    return [pair for where, pair in kept if where not in opposite], [*out, *no_pairs, *twins, *contradicted]


def _votes(votes: Sequence[Vote]) -> tuple[list[Line], list[LeftOut]]:
    """Make pairs of the votes on one noisy text; of what a person says of the same two texts, the last word counts."""
    last = {(one.visitor or one.id, frozenset((one.left, one.right))): one for one in votes}
    counted = {one.id for one in last.values()}
    out = [LeftOut(str(one.id), people.EARLIER) for one in votes if one.id not in counted]
    pairs: dict[tuple[str, str], Line] = {}
    for one in last.values():
        chosen, rejected = (one.left, one.right) if one.choice == "left" else (one.right, one.left)
        why = _no_pair(one, chosen)
        if (chosen, rejected) in pairs:
            why = why or people.AGREED
        if why:
            out.append(LeftOut(str(one.id), why))
        else:
            where = str(one.id)
            pairs[chosen, rejected] = make_pair({"noisy": one.noisy}, chosen, rejected, source="votes", where=where)
    return list(pairs.values()), out


def _no_pair(vote: Vote, chosen: str) -> str:
    """Say why a vote makes no pair; "" if it makes one."""
    if vote.choice in ("both", "neither"):
        return TIE
    if same_text(vote.left, vote.right):
        return SAME
    return "" if chosen.strip() else EMPTY
