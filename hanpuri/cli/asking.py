"""
`hanpuri ask`: questions, each by itself, from arguments, a file or a pipe; any engine answers.

    $ hanpuri ask "한강은 어디로 흐르나요?" --model runs/faq
    서해로 흐릅니다.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from hanpuri.cli.answering import answer_all, answer_texts
from hanpuri.cli.choosing import Choice
from hanpuri.data.files.formats import FORMATS
from hanpuri.data.files.sources import Source, open_source
from hanpuri.engines.base import Decoding, Engine, PromptedEngine
from hanpuri.engines.opening import open_engine
from hanpuri.errors import DataError


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
        Open the input; None for questions that were given as arguments.

        Raises:
            DataError: if there is no input, or two, or the one cannot be read.
        """
        if self.questions and (self.file or self.out):
            raise DataError("questions were given together with --file or --out", "give either questions or files")
        if self.out and not self.file:
            raise DataError("--out needs --file", "use > to keep what is printed")
        if self.json and self.out:
            raise DataError("--json writes to standard output", "leave out --out, and use > to keep what it prints")
        if self.out and not Path(self.out).name:
            raise DataError(f"{self.out}: found a folder, expected the name of a file to write", "name a file in it")
        if any(not question.strip() for question in self.questions):
            raise DataError("a question is empty", "write one, or leave it out")
        if self.format is not None and self.format not in FORMATS:
            raise DataError(f"--format is {self.format!r}", f"write one of {', '.join(FORMATS)}")
        if self.questions:
            return None
        if self.file is None and sys.stdin.isatty():
            raise DataError("no question was given", "write one, use --file, or talk with hanpuri chat")
        return open_source(self.file or "-", format=self.format, field=self.field, encoding=self.encoding)


def run(choice: Choice, given: Given, decoding: Decoding) -> None:
    """
    Answer what was given.

    Raises:
        HanpuriError: if the engine, its model, the template, a file or a question is not what it should be.
    """
    settings = choice.settings()
    source = given.open()
    with open_engine(settings) as engine:
        tell_guess(engine, settings.template)
        if source is None:
            answer_texts(engine, given.questions, decoding, as_json=given.json)
        else:
            answer_all(engine, source, decoding, out=given.out, into=given.into, as_json=given.json)


def tell_guess(engine: Engine, template: str | None) -> None:
    """Say so where the template of a model had to be guessed, or is another one than ours."""
    prompting = engine.prompting if isinstance(engine, PromptedEngine) else None
    notes = [prompting.note if prompting and template is None else "", getattr(engine, "note", "")]
    for note in dict.fromkeys(filter(None, notes)):
        print(note, file=sys.stderr, flush=True)
