"""
Several answers to each question ─► the best one of each, as a row to fine-tune on.

In: `Sampled` rows. Out: rows in the form that they were asked in, what they hold of an answer replaced by the best one:

    {"noisy": "쨰밌어요"}: 재밋어요 0.75, 재밌어요 1.0   ─►
    {"noisy": "쨰밌어요", "clean": "재밌어요", "id": "7", "score": 1.0, "first_score": 0.75}

The best is taken among the answers that the model ended and that are not empty, the greedy one among them; what was cut
off would teach not to stop. Of answers with the same score it is the first.
"""

import json
import math
from collections.abc import Iterable

from hanpuri.preferences.pairs import Gathered, LeftOut, Line
from hanpuri.preferences.sampling.drawing import Sampled
from hanpuri.training.answering import answered_row


def keep_best(sampled: Iterable[Sampled], *, threshold: float | None = None, min_gain: float = 0.0) -> Gathered:
    """
    Keep the best answer to each question.

        >>> from hanpuri.engines.base import Answer
        >>> from hanpuri.evaluation.rows import EvalRow
        >>> row = EvalRow("7", "a.jsonl:7", {"noisy": "쨰밌"}, "쨰밌", "재밌", {})
        >>> one = Sampled(row, (Answer("째밌", 2, True), Answer("재밌", 2, True)), (0.5, 1.0))
        >>> keep_best([one], threshold=0.9).rows
        ({'noisy': '쨰밌', 'clean': '재밌', 'id': '7', 'score': 1.0, 'first_score': 0.5},)

    Args:
        sampled: rows with their answers.
        threshold: leave out what scores less; None takes the best whatever it scores.
        min_gain: leave out what is not better by so much than the greedy (or else the first) answer.

    Raises:
        ValueError: if `min_gain` is below 0.
    """
    if min_gain < 0:
        raise ValueError(f"min_gain is {min_gain}, expected 0 or more")
    kept: dict[str, Line] = {}
    out: list[LeftOut] = []
    num_rows = 0
    for one in sampled:
        num_rows += 1
        if why := _why_not(one, threshold, min_gain):
            out.append(LeftOut(one.row.where, why, failure_of(one)))
            continue
        line = _line(one)
        key = json.dumps([line[name] for name in line if name not in ("id", "score", "first_score")])
        if key in kept:
            out.append(LeftOut(one.row.where, "the same as another row"))
        else:
            kept[key] = line
    return Gathered(num_rows, tuple(kept.values()), tuple(out))


def _why_not(one: Sampled, threshold: float | None, min_gain: float) -> str:
    if not one.usable:
        return no_answer_to_learn_from(one)
    best = max(score for _, score in one.usable)
    if threshold is not None and best < threshold:
        return f"the best scores less than {threshold:g}"
    if min_gain and not best - one.first_score >= min_gain:
        return f"the best is not better by {min_gain:g} than the {'first' if one.greedy is None else 'greedy'} answer"
    return ""


def failure_of(one: Sampled) -> str:
    """Give what was said of the first answer that never came; "" if all came."""
    return next((answer.failure for answer in one.answers if answer.failure), "")


def no_answer_to_learn_from(one: Sampled) -> str:
    """
    Say why none of a row's answers can be learnt from, by what the most of them lack.

        >>> from hanpuri.engines.base import Answer
        >>> from hanpuri.evaluation.rows import EvalRow
        >>> row = EvalRow("7", "a.jsonl:7", {"noisy": "쨰밌"}, "쨰밌", "재밌", {})
        >>> no_answer_to_learn_from(Sampled(row, (Answer("째밌", 2, False),), (0.5,)))
        'no answer was brought to an end'
    """
    came = [answer for answer in (*one.answers, one.greedy) if answer is not None and not answer.failure]
    if not came:
        return "no answer came"
    if not any(answer.text.strip() for answer in came):
        return "all answers are empty"
    if not any(answer.finished and answer.text.strip() for answer in came):
        return "no answer was brought to an end"
    return "no answer could be scored"


def _line(one: Sampled) -> Line:
    answer, score = max(one.usable, key=lambda scored: scored[1])  # of equal ones the first
    first = {} if math.isnan(one.first_score) else {"first_score": one.first_score}
    return {**answered_row(one.row.fields, answer.text), "id": one.row.id, "score": score, **first}
