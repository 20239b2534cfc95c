"""
Rows that share a piece of text with an evaluation file, and so would make its scores look better than they are.

In: the evaluation files of a recipe. Out: for each row the number of the file that it overlaps with, or -1:

    "너무 좋았어요 화장실이 깨끗하고 직원분들이 친절했어요"  ─►  0, it shares 15 syllables with file 0

Windows are of syllables alone, so that spaces and punctuation hide nothing. A text shorter than a window counts only as
a whole. Each text of a row counts for itself: a question that stands in the file is found with any answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hanpuri.data.files.folders import row_format
from hanpuri.data.preparation.windows import Hashes, hash_windows, syllables_of
from hanpuri.data.recipe import EvaluationSettings, SourceSettings
from hanpuri.data.records.records import Reading
from hanpuri.errors import DataError

SHORTEST = 5  # syllables; "좋아요" stands everywhere and gives nothing away
NONE = -1


@dataclass(frozen=True)
class EvaluationTexts:
    """The pieces of all evaluation files, ready to look rows up in."""

    window: int
    hashes: Hashes
    """Sorted, shape (num_pieces,)."""
    files: npt.NDArray[np.int16]
    """The file that each piece is from, shape (num_pieces,)."""

    @classmethod
    def read(cls, evaluation: Sequence[EvaluationSettings], window: int) -> "EvaluationTexts":
        """
        Read the evaluation files.

        Raises:
            DataError: if one cannot be read or lacks its field.
        """
        hashes, files = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int16)]
        for number, settings in enumerate(evaluation):
            found = np.unique(_pieces(_texts(settings), window)[0])
            hashes.append(found)
            files.append(np.full(len(found), number, dtype=np.int16))
        order = np.argsort(np.concatenate(hashes), kind="stable")
        return cls(window, np.concatenate(hashes)[order], np.concatenate(files)[order])

    def find(self, rows: Sequence[Sequence[str]]) -> npt.NDArray[np.int16]:
        """Give the number of the file that each row of texts overlaps with, -1 for none; shape (len(rows),)."""
        found = np.full(len(rows), NONE, dtype=np.int16)
        if not len(self.hashes):
            return found
        row_of = np.repeat(np.arange(len(rows)), [len(texts) for texts in rows])
        hashes, owners = _pieces([text for texts in rows for text in texts], self.window)
        places = self._places(hashes)
        shared = np.flatnonzero(self.hashes[places] == hashes)[::-1]  # backwards: the first one found is written last
        found[row_of[owners[shared]]] = self.files[places[shared]]
        return found

    def shared_window(self, text: str) -> str:
        """Give the first piece of a text that an evaluation file has, too; "" if there is none."""
        syllables = syllables_of(text)
        length = min(self.window, max(len(syllables), SHORTEST))
        hashes = hash_windows([syllables], length)[0]
        if not len(self.hashes):
            return ""
        shared = np.flatnonzero(self.hashes[self._places(hashes)] == hashes)
        return syllables[shared[0] : shared[0] + length] if len(shared) else ""

    def _places(self, hashes: Hashes) -> npt.NDArray[np.int64]:
        return np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)


def open_evaluation(settings: EvaluationSettings) -> Reading:
    """
    Open an evaluation file, or a folder of them, without reading it; `.files` names what there is.

    Raises:
        DataError: if there is none.
    """
    has_columns = settings.path.is_dir() or row_format(settings.path) not in (None, "text")
    fields = {"text": settings.field} if has_columns else {}
    source = SourceSettings(path=settings.path, fields=fields, faults="drop")  # an empty text gives nothing away
    return Reading(source, "text")


def _texts(settings: EvaluationSettings) -> list[str]:
    try:
        texts = [str(record.fields["text"]) for record in open_evaluation(settings).records()]
    except DataError as error:  # the mend names what a source has, not what an evaluation file has
        mend = re.sub(r"`fields: \{text: (.*)\}`", r"`field: \1`", error.mend)
        raise DataError(error.message, mend) from None
    if not texts:
        found = f'{settings.path}: found no row with a text in "{settings.field}", expected at least one'
        raise DataError(found, "name another column: `field: ...`")
    return texts


def _pieces(texts: Sequence[str], window: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hash the pieces of texts, and say which text each is from; a short text is one piece as a whole."""
    syllables = [syllables_of(text) for text in texts]
    hashes, offsets = hash_windows(syllables, window)
    owners = np.repeat(np.arange(len(texts)), np.diff(offsets))
    parts, their_owners = [hashes], [owners]
    for length in range(SHORTEST, window):
        numbers = [number for number, text in enumerate(syllables) if len(text) == length]
        if numbers:
            parts.append(hash_windows([syllables[number] for number in numbers], length)[0])
            their_owners.append(np.array(numbers))
    return np.concatenate(parts), np.concatenate(their_owners)
