"""
A judge at work: pairs of answers ─► which is better; answers ─► marks.

In: rows, and two answers to each. Out: a Judgement each, in their order; with `mark`, a number from 0 to 1:

    {"noisy": "쨰밌어요"}, "재밌어요", "쨰밌어요"   ─►   Judgement("first", heard=(…, …))
    {"noisy": "쨰밌어요"}, "재밌어요"               ─►   0.9; NaN where no mark could be read

Nothing is guessed: a pair whose verdict could not be read in all tries is unjudged, and keeps what was said.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Engine
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.preferences.judge.asking import JudgingEngine, Said, Tell, ask_until_read, compare_likelihoods
from hanpuri.preferences.judge.judgements import Heard, Judgement, Side, settle
from hanpuri.preferences.judge.questions import ask_letter, ask_mark, ask_number, ask_which, told_question
from hanpuri.preferences.judge.recipe import JudgeRecipe, read_judge
from hanpuri.preferences.judge.replies import Letter, read_letter, read_mark
from hanpuri.preferences.pairs import same_text

SIDES: dict[Letter, Side] = {"A": "first", "B": "second", "tie": "tie"}
TURNED: dict[Side, Side] = {"first": "second", "second": "first", "tie": "tie"}
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Cost:
    """What judging has cost so far; replies that were kept from an earlier call count too."""

    num_replies: int = 0
    num_prompt_tokens: int = 0
    """Of local models and servers that count them."""
    num_tokens: int = 0
    price: float = 0.0
    """By `price_input` and `price_output` of the engine's server."""


