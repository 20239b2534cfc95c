"""
What an answer is rewarded with: parts of a recipe, or words on a command line ─► functions that give numbers.

In: `rewards: [{measure: char_accuracy}, {measure: same_length, weight: 0.5}]`, or "char_accuracy same_length*0.5". Out:
Rewards, open as long as they are needed:

    {"noisy": "쨰밌어요", "clean": "재밌어요"}, "재밋어요!"   ─►   char_accuracy 0.75   same_length 0.75

    measure    against the row's right answer: those of `evaluation.metrics`, and how well length and spacing are kept
    pattern    1 where the whole answer matches a regular expression, else 0
    longest    1 up to so many characters, falling to 0 at twice as many
    model      a reward model, see `training.preference.reward_model`
    function   one of yours, see `own_function`
    judge      the mark of a judge, see `preferences.judge`
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hanpuri.data.templates import Fields
from hanpuri.evaluation import metrics
from hanpuri.preferences.own_function import load_function
from hanpuri.recipe import check_settings
from hanpuri.training.recipe import RewardTermSettings
from hanpuri.training.reinforcement.reward import Reward, Score, add_up, right_answer, score_answers

WORDS = "char_accuracy, same_length*0.5, model:runs/reward, function:mine.py:kind or judge:judge.yaml"

Texts = Sequence[str]


@contextmanager
def open_rewards(terms: Sequence[RewardTermSettings]) -> Iterator[Sequence[Reward]]:
    """
    Open what answers are rewarded with, and close it again.

        >>> with open_rewards([RewardTermSettings(measure="same_length"), RewardTermSettings(longest=2)]) as rewards:
        ...     total(rewards, [{"noisy": "쨰밌", "clean": "재밌"}], ["재밌어"])
        [1.0]

    Raises:
        RecipeError, ModelError, DataError, EngineError: if a file, a model or a judge cannot be had.
    """
    with ExitStack() as opened:
        yield tuple(_open(term, opened) for term in terms)


def parse_term(told: str) -> RewardTermSettings:
    """
    Read a part of a reward as it is written on a command line: what it is, and behind a * its weight.

        >>> term = parse_term("model:runs/kind*0.5")
        >>> term.source, term.model, term.weight
        ('model', 'runs/kind', 0.5)

    Raises:
        RecipeError: if it is none.
    """
    what, star, weight = told.rpartition("*")
    number = _as_number(weight) if star else None
    if number is None:
        what, number = told, 1.0
    kind, colon, rest = what.partition(":")
    fields = (
        {kind: rest} if colon and kind in ("model", "function", "judge", "pattern", "longest") else {"measure": what}
    )
    settings = {**fields, "weight": number}
    return check_settings(f"the reward {told!r}", RewardTermSettings, settings, mend=f"write it as {WORDS}")


def total(rewards: Sequence[Reward], rows: Sequence[Fields], answers: Texts, names: Texts = ()) -> list[float]:
    """
    Give the weighted sum of all rewards for each answer; NaN where any of them could not score it.

    Raises:
        DataError, ModelError: as `score_answers`.
    """
    if not rewards:
        raise ValueError("found no reward, expected one or more")
    return add_up(rewards, [score_answers(reward, rows, answers, names) for reward in rewards])


def same_length(answer: str, reference: str) -> float:
    """
    Say how near an answer is to the length that it should have: 1 is there, 0 is twice as long or longer, or empty.

        >>> same_length("가나다", "가나다라")
        0.75
    """
    return max(0.0, 1 - abs(len(answer) - len(reference)) / max(len(reference), 1))


def same_spacing(answer: str, reference: str) -> float:
    """
    Give the share of white space that stands at the right places, of all in both texts.

        >>> same_spacing("방이 참좋 아요", "방이 참 좋아요"), same_spacing("방이", "방이")
        (0.3333333333333333, 1.0)
    """
    here, there = _spaces(answer), _spaces(reference)
    return len(here & there) / len(here | there) if here | there else 1.0


MEASURES: dict[str, Callable[[str, str], float]] = {
    "char_accuracy": lambda answer, reference: metrics.char_accuracy([answer], [reference]),
    "exact_match": lambda answer, reference: metrics.exact_match([answer], [reference]),
    "token_f1": lambda answer, reference: metrics.token_f1([answer], [reference]),
    "same_length": same_length,
    "same_spacing": same_spacing,
}


def _open(term: RewardTermSettings, opened: ExitStack) -> Reward:
    return Reward(term.title, term.weight, _score_of(term, opened), needs_answer=term.measure is not None)


def _score_of(term: RewardTermSettings, opened: ExitStack) -> Score:
    if term.measure is not None:
        return _measured(MEASURES[term.measure])
    if term.pattern is not None:
        matches = re.compile(term.pattern, re.DOTALL).fullmatch
        return lambda rows, answers: [float(matches(answer) is not None) for answer in answers]
    if (longest := term.longest) is not None:
        return lambda rows, answers: [min(1.0, max(0.0, 2 - len(answer) / longest)) for answer in answers]
    if term.model is not None:
        from hanpuri.training.preference.reward_model import RewardModel

        return RewardModel.load(term.model).score
    if term.function is not None:
        return load_function(term.function)
    from hanpuri.preferences.judge import open_judge

    return opened.enter_context(open_judge(Path(str(term.judge)))).mark


def _measured(measure: Callable[[str, str], float]) -> Score:
    """Compare answers with the right ones; without one, there is nothing to say."""

    def score(rows: Sequence[Fields], answers: Texts) -> list[float | None]:
        rights = [right_answer(row) for row in rows]
        return [
            None if right is None else measure(answer, right) for answer, right in zip(answers, rights, strict=True)
        ]

    return score


def _spaces(text: str) -> set[int]:
    return {place for place, character in enumerate(text) if character.isspace()}


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
