"""
An answer in OpenAI's form: whole, or as the chunks of a stream.

In: a text, how it ended, how many tokens it took. Out, of a stream that tells them:

    {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, …}], …}
    {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "네, "}, …}], …}
    {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], …}
    {"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 12, …}, …}
"""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hanpuri.engines.base import Answer


def _new_id() -> str:
    return f"chatcmpl-{uuid4().hex}"


@dataclass(frozen=True)
class Reply:
    """What all pieces of one answer have in common."""

    model: str
    fingerprint: str
    counts: bool = False
    """Whether a stream tells how many tokens it took."""
    id: str = field(default_factory=_new_id)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Write an answer in one piece."""
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason_of(answer)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage_of(answer)}

    def begin(self) -> dict[str, Any]:
        """Write the first chunk, which says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> dict[str, Any]:
        """Write a chunk of the text."""
        return self._chunk({"content": text})

    def end(self, answer: Answer) -> list[dict[str, Any]]:
        """Write the last chunk, and the tokens where they are asked for."""
        last = self._chunk({}, reason_of(answer))
        if not self.counts:
            return [last]
        return [last, {**self._head("chat.completion.chunk"), "choices": [], "usage": usage_of(answer)}]

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self.counts else {}
        return {**self._head("chat.completion.chunk"), "choices": [choice], **usage}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def reason_of(answer: Answer) -> str:
    """Say why an answer ended: by itself, or cut at so many tokens."""
    return "stop" if answer.finished else "length"


def usage_of(answer: Answer) -> dict[str, int]:
    """
    Count the tokens.

        >>> usage_of(Answer("네", 2, finished=True, num_prompt_tokens=12))
        {'prompt_tokens': 12, 'completion_tokens': 2, 'total_tokens': 14}
    """
    asked = answer.num_prompt_tokens or 0
    return {
        "prompt_tokens": asked,
        "completion_tokens": answer.num_tokens,
        "total_tokens": asked + answer.num_tokens,
    }
