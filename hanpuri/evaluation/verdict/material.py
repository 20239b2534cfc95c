"""
The rows of both sides: those that are asked, those that examples come from, and what is wrong with them.

In: the recipe's `rows` and `train_rows`. Out: a Material, before anybody is asked:

    test rows 500, training rows 48,676; of the test rows 3 ask what a training row asks, 2 are answered otherwise there
      ─►  DataFacts(num_test=500, num_leaked=3, num_contradictory=2, ceiling=0.998, …), and a pool of 1,000 examples

Rows are the same if they ask the same, letter by letter, in NFC and whatever the white space. No example is drawn from
a training row that asks what a test row asks: it would give the answer away.
"""

import hashlib
import math
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hanpuri.data.preparation.content import BORDER, asked, said
from hanpuri.data.recipe import Form
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.records import Reading, Record
from hanpuri.data.templates import Fields
from hanpuri.engines.questions import question_of
from hanpuri.errors import DataError, EngineError
from hanpuri.evaluation.metrics import MEASURES, pooled
from hanpuri.evaluation.metrics.ngrams import is_installed
from hanpuri.evaluation.rows import EvalRow, RowSet, read_rows
from hanpuri.evaluation.verdict.facts import DataFacts
from hanpuri.evaluation.verdict.nearest import Nearest
from hanpuri.evaluation.verdict.recipe import RowsSettings, TrainRowsSettings, VerdictRecipe

TEST, TRAIN = "test.parquet", "train.parquet"
POOL = 1000  # examples are drawn from so many training rows, drawn themselves from all


@dataclass(frozen=True)
class Example:
    """A solved row."""

    fields: Fields
    answer: str


@dataclass(frozen=True)
class Material:
    """What a verdict is about."""

    row_set: RowSet
    pool: tuple[Example, ...]
    """Training rows to draw examples from; none of them asks what a test row asks."""
    facts: DataFacts
    nearest: tuple[str, ...] | None = None
    """For each test row the answer of the most similar training row; None of pairs, and without training rows."""


def read_material(recipe: VerdictRecipe) -> Material:
    """
    Read the rows of both sides, and look at them.

    Raises:
        DataError: if a file cannot be read, the test rows have no answers, or the training rows are of another form.
        EngineError: if the measure needs a library that is not installed.
    """
    row_set = _test_rows(recipe.rows, recipe.seed)
    _check_measure(recipe.measure, row_set)
    sides = _Sides(row_set)
    train = recipe.train_rows or _beside(recipe.rows)
    if train is None:
        return Material(row_set, (), _facts(row_set, sides, None, recipe.measure))
    pool, nearest = _Pool(recipe.seed), None if row_set.form == "pairs" else Nearest(sides.questions)
    reading, num_train, num_empty = _open_train(train, row_set.form), 0, 0
    for record in reading.records():
        fields, answer = _question_and_answer(record, row_set.form)
        num_train += 1
        num_empty += not answer.strip()
        if sides.see(fields, answer) or not answer.strip():
            continue
        pool.offer(Example(fields, answer), sides.key(fields, answer))
        if nearest:
            nearest.offer(question_text(fields), answer)
    facts = _facts(row_set, sides, num_train, recipe.measure)
    facts = replace(facts, num_empty=facts.num_empty + num_empty + reading.num_faults)
    return Material(row_set, pool.examples, facts, nearest.answers if nearest else None)


def _test_rows(settings: RowsSettings, seed: int) -> RowSet:
    path = _file_in(settings.path, TEST)
    row_set = read_rows(path, form=settings.form, fields=settings.fields)
    if not row_set.has_references:
        found = f"{path}: found rows without answers, expected right answers to score by"
        raise DataError(found, "give a file with both, or name their column: fields")
    rows = row_set.rows
    if settings.rows is not None and settings.rows < len(rows):
        chosen = sorted(range(len(rows)), key=lambda place: _draw(f"{rows[place].id} {rows[place].where}", seed))
        rows = tuple(rows[place] for place in sorted(chosen[: settings.rows]))
    return replace(row_set, rows=rows)


def _check_measure(measure: str, row_set: RowSet) -> None:
    """See that the measure counts something in these rows: char_accuracy does not where no Hangul is expected."""
    if measure == "chrf" and not is_installed():
        raise EngineError("chrf needs the library sacrebleu, which is not installed", 'pip install "hanpuri[evaluate]"')
    references = [row.reference or "" for row in row_set.rows]
    if math.isnan(_score(measure, references, row_set.rows)):
        found = f"{row_set.path}: {measure} finds nothing to count in the answers"
        raise DataError(found, "choose another measure, such as exact_match")


def _score(measure: str, hypotheses: Sequence[str], rows: Sequence[EvalRow]) -> float:
    chosen = MEASURES[measure]
    references, asked = [row.reference or "" for row in rows], [row.asked for row in rows]
    return pooled(chosen.tally(hypotheses, references, asked), pool=chosen.pool)


def _beside(rows: RowsSettings) -> TrainRowsSettings | None:
    """The training rows of the prepared folder that the test rows are of."""
    if not (rows.path / TRAIN).is_file():
        return None
    return TrainRowsSettings(path=rows.path, form=rows.form, fields=rows.fields)


def _file_in(path: Path, name: str) -> Path:
    if path.is_dir() and not (path / name).is_file():
        raise DataError(
            f"{path}: found no {name} in this folder, expected a prepared set", "give a file, or prepare it"
        )
    return path / name if path.is_dir() else path


