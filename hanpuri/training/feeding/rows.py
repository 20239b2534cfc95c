"""
Rows to fine-tune on and rows to watch by, from a prepared folder, from files, or from several of these in a mix.

In: `data: {path: prepared/chatbot-answers}`, a file and a share to hold out, or `sources`. Out: the records of both
sides, read anew each time they are asked for, so that no more than one row is in memory:

    faq.jsonl, 1,000 rows, validation_share 0.02  ─►  about 980 to train on, 20 to watch by: by a hash of what they ask

`sides` opens one source, `row_mixture` mixes several.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.recipe import Form
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Rendered, Template
from hanpuri.errors import DataError
from hanpuri.training.feeding.row_mixture import RowMixture
from hanpuri.training.feeding.sides import Faults, Records, draw, name_of, open_sides
from hanpuri.training.recipe import RowsSettings


@dataclass(frozen=True)
class TrainingRows:
    """The two sides, each a function that reads it from the first row on."""

    form: Form
    files: tuple[Path, ...]
    """What was read: their hashes belong to the run."""
    train: Records
    validation: Records
    left_out: Callable[[], int]
    """Tells how many rows could not be read and were left out, once those to train on were read."""
    mixture: RowMixture | None = None
    """What the rows were mixed of, if of several sources."""


def open_training_rows(settings: RowsSettings, seed: int, faults: Faults = "error") -> TrainingRows:
    """
    Open what a recipe trains on and watches by.

    Args:
        settings: the recipe's `data`.
        seed: decides which rows are held out, and which are taken where `rows` wants fewer.
        faults: rows that cannot be read: name them all, or leave them out; the recipe's `examples.faults`.

    Raises:
        DataError: if a file cannot be read, a prepared folder is none, or sources have several forms.
    """
    if settings.path is None:
        mixture = RowMixture(settings, seed, faults)
        return TrainingRows(mixture.form, mixture.files, mixture.train, mixture.validation, mixture.left_out, mixture)
    share = settings.validation_share
    sides = open_sides(settings.path, settings.validation, share, settings.form, settings.fields, seed, faults)
    learnt = sides.train if settings.rows is None else _drawn(sides.train, settings.rows, seed)
    return TrainingRows(sides.form, sides.files, learnt, sides.validation, sides.left_out)


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
    chosen = sorted(range(len(rows)), key=lambda place: draw(name_of(rows[place]), seed))[:num_rows]
    return [rows[place] for place in sorted(chosen)]


def render_rows(template: Template | ChatTemplate, records: Iterable[Record]) -> Iterator[Rendered | DataError]:
    """Render rows; one that its template refuses comes as its error, to be counted or raised with the others."""
    for record in records:
        try:
            yield template.render(record.fields, name_of(record))
        except DataError as error:
            yield error


def _drawn(records: Records, num_rows: int, seed: int) -> Records:
    """Take `num_rows` of the rows: those with the smallest draws, in the order of the file."""

    def some() -> Iterator[Record]:
        draws = np.array([draw(name_of(record), seed) for record in records()])
        chosen = set(np.argsort(draws, kind="stable")[:num_rows].tolist())
        return (record for place, record in enumerate(records()) if place in chosen)

    return some
