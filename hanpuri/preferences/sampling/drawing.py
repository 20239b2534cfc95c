"""
Rows ─► several answers to each, with their scores.

In: an engine, rows, how many answers, rewards. Out: a `Sampled` a row, in the rows' order:

    EvalRow(fields={"noisy": "쨰밌어요"}, reference="재밌어요", …)   ─►
    Sampled(row, answers=(Answer("재밋어요", …), Answer("재밌어요", …)), scores=(0.75, 1.0))

Answer k of a row is drawn with the seed `decoding.seed + k`. Answers are kept in the cache as they come, so that what
was killed goes on; another score, or more answers to a row, ask only what is new.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding, Engine, LateEngine
from hanpuri.engines.cache import AnswerCache, answer_rows
from hanpuri.evaluation.asking import find_fitting
from hanpuri.evaluation.rows import EvalRow
from hanpuri.preferences.rewards import total
from hanpuri.training.answering import answered_row
from hanpuri.training.reinforcement.reward import Reward

Progress = Callable[[int, int], None]
"""Told how many answers of how many are there."""
Drawn = tuple[EvalRow, tuple[Answer, ...]]
Scored = tuple[Answer, float]
SCORED_TOGETHER = 64
"""Rows: a reward model scores batches, and a bar should move."""


@dataclass(frozen=True)
class Sampled:
    """A row with several answers to it."""

    row: EvalRow
    answers: tuple[Answer, ...]
    scores: tuple[float, ...]
    """One an answer; NaN where there is none: no answer came, or a reward could not score it."""
    greedy: Answer | None = None
    """The likeliest answer, for comparison; None if it was not asked for."""
    greedy_score: float = math.nan

    @property
    def usable(self) -> tuple[Scored, ...]:
        """
        The answers that can be learnt from, with their scores: ended by the model, not empty; the greedy one too.

            >>> row = EvalRow("1", "a.jsonl:1", {"noisy": "쨰밌"}, "쨰밌", "재밌", {})
            >>> [score for _, score in Sampled(row, (Answer("", 0, True), Answer("째밌", 2, True)), (0.0, 0.5)).usable]
            [0.5]
        """
        greedy = () if self.greedy is None else ((self.greedy, self.greedy_score),)
        return tuple(
            (answer, score)
            for answer, score in (*greedy, *zip(self.answers, self.scores, strict=True))
            if not math.isnan(score) and answer.finished and answer.text.strip()
        )

    @property
    def first_score(self) -> float:
        """What one answer is worth: the greedy one's score if it was asked for, else the first one's."""
        return self.greedy_score if self.greedy is not None else self.scores[0]


def sample(
    engine: Engine,
    rows: Sequence[EvalRow],
    *,
    count: int,
    decoding: Decoding,
    rewards: Sequence[Reward],
    cache: AnswerCache | None = None,
    on_progress: Progress | None = None,
    greedy: bool = False,
) -> Iterator[Sampled]:
    """
    Ask each row several times, and score the answers.

    A row that does not fit the engine, or to which no answer comes, has answers that say why and no scores.

        >>> from hanpuri.engines.echo import EchoEngine
        >>> row = EvalRow("1", "a.jsonl:1", {"noisy": "재밌어오"}, "재밌어오", "재밌어요", {})
        >>> length = Reward("length", 1.0, lambda rows, answers: [len(answer) for answer in answers])
        >>> drawn = Decoding(temperature=0.8)
        >>> [one.scores for one in sample(EchoEngine(), [row], count=2, decoding=drawn, rewards=[length])]
        [(4.0, 4.0)]

    Args:
        engine: what answers.
        rows: what it is asked.
        count: answers to each row.
        decoding: how tokens are chosen; the seed is that of the first answer.
        rewards: what answers are scored by; their weighted sum.
        cache: where answers are kept, and looked up first.
        on_progress: told of every answer.
        greedy: whether the likeliest answer is asked for besides.

    Raises:
        DataError: if no row fits the engine, or the cache cannot be written.
        EngineError: if no row can be answered.
        ModelError: if a reward gives what is no number.
        ValueError: if several answers would all be the likeliest one.
    """
    decodings = seeds(decoding, count)
    if greedy:
        decodings = [*decodings, replace(decoding, temperature=0.0)]
    drawn = draw_answers(engine, rows, decodings, cache=cache, on_progress=on_progress)
    while group := list(islice(drawn, SCORED_TOGETHER)):
        scores = _score(group, rewards)
        for (row, answers), told in zip(group, scores, strict=True):
            if greedy:
                yield Sampled(row, answers[:-1], told[:-1], answers[-1], told[-1])
            else:
                yield Sampled(row, answers, told)


def seeds(decoding: Decoding, count: int) -> list[Decoding]:
    """
    Say how each of several answers to a row is drawn.

        >>> [one.seed for one in seeds(Decoding(temperature=1.0, seed=7), 3)]
        [7, 8, 9]

    Raises:
        ValueError: if `count` is less than 1, or there are several of temperature 0.
    """
    if count < 1:
        raise ValueError(f"count is {count}, expected 1 or more")
    if count > 1 and not decoding.temperature:
        raise ValueError(f"{count} answers of temperature 0 are all the same, expected a temperature above 0")
    return [replace(decoding, seed=decoding.seed + number) for number in range(count)]


def draw_answers(
    engine: Engine,
    rows: Sequence[EvalRow],
    decodings: Sequence[Decoding],
    *,
    cache: AnswerCache | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Drawn]:
    """
    Ask each row once by each of the decodings.

    Raises:
        DataError, EngineError: as `sample`.
    """
    fields, names = [row.fields for row in rows], [row.where for row in rows]
    refused, _ = find_fitting(engine, fields, names, decodings[0], None)
    if refused and len(refused) == len(rows):
        raise refused[0]
    if isinstance(engine, LateEngine):
        engine.make_ready(decodings[0])
    tell = _counter(on_progress, len(decodings) * len(rows))
    fitting = [place for place in range(len(rows)) if place not in refused]
    asked, where = [fields[place] for place in fitting], [names[place] for place in fitting]
    columns = [answer_rows(engine, asked, decoding, names=where, cache=cache) for decoding in decodings]
    for place, row in enumerate(rows):
        if place in refused:
            yield row, tuple(tell(Answer.failed(str(refused[place]), num_tries=0)) for _ in columns)
        else:  # asked in the rows' order, so the next answer of each is that of the next row that fits
            yield row, tuple(tell(next(column)) for column in columns)


def whole_row(row: EvalRow) -> Fields:
    """
    Give a row as it stands in its file: with the right answer in its place, if it has one.

        >>> whole_row(EvalRow("1", "a.jsonl:1", {"noisy": "쨰밌"}, "쨰밌", "재밌", {}))
        {'noisy': '쨰밌', 'clean': '재밌'}
    """
    return row.fields if row.reference is None else answered_row(row.fields, row.reference)


def _score(group: Sequence[Drawn], rewards: Sequence[Reward]) -> list[tuple[float, ...]]:
    """Score all answers of some rows at once, those that never came apart."""
    there = [
        (place, number, whole_row(row), answer.text, row.where)
        for place, (row, answers) in enumerate(group)
        for number, answer in enumerate(answers)
        if not answer.failure
    ]
    places, numbers, rows, texts, names = zip(*there, strict=True) if there else ((),) * 5
    scores = [[math.nan] * len(answers) for _, answers in group]
    for place, number, score in zip(places, numbers, total(rewards, rows, texts, names), strict=True):
        scores[place][number] = score
    return [tuple(one) for one in scores]


def _counter(on_progress: Progress | None, whole: int) -> Callable[[Answer], Answer]:
    """Count answers as they pass."""
    done = 0

    def tell(answer: Answer) -> Answer:
        nonlocal done
        done += 1
        if on_progress:
            on_progress(done, whole)
        return answer

    if on_progress:
        on_progress(0, whole)
    return tell
