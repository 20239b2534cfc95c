"""
Questions from arguments, standard input or a file ─► answers, several at once, to standard output or a file.

In: --file questions.jsonl --field question. Out: the same rows with one field more:

    {"id": 1, "question": "한강은 어디로 흐르나요?"}  ─►  {"id": 1, "question": "…", "answer": "서해로 흐릅니다."}

An answer takes seconds, so those for a file are kept beside it as they come (`answers.jsonl.kept`): a call that was
stopped goes on from there. The file itself appears when it is whole. A row that got no answer has an empty one there;
it is counted and told at the end, and what was kept stays: the same command asks those rows again and no others.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.formats import Row
from hanpuri.data.files.sinks import open_sink
from hanpuri.data.files.sources import Source
from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding, Engine, StreamingEngine
from hanpuri.engines.cache import AHEAD, AnswerCache, answer_rows
from hanpuri.engines.questions import row_that_asks
from hanpuri.errors import DataError, EngineError

MAX_FAULTS = 5
NOTHING = Answer("", 0, finished=True)


class Question(NamedTuple):
    """What is asked, and the row that it came from."""

    row: Row
    fields: Fields | None
    """None where nothing is asked: an empty line, a null."""


def answer_all(
    engine: Engine, source: Source, decoding: Decoding, *, out: str | None, into: str, as_json: bool
) -> None:
    """
    Answer the rows of a source.

    Raises:
        DataError: if a row cannot be asked; of a file on disk all rows are looked at before the first is answered.
        EngineError: if rows got no answer; all others are written.
    """
    total = check_questions(engine, source) if source.is_file else None
    questions = (_question(engine, source, row) for row in source.rows())
    failures: list[tuple[str, Answer]] = []
    with ExitStack() as stack, reader_may_leave():
        cache = stack.enter_context(_keep(Path(out), failures)) if out else None
        sink = None if as_json or not source.is_file else stack.enter_context(open_sink(out or "-", source, into=into))
        for question, answer in _watched(_answers(engine, questions, decoding, cache), total):
            if answer.failure:
                failures.append((question.row.where, answer))
            if sink:
                sink.write(question.row, answer.text)
            else:
                print_answer(question.row.text, answer, as_json=as_json)
    if failures:
        raise _no_answer(failures, kept=out is not None)


def answer_texts(engine: Engine, texts: Sequence[str], decoding: Decoding, *, as_json: bool) -> None:
    """
    Answer texts that were given as arguments; on a terminal each grows as it is written.

    Raises:
        DataError: if a text cannot be asked.
        EngineError: if one got no answer.
    """
    failures: list[tuple[str, Answer]] = []
    with reader_may_leave():
        for text in texts:
            row = row_that_asks(engine, text)
            if as_json or not isinstance(engine, StreamingEngine):
                (answer,) = engine.generate([row], decoding, names=["the question"])
                print_answer(text, answer, as_json=as_json)
            else:
                answer = engine.stream(row, say, decoding, name="the question")
                print(flush=True)
            if answer.failure:
                failures.append(("the question", answer))
    if failures:
        raise _no_answer(failures, kept=False)


def say(text: str) -> None:
    """Put out a piece of an answer at once."""
    print(text.encode("utf-8", "backslashreplace").decode(), end="", flush=True)  # half a surrogate pair is no UTF-8


def print_answer(question: str, answer: Answer, *, as_json: bool) -> None:
    """Print one answer: its text, or a JSON object with what else is known of it."""
    told: dict[str, Any] = {
        "question": question,
        "answer": answer.text,
        "num_tokens": answer.num_tokens,
        "finished": answer.finished,
    }
    if answer.failure:
        told |= {"answer": None, "failure": answer.failure}
    line = json.dumps(told, ensure_ascii=False) if as_json else answer.text
    print(line.encode("utf-8", "backslashreplace").decode(), flush=True)  # half a surrogate pair is no UTF-8


def check_questions(engine: Engine, source: Source) -> int:
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
                engine.prompt(question.fields, row.where)
        except DataError as error:
            faults.append(error)
            if len(faults) == MAX_FAULTS:
                break
    if faults:
        raise DataError("; ".join(fault.message for fault in faults), faults[0].mend)
    return num_rows


def _question(engine: Engine, source: Source, row: Row) -> Question:
    if not row.text.strip():
        return Question(row, None)
    context = (row.record or {}).get("input") if source.field != "input" else None
    return Question(row, row_that_asks(engine, row.text, str(context or "")))


@contextmanager
def _keep(out: Path, failures: Sequence[Any]) -> Iterator[AnswerCache]:
    """Keep answers beside an output until it is whole, and no row without an answer."""
    cache = AnswerCache(out.with_name(out.name + ".kept"))
    try:
        yield cache
    except BaseException:
        if cache.path.is_file():
            print(f"hanpuri: answers so far are in {cache.path}: the same command goes on", file=sys.stderr)
        raise
    if not failures:
        cache.path.unlink(missing_ok=True)


def _answers(
    engine: Engine, questions: Iterator[Question], decoding: Decoding, cache: AnswerCache | None
) -> Iterator[tuple[Question, Answer]]:
    """Answer question after question, some batches at a time; of a pipe as few as one batch."""
    while group := list(islice(questions, decoding.batch_size * (AHEAD if cache is not None else 1))):
        asked = [question for question in group if question.fields is not None]
        rows = [question.fields or {} for question in asked]
        names = [question.row.where for question in asked]
        answers = answer_rows(engine, rows, decoding, names=names, cache=cache)
        for question in group:
            yield question, NOTHING if question.fields is None else next(answers)


def _no_answer(failures: Iterable[tuple[str, Answer]], *, kept: bool) -> EngineError:
    told = [f"{where}: {answer.failure}" for where, answer in failures]
    more = f" (and {len(told) - MAX_FAULTS} more)" if len(told) > MAX_FAULTS else ""
    rows = "1 row has" if len(told) == 1 else f"{len(told):,} rows have"
    mend = "the same command asks these again and no others" if kept else "ask again"
    return EngineError(f"{rows} no answer: {'; '.join(told[:MAX_FAULTS])}{more}", mend)


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
