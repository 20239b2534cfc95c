"""
`hanpuri chat`: a conversation with any engine, on a terminal; from a pipe, each line is what is said next.

    $ hanpuri chat runs/faq
    > 한강은 어디로 흐르나요?
    서해로 흐릅니다.
    9 tokens, 0.4 s

A chat template, or a server's messages, keep the conversation, and drop its oldest turns when the model's positions run
out. A template file has one question and its answer: there each question stands alone.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hanpuri.cli.answering import say
from hanpuri.cli.asking import tell_guess
from hanpuri.cli.choosing import Choice
from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.formats import nearest
from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding, Engine, PromptedEngine, StreamingEngine
from hanpuri.engines.opening import open_engine
from hanpuri.engines.questions import row_that_asks
from hanpuri.errors import DataError, HanpuriError

COMMANDS = {
    "/help": "these lines",
    "/reset": "forget the conversation",
    "/system": "TEXT stands before every question; without TEXT, the template's own does",
    "/save": "FILE gets the conversation as one more line of JSONL, in the form of training rows",
}


@dataclass
class Conversation:
    """Questions and answers so far, and what stands before them."""

    engine: Engine
    decoding: Decoding
    system: str = ""
    turns: list[tuple[str, str]] = field(default_factory=list)

    @property
    def keeps_turns(self) -> bool:
        """Whether a question stands behind the earlier ones."""
        if isinstance(self.engine, PromptedEngine):
            return self.engine.prompting is None or self.engine.prompting.keeps_turns
        return False

    def set_system(self, system: str) -> None:
        """
        Put another text before every question; "" is the template's own again.

        Raises:
            DataError: if the engine takes none.
        """
        if not isinstance(self.engine, PromptedEngine):
            if system:
                raise DataError(f"{self.engine.name} takes no text before a question", "leave it out")
        elif self.engine.prompting is not None:
            self.engine.prompting = self.engine.prompting.with_system(system)
        self.system = system

    def ask(self, question: str) -> str:
        """
        Answer a question aloud, and remember both; what ctrl-C cuts off counts as the answer.

        Raises:
            DataError: if the question cannot be asked; it is forgotten then.
            EngineError: if it got no answer; likewise.
        """
        row = self._row(question)
        pieces: list[str] = []

        def hear(piece: str) -> None:
            pieces.append(piece)
            say(piece)

        started = time.perf_counter()
        try:
            answer = self._answer(row, hear)
            print()
            if answer.failure:
                tell(f"no answer: {answer.failure}")
                return ""
            tokens = f"{answer.num_tokens} tokens, " if answer.num_tokens or not answer.text else ""  # untold by some
            tell(f"{tokens}{time.perf_counter() - started:.1f} s", dim=True)
            if not answer.finished:
                tell(f"cut at {answer.num_tokens} tokens, --max-new-tokens allows more")
        except KeyboardInterrupt:
            print()
            tell("stopped")
        self.turns.append((question, "".join(pieces)))
        return "".join(pieces)

    def messages(self, question: str | None = None) -> list[dict[str, str]]:
        """Give the conversation as messages, with one more question."""
        said = [{"role": "system", "content": self.system}] if self.system else []
        for asked, answer in self.turns:
            said += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        return said + ([{"role": "user", "content": question}] if question is not None else [])

    def rows(self) -> list[list[dict[str, str]]]:
        """Give what was said as training rows: the conversation, or, where questions stand alone, each by itself."""
        if not self.turns or self.keeps_turns:
            return [self.messages()] * bool(self.turns)
        return [Conversation(self.engine, self.decoding, self.system, [turn]).messages() for turn in self.turns]

    def _answer(self, row: Fields, hear: Callable[[str], None]) -> Answer:
        if isinstance(self.engine, StreamingEngine):
            return self.engine.stream(row, hear, self.decoding, name="the question")
        (answer,) = self.engine.generate([row], self.decoding, names=["the question"])
        hear(answer.text)
        return answer

    def _row(self, question: str) -> Fields:
        """Write the row that asks a question; of a conversation that is too long the oldest turns go."""
        if not self.keeps_turns:
            return row_that_asks(self.engine, question)
        positions = getattr(self.engine, "positions", None)  # a server does not tell
        num_turns = len(self.turns)
        while positions is not None and self.turns:
            if self._num_tokens(question) + min(self.decoding.max_new_tokens, positions // 2) <= positions:
                break
            self.turns.pop(0)
        if dropped := num_turns - len(self.turns):
            first = "its first turn" if dropped == 1 else f"its first {dropped} turns"
            tell(f"the conversation is longer than the model's {positions:,} positions: forgot {first}")
        return {"messages": self.messages(question)}

    def _num_tokens(self, question: str) -> int:
        engine: Any = self.engine
        return int(engine.count_tokens({"messages": self.messages(question)}))


def run(choice: Choice, decoding: Decoding) -> None:
    """
    Hold a conversation.

    Raises:
        HanpuriError: if the engine, its model or the template is not what it should be.
    """
    settings = choice.settings()
    with open_engine(settings) as engine:
        tell_guess(engine, settings.template)
        talk = Conversation(engine, decoding)
        talk.set_system(settings.system)
        with reader_may_leave():
            if sys.stdin.isatty():
                converse(talk)
            else:
                for line in sys.stdin:
                    take(talk, line.strip())


def converse(conversation: Conversation) -> None:
    """Read questions and commands until ctrl-D; ctrl-C takes back a line, or stops an answer."""
    import readline  # noqa: F401  # a line can be edited and earlier ones called back

    _greet(conversation)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            continue
        try:
            take(conversation, line)
        except HanpuriError as error:
            tell(str(error))


def take(conversation: Conversation, line: str) -> None:
    """
    Obey a line, or answer it; of an empty one nothing comes.

    Raises:
        HanpuriError: if it can be neither.
    """
    if line.startswith("/"):
        obey(conversation, line)
    elif line:
        conversation.ask(line)


def obey(conversation: Conversation, line: str) -> None:
    """
    Do what a line such as "/save talk.jsonl" says.

    Raises:
        DataError: if there is no such command, or it cannot be done.
    """
    command, _, rest = line.partition(" ")
    if command == "/help":
        tell("\n".join(f"{name:<8} {what}" for name, what in COMMANDS.items()))
    elif command == "/reset":
        conversation.turns.clear()
    elif command == "/system":
        conversation.set_system(rest.strip())
    elif command == "/save":
        _save(conversation, rest.strip())
    else:
        guess = nearest(command, COMMANDS)
        raise DataError(f"there is no {command}", f"did you mean {guess}?" if guess else "see /help")


def tell(text: str, *, dim: bool = False) -> None:
    """Say something that is no answer."""
    told = f"\033[2m{text}\033[0m" if dim and sys.stderr.isatty() else text
    print(told, file=sys.stderr, flush=True)


def _greet(conversation: Conversation) -> None:
    engine = conversation.engine
    prompting = engine.prompting if isinstance(engine, PromptedEngine) else None
    template = f", template {prompting.template.name}" if prompting else ""
    alone = "" if conversation.keeps_turns else "; each question stands alone"
    tell(f"{engine.name}{template}{alone}. /help lists commands, ctrl-D leaves.")


def _save(conversation: Conversation, name: str) -> None:
    if not name:
        raise DataError("/save was given no file", "write e.g. /save talk.jsonl")
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            for messages in conversation.rows():
                file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    except OSError as error:
        raise DataError(f"{name} cannot be written: {error.strerror}", "give another file") from None