def _open_train(settings: TrainRowsSettings, form: Form) -> Reading:
    """Open the training rows; broken ones are left out and counted."""
    reading = open_rows(_file_in(settings.path, TRAIN), settings.form, settings.fields, faults="drop")
    if reading.form != form:
        found = f"{settings.path}: found training rows of {reading.form}, expected {form} as the test rows are"
        raise DataError(found, "give both files the same fields")
    return reading


def _question_and_answer(record: Record, form: Form) -> tuple[Fields, str]:
    """Part a row as `read_rows` does: what an engine is given, and the answer."""
    fields: dict[str, Any] = record.fields
    if form == "messages":
        *turns, last = fields["messages"]
        return {"messages": turns}, str(last["content"])
    if form == "pairs":
        return {"noisy": fields["noisy"]}, str(fields["clean"])
    return {"instruction": fields["instruction"], "input": fields.get("input") or ""}, str(fields["output"] or "")


class _Sides:
    """What the test rows ask and what is answered to it, anywhere."""

    def __init__(self, row_set: RowSet) -> None:
        self.form = row_set.form
        self.questions = [_normal(question_text(row.fields)) for row in row_set.rows]
        self.answers: dict[str, list[str]] = defaultdict(list)
        for question, row in zip(self.questions, row_set.rows, strict=True):
            self.answers[question].append(_normal(row.reference or ""))
        self.keys = {self.key(row.fields, row.reference or "") for row in row_set.rows}
        self.leaked: set[str] = set()
        self.known_answers: set[str] = set()
        self.test_answers = {_normal(row.reference or "") for row in row_set.rows}

    def key(self, fields: Fields, answer: str) -> str:
        """What must not stand on both sides: the question; of pairs the clean text, whatever its noise."""
        return _normal(BORDER.join(asked(said(solved(fields, answer), self.form), self.form)))

    def see(self, fields: Fields, answer: str) -> bool:
        """Take note of a training row; say whether it asks what a test row asks."""
        key, question, normal = self.key(fields, answer), _normal(question_text(fields)), _normal(answer)
        if question in self.answers:
            self.answers[question].append(normal)
        if normal in self.test_answers:
            self.known_answers.add(normal)
        if key in self.keys:
            self.leaked.add(key)
        return key in self.keys


class _Pool:
    """The examples with the smallest draws: the same ones in whatever order the rows come."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: dict[str, tuple[float, Example]] = {}

    def offer(self, example: Example, key: str) -> None:
        """Keep an example, unless one that asks the same is kept."""
        if key in self._drawn:
            return
        self._drawn[key] = _draw(key, self._seed), example
        if len(self._drawn) >= 2 * POOL:
            self._drawn = dict(sorted(self._drawn.items(), key=lambda item: item[1][0])[:POOL])

    @property
    def examples(self) -> tuple[Example, ...]:
        """The pool, in the order of the draws."""
        return tuple(example for _, example in sorted(self._drawn.values(), key=lambda drawn: drawn[0])[:POOL])


def _facts(row_set: RowSet, sides: _Sides, num_train: int | None, measure: str) -> DataFacts:
    rows = row_set.rows
    answers = [_normal(row.reference or "") for row in rows]
    contradictory = [len(set(sides.answers[question])) > 1 for question in sides.questions]
    return DataFacts(
        num_test=len(rows),
        num_train=num_train,
        num_leaked=sum(sides.key(row.fields, row.reference or "") in sides.leaked for row in rows),
        num_empty=sum(not answer for answer in answers),
        num_same=sum(_normal(row.asked) == answer for row, answer in zip(rows, answers, strict=True)),
        num_contradictory=sum(contradictory),
        ceiling=_ceiling(rows, sides, measure) if any(contradictory) else None,
        known_words=None if row_set.form == "pairs" else _known_words(rows),
        num_answers_in_training=sum(answer in sides.known_answers for answer in answers),
    )


def _ceiling(rows: Sequence[EvalRow], sides: _Sides, measure: str) -> float:
    """Score, as if a model knew it, the answer that is given most often to each question."""
    usual: Mapping[str, str] = {
        question: max(sorted(set(found)), key=found.count) for question, found in sides.answers.items()
    }
    return _score(measure, [usual[question] for question in sides.questions], rows)


def _known_words(rows: Sequence[EvalRow]) -> float:
    """Average, over the rows, the share of an answer's words that its question has."""
    shares = []
    for row in rows:
        words = _normal(row.reference or "").split()
        known = set(_normal(question_text(row.fields)).split())
        shares += [sum(word in known for word in words) / len(words)] if words else []
    return float(np.mean(shares)) if shares else 0.0


def question_text(fields: Fields) -> str:
    """All that is asked: of a conversation every turn, as its last question alone may mean anything."""
    if "messages" in fields:
        return BORDER.join(str(turn["content"]) for turn in fields["messages"])
    return question_of(fields, "a row")


def solved(fields: Fields, answer: str) -> Fields:
    """
    Put an answer where the form of the row has it.

        >>> solved({"noisy": "념뭄"}, "너무")
        {'noisy': '념뭄', 'clean': '너무'}
    """
    if "messages" in fields:
        return {"messages": [*fields["messages"], {"role": "assistant", "content": answer}]}
    return {**fields, "clean" if "noisy" in fields else "output": answer}


def _normal(text: str) -> str:
    """
    Write a text so that what is read as the same is the same.

        >>> _normal("  방이   넓어요\\n")
        '방이 넓어요'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def _draw(text: str, seed: int) -> float:
    """Give a text its number from 0 to below 1."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") / 2**64
