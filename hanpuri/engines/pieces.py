"""
Long noisy texts ─► pieces as long as what a model learnt from ─► the restored text, put together again.

In: a row with a noisy text, and how long a piece may be. Out: one answer, of as many as there were pieces:

    {"noisy": "빵이 넙코 죠아요. 또 갈꼐욥!"}, 12
      ─►   "빵이 넙코 죠아요."  " "  "또 갈꼐욥!"   ─►   "방이 넓고 좋아요. 또 갈게요!"

A model that was tuned on texts of up to 300 characters loses its place in one of 1,300. Cuts are made at the ends of
lines and sentences, else between words, so that each piece can be read by itself; what stands at a cut is kept.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding, Engine, LateEngine, PromptedEngine, StreamingEngine
from hanpuri.training.prompting import Prompting

CUTS = (re.compile(r"\n\s*"), re.compile(r"(?<=[.!?…。！？~])\s+"), re.compile(r"(?<=[,;:·])\s+"), re.compile(r"\s+"))
"""Where a text is cut, the best first: behind lines, sentences, clauses, words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and the white space that stands before it."""

    before: str
    text: str


def cut(text: str, longest: int) -> list[Piece]:
    """
    Cut a text into pieces of at most so many characters, of like length; put together they are the text.

    White space at the end of the text is not counted.

        >>> cut("빵이 넙코 죠아요. 또 갈꼐욥!", 12)
        [Piece(before='', text='빵이 넙코 죠아요.'), Piece(before=' ', text='또 갈꼐욥!')]

    A run of characters without white space that is longer than that is cut anywhere.
    """
    found: list[Piece] = []
    before = ""
    for part in _halves(text, longest):
        bare = part.lstrip()
        before += part[: len(part) - len(bare)]
        if bare:  # white space alone is no question
            found.append(Piece(before, bare))
            before = ""
    if before:  # at the end of the text, or all of it
        last = found.pop() if found else Piece("", "")
        found.append(Piece(last.before, last.text + before))
    return found


def _halves(text: str, longest: int) -> Iterator[str]:
    if len(text) <= longest:
        yield text
        return
    at = _place(text)
    yield from _halves(text[:at], longest)
    yield from _halves(text[at:], longest)


def _place(text: str) -> int:
    """Find where a text is cut in two: in its middle half, at the best kind of place, near to its middle."""
    middle, quarter = len(text) // 2, len(text) // 4
    for kind in CUTS:
        places = [match.start() for match in kind.finditer(text, quarter)]
        if near := [place for place in places if quarter <= place <= len(text) - quarter and place > 0]:
            return min(near, key=lambda place: abs(place - middle))
    return middle


class PiecewiseEngine:
    """An engine that is given long noisy texts piece by piece; all other rows as they are."""

    def __init__(self, engine: Engine, longest: int) -> None:
        self._engine, self._longest = engine, longest

    @property
    def name(self) -> str:
        """What tables call it."""
        return self._engine.name

    @property
    def identity(self) -> str:
        """All that its answers depend on besides prompt and decoding."""
        return f"{self._engine.identity}, in pieces of {self._longest}"

    @property
    def prompting(self) -> Prompting | None:
        """The prompting of the engine that answers; no text is longer than what it has learnt."""
        found = self._engine.prompting if isinstance(self._engine, PromptedEngine) else None
        return found and replace(found, longest_prompt=None)

    @prompting.setter
    def prompting(self, prompting: Prompting | None) -> None:
        cast(PromptedEngine, self._engine).prompting = prompting

    def prompt(self, row: Fields, name: str) -> str:
        """Write the prompts of all pieces, each behind what stands before it: the answer depends on that too."""
        rows = self._rows(row)
        prompts = [self._engine.prompt(part, name) for part in rows]
        if len(rows) == 1:
            return prompts[0]
        return "".join(
            f"{piece.before!r}\n{prompt}\n" for piece, prompt in zip(self._pieces(row), prompts, strict=True)
        )

    def make_ready(self, decoding: Decoding = GREEDY) -> None:
        """Load what answers, if it waits for the rows."""
        if isinstance(self._engine, LateEngine):
            self._engine.make_ready(decoding)

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Answer rows, long noisy texts in pieces.

        Raises:
            DataError: as `Engine.generate`.
            EngineError: as `Engine.generate`.
        """
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        parts = [self._rows(row) for row in rows]
        asked = [part for some in parts for part in some]
        called = [name for name, some in zip(names, parts, strict=True) for _ in some]
        answers = iter(self._engine.generate(asked, decoding, names=called))
        return [self._joined(row, [next(answers) for _ in some]) for row, some in zip(rows, parts, strict=True)]

    def close(self) -> None:
        """Let go of what the engine holds."""
        close = getattr(self._engine, "close", None)
        if close is not None:
            close()

    def _pieces(self, row: Fields) -> list[Piece]:
        noisy = row.get("noisy")
        return cut(noisy, self._longest) if isinstance(noisy, str) else []

    def _rows(self, row: Fields) -> list[Fields]:
        pieces = self._pieces(row)
        return [{**row, "noisy": piece.text} for piece in pieces] if len(pieces) > 1 else [row]

    def _joined(self, row: Fields, answers: Sequence[Answer]) -> Answer:
        """Put together what came of a row's pieces, or of the first of them."""
        pieces = self._pieces(row)
        if len(pieces) <= 1:
            return answers[0]
        if lost := next((one for one in answers if one.failure), None):
            return Answer.failed(lost.failure, max(one.num_tries for one in answers), cause=lost.cause)
        before = [piece.before for piece in pieces[: len(answers)]]
        prompts = [one.num_prompt_tokens for one in answers]
        confidence: tuple[float, ...] = ()
        if all(len(one.confidence) == len(one.text) for one in answers):
            both = zip(before, answers, strict=True)
            confidence = tuple(sure for space, one in both for sure in (*[1.0] * len(space), *one.confidence))
        return Answer(
            text="".join(space + one.text for space, one in zip(before, answers, strict=True)),
            num_tokens=sum(one.num_tokens for one in answers),
            finished=all(one.finished for one in answers),
            num_trimmed=sum(one.num_trimmed for one in answers),
            num_prompt_tokens=None if None in prompts else sum(filter(None, prompts)),
            num_tries=max(one.num_tries for one in answers),
            confidence=confidence,
        )


class StreamingPiecewiseEngine(PiecewiseEngine):
    """The same of an engine that hands on answers while they grow."""

    def stream(
        self,
        row: Fields,
        on_text: Callable[[str], None],
        decoding: Decoding = GREEDY,
        *,
        name: str = "row 1",
        stopped: Callable[[], bool] | None = None,
    ) -> Answer:
        """
        Answer one row piece by piece, each while it grows; see `StreamingEngine.stream`.

        What comes behind a piece that was lost, or at which it was stopped, is not asked.

        Raises:
            DataError: as `generate`.
            EngineError: as `generate`.
        """
        engine = cast(StreamingEngine, self._engine)
        pieces, rows = self._pieces(row), self._rows(row)
        if len(rows) == 1:
            return engine.stream(row, on_text, decoding, name=name, stopped=stopped)
        answers: list[Answer] = []
        for piece, part in zip(pieces, rows, strict=True):
            if piece.before:
                on_text(piece.before)
            answers.append(engine.stream(part, on_text, decoding, name=name, stopped=stopped))
            if answers[-1].failure or (stopped and stopped()):
                break
        whole = self._joined(row, answers)
        return replace(whole, finished=whole.finished and len(answers) == len(rows))
