"""
A file of noisy/clean pairs + a restorer ─► one object of scores.

In:  {"noisy": "확잠실읾", "clean": "화장실이"} a line.   Out: Scores(rows=1, char_accuracy=1.0, …).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hanpuri.data.files.sources import Source, open_source
from hanpuri.errors import DataError
from hanpuri.evaluation.metrics import cer, char_accuracy, char_f1, exact_match

Restore = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class Scores:
    """
    What a restorer reached on one file.

    Attributes:
        rows: pairs in the file.
        char_accuracy: share of the clean sides' syllables that stand at the same index in the output.
        char_f1: position-wise F1 of all characters.
        exact_match: share of rows restored to the last character.
        cer: character error rate.
        unchanged_clean: char_accuracy when the clean side itself is the input.
        seconds: time to restore the noisy sides.
        chars_per_second: characters of the noisy sides in a second.
        model: who did it.
    """

    rows: int
    char_accuracy: float
    char_f1: float
    exact_match: float
    cer: float
    unchanged_clean: float
    seconds: float
    chars_per_second: float
    model: str

    def as_dict(self) -> dict[str, float | int | str]:
        """The scores by name, rounded for printing."""
        return {name: round(value, 5) if isinstance(value, float) else value for name, value in asdict(self).items()}


def read_pairs(path: Path, encoding: str = "utf-8") -> list[tuple[str, str]]:
    """
    Read the noisy and clean sides of a file: JSONL, CSV, TSV or Parquet with the fields `noisy` and `clean`.

    Raises:
        DataError: if the file cannot be read, has no such fields, or no row.
    """
    pairs = []
    for row in _open_pairs(path, encoding).rows():
        clean = (row.record or {}).get("clean")
        if not isinstance(clean, str):
            raise DataError(
                f"{row.where}: the field clean is {clean!r}, expected a text", "give pairs of noisy and clean"
            )
        pairs.append((row.text, clean))
    if not pairs:
        raise DataError(f"{path} holds no pairs", "give a file with the fields noisy and clean")
    return pairs


def _open_pairs(path: Path, encoding: str) -> Source:
    try:
        return open_source(path, field="noisy", encoding=encoding)
    except DataError as error:
        # Here the field's name is fixed, so the mend is not to give another.
        mend = "give the fields noisy and clean" if "--field" in error.mend else error.mend
        raise DataError(error.message, mend) from None


def evaluate(restore: Restore, pairs: Sequence[tuple[str, str]], model: str) -> Scores:
    """Restore the noisy sides, then the clean sides, and score both."""
    noisy, clean = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    started = time.perf_counter()
    restored = restore(noisy)
    seconds = time.perf_counter() - started
    return Scores(
        rows=len(pairs),
        char_accuracy=char_accuracy(restored, clean),
        char_f1=char_f1(restored, clean),
        exact_match=exact_match(restored, clean),
        cer=cer(restored, clean),
        unchanged_clean=char_accuracy(restore(clean), clean),
        seconds=seconds,
        chars_per_second=sum(map(len, noisy)) / seconds,
        model=model,
    )
