"""
What a reward is: a name, a weight, and a function that gives answers their numbers.

In: rows and an answer to each. Out: a number an answer, NaN where there is none:

    [{"noisy": "쨰밌어요", "clean": "재밌어요"}], ["재밋어요"]   ─►   [0.75]

Whoever starts a run opens its rewards; training knows no engine and no measure by itself.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from numbers import Real

from hanpuri.data.templates import Fields
from hanpuri.errors import ModelError
from hanpuri.training.recipe import RewardTermSettings

Score = Callable[[Sequence[Fields], Sequence[str]], Sequence[float | None]]
SHOWN = 30  # characters of an answer in an error
LARGEST = 1e30
"""Sums and squares of larger rewards are infinite, in the 32 bits of training and in the figures."""


@dataclass(frozen=True)
class Reward:
    """One part of what an answer is rewarded with."""

    name: str
    weight: float
    score: Score
    """Rows as they stand in the file, with what they hold of a right answer; an answer to each. NaN is no number."""
    needs_answer: bool = False
    """Whether it can say nothing about a row that holds no right answer."""


OpenRewards = Callable[[Sequence[RewardTermSettings]], AbstractContextManager[Sequence[Reward]]]


def score_answers(
    reward: Reward, rows: Sequence[Fields], answers: Sequence[str], names: Sequence[str] = ()
) -> list[float]:
    """
    Ask a reward for a number of each answer, and see that it gave numbers; NaN is an answer that it could not score.

        >>> length = Reward("length", 1.0, lambda rows, answers: [len(answer) for answer in answers])
        >>> score_answers(length, [{}], ["가나"])
        [2.0]

    Args:
        reward: the reward.
        rows: what was asked, with the right answer if there is one.
        answers: one for each row.
        names: how errors name the rows; their numbers, if not given.

    Raises:
        ModelError: if it gave another number of values, a value that is no number, or one that is too large to add up.
        HanpuriError: what the reward itself raises.
    """
    given = list(reward.score(rows, answers)) if rows else []
    if len(given) != len(rows):
        found = f"the reward {reward.name} gave {len(given)} values for {len(rows)} answers"
        raise ModelError(found, "let it give one for each")
    return [_number(reward, value, place, answers, names) for place, value in enumerate(given)]


def add_up(rewards: Sequence[Reward], parts: Sequence[Sequence[float]]) -> list[float]:
    """
    Give the weighted sum of what rewards gave; NaN where any of them is.

        >>> add_up([Reward("a", 1.0, len), Reward("b", -0.5, len)], [[1.0, 0.5], [1.0, float("nan")]])
        [0.5, nan]
    """
    weights = [reward.weight for reward in rewards]
    return [sum(weight * part for weight, part in zip(weights, row, strict=True)) for row in zip(*parts, strict=True)]


def right_answer(row: Fields) -> str | None:
    """
    Give the right answer that a row holds, whatever its form; None if it holds none.

        >>> right_answer({"noisy": "쨰밌어요", "clean": "재밌어요"}), right_answer({"text": "옛날에"})
        ('재밌어요', None)
    """
    for field in ("clean", "output", "chosen"):
        if isinstance(answer := row.get(field), str) and answer:
            return answer
    messages = row.get("messages") or [{}]
    last = messages[-1]
    return str(last["content"]) if last.get("role") == "assistant" and last.get("content") else None


def _number(reward: Reward, value: object, place: int, answers: Sequence[str], names: Sequence[str]) -> float:
    if value is None:
        return math.nan
    if isinstance(value, Real) and not abs(number := float(value)) > LARGEST:  # NaN is no larger than anything
        return number
    where = names[place] if names else f"row {place + 1}"
    answer = answers[place]
    shown = answer if len(answer) <= SHOWN else answer[:SHOWN] + "…"
    raise ModelError(
        f"{where}: the reward {reward.name} gave {value!r} for the answer {shown!r}, expected a number",
        "mend the reward; None or nan says that an answer cannot be scored",
    )
