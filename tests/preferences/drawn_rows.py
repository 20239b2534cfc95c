"""
An engine whose answers are written down, and rows with samples, without a model.

In: for each question the answers that it draws one after another, by the seed. Out: an engine that counts its calls.
"""

import math
from collections.abc import Mapping, Sequence

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.questions import question_of
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import EvalRow
from hanpuri.preferences.sampling import Sampled


class DrawingEngine:
    """
    Answer k of a question is the one of seed k; of temperature 0 it is the first.

    A text "!…" is a failure, one that ends in "…" is cut off, and a question of more than 40 characters does not fit.
    """

    name = "drawing"
    identity = "drawing"

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    def prompt(self, row: Fields, name: str) -> str:
        question = question_of(row, name)
        if len(question) > 40:
            raise DataError(f"{name}: found {len(question)} tokens, the model has 40", "ask for less")
        return question

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        seed = decoding.seed if decoding.temperature else 0
        questions = [question_of(row, "row") for row in rows]
        self.asked += [(question, seed) for question in questions]
        return [answer_of(self.answers[question][seed]) for question in questions]


def answer_of(text: str) -> Answer:
    """Make the answer that a text stands for."""
    if text.startswith("!"):
        return Answer.failed(text[1:])
    return Answer(text.removesuffix("…"), len(text), finished=not text.endswith("…"))


def row_of(asked: str = "쨰밌", right: str | None = "재밌", number: int = 1, **fields: object) -> EvalRow:
    """Make a row of a pair, or of other fields."""
    return EvalRow(str(number), f"rows.jsonl:{number}", fields or {"noisy": asked}, asked, right, {})


def sampled(*drawn: tuple[str, float | None], greedy: tuple[str, float] | None = None, **row: object) -> Sampled:
    """Make a row with samples of texts and scores; a score of None is none."""
    answers = tuple(answer_of(text) for text, _ in drawn)
    scores = tuple(math.nan if score is None else score for _, score in drawn)
    first = (answer_of(greedy[0]), greedy[1]) if greedy else (None, math.nan)
    return Sampled(row_of(**row), answers, scores, *first)
