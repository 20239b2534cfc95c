"""
Rows to fine-tune on and rows to watch by, from a prepared folder or from files.

In: `data: {path: prepared/chatbot-answers}`, or a file and a share to hold out. Out: the records of both sides, read
anew each time they are asked for, so that no more than one row is in memory:

    faq.jsonl, 1,000 rows, validation_share 0.02  ─►  about 980 to train on, 20 to watch by: by a hash of what they ask

A row that asks the same as another is on the same side, and no row changes its side when others are added.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.files.parquet import open_parquet
from hanpuri.data.preparation.content import BORDER, asked, said
from hanpuri.data.recipe import Form
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.records import Reading, Record
from hanpuri.data.templates import Rendered, Template
from hanpuri.errors import DataError
from hanpuri.training.recipe import RowsSettings

PREPARED = "train.parquet"
Records = Callable[[], Iterator[Record]]


@dataclass(frozen=True)
class TrainingRows:
    """The two sides, each a function that reads it from the first row on."""

    form: Form
    files: tuple[Path, ...]
    """What was read: their hashes belong to the run."""
    train: Records
    validation: Records


def open_training_rows(settings: RowsSettings, seed: int) -> TrainingRows:
    """
    Open what a recipe trains on and watches by.

    Args:
        settings: the recipe's `data`.
        seed: decides which rows are held out, and which are taken where `rows` wants fewer.

    Raises:
        DataError: if a file cannot be read, or a prepared folder is none.
    """
    train, validation = _open_sides(settings)
    if validation is not None and validation.form != train.form:
        found = f"{settings.validation}: found rows of {validation.form}, expected {train.form} as in {settings.path}"
        raise DataError(found, "give both files the same fields")
    files = (*train.files, *(validation.files if validation else ()))
    if validation is not None or settings.path.is_dir():
        learnt, watched = train.records, validation.records if validation else lambda: iter(())
    else:
        learnt, watched = _parted(train, settings.validation_share, seed)
    if settings.rows is not None:
        learnt = _drawn(learnt, settings.rows, seed)
    return TrainingRows(train.form, files, learnt, watched)


def draw_rows(records: Iterable[Record], num_rows: int | None, seed: int) -> list[Record]:
    """
    Take some rows, the same ones whatever stands beside them, in their order; all if `num_rows` is None.

        >>> rows = [Record({"text": text}, text, "", "") for text in "가나다라마"]
        >>> [row.id for row in draw_rows(rows, 2, seed=0)], len(draw_rows(rows, None, seed=0))
        (['가', '라'], 5)
    """
    rows = list(records)
    if num_rows is None or num_rows >= len(rows):
        return rows
    chosen = sorted(range(len(rows)), key=lambda place: _draw(_name(rows[place]), seed))[:num_rows]
    return [rows[place] for place in sorted(chosen)]


def render_rows(template: Template | ChatTemplate, records: Iterable[Record]) -> Iterator[Rendered | DataError]:
    """Render rows; one that its template refuses comes as its error, to be counted or raised with the others."""
    for record in records:
        try:
            yield template.render(record.fields, _name(record))
        except DataError as error:
            yield error


def _open_sides(settings: RowsSettings) -> tuple[Reading, Reading | None]:
    """Open the files of both sides; None where there is no file to watch by."""
    if not settings.path.is_dir():
        other = settings.validation
        return _open(settings.path, settings), _open(other, settings) if other else None
    if not (settings.path / PREPARED).is_file():
        found = f"{settings.path}: found no {PREPARED} in this folder, expected a prepared set"
        raise DataError(found, "make one with `hanpuri prepare`, or give a file")
    if not _num_rows(settings.path / PREPARED):
        found = f"{settings.path}: found no rows in {PREPARED}, expected some"
        raise DataError(found, "see its report.html for the step that took them, and prepare it again")
    other = settings.validation or settings.path / "validation.parquet"
    empty = settings.validation is None and not _num_rows(other)
    return _open(settings.path / PREPARED, settings), None if empty else _open(other, settings)


def _open(path: Path, settings: RowsSettings) -> Reading:
    return open_rows(path, settings.form, settings.fields)


def _num_rows(path: Path) -> int:
    if not path.is_file():
        return 0
    with open_parquet(path) as parquet:
        return int(parquet.metadata.num_rows)


def _parted(reading: Reading, share: float, seed: int) -> tuple[Records, Records]:
    """Part the rows of one file by a hash of what they ask."""

    def side(*, held_out: bool) -> Iterator[Record]:
        for record in reading.records():
            question = BORDER.join(asked(said(record.fields, reading.form), reading.form))
            if (_draw(question, seed) < share) == held_out:
                yield record

    return lambda: side(held_out=False), lambda: side(held_out=True)


def _drawn(records: Records, num_rows: int, seed: int) -> Records:
    """Take `num_rows` of the rows: those with the smallest draws, in the order of the file."""

    def some() -> Iterator[Record]:
        draws = np.array([_draw(_name(record), seed) for record in records()])
        chosen = set(np.argsort(draws, kind="stable")[:num_rows].tolist())
        return (record for place, record in enumerate(records()) if place in chosen)

    return some


def _name(record: Record) -> str:
    return record.id or record.where


def _draw(text: str, seed: int) -> float:
    """Give a text its number from 0 to below 1."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") / 2**64
