"""
What a client may ask of a chat: the fields of OpenAI's protocol that mean something here, each checked.

In: {"model": "faq", "messages": [{"role": "user", "content": "주차장이 있나요?"}], "temperature": 0.7, "stream": true}
Out: a ChatRequest; or a fault that names the field. Nothing that was asked for is left out without a word:

    {"temprature": 0.7}                              ─►   400  temprature: no such field, did you mean temperature?
    {"content": [{"type": "image_url", …}]}          ─►   400  messages.0.content: found a part that is no text
    {"tools": […]}, of a model that cannot call any  ─►   400  tools: faq does not take it

Images would be addresses, which the server behind might fetch: no request makes anything here ask for an address.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from hanpuri.serving.asked import Asked

BEHIND = "Only of models behind a server."


class _Part(Asked):
    @model_validator(mode="before")
    @classmethod
    def _read_null(cls, told: Any) -> Any:
        """Take null for what was not given, as clients do that send every field."""
        if not isinstance(told, dict):
            return told
        return {name: value for name, value in told.items() if value is not None}


class TextPart(_Part):
    """A part of a message."""

    type: Literal["text"]
    text: str


def _joined(content: Any) -> Any:
    r"""
    Join the parts of a message.

        >>> _joined([{"type": "text", "text": "안녕"}, {"type": "text", "text": "하세요"}])
        '안녕\n하세요'
    """
    if not isinstance(content, list):
        return content
    parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    if len(texts) < len(content):
        raise ValueError("found a part that is no text, expected texts: images, sounds and files are not taken")
    return "\n".join(texts)


def _listed(stop: Any) -> Any:
    return [stop] if isinstance(stop, str) else stop


Content = Annotated[str, BeforeValidator(_joined, json_schema_input_type=str | list[TextPart])]
Stop = Annotated[str, Field(min_length=1, max_length=500)]
Stops = Annotated[list[Stop], Field(max_length=4, fail_fast=True)]


class Message(_Part):
    """What somebody said."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content = Field(default="", description="A text, or parts that are texts.")
    name: str | None = Field(default=None, description=f"Who said it. {BEHIND}")
    tool_calls: list[dict[str, Any]] | None = Field(default=None, fail_fast=True, description=BEHIND)
    tool_call_id: str | None = Field(default=None, description=BEHIND)
    reasoning_content: str | None = Field(default=None, description=BEHIND)
    annotations: list[None] | None = Field(default=None, max_length=0, description="As answers may have it; empty.")
    refusal: None = Field(default=None, description="As answers have it; null.")


class StreamOptions(_Part):
    """How a stream is sent."""

    include_usage: bool = Field(default=False, description="Whether the last piece counts the tokens.")


class ChatRequest(_Part):
    """A conversation that asks for its next message."""

    model: str = Field(max_length=200, description="A language model of this service, as GET /v1/models names it.")
    messages: list[Message] = Field(min_length=1, max_length=2_000, fail_fast=True, description="What was said so far.")
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000, description="Tokens of the answer.")
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000, description="The older name of the same.")
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="0 takes the likeliest token each time; so do models in this service."
    )
    top_p: float | None = Field(default=None, gt=0, le=1, description="Draw from tokens of this share together.")
    top_k: int | None = Field(default=None, ge=0, le=1_000_000, description="Draw from so many tokens; 0 is all.")
    seed: int | None = Field(default=None, ge=-(2**53), le=2**53, description="The same one draws the same answer.")
    stop: Annotated[Stops, BeforeValidator(_listed, json_schema_input_type=Stop | Stops | None)] = Field(
        default=[], description="A text at which the answer ends, or up to four; they are not part of it."
    )
    stream: bool = Field(default=False, description="Whether the answer comes in pieces while it grows.")
    stream_options: StreamOptions | None = Field(
        default=None, description="Without `stream` they mean nothing: a whole answer always counts its tokens."
    )
    n: int = Field(default=1, ge=1, le=1, description="Answers; one.")
    user: str | None = Field(default=None, max_length=500, description="Taken, and not looked at.")
    tools: list[dict[str, Any]] | None = Field(default=None, fail_fast=True, description=BEHIND)
    tool_choice: str | dict[str, Any] | None = Field(default=None, description=BEHIND)
    parallel_tool_calls: bool | None = Field(default=None, description=BEHIND)
    response_format: dict[str, Any] | None = Field(default=None, description=BEHIND)
    logprobs: bool | None = Field(default=None, description=BEHIND)
    top_logprobs: int | None = Field(default=None, ge=0, le=20, description=BEHIND)
    logit_bias: dict[str, Any] | None = Field(default=None, description=BEHIND)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2, description=BEHIND)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2, description=BEHIND)
    reasoning_effort: str | None = Field(default=None, description=BEHIND)

    @model_validator(mode="before")
    @classmethod
    def _check_whole(cls, told: Any) -> Any:
        """Refuse what JSON can write and nobody can read: no tokenizer takes it, and no server behind."""
        try:
            json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
        except UnicodeEncodeError:
            raise ValueError("found half a surrogate pair, expected text") from None
        except (ValueError, RecursionError):
            raise ValueError("found a number that is none, or objects within objects without end") from None
        return told

    @property
    def num_tokens(self) -> int | None:
        """Tokens that the answer may have, by its newer name or its older one; None if that is not said."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def counts(self) -> bool:
        """Whether a stream is to tell how many tokens it took."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def num_characters(self) -> int:
        """Characters of all messages."""
        return sum(len(message.content) for message in self.messages)
