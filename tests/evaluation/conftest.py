"""
Engines that do what a test wants, and rows without a file.

In: a function from question to answer. Out: an engine with its name, which counts what it was asked.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding, Likelihood
from hanpuri.engines.questions import question_of
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import EvalRow, RowSet
from hanpuri.evaluation.slices import length_bucket


class ScriptedEngine:
    """Answers by a function; a text "!…" that it gives is a failure, and questions of more than 40 do not fit."""

    def __init__(self, answer: Callable[[str], str], name: str = "scripted") -> None:
        self.answer, self.name, self.identity = answer, name, f"scripted {name}"
        self.asked: list[str] = []

    def prompt(self, row: Fields, name: str) -> str:
        question = question_of(row, name)
        if len(question) > 40:
            raise DataError(f"{name}: found {len(question)} tokens, the model has 40", "ask for less")
        return question

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        questions = [question_of(row, "row") for row in rows]
        self.asked += questions
        texts = [self.answer(question) for question in questions]
        return [
            Answer.failed(text[1:]) if text.startswith("!") else Answer(text, len(text), finished=True)
            for text in texts
        ]


class KnowingEngine(ScriptedEngine):
    """Holds every character of an answer likely by a half; no answer of more than 10 fits."""

    def score(self, rows: Sequence[Fields], answers: Sequence[str], *, names: Sequence[str] = ()) -> list[Likelihood]:
        if any(len(answer) > 10 for answer in answers):
            raise DataError("an answer is too long", "shorten it")
        return [Likelihood(-0.5 * len(one), len(one), len(one) // 2, len(one.encode())) for one in answers]


@pytest.fixture
def scripted() -> type[ScriptedEngine]:
    return ScriptedEngine


@pytest.fixture
def knowing() -> type[KnowingEngine]:
    return KnowingEngine


@pytest.fixture
def rows_of() -> Callable[..., RowSet]:
    """Make a set of rows of questions and answers: pairs, or instructions."""

    def make(*rows: tuple[str, str | None], form: str = "pairs", name: str = "rows") -> RowSet:
        field = "noisy" if form == "pairs" else "instruction"
        made = [
            EvalRow(str(n), f"{name}.jsonl:{n}", {field: asked}, asked, right, {"length": (length_bucket(asked),)})
            for n, (asked, right) in enumerate(rows, 1)
        ]
        return RowSet(name, Path(f"{name}.jsonl"), form, tuple(made), "0" * 64)

    return make
