"""
Questions from arguments, standard input or a file ─► answers, several at once, to standard output or a file.

In: --file questions.jsonl --field question. Out: the same rows with one field more:

    {"id": 1, "question": "한강은 어디로 흐르나요?"}  ─►  {"id": 1, "question": "…", "answer": "서해로 흐릅니다."}

An answer takes seconds, so those for a file are kept beside it as they come (`answers.jsonl.kept`): a call that was
stopped goes on from there. The file itself appears when it is whole.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.formats import Row
from hanpuri.data.files.sinks import open_sink
from hanpuri.data.files.sources import Source
from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError

MAX_FAULTS = 5
AHEAD = 8
"""Batches that are answered together: among so many, prompts of like length find each other."""
NOTHING = Answer("", 0, finished=True)


class Question(NamedTuple):
    """What is asked, and the row that it came from."""

    row: Row
    fields: Fields | None
    """None where nothing is asked: an empty line, a null."""


def answer_all(
    engine: TransformersEngine, source: Source, decoding: Decoding, *, out: str | None, into: str, as_json: bool
) -> None:
    """
    Answer the rows of a source.

    Raises:
        DataError: if a row cannot be asked; of a file on disk all rows are looked at before the first is answered.
    """
    total = check_questions(engine, source) if source.is_file else None
    questions = (_question(engine, source, row) for row in source.rows())
    with ExitStack() as stack, reader_may_leave():
        kept = stack.enter_context(_keep(Path(out))) if out else None
        sink = None if as_json or not source.is_file else stack.enter_context(open_sink(out or "-", source, into=into))
        for question, answer in _watched(_answers(engine, questions, decoding, kept), total):
            if sink:
                sink.write(question.row, answer.text)
            else:
                print_answer(question.row.text, answer, as_json=as_json)


def answer_texts(engine: TransformersEngine, texts: Sequence[str], decoding: Decoding, *, as_json: bool) -> None:
    """Answer texts that were given as arguments; on a terminal each grows as it is written."""
    with reader_may_leave():
        for text in texts:
            row = engine.prompting.question(text)
            if as_json:
                (answer,) = engine.generate([row], decoding, names=["the question"])
                print_answer(text, answer, as_json=True)
            else:
                engine.stream(row, say, decoding, name="the question")
                print(flush=True)


def say(text: str) -> None:
    """Put out a piece of an answer at once."""
    print(text, end="", flush=True)


def print_answer(question: str, answer: Answer, *, as_json: bool) -> None:
    """Print one answer: its text, or a JSON object with what else is known of it."""
    told = {"question": question, "answer": answer.text, "num_tokens": answer.num_tokens, "finished": answer.finished}
    print(json.dumps(told, ensure_ascii=False) if as_json else answer.text, flush=True)


def check_questions(engine: TransformersEngine, source: Source) -> int:
    """
    See that all rows of a file can be asked; their number.

    Raises:
        DataError: with the first few that cannot.
    """
    faults: list[DataError] = []
    num_rows = 0
    for row in source.rows():
        num_rows += 1
        try:
            question = _question(engine, source, row)
            if question.fields is not None:
                engine.check(question.fields, row.where)
        except DataError as error:
            faults.append(error)
            if len(faults) == MAX_FAULTS:
                break
    if faults:
        raise DataError("; ".join(fault.message for fault in faults), faults[0].mend)
    return num_rows


def _question(engine: TransformersEngine, source: Source, row: Row) -> Question:
    if not row.text.strip():
        return Question(row, None)
    context = (row.record or {}).get("input") if source.field != "input" else None
    return Question(row, engine.prompting.question(row.text, str(context or "")))


class _Kept:
    """The answers of a call that was stopped, and those of this one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._answers = dict(self._read()) if path.is_file() else {}

    def _read(self) -> Iterator[tuple[str, Answer]]:
        whole = 0
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    whole += len(line)
                    fields = json.loads(line)
                    yield fields.pop("key"), Answer(**fields)
        os.truncate(self.path, whole)  # what was cut off in the middle is asked again

    def find(self, key: str) -> Answer | None:
        return self._answers.get(key)

    def add(self, answers: Iterable[tuple[str, Answer]]) -> None:
        lines = [json.dumps({"key": key, **asdict(answer)}, ensure_ascii=False) + "\n" for key, answer in answers]
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(lines)
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror}", "make room for it") from None


@contextmanager
def _keep(out: Path) -> Iterator[_Kept]:
    """Keep answers beside an output until it is whole."""
    kept = _Kept(out.with_name(out.name + ".kept"))
    try:
        yield kept
    except BaseException:
        if kept.path.is_file():
            print(f"hanpuri: answers so far are in {kept.path}: the same command goes on", file=sys.stderr)
        raise
    kept.path.unlink(missing_ok=True)


def _answers(
    engine: TransformersEngine, questions: Iterator[Question], decoding: Decoding, kept: _Kept | None
) -> Iterator[tuple[Question, Answer]]:
    """Answer question after question, some batches at a time; what was kept is not asked again."""
    ahead = decoding.batch_size * (AHEAD if kept else 1)
    while batch := list(islice(questions, ahead)):
        keys = [_key(engine, question, decoding) if kept else "" for question in batch]
        found = [
            NOTHING if question.fields is None else kept.find(key) if kept else None
            for question, key in zip(batch, keys, strict=True)
        ]
        asked = [place for place, answer in enumerate(found) if answer is None]
        new = _generate(engine, [batch[place] for place in asked], decoding)
        if kept and new:
            kept.add(zip([keys[place] for place in asked], new, strict=True))
        for place, answer in zip(asked, new, strict=True):
            found[place] = answer
        yield from ((question, answer) for question, answer in zip(batch, found, strict=True) if answer)


def _generate(engine: TransformersEngine, questions: Sequence[Question], decoding: Decoding) -> list[Answer]:
    rows = [question.fields or {} for question in questions]
    return engine.generate(rows, decoding, names=[question.row.where for question in questions])


def _key(engine: TransformersEngine, question: Question, decoding: Decoding) -> str:
    """Name a question together with all that its answer depends on."""
    if question.fields is None:
        return ""
    prompt = engine.check(question.fields, question.row.where).text
    how = decoding.max_new_tokens, decoding.temperature, decoding.top_p, decoding.seed
    return hashlib.sha256(repr((engine.identity, engine.prompting.hash, how, prompt)).encode()).hexdigest()


def _watched(answers: Iterator[tuple[Question, Answer]], total: int | None) -> Iterator[tuple[Question, Answer]]:
    """Draw a bar on standard error where somebody is looking and the number of rows is known."""
    if total is None or not sys.stderr.isatty():
        yield from answers
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns: tuple[Any, ...] = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(answers, total=total)
