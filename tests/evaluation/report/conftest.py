"""
Evaluations of an engine that says what it was told to say: the rows, the answers and the scores are real.

In: rows of (noisy, clean) and what the engine answers to each. Out: an Evaluation, as `evaluate` makes it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.questions import question_of
from hanpuri.evaluation.evaluate import Evaluation, evaluate
from hanpuri.evaluation.report.origin import Origin
from hanpuri.evaluation.rows import read_rows

ORIGIN = Origin(
    datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    {"platform": "Linux", "num_cpus": 2, "command": ["evaluate", "a b.jsonl"], "libraries": {"trl": "not installed"}},
)


class Told:
    """An engine that has an answer ready for each question."""

    identity = "told"

    def __init__(self, name: str, answers: Mapping[str, Answer]) -> None:
        self.name, self.answers = name, answers

    def prompt(self, row: Fields, name: str) -> str:
        return question_of(row, name)

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        return [self.answers[question_of(row, "row")] for row in rows]


@pytest.fixture
def origin() -> Origin:
    return ORIGIN


@pytest.fixture
def evaluated(tmp_path) -> Callable[..., Evaluation]:
    """Evaluate rows of a form, each of which comes with the answer to it."""

    def evaluated(
        rows: Sequence[tuple[Mapping[str, object], str | Answer]], engine: str = "told", file: str = "reviews"
    ) -> Evaluation:
        path = tmp_path / f"{file}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row, _ in rows), encoding="utf-8")
        read = read_rows(path)
        said = [one if isinstance(one, Answer) else Answer(one, len(one), finished=True) for _, one in rows]
        told = {row.asked: one for row, one in zip(read.rows, said, strict=True)}
        return evaluate(Told(engine, told), read, GREEDY, unchanged_clean=False)

    return evaluated


@pytest.fixture
def restored(evaluated) -> Callable[..., Evaluation]:
    """Evaluate pairs: (clean text, what was restored) each; what the noise made of it is of no matter."""

    def restored(*rows: tuple[str, str | Answer], engine: str = "told", file: str = "reviews") -> Evaluation:
        pairs = [({"noisy": f"{number} {clean}", "clean": clean}, said) for number, (clean, said) in enumerate(rows)]
        return evaluated(pairs, engine, file)

    return restored
