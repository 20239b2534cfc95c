"""
What plain retrieval would bring: each question gets the answer of the most similar training question.

In: the test questions, then the training rows one by one. Out: an answer for each test question:

    "입실은 몇 시부터인가요?", and a row {"입실은 몇 시부터 하나요?": "오후 세 시부터요."}  ─►  "오후 세 시부터요."

Questions are as alike as the pairs of neighbouring characters that they share (Dice). It is no engine that anybody
would use: what it scores says how far the training rows hold the answers already. Where it is ahead of every prompt, a
model that is given such rows (retrieval) can be expected to gain.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding


class Nearest:
    """
    Looks for the most similar training question of each test question.

        >>> nearest = Nearest(["방이 넓나요?", "몇 시에 열어요?"])
        >>> nearest.offer("몇 시에 닫아요?", "열 시요.")
        >>> nearest.offer("방은 넓나요?", "네, 넓어요.")
        >>> nearest.answers
        ('네, 넓어요.', '열 시요.')
    """

    def __init__(self, questions: Sequence[str]) -> None:
        pieces = [_pieces(question) for question in questions]
        found: dict[str, list[int]] = defaultdict(list)
        for place, parts in enumerate(pieces):
            for part in parts:
                found[part].append(place)
        self._places = {part: np.array(places) for part, places in found.items()}
        self._sizes = np.array([len(parts) for parts in pieces], dtype=np.float64)
        self._likeness: npt.NDArray[np.float64] = np.zeros(len(pieces))
        self._answers = [""] * len(pieces)

    def offer(self, question: str, answer: str) -> None:
        """Take a training row for the questions that it is more like than all before."""
        parts = _pieces(question)
        shared = np.zeros(len(self._sizes))
        for part in parts & self._places.keys():
            shared[self._places[part]] += 1
        likeness = 2 * shared / np.maximum(self._sizes + len(parts), 1)
        for place in np.flatnonzero(likeness > self._likeness):
            self._answers[place] = answer
        self._likeness = np.maximum(self._likeness, likeness)

    @property
    def answers(self) -> tuple[str, ...]:
        """One for each question, "" where no training question is like it."""
        return tuple(self._answers)


class NearestEngine:
    """Answers the test rows, and none but them, in their order or any other."""

    name = "nearest"
    identity = "nearest"

    def __init__(self, rows: Sequence[Fields], answers: Sequence[str]) -> None:
        self._answers = {str(row): answer for row, answer in zip(rows, answers, strict=True)}

    def prompt(self, row: Fields, name: str) -> str:
        """Give the answer that was found: it is all that this engine's answer hangs on."""
        return self._answers[str(row)]

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """Answer rows; see `Engine.generate`."""
        return [Answer(text, len(text), finished=True) for text in (self._answers[str(row)] for row in rows)]


def _pieces(text: str) -> set[str]:
    """
    Cut a text into its pairs of neighbouring characters, white space left out.

        >>> sorted(_pieces("방이 넓"))
        ['방이', '이넓']
    """
    bare = "".join(text.split())
    return {bare[place : place + 2] for place in range(len(bare) - 1)} or ({bare} if bare else set())
