"""
The template `chat`: a row ─► what the model's own chat template makes of it, and which of it the model learns to write.

In: a row of any form that has a question and an answer, and a tokenizer that brings a chat template. Out: segments,
here of a template of the ChatML kind:

    {"messages": [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "반가워요"}]}
      ─►  Segment("<|im_start|>user\\n안녕<|im_end|>\\n<|im_start|>assistant\\n", trained=False),
          Segment("반가워요<|im_end|>", trained=True)

What is trained is found by rendering twice: up to a turn of the assistant with the words after which it speaks, and
with the turn. No marks in the chat template are needed for that, and what a model is asked later is the same text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hanpuri.data.rows import conversation_of, form_of, row_of
from hanpuri.data.templates import (
    CHAT,
    Fields,
    Rendered,
    Segment,
    Template,
    load_template,
    restoration_instruction,
)
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError, ModelError

TrainOn = Literal["all", "last"]
Message = Mapping[str, Any]


@dataclass(frozen=True)
class ChatTemplate:
    """The chat template of a tokenizer, in the place of a template file."""

    tokenizer: Tokenizer
    train_on: TrainOn = "all"
    """All turns of the assistant, or the last one alone."""
    instruction: str = ""
    """Stands before the noisy text of pairs."""
    system: str = ""
    """Stands before a conversation that has no system message of its own."""
    name: str = CHAT
    description: str = "The model's own chat template."
    fields: tuple[str, ...] = ("messages",)
    notes: tuple[str, ...] = ()

    def render(self, fields: Fields, id: str) -> Rendered:
        """
        Write a row as its conversation; turns of the assistant are trained, each with the token that ends it.

        What the template writes behind the last turn's end is left out: a model stops there.

        Raises:
            DataError: if the template refuses the roles, writes an earlier turn otherwise once another follows (then
                train on the last), or if the last message is not the assistant's.
        """
        messages = self._messages(fields, id, asked=False)
        if not messages or messages[-1]["role"] != "assistant":
            last = messages[-1]["role"] if messages else "nobody"
            raise DataError(f"{id}: found a last message of {last}, expected one of assistant", "leave the row out")
        answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        segments: list[Segment] = []
        done = ""
        for place in answers if self.train_on == "all" else answers[-1:]:
            before = self._write(messages[:place], id, generate=True)
            whole = self._write(messages[: place + 1], id)
            if not before.startswith(done):
                raise DataError(
                    f"{id}: the chat template writes an earlier turn otherwise once another follows, expected one text",
                    "train on the last turn alone: train_on: last",
                )
            if not whole.startswith(before):
                raise DataError(
                    f"{id}: the chat template ends what it asks in {before[-20:]!r}, and begins the answer otherwise",
                    "take a chat template that writes an answer behind the words that ask for it",
                )
            has_answer = bool(str(messages[place]["content"]).strip())
            end = self._end_of_turn(whole, len(before))
            segments += [Segment(before[len(done) :], False), Segment(whole[len(before) : end], has_answer)]
            done = whole[:end]
        return Rendered(id, tuple(segments), _contents(messages), is_chat=True)

    def prompt(self, fields: Fields, id: str) -> Rendered:
        """
        Write what the model is asked: the conversation up to where the assistant speaks.

        Raises:
            DataError: if the template refuses the roles.
        """
        messages = self._messages(fields, id, asked=True)
        if messages and messages[-1]["role"] == "assistant":
            messages = messages[:-1]
        text = self._write(messages, id, generate=True)
        return Rendered(id, (Segment(text, False),), _contents(messages), is_chat=True)

    def _messages(self, fields: Fields, id: str, *, asked: bool) -> list[Message]:
        form = form_of(fields, id, asked=asked)
        messages = conversation_of(fields, form)
        if messages is not None:
            has_system = bool(messages) and messages[0]["role"] == "system"
            return messages if has_system else [*self._before(), *messages]
        if form == "text":
            raise DataError(f"{id}: found a row with a text alone, expected a question and its answer", "take plain")
        row = row_of(fields, id, self.instruction, asked=asked)
        question = "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": row["output"]}]
        return [*self._before(), *turns]

    def _before(self) -> list[Message]:
        return [{"role": "system", "content": self.system}] if self.system else []

    def _write(self, messages: list[Message], id: str, *, generate: bool = False) -> str:
        return self.tokenizer.apply_chat_template(messages, id, add_generation_prompt=generate)

    def _end_of_turn(self, text: str, start: int) -> int:
        """Find the end of a turn: behind its last special token, or the text's end if it has none."""
        length = self.tokenizer.last_special(text[start:])
        return len(text) if length is None else start + length


def choose_template(
    name: str | Path, tokenizer: Tokenizer | None = None, train_on: TrainOn = "all"
) -> Template | ChatTemplate:
    """
    Load a template by name or path; `chat` is the tokenizer's own.

        >>> choose_template("plain").name
        'plain'

    Raises:
        RecipeError: if there is none, or for `chat` without a tokenizer.
        ModelError: if the tokenizer has no chat template.
    """
    if str(name) != CHAT or tokenizer is None:
        return load_template(name)
    if not tokenizer.has_chat_template:
        mend = "take a template file, or the tokenizer of the instruction-tuned model"
        raise ModelError(f"the tokenizer {tokenizer.name} has no chat template, expected one", mend)
    return ChatTemplate(tokenizer, train_on, restoration_instruction())


def _contents(messages: list[Message]) -> tuple[str, ...]:
    return tuple(str(message["content"]) for message in messages)
