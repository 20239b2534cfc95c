"""
What a server sent ─► the text of its answer, and how it ended; what only looks like an answer is a Fault.

In: {"choices": [{"message": {"content": "너무"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 3, …}}
Out: Reply("너무", num_tokens=3, num_prompt_tokens=41, finished=True)

A stream is the same in pieces: `Growing` puts them together, and tells what of the text is sure by now.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hanpuri.data.tokenizers import REPLACEMENT
from hanpuri.engines.servers.faults import TOLD, Fault, fault_of

NO_ANSWER = "found no answer in the reply"
CUT = "length"
WITHHELD = "content_filter"
ABORTED = ("abort", "error")
JAMO = range(0x1100, 0x1200)
"""Letters that make up a syllable together with those before and behind them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, as the server wrote it."""

    text: str
    num_tokens: int
    """Tokens written, as the server counts them; 0 if it does not."""
    num_prompt_tokens: int | None
    finished: bool


def read_reply(body: Any) -> Reply:
    """
    Read a reply that came in one piece.

        >>> read_reply({"choices": [{"text": "너무", "finish_reason": "length"}]})
        Reply(text='너무', num_tokens=0, num_prompt_tokens=None, finished=False)

    Raises:
        Fault: if it is no answer: an error in its place, no choices, a text that was withheld.
    """
    growing = Growing()
    growing.take(body)
    return growing.reply()


@dataclass(slots=True)
class Growing:
    """An answer that comes in pieces."""

    text: str = ""
    reason: str | None = None
    refusal: str = ""
    has_text: bool = False
    usage: dict[str, Any] = field(default_factory=dict)

    def take(self, event: Any) -> None:
        """
        Take the next piece.

        Raises:
            Fault: if it is an error, or no piece of an answer.
        """
        if not isinstance(event, dict):
            raise Fault(f"found {_short(event)}, expected an answer", "try", cause=NO_ANSWER)
        if event.get("error"):
            raise _error_in(event["error"])
        if isinstance(usage := event.get("usage"), dict):
            self.usage = usage
        choices = event.get("choices")
        if not isinstance(choices, list):
            raise Fault(f"found {_short(event)}, expected choices", "try", cause=NO_ANSWER)
        for choice in choices[:1]:
            self._take_choice(choice)

    def reply(self) -> Reply:
        """
        Give the whole.

        Raises:
            Fault: if it has not ended, or no text was in it.
        """
        if self.reason == WITHHELD or self.refusal:
            withheld = "the server withheld the answer"
            raise Fault(f"{withheld}: {_short(self.refusal or WITHHELD)}", "row", cause=withheld)
        if self.reason in ABORTED:
            raise Fault(f"the server broke the answer off ({self.reason})", "try")
        if self.reason is None:
            raise Fault("the answer broke off" if self.has_text else NO_ANSWER, "try")
        if not self.has_text and self.reason != CUT:
            found = f"found no text in the reply, which ended in {_short(self.reason)}"
            raise Fault(found, "try", cause=NO_ANSWER)
        return Reply(
            joined(self.text),
            self._counted("completion_tokens") or 0,
            self._counted("prompt_tokens"),
            self.reason != CUT,
        )

    def _take_choice(self, choice: Any) -> None:
        if not isinstance(choice, dict):
            raise Fault(f"found {_short(choice)}, expected a choice", "try", cause=NO_ANSWER)
        said = choice.get("delta") or choice.get("message") or choice
        piece = said.get("content", said.get("text")) if isinstance(said, dict) else None
        if isinstance(piece, str):
            self.text += piece
            self.has_text = True
        elif piece is not None:
            raise Fault(f"found {_short(piece)}, expected a text", "try", cause=NO_ANSWER)
        if isinstance(said, dict) and said.get("refusal"):
            self.refusal += str(said["refusal"])
        if choice.get("finish_reason"):
            self.reason = str(choice["finish_reason"])

    def _counted(self, key: str) -> int | None:
        count = self.usage.get(key)
        return count if isinstance(count, int) else None


class Listener:
    """Hands on of a growing text what is sure by now, so that no piece breaks a syllable or says what is taken back."""

    def __init__(
        self, on_text: Callable[[str], None], answer_of: Callable[[str], str], endings: tuple[str, ...]
    ) -> None:
        """
        Make it ready.

        Args:
            on_text: gets each piece.
            answer_of: takes off what a template puts around an answer.
            endings: texts that may still be taken off the end.
        """
        self._on_text, self._answer_of, self._endings = on_text, answer_of, endings
        self._said = ""

    def hear(self, text: str) -> None:
        """Take the text so far."""
        sure = text
        for ending in self._endings:
            sure = sure[: len(sure) - _num_begun(sure, ending)]
        while sure and (ord(sure[-1]) in JAMO or sure[-1] == REPLACEMENT or "\ud800" <= sure[-1] <= "\udfff"):
            sure = sure[:-1]
        self.say(joined(self._answer_of(sure)))

    def say(self, text: str) -> None:
        """Hand on what of a text was not yet."""
        if len(text) > len(self._said) and text.startswith(self._said):
            self._on_text(text[len(self._said) :])
            self._said = text


def joined(text: str) -> str:
    r"""
    Join halves of surrogate pairs, which a server may send one by one; half of one alone is no text.

        >>> joined("맛있어요 \ud83d\ude00 \ud83d") == "맛있어요 😀 \ufffd"
        True
    """
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _num_begun(text: str, ending: str) -> int:
    """Count the characters at the end of a text that may be the beginning of an ending."""
    return next((count for count in range(len(ending), 0, -1) if text.endswith(ending[:count])), 0)


def _error_in(error: Any) -> Fault:
    """Judge an error that came with the status of success, as in a stream that was begun."""
    status = error.get("code") if isinstance(error, dict) else None
    known = status if isinstance(status, int) and 400 <= status < 600 else 500
    return fault_of(known, {}, json.dumps({"error": error}).encode())


def _short(found: Any) -> str:
    told = " ".join(str(found).split()) or "nothing"
    return told if len(told) <= TOLD else f"{told[: TOLD - 1]}…"
