"""
Sources of rows, mixed by weight ─► the rows of one epoch, and those to watch by.

In: `data.sources` of a recipe. Out: a RowMixture. Of a source of 900 rows with weight 3 and one of 200 with weight 1:

    answers.jsonl       825 of 900 rows     0.75 asked, 0.75 given
    corrections.jsonl   275 of 200 rows     0.25 asked, 0.25 given     75 of them stand there twice

Weights are shares of the training rows, to within one row. An epoch is as many rows as all sources have together, or
`rows` of them. A source that is too small for its share gives rows again, each `repeat` times at most; where that is
not enough the whole mix shrinks, and it is said. Which rows are taken, and which stand there again, is decided by the
seed; every epoch goes through the same ones, in an order that the trainer shuffles.

No question is on both sides, also between sources: what one source holds out, no other one trains on.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hanpuri.data.recipe import Form
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.records import Record
from hanpuri.errors import DataError
from hanpuri.training.feeding.sides import Faults, Records, Sides, draw, name_of, open_sides, question_draw
from hanpuri.training.recipe import RowsSettings

MANY_TIMES = 4  # up to here, repeated text teaches nearly as much as new text (Muennighoff et al. 2023)


@dataclass(frozen=True, eq=False)
class Dealt:
    """What one source has in a mix."""

    path: Path
    share: float
    """Asked for, of the rows."""
    there: int
    """Rows that it has to train on, each once."""
    held_out: int
    """Rows that are watched by, here or in another source, and so never trained on."""
    times: npt.NDArray[np.int64]
    """(rows of its training side,): how often each stands in the mix."""

    @property
    def rows(self) -> int:
        """Rows in the mix, copies counted."""
        return int(self.times.sum())


def deal(weights: Sequence[float], sizes: Sequence[int], *, rows: int | None, repeat: float) -> list[int]:
    """
    Reckon how many rows each source gives, copies counted.

        >>> deal([3, 1], [900, 200], rows=None, repeat=2), deal([1, 1], [1000, 10], rows=None, repeat=2)
        ([825, 275], [20, 20])

    Args:
        weights: of the sources, each above 0.
        sizes: rows that each has, 1 at least.
        rows: of the whole mix; as many as there are, if None.
        repeat: how often a source may be gone through.
    """
    total = sum(map(Fraction, weights))
    shares = [Fraction(weight) / total for weight in weights]
    most = [math.floor(Fraction(repeat) * size) for size in sizes]
    limits = (math.floor(number / share) for number, share in zip(most, shares, strict=True))
    whole = min(sum(sizes) if rows is None else rows, *limits)
    counts = [math.floor(share * whole) for share in shares]
    rests = sorted(range(len(shares)), key=lambda place: counts[place] - shares[place] * whole)
    for place in rests[: whole - sum(counts)]:
        counts[place] += 1
    return counts


class RowMixture:
    """
    Several sources as one.

    Args:
        settings: the recipe's `data`, with `sources`.
        seed: decides which rows are held out, and which are taken.
        faults: rows that cannot be read: name them all, or leave them out.

    Raises:
        DataError: if a file cannot be read, or the sources have several forms.
    """

    def __init__(self, settings: RowsSettings, seed: int, faults: Faults = "error") -> None:
        self._settings, self._seed = settings, seed
        share = 0.0 if settings.validation else settings.validation_share
        self._sides = [
            open_sides(
                source.path,
                None,
                share,
                settings.form,
                settings.fields if source.fields is None else source.fields,
                seed,
                faults,
            )
            for source in settings.sources
        ]
        self.form: Form = self._sides[0].form
        for source, sides in zip(settings.sources, self._sides, strict=True):
            self._check_form(source.path, sides.form)
        self._watched = self._open_watched()
        self._places = {str(file): place for place, sides in enumerate(self._sides) for file in sides.files}

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that is read: the hashes belong to the run."""
        files = [file for sides in self._sides for file in sides.files]
        if self._settings.validation and self._settings.validation not in files:
            files.append(self._settings.validation)
        return tuple(files)

    def left_out(self) -> int:
        """Count the rows that could not be read and were left out."""
        return sum(sides.left_out() for sides in self._sides)

    def validation(self) -> Iterator[Record]:
        """Read the rows to watch by: those of the recipe's file, or what the sources hold out, one after another."""
        if self._watched is not None:
            yield from self._watched()
            return
        for sides in self._sides:
            yield from sides.validation()

    def train(self) -> Iterator[Record]:
        """
        Read the rows of one epoch, source after source.

        They are named by where they stand, not by ids of their own: these may be the same in two sources.

        Raises:
            DataError: if a source has no row to train on.
        """
        for sides, dealt in zip(self._sides, self.dealt, strict=True):
            for record, times in zip(self._learnt(sides), dealt.times.tolist(), strict=True):
                for _ in range(times):
                    yield record._replace(id="")

    @cached_property
    def dealt(self) -> tuple[Dealt, ...]:
        """
        What each source has in the mix.

        Raises:
            DataError: if a source has no row to train on.
        """
        sources, settings = self._settings.sources, self._settings
        read = [self._read(sides) for sides in self._sides]
        for source, (draws, _) in zip(sources, read, strict=True):
            if not len(draws):
                found = f"{source.path}: found no row to train on that is not held out, expected some"
                raise DataError(found, "take it out of data.sources, or give it more rows")
        sizes = [min(len(draws), source.rows or len(draws)) for source, (draws, _) in zip(sources, read, strict=True)]
        weights = [source.weight for source in sources]
        counts = deal(weights, sizes, rows=settings.rows, repeat=settings.repeat)
        own = [0] * len(sources) if self._watched is not None else [len(held) for held in self._held]
        return tuple(
            Dealt(source.path, source.weight / sum(weights), size, held_out + passed, _times(draws, size, count))
            for source, (draws, passed), size, count, held_out in zip(sources, read, sizes, counts, own, strict=True)
        )

    def source_of(self, name: str) -> int:
        """
        Tell which source a row of `train` is of.

        Args:
            name: where the row stands, such as "faq.jsonl:17".
        """
        return self._places[name.rpartition(":")[0]]

    def notes(self) -> tuple[str, ...]:
        """Say what is not as it was asked for, or unusual."""
        settings, number = self._settings, sum(dealt.rows for dealt in self.dealt)
        wanted = settings.rows or sum(dealt.there for dealt in self.dealt)
        told = []
        if number < wanted:
            smallest = min(self.dealt, key=lambda dealt: dealt.there / dealt.share)
            told.append(
                f"the mix has {number:,} rows, not {wanted:,}: {smallest.path} has {smallest.there:,} and its share is"
                f" {smallest.share:.1%}; lower its weight, or raise data.repeat ({settings.repeat:g})"
            )
        for dealt in self.dealt:
            if not dealt.rows:
                told.append(f"no row of {dealt.path} is trained on: its share is {dealt.share:.2%} of {number:,}")
            elif dealt.rows > MANY_TIMES * dealt.there:
                times = dealt.rows / dealt.there
                told.append(
                    f"{dealt.path} is gone through {times:.1f} times an epoch: lower its weight, or data.repeat"
                )
        return tuple(told)

    def _open_watched(self) -> Records | None:
        path = self._settings.validation
        if path is None:
            return None
        reading = open_rows(path, self._settings.form, self._settings.fields)
        self._check_form(path, reading.form)
        return reading.records

    def _check_form(self, path: Path, form: Form) -> None:
        if form != self.form:
            first = self._settings.sources[0].path
            found = f"{path}: found rows of {form}, expected {self.form} as in {first}"
            raise DataError(found, "mix sources of one form, or say what a row is with data.form")

    @cached_property
    def _held(self) -> list[list[float]]:
        """What is asked on the side that is watched by, apart for each source if it comes from them."""
        sides = [self._watched] if self._watched is not None else [one.validation for one in self._sides]
        return [[question_draw(record, self.form, self._seed) for record in side()] for side in sides]

    @cached_property
    def _questions(self) -> frozenset[float]:
        return frozenset(question for held in self._held for question in held)

    def _learnt(self, sides: Sides) -> Iterator[Record]:
        """Give the rows of a source that may be trained on."""
        held = self._questions
        return (record for record in sides.train() if question_draw(record, self.form, self._seed) not in held)

    def _read(self, sides: Sides) -> tuple[npt.NDArray[np.float64], int]:
        """Draw a number for each row that may be trained on, and count those that may not: they are watched by."""
        held, passed, draws = self._questions, 0, []
        for record in sides.train():
            if question_draw(record, self.form, self._seed) in held:
                passed += 1
            else:
                draws.append(draw(name_of(record), self._seed))
        return np.array(draws), passed


def _times(draws: npt.NDArray[np.float64], size: int, count: int) -> npt.NDArray[np.int64]:
    """Say how often each row is taken: those with the smallest draws first, and again when all were taken."""
    chosen = np.argsort(draws, kind="stable")[:size]
    times = np.zeros(len(draws), np.int64)
    times[chosen] = count // size
    times[chosen[: count % size]] += 1
    return times
