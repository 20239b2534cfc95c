"""
The engine that gives back what it was given: what any other has to beat.

In: {"noisy": "확잠실읾"}. Out: Answer("확잠실읾", …).

A language model that was told to restore and only copies scores the same.
"""

from collections.abc import Callable, Sequence

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.questions import question_of


class EchoEngine:
    """Answers every row with its own question."""

    identity = "echo"

    def __init__(self, name: str = "echo") -> None:
        self.name = name

    def prompt(self, row: Fields, name: str) -> str:
        """Give the question of a row; see `Engine.prompt`."""
        return question_of(row, name)

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """Answer rows; see `Engine.generate`."""
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        texts = [question_of(row, name) for row, name in zip(rows, names, strict=True)]
        return [Answer(text, len(text), finished=True) for text in texts]

    def stream(
        self,
        row: Fields,
        on_text: Callable[[str], None],
        decoding: Decoding = GREEDY,
        *,
        name: str = "row 1",
        stopped: Callable[[], bool] | None = None,
    ) -> Answer:
        """Answer one row in one piece; see `StreamingEngine.stream`."""
        (answer,) = self.generate([row], decoding, names=[name])
        on_text(answer.text)
        return answer
