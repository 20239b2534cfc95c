"""
What every engine can do: answer rows.

In: rows of any form, without their answers. Out: an answer each, in their order:

    {"instruction": "한강은 어디로 흐르나요?", "input": ""}   ─►   Answer("서해로 흐릅니다.", 9, finished=True)
    {"noisy": "확잠실읾"}                                    ─►   Answer("화장실이", 4, finished=True)

How rows become prompts is the engine's matter: it knows the template that its model was trained with. A row that could
not be answered, say because a server stayed down, gets an Answer that says why in `failure`: it is never taken for one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from hanpuri.data.templates import Fields
from hanpuri.training.decoding import Decoding, Generated
from hanpuri.training.prompting import Prompting

__all__ = [
    "GREEDY",
    "Answer",
    "CountingEngine",
    "Decoding",
    "Engine",
    "LateEngine",
    "Likelihood",
    "PromptedEngine",
    "RestoringEngine",
    "ScoringEngine",
    "StreamingEngine",
]

GREEDY = Decoding()
"""The likeliest token each time."""


@dataclass(frozen=True, slots=True)
class Answer(Generated):
    """What an engine wrote for a row, or why it wrote nothing."""

    num_prompt_tokens: int | None = None
    """Tokens of the prompt; None if the engine does not count them."""
    num_tries: int = 1
    """How often it was asked for, until it came or was given up."""
    confidence: tuple[float, ...] = ()
    """The model's probability for each character of the text; () if the engine does not tell it."""
    failure: str = ""
    """Why there is no answer; "" if there is one. The text is then empty."""
    cause: str = field(default="", compare=False)
    """The same without words of a server, which may repeat a text: for logs that hold none."""

    @classmethod
    def failed(cls, why: str, num_tries: int = 1, *, cause: str = "") -> "Answer":
        """
        Give the answer that is none; the cause is why, if it is not told.

            >>> Answer.failed("the server is down").failure
            'the server is down'
        """
        return cls("", 0, finished=False, num_tries=num_tries, failure=why, cause=cause or why)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a model held a text that was given to it, behind a row's prompt."""

    log_probability: float
    """The sum over its tokens, in nats."""
    num_tokens: int
    """Tokens that were asked for: those of the answer, and the one that ends it."""
    num_right: int
    """Of these, how many the model would have taken itself."""
    num_bytes: int
    """Bytes of the text in UTF-8: what makes models of different tokenizers comparable."""


class Engine(Protocol):
    """A model that answers."""

    @property
    def name(self) -> str:
        """What tables call it: as it was asked for, such as "compact:base"."""
        ...

    @property
    def identity(self) -> str:
        """All that its answers depend on besides prompt and decoding: weights, template, grammar, server."""
        ...

    def prompt(self, row: Fields, name: str) -> str:
        """
        Write what the model is given for a row; for a server that is asked in messages, these as JSON.

        Raises:
            DataError: if the row does not fit the template, or leaves no room for an answer; it names it.
        """
        ...

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Answer rows.

        Args:
            rows: of any form; what they hold of an answer is not looked at.
            decoding: how tokens are chosen.
            names: how errors name the rows; "row 1", …, if not given.

        Raises:
            DataError: if a row does not fit the template, or leaves no room for an answer.
            EngineError: if no row can be answered: a wrong key, a setting that the engine lacks.
        """
        ...


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine that hands on an answer while it grows."""

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
        Answer one row, and hand on its text piece by piece; no piece breaks a syllable.

        Args:
            row: of any form.
            on_text: gets each piece.
            decoding: how tokens are chosen.
            name: how errors name the row.
            stopped: asked while the answer grows; once it says yes, the answer is cut there.

        Raises:
            DataError: as `Engine.generate`.
            EngineError: as `Engine.generate`.
        """
        ...


@runtime_checkable
class ScoringEngine(Protocol):
    """An engine that tells how likely it holds given answers."""

    def score(self, rows: Sequence[Fields], answers: Sequence[str], *, names: Sequence[str] = ()) -> list[Likelihood]:
        """
        Score an answer for each row, as the model would write it behind the row's prompt.

        Raises:
            DataError: as `Engine.generate`.
        """
        ...


@runtime_checkable
class CountingEngine(Protocol):
    """An engine that knows how long a conversation may be."""

    @property
    def positions(self) -> int | None:
        """Tokens of prompt and answer together, at most; None if that is not known."""
        ...

    def count_tokens(self, row: Fields, name: str = "row 1") -> int:
        """
        Count the tokens of a row's prompt.

        Args:
            row: of any form.
            name: how errors name it.

        Raises:
            DataError: if the row does not fit the template.
            ValueError: if `positions` is None and no tokenizer is known.
        """
        ...


@runtime_checkable
class LateEngine(Protocol):
    """An engine that is loaded when its rows are known, because it has to know how long they are."""

    def make_ready(self, decoding: Decoding = GREEDY) -> None:
        """Load it for the rows whose prompts were written so far, so that this is no part of the time to answer."""
        ...


@runtime_checkable
class PromptedEngine(Protocol):
    """An engine that asks in the words of a template of ours, or of the tokenizer's, as the model was trained."""

    prompting: Prompting | None
    """None where a server renders the messages itself."""


@runtime_checkable
class RestoringEngine(Protocol):
    """An engine that restores noisy texts, and answers nothing else."""

    restores_only: bool
