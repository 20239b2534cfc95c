"""
A file whose rows have an answer, or several ─► rows to score, and rows with their scores to write.

In: a file of any form with an answer, a preference, or what `hanpuri sample` wrote. Out: `AnsweredRow`, and back:

    {"noisy": "쨰밌어요", "clean": "재밌어요"}              ─►  1 answer    "score": 1.84
    {"prompt": "쨰밌어요", "chosen": …, "rejected": …}      ─►  2 answers   "chosen_score": 1.84, "rejected_score": -0.4
    {"asked": {"noisy": "쨰밌어요"}, "answers": [{…}, …]}   ─►  as many     the score of each anew

Scores are kept in a file as they come, by a hash of the model, the question and the answer: what was stopped goes on.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from hanpuri.data.files.folders import row_format
from hanpuri.data.files.formats import Fault
from hanpuri.data.files.tables import read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.data.recipe import Form
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Fields
from hanpuri.errors import DataError
from hanpuri.preferences.sampling.samples import read_samples, sample_line

AHEAD = 64
"""Batches that are scored together: among so many, texts of like length find each other."""
ANSWERING: Mapping[Form, str] = {"pairs": "clean", "instruction": "output"}
Line = dict[str, Any]
OnProgress = Callable[[int, int], None]


class Scorer(Protocol):
    """A reward model, as far as it is needed here."""

    identity: str

    def score(self, rows: Sequence[Fields], answers: Sequence[str], names: Sequence[str] = ()) -> list[float]:
        """Score answers, each to its row."""
        ...


@dataclass(frozen=True)
class AnsweredRow:
    """A question with what was answered."""

    where: str
    fields: Fields
    """What was asked; what stands there of an answer is not looked at."""
    answers: tuple[str | None, ...]
    """None where none came."""
    write: Callable[[Sequence[float]], Line]
    """Gives the row with a score for each answer, as it is written."""
    is_pair: bool = False
    """Whether it is a preference: the chosen answer and the rejected."""


def read_answered(path: Path, form: Form | None = None, fields: Mapping[str, str] | None = None) -> list[AnsweredRow]:
    """
    Read the rows of a file.

    Args:
        path: JSONL, JSON, CSV, TSV or Parquet.
        form: what a row is; told by its fields, if not given.
        fields: our field: their column.

    Raises:
        DataError: if the file cannot be read, has the fields of no form, or faulty rows: all of them are told.
    """
    if form is None and _holds_samples(path):
        return list(_sampled(path))
    reading = open_rows(path, form, fields)
    return [_row(record, reading.form) for record in reading.records()]


def _holds_samples(path: Path) -> bool:
    """Tell by the first row whether `hanpuri sample` wrote a file."""
    if not path.is_file() or row_format(path) != "jsonl":
        return False
    first = next(iter(read_jsonl(TextFile(path, "utf-8").lines())), None)
    return first is not None and not isinstance(first[1], Fault) and {"asked", "answers"} <= first[1].keys()


def _sampled(path: Path) -> Iterator[AnsweredRow]:
    for one in read_samples(path):

        def write(scores: Sequence[float], one: Any = one) -> Line:
            greedy = {} if one.greedy is None else {"greedy_score": scores[-1]}
            return dict(sample_line(replace(one, scores=tuple(scores[: len(one.answers)]), **greedy)))

        answers = [*one.answers, *([one.greedy] if one.greedy else [])]
        texts = tuple(None if answer.failure else answer.text for answer in answers)
        yield AnsweredRow(one.row.where or one.row.id, one.row.fields, texts, write)


def _row(record: Record, form: Form) -> AnsweredRow:
    fields, about = record.fields, {"id": record.id} if record.id else {}
    names: tuple[str, ...]
    sides: tuple[str, ...]
    if form == "preference":
        names, sides = ("chosen_score", "rejected_score"), (str(fields["chosen"]), str(fields["rejected"]))
    elif form == "messages":
        turns: Any = fields["messages"]
        names, sides = ("score",), (str(turns[-1]["content"]),)
    elif form in ANSWERING:
        names, sides = ("score",), (str(fields[ANSWERING[form]]),)
    else:
        found = f"{record.where}: found a text alone, expected a question and an answer to score"
        raise DataError(found, "give rows with noisy and clean, instruction and output, messages, or a preference")

    def write(scores: Sequence[float]) -> Line:
        return {**fields, **about, **dict(zip(names, map(_number, scores), strict=True))}

    return AnsweredRow(record.where, fields, sides, write, is_pair=form == "preference")


def _number(score: float) -> float | None:
    return None if math.isnan(score) else score


class KeptScores:
    """Scores of earlier calls and of this one, in a file of lines; in memory alone if there is no path."""

    def __init__(self, path: Path | None) -> None:
        """
        Open the file, or begin one.

        Raises:
            DataError: if it is there and holds something else.
        """
        self.path = path
        self._scores = dict(self._read(path)) if path and path.is_file() else {}

    def __len__(self) -> int:
        return len(self._scores)

    def find(self, key: str) -> float | None:
        """Give the score that was kept, if there is one."""
        return self._scores.get(key)

    def add(self, scores: Mapping[str, float]) -> None:
        """
        Keep scores.

        Raises:
            DataError: if the file cannot be written.
        """
        self._scores |= scores
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps({"key": key, "score": score}) + "\n" for key, score in scores.items())
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror}", "make room for it") from None

    def _read(self, path: Path) -> Iterator[tuple[str, float]]:
        whole = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    os.truncate(path, whole)  # what was cut off in the middle is scored again
                    return
                whole += len(line)
                try:
                    told = json.loads(line)
                    yield str(told["key"]), float(told["score"])
                except (ValueError, TypeError, LookupError):
                    found = f"{path}:{number}: found a line that is no kept score"
                    raise DataError(found, "remove this file to score anew") from None


def score_rows(
    model: Scorer,
    rows: Sequence[AnsweredRow],
    kept: KeptScores,
    *,
    batch_size: int,
    on_progress: OnProgress = lambda done, total: None,
) -> Iterator[tuple[AnsweredRow, tuple[float, ...]]]:
    """
    Score rows, many at a time, in their order; what was kept is not scored again, and what never came has no score.

    Raises:
        DataError: if a row does not fit the model.
    """
    done, total = 0, sum(len(row.answers) for row in rows)
    waiting = iter(rows)
    while group := list(islice(waiting, batch_size * AHEAD)):
        asked = {
            _key(model, row, answer): (row, answer) for row in group for answer in row.answers if answer is not None
        }
        new = {key: one for key, one in asked.items() if kept.find(key) is None}
        names = [row.where for row, _ in new.values()]
        scores = model.score([row.fields for row, _ in new.values()], [text for _, text in new.values()], names)
        kept.add(dict(zip(new, scores, strict=True)))
        for row in group:
            done += len(row.answers)
            on_progress(done, total)
            keys = [None if answer is None else _key(model, row, answer) for answer in row.answers]
            found = [math.nan if key is None else kept.find(key) for key in keys]
            yield row, tuple(math.nan if score is None else score for score in found)


def _key(model: Scorer, row: AnsweredRow, answer: str) -> str:
    said = json.dumps([model.identity, row.fields, answer], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
