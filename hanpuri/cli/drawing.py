"""
What commands share that ask an engine the rows of a file to learn from its answers: the rows, and a bar.

In: a file or the folder of a prepared set, and how many rows of it. Out: a RowSet; of a folder its training rows:

    prepared/restoration-pairs   ─►   the rows of prepared/restoration-pairs/train.parquet
"""

import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hanpuri.cli.choosing import Choice
from hanpuri.engines.base import Decoding
from hanpuri.errors import DataError
from hanpuri.evaluation.evaluate import Progress, usual_decoding
from hanpuri.evaluation.rows import RowSet, read_rows

TRAIN = "train.parquet"


@dataclass(frozen=True)
class Questions:
    """Which rows are asked, and how; as it was said on the command line."""

    path: Path
    choice: Choice
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int | None = None
    batch_size: int = 16
    rows: int | None = None
    seed: int = 0
    fields: tuple[str, ...] = ()
    encoding: str = "utf-8"

    def read(self) -> RowSet:
        """
        Read the rows; so many of them as were asked for, drawn by the seed, in their order.

        Raises:
            DataError: if they cannot be read, or several answers would all be the same.
        """
        if self.samples > 1 and not self.temperature:
            found = f"--samples is {self.samples} and --temperature 0: all answers to a row would be the same"
            raise DataError(found, "give --temperature 0.8, or leave --samples out")
        path = self.path
        if path.is_dir():
            path = path / TRAIN
            if not path.is_file():
                raise DataError(f"{self.path}: found no {TRAIN} in the folder", "name a file, or a prepared folder")
        row_set = read_rows(path, fields=dict(map(mapping, self.fields)), encoding=self.encoding)
        if self.rows is None or self.rows >= len(row_set.rows):
            return row_set
        drawn = np.sort(np.random.default_rng(self.seed).choice(len(row_set.rows), self.rows, replace=False))
        return replace(row_set, rows=tuple(row_set.rows[place] for place in drawn))

    def decoding(self, row_set: RowSet) -> Decoding:
        """Say how tokens are chosen; of restored texts there is room for each."""
        usual = usual_decoding(row_set)
        return Decoding(
            self.max_new_tokens or usual.max_new_tokens,
            self.temperature,
            self.top_p,
            self.top_k,
            seed=self.seed,
            batch_size=self.batch_size,
            by_text=usual.by_text and not self.max_new_tokens,
        )


def split_note(path: Path) -> str:
    """
    Say it where a file looks like a test split, from which nobody should learn; else "".

        >>> split_note(Path("faq.test.jsonl"))
        'faq.test.jsonl looks like a test split: what learns from its rows can no longer be measured by them'
        >>> split_note(Path("contest.jsonl"))
        ''
    """
    if "test" not in re.split(r"[\W_]+", path.name.lower()):
        return ""
    return f"{path} looks like a test split: what learns from its rows can no longer be measured by them"


def say(*notes: str) -> None:
    """Print to standard error what a user should hear; what is empty is not said."""
    for note in filter(None, notes):
        print(f"hanpuri: {note}", file=sys.stderr, flush=True)


@contextmanager
def watching(title: str, kept: Path) -> Iterator[Progress | None]:
    """Draw a bar where somebody is looking, and say at a stop where answers are kept."""
    try:
        with _bar(title) as tell:
            yield tell
    except BaseException:
        if kept.is_file():
            say(f"answers so far are in {kept}: the same command goes on")
        raise


def kept_path(out: Path) -> Path:
    """
    Name the file that keeps answers beside an output.

        >>> str(kept_path(Path("pairs.jsonl")))
        'pairs.jsonl.kept'
    """
    return out.with_name(out.name + ".kept")


@contextmanager
def _bar(title: str) -> Iterator[Progress | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(escape(title)), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def finite(option: str, value: float) -> float:
    """
    Give a number back that somebody wrote behind an option; nan and inf, which Python reads too, are none.

        >>> finite("--above", 0.9)
        0.9

    Raises:
        DataError: if it is none.
    """
    if not math.isfinite(value):
        raise DataError(f"{option} is {value}", "write a number, such as 0.9")
    return value


def mapping(told: str) -> tuple[str, str]:
    """
    Read what --fields says: our field and a file's own column.

        >>> mapping("noisy=review")
        ('noisy', 'review')
    """
    field, equals, column = told.partition("=")
    if not (field and equals and column):
        raise DataError(f"--fields is {told!r}", "write it as noisy=COLUMN")
    return field, column
