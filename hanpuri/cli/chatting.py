"""
`hanpuri chat`: ask a model as it was trained to be asked; with no question it is a conversation.

    $ hanpuri chat runs/faq
    > 한강은 어디로 흐르나요?
    서해로 흐릅니다.

A chat template keeps the conversation, and drops its oldest turns when the model's positions run out. A template file
has one question and its answer: there each question stands alone.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from hanpuri.cli.answering import answer_all, answer_texts, say
from hanpuri.data.files.formats import FORMATS, nearest
from hanpuri.data.files.sources import Source, open_source
from hanpuri.data.templates import Fields
from hanpuri.engines.base import Decoding
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError, HanpuriError
from hanpuri.training.recipe import QuantizationSettings

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri chat runs/cpu-tiny-chatbot

  hanpuri chat runs/cpu-tiny-chatbot "한강은 어디로 흐르나요?"

  hanpuri chat models/qwen3 --system "한 문장으로 답하세요." --temperature 0.7

  hanpuri chat runs/faq --file questions.jsonl --field question --out answers.jsonl

  cat questions.txt | hanpuri chat runs/faq --json
"""
COMMANDS = {
    "/help": "these lines",
    "/reset": "forget the conversation",
    "/system": "TEXT stands before every question; without TEXT, the template's own does",
    "/save": "FILE gets the conversation as one more line of JSONL, in the form of training rows",
}


@dataclass(frozen=True)
class Given:
    """Where the questions come from and where the answers go."""

    questions: tuple[str, ...] = ()
    file: str | None = None
    out: str | None = None
    field: str | None = None
    into: str = "answer"
    encoding: str = "utf-8"
    format: str | None = None
    json: bool = False

    def open(self) -> Source | None:
        """
        Open the input; None for questions that were given as arguments, and for a conversation.

        Raises:
            DataError: if there are two inputs, or the one cannot be read.
        """
        if self.questions and (self.file or self.out):
            raise DataError("questions were given together with --file or --out", "give either questions or files")
        if self.out and not self.file:
            raise DataError("--out needs --file", "use > to keep what is printed")
        if self.json and self.out:
            raise DataError("--json writes to standard output", "leave out --out, and use > to keep what it prints")
        if self.format is not None and self.format not in FORMATS:
            raise DataError(f"--format is {self.format!r}", f"write one of {', '.join(FORMATS)}")
        if self.questions or (self.file is None and sys.stdin.isatty()):
            return None
        return open_source(self.file or "-", format=self.format, field=self.field, encoding=self.encoding)


@dataclass
class Conversation:
    """Questions and answers so far, and what stands before them."""

    engine: TransformersEngine
    decoding: Decoding
    turns: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, question: str) -> str:
        """
        Answer a question aloud, and remember both; what ctrl-C cuts off counts as the answer.

        Raises:
            DataError: if the question cannot be asked; it is forgotten then.
        """
        row = self._row(question)
        pieces: list[str] = []

        def hear(piece: str) -> None:
            pieces.append(piece)
            say(piece)

        try:
            answer = self.engine.stream(row, hear, self.decoding, name="the question")
            print()
            if not answer.finished:
                tell(f"cut at {answer.num_tokens} tokens, --max-new-tokens allows more")
        except KeyboardInterrupt:
            print()
            tell("stopped")
        self.turns.append((question, "".join(pieces)))
        return "".join(pieces)

    def messages(self, question: str | None = None) -> list[dict[str, str]]:
        """Give the conversation as messages, with one more question."""
        said = [{"role": "system", "content": system}] if (system := self.engine.prompting.system) else []
        for asked, answer in self.turns:
            said += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        return said + ([{"role": "user", "content": question}] if question is not None else [])

    def rows(self) -> list[list[dict[str, str]]]:
        """Give what was said as training rows: the conversation, or, where questions stand alone, each by itself."""
        if not self.turns or self.engine.prompting.keeps_turns:
            return [self.messages()] * bool(self.turns)
        return [Conversation(self.engine, self.decoding, [turn]).messages() for turn in self.turns]

    def _row(self, question: str) -> Fields:
        """Write the row that asks a question; of a conversation that is too long the oldest turns go."""
        if not self.engine.prompting.keeps_turns:
            return self.engine.prompting.question(question)
        positions = self.engine.positions
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
        return self.engine.count_tokens({"messages": self.messages(question)})


def run(
    model: str,
    given: Given,
    decoding: Decoding,
    *,
    template: str | None = None,
    system: str = "",
    device: str | None = None,
    four_bit: bool = False,
) -> None:
    """
    Answer what was given, or hold a conversation.

    Raises:
        HanpuriError: if the model, the template, a file or a question is not what it should be.
    """
    source = given.open()
    quantization = QuantizationSettings() if four_bit else None
    engine = TransformersEngine.load(model, device=device, quantization=quantization, template=template)
    if engine.prompting.note and template is None:
        tell(engine.prompting.note)
    engine.prompting = engine.prompting.with_system(system)
    if source is None and not given.questions:
        converse(Conversation(engine, decoding))
    elif source is None:
        answer_texts(engine, given.questions, decoding, as_json=given.json)
    else:
        answer_all(engine, source, decoding, out=given.out, into=given.into, as_json=given.json)


def converse(conversation: Conversation) -> None:
    """Read questions and commands until ctrl-D; ctrl-C takes back a line, or stops an answer."""
    import readline  # noqa: F401  # a line can be edited and earlier ones called back

    _greet(conversation.engine)
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
            if line.startswith("/"):
                obey(conversation, line)
            elif line:
                conversation.ask(line)
        except HanpuriError as error:
            tell(str(error))


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
        conversation.engine.prompting = conversation.engine.prompting.with_system(rest.strip())
    elif command == "/save":
        _save(conversation, rest.strip())
    else:
        guess = nearest(command, COMMANDS)
        raise DataError(f"there is no {command}", f"did you mean {guess}?" if guess else "see /help")


def tell(text: str) -> None:
    """Say something that is no answer."""
    print(text, file=sys.stderr, flush=True)


def _greet(engine: TransformersEngine) -> None:
    prompting = engine.prompting
    alone = "" if prompting.keeps_turns else "; each question stands alone"
    tell(f"{engine.name}, template {prompting.template.name}{alone}. /help lists commands, ctrl-D leaves.")


def _save(conversation: Conversation, name: str) -> None:
    if not name:
        raise DataError("/save was given no file", "write e.g. /save talk.jsonl")
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            for messages in conversation.rows():
                file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
    except OSError as error:
        raise DataError(f"{name} cannot be written: {error.strerror}", "give another file") from None
