"""
Several answers with scores ─► pairs of a better and a worse one.

In: `Sampled` rows. Out: rows of the form `preference`; of answers with the scores 1.0, 0.75 and 0.5:

    best-worst     1.0 before 0.5
    best-median    1.0 before 0.75
    all            1.0 before 0.5, 1.0 before 0.75, 0.75 before 0.5

Answers that never came, are empty, cut off or without a score stand in no pair.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Literal, get_args

from hanpuri.preferences.pairs import Gathered, LeftOut, Line, make_pair, normal, without_twins
from hanpuri.preferences.sampling.best import failure_of, no_answer_to_learn_from
from hanpuri.preferences.sampling.drawing import Sampled, Scored

Which = Literal["best-worst", "best-median", "all"]
WHICH: tuple[Which, ...] = get_args(Which)
ROUNDING = 1e-9
"""0.8 and 0.7 are 0.1 apart, though their difference in the machine is a little less."""


def pairs_from_scores(
    sampled: Iterable[Sampled], *, margin: float = 0.1, which: Which = "best-worst", source: str = "scores"
) -> Gathered:
    """
    Make pairs of answers whose scores are `margin` apart or more.

        >>> from hanpuri.engines.base import Answer
        >>> from hanpuri.evaluation.rows import EvalRow
        >>> row = EvalRow("7", "a.jsonl:7", {"noisy": "쨰밌"}, "쨰밌", "재밌", {})
        >>> one = Sampled(row, (Answer("째밌", 2, True), Answer("재밌", 2, True)), (0.5, 1.0))
        >>> pairs_from_scores([one]).rows[0]["chosen"], pairs_from_scores([one], margin=0.6).counts
        ('재밌', {'scores less than 0.6 apart': 1})

    Args:
        sampled: rows with their answers.
        margin: the least difference of scores; a tie gives nothing, also where it is 0.
        which: which answers of a row stand in pairs.
        source: what the pairs say of where they came from.

    Raises:
        ValueError: if `margin` is below 0, or there is no such `which`.
    """
    if margin < 0 or which not in WHICH:
        raise ValueError(
            f"found margin {margin} and which {which!r}, expected 0 or more, and one of {', '.join(WHICH)}"
        )
    found: list[tuple[str, Line]] = []
    out: list[LeftOut] = []
    num_rows = 0
    for one in sampled:
        num_rows += 1
        ranked = _ranked(one)
        told = [pair for pair in _choose(ranked, which) if _apart(pair, margin)]
        found += [(one.row.where, _line(one, *pair, source)) for pair in told]
        if not told:
            out.append(LeftOut(one.row.where, _why(one, ranked, margin), failure_of(one)))
    kept, twins = without_twins(found)
    return Gathered(num_rows, tuple(pair for _, pair in kept), (*out, *twins))


def _ranked(one: Sampled) -> list[Scored]:
    """List the answers of a row that can be learnt from, each text once, the best first."""
    by_text: dict[str, Scored] = {}
    for answer, score in one.usable:
        by_text.setdefault(normal(answer.text).strip(), (answer, score))
    return sorted(by_text.values(), key=lambda scored: -scored[1])


def _choose(ranked: list[Scored], which: Which) -> Iterator[tuple[Scored, Scored]]:
    if which == "all":
        yield from combinations(ranked, 2)
    elif len(ranked) > 1:
        yield ranked[0], ranked[-1 if which == "best-worst" else len(ranked) // 2]


def _apart(pair: tuple[Scored, Scored], margin: float) -> bool:
    (_, better), (_, worse) = pair
    return better > worse and better - worse >= margin - ROUNDING


def _why(one: Sampled, ranked: list[Scored], margin: float) -> str:
    if not ranked:
        return no_answer_to_learn_from(one)
    if len(ranked) == 1:
        return "only one answer can be learnt from" if len(one.usable) == 1 else "all answers are the same"
    if ranked[0][1] == ranked[-1][1]:
        return "all answers have the same score"
    return f"scores less than {margin:g} apart"


def _line(one: Sampled, better: Scored, worse: Scored, source: str) -> Line:
    scores = {"chosen_score": better[1], "rejected_score": worse[1]}
    return make_pair(one.row.fields, better[0].text, worse[0].text, id=one.row.id, source=source, **scores)