class Judge:
    """A model with a rubric. Made by `open_judge`."""

    cost: Cost

    def __init__(self, recipe: JudgeRecipe, engine: Engine) -> None:
        """
        Make it ready.

        Raises:
            DataError: if the file of kept replies holds something else.
            RecipeError: if the rubric cannot be read.
        """
        self.recipe, self.engine = recipe, engine
        self.rubric = recipe.read_rubric()
        self.cost = Cost()
        self._cache = AnswerCache(recipe.cache) if recipe.cache else None

    @property
    def name(self) -> str:
        """What pairs and tables call it."""
        return self.recipe.name

    @property
    def identity(self) -> str:
        """All that its judgements depend on besides the pairs: model, rubric, how it is asked and read."""
        told = self.recipe.model_dump(mode="json", exclude={"name", "engine", "cache", "rubric", "rubric_file"})
        said = json.dumps([self.engine.identity, self.rubric, told], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    def compare(
        self,
        rows: Sequence[Fields],
        firsts: Sequence[str],
        seconds: Sequence[str],
        *,
        names: Sequence[str] = (),
        tell: Tell = lambda done, total: None,
    ) -> list[Judgement]:
        """
        Say of each pair which answer is better. Where both are the same text it is a tie, and nobody is asked.

        Args:
            rows: what was asked; of any form, what they hold of answers is not looked at.
            firsts: an answer to each.
            seconds: another one to each.
            names: how errors and reasons name the rows; "row 1", …, if not given.
            tell: hears of each reply.

        Raises:
            DataError: if a row holds no question; it names it.
            EngineError: if nothing can be asked: a wrong key, a setting that the server lacks.
        """
        names = names or _numbered(rows)
        pairs = list(zip(rows, firsts, seconds, names, strict=True))
        asked = [
            (place, turned)
            for place, (row, first, second, name) in enumerate(pairs)
            for turned in self._orders(told_question(row, name), first, second)
        ]
        heard: list[list[Heard]] = [[] for _ in pairs]
        for (place, _), one in zip(asked, self._hear(pairs, asked, tell), strict=True):
            heard[place].append(one)
        same = [same_text(first, second) for first, second in zip(firsts, seconds, strict=True)]
        found = [settle(one, self.recipe.tie_within) for one in heard]
        return [Judgement("tie") if equal else one for equal, one in zip(same, found, strict=True)]

    def mark(
        self,
        rows: Sequence[Fields],
        answers: Sequence[str],
        names: Sequence[str] = (),
        *,
        tell: Tell = lambda done, total: None,
    ) -> list[float]:
        """
        Mark each answer from 0, the worst, to 1, the best; NaN where no mark could be read.

        By likelihood it is the mean of all marks of the scale, weighted by how likely the model holds each.

        Raises:
            DataError: as `compare`.
            EngineError: as `compare`.
        """
        names = names or _numbered(rows)
        told = [(told_question(row, name), answer) for row, answer, name in zip(rows, answers, names, strict=True)]
        scale = self.recipe.scale
        if self.recipe.by == "likelihood":
            questions = [ask_number(self.rubric, question, answer, scale) for question, answer in told]
            steps = range(scale[0], scale[1] + 1)
            likely = self._likely(questions, [str(step) for step in steps], names, tell)
            return [math.nan if one.read is None else _mean(one.read) for one in likely]
        reason = self.recipe.reason
        questions = [ask_mark(self.rubric, question, answer, scale, reason=reason) for question, answer in told]
        said = self._counted(
            ask_until_read(
                self.engine,
                questions,
                names,
                partial(read_mark, scale=scale),
                decoding=self.recipe.how,
                retry=self.recipe.retry,
                cache=self._cache,
                tell=tell,
            )
        )
        return [math.nan if one.read is None else one.read for one in said]

    def _orders(self, question: str, first: str, second: str) -> list[bool]:
        """Give the orders to ask in: as it stands, turned round; by a coin, if one has to do."""
        if same_text(first, second):
            return []
        if self.recipe.orders == "both":
            return [False, True]
        # Without a coin, what stands first in a file would win by its place.
        coin = hashlib.sha256("\0".join((question, first, second)).encode("utf-8", "surrogatepass")).digest()[0]
        return [bool(coin & 1)]

    def _hear(
        self, pairs: Sequence[tuple[Fields, str, str, str]], asked: Sequence[tuple[int, bool]], tell: Tell
    ) -> list[Heard]:
        names = [pairs[place][3] for place, _ in asked]
        placed = [_placed(*pairs[place], turned) for place, turned in asked]
        if self.recipe.by == "likelihood":
            questions = [ask_letter(self.rubric, *texts) for texts in placed]
            likely = self._likely(questions, ["A", "B"], names, tell)
            return [_heard_share(one, turned) for one, (_, turned) in zip(likely, asked, strict=True)]
        questions = [ask_which(self.rubric, *texts, reason=self.recipe.reason) for texts in placed]
        how, retry = self.recipe.how, self.recipe.retry
        said: list[Said[Letter]] = self._counted(
            ask_until_read(
                self.engine, questions, names, read_letter, decoding=how, retry=retry, cache=self._cache, tell=tell
            )
        )
        return [_heard_letter(one, turned) for one, (_, turned) in zip(said, asked, strict=True)]

    def _likely(
        self, questions: Sequence[str], options: Sequence[str], names: Sequence[str], tell: Tell
    ) -> list[Said[tuple[float, ...]]]:
        engine = cast(JudgingEngine, self.engine)  # the recipe takes no other by likelihood
        size = self.recipe.decoding.batch_size
        return self._counted(
            compare_likelihoods(engine, questions, options, names, batch_size=size, cache=self._cache, tell=tell)
        )

    def _counted(self, said: list[Said[Read]]) -> list[Said[Read]]:
        num_replies = self.cost.num_replies + sum(len(one.replies) for one in said)
        num_read = self.cost.num_prompt_tokens + sum(one.num_prompt_tokens for one in said)
        num_written = self.cost.num_tokens + sum(one.num_tokens for one in said)
        server = self.recipe.engine.server
        price = (num_read * server.price_input + num_written * server.price_output) / 1_000_000
        self.cost = Cost(num_replies, num_read, num_written, price)
        return said


@contextmanager
def open_judge(path: Path | JudgeRecipe) -> Iterator[Judge]:
    """
    Open a judge by its recipe, for the length of a `with`.

    Raises:
        DataError: if the file of kept replies holds something else.
        EngineError: if the engine's library is not installed, or its server does not answer.
        ModelError: if there is no such model.
        RecipeError: if the recipe or the rubric is not what it should be.
    """
    recipe = path if isinstance(path, JudgeRecipe) else read_judge(path)
    recipe.read_rubric()  # before a model is loaded
    with open_engine(recipe.engine) as engine:
        yield Judge(recipe, engine)


def _placed(row: Fields, first: str, second: str, name: str, turned: bool) -> tuple[str, str, str]:
    """Give the question, and the answers in the order in which they are shown."""
    question = told_question(row, name)
    return (question, second, first) if turned else (question, first, second)


def _heard_letter(said: Said[Letter], turned: bool) -> Heard:
    side = None if said.read is None else SIDES[said.read]
    if turned and side is not None:
        side = TURNED[side]
    return Heard(turned, side, said.replies, said.why, None, said.num_prompt_tokens, said.num_tokens)


def _heard_share(said: Said[tuple[float, ...]], turned: bool) -> Heard:
    if said.read is None:
        return Heard(turned, None, said.replies, said.why)
    share = said.read[1 if turned else 0]
    side: Side = "tie" if share == 0.5 else "first" if share > 0.5 else "second"
    return Heard(turned, side, said.replies, share=share)


def _mean(shares: Sequence[float]) -> float:
    """
    Give the mean mark by the shares of all marks, from 0 to 1.

        >>> _mean([0.0, 0.5, 0.5])
        0.75
    """
    return sum(place * share for place, share in enumerate(shares)) / (len(shares) - 1)


def _numbered(rows: Sequence[Fields]) -> list[str]:
    return [f"row {number}" for number in range(1, len(rows) + 1)]
