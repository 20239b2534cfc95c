"""
Text ─► the features that the network reads, and labels ─► text.

In:  "방이 좁아요".   Out: six feature numbers for each of ⏎ 방 이 좁 아 요 ⏎, and where each stands in the text.

A character is read as its lead, vowel, tail, as a whole syllable (if it is one that can be a label), as a known other
character, and by whether a space stands before it. Plain spaces are no items of their own: they never change, and
without them a quarter of the work is gone. A line break stands before and after every text, as it does in training.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hanpuri.hangul import (
    FIRST_SYLLABLE,
    LEADS,
    NUM_SYLLABLES,
    TAILS,
    VOWELS,
    Indices,
    Mask,
    code_points,
    ks_x_1001_mask,
    split,
    syllable_mask,
)

SPACE = ord(" ")
LINE_BREAK = ord("\n")
NUM_FEATURES = 6
# Label 0 says: leave the character as it is.
KEEP = 0
# What "no syllable" looks like in the place of a lead, a vowel and a tail.
NO_LEAD, NO_VOWEL, NO_TAIL = len(LEADS), len(VOWELS), len(TAILS)
# Other characters: 0 is a syllable, 1 any character without a number of its own.
NOT_OTHER, UNKNOWN_OTHER, FIRST_OTHER = 0, 1, 2

MIN_SYLLABLE_COUNT = 20
MAX_OTHERS = 400


class Encoded(NamedTuple):
    """
    A text as the network reads it: T items, which are its characters but for the spaces, and a line break at each end.

    Attributes:
        features: (T, 6), rows of the one table of embeddings.
        positions: (T,) where in the text each item stands, −1 at the ends.
        is_syllable: (T,) whether the item is one of 가–힣.
    """

    features: npt.NDArray[np.int32]
    positions: Indices
    is_syllable: Mask


@dataclass(frozen=True)
class Vocabulary:
    """The syllables that can be labels, and the other characters that have a feature of their own."""

    syllables: str
    others: str

    @classmethod
    def from_counts(cls, counts: Counter[str]) -> "Vocabulary":
        """
        Take all of KS X 1001, the other syllables that occur often, and the most frequent other characters.

        >>> vocabulary = Vocabulary.from_counts(Counter({"갃": 20, "뷁": 19, "!": 3}))
        >>> "갃" in vocabulary.syllables, "뷁" in vocabulary.syllables, vocabulary.others
        (True, False, '\\n!')
        """
        common = {c for c, n in counts.items() if n >= MIN_SYLLABLE_COUNT and syllable_mask(code_points(c))[0]}
        ks_x_1001 = {chr(FIRST_SYLLABLE + int(number)) for number in np.flatnonzero(ks_x_1001_mask())}
        others = [c for c, _ in counts.most_common() if _can_be_other(c)]
        return cls("".join(sorted(common | ks_x_1001)), "\n" + "".join(others[: MAX_OTHERS - 1]))

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        return cls(fields["syllables"], fields["others"])

    def save(self, path: Path) -> None:
        """Write a JSON file with both alphabets."""
        fields = {"syllables": self.syllables, "others": self.others}
        path.write_text(json.dumps(fields, ensure_ascii=False) + "\n", encoding="utf-8")

    @property
    def num_labels(self) -> int:
        """KEEP and one label a syllable."""
        return 1 + len(self.syllables)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each of the six features starts in the one table of embeddings; the last number is the table's size."""
        sizes = (NO_LEAD + 1, NO_VOWEL + 1, NO_TAIL + 1, self.num_labels, FIRST_OTHER + len(self.others), 2)
        return tuple(int(offset) for offset in np.cumsum((0, *sizes)))

    @cached_property
    def label_of_number(self) -> Indices:
        """Syllable number ─► label, KEEP where there is none; long enough for the number of "no syllable" too."""
        table = np.zeros(int(syllable_number(NO_LEAD, NO_VOWEL, NO_TAIL)) + 1, dtype=np.int64)
        table[code_points(self.syllables) - FIRST_SYLLABLE] = np.arange(1, self.num_labels)
        return table

    @cached_property
    def point_of_label(self) -> Indices:
        """Label ─► code point; 0 for KEEP."""
        return np.concatenate([[0], code_points(self.syllables)])

    @cached_property
    def letters_of_label(self) -> tuple[Indices, Indices, Indices]:
        """Label ─► lead, vowel and tail, (num_labels − 1,) each: KEEP has none."""
        return split(code_points(self.syllables) - FIRST_SYLLABLE)

    def symbols(self, points: Indices) -> Indices:
        """Number characters: syllables 0 to 11171, then the other characters, unknown ones first."""
        return self._symbol_of_point[points].astype(np.int64)

    @cached_property
    def _symbol_of_point(self) -> npt.NDArray[np.int16]:
        """One symbol for each of the 1,114,112 code points: a look-up beats a search on 170 million characters."""
        table = np.full(sys.maxunicode + 1, NUM_SYLLABLES + UNKNOWN_OTHER, dtype=np.int16)
        table[FIRST_SYLLABLE : FIRST_SYLLABLE + NUM_SYLLABLES] = np.arange(NUM_SYLLABLES)
        table[code_points(self.others)] = NUM_SYLLABLES + FIRST_OTHER + np.arange(len(self.others))
        return table

    def encode(self, text: str) -> Encoded:
        """
        Read a text.

        >>> Vocabulary("방이", "\\n").encode("방 이").positions.tolist()
        [-1, 0, 2, -1]
        """
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> tuple[Encoded, list[int]]:
        """
        Read texts in one go: what numpy takes for a call, it takes once for all of them.

        Returns:
            the items of all texts, one text behind the other, each with its positions in its own text; and where the
            items of each text begin, with the end of the last.
        """
        if not texts:
            nothing = np.empty(0, dtype=np.int64)
            return Encoded(np.empty((0, NUM_FEATURES), dtype=np.int32), nothing, nothing.astype(bool)), [0]
        points = code_points("\n" + "\n\n".join(texts) + "\n")
        ends = np.cumsum([len(text) + 2 for text in texts])
        items = np.flatnonzero(points != SPACE)
        bounds = [0, *np.searchsorted(items, ends).tolist()]
        spaced = np.concatenate([[False], points[:-1] == SPACE])[items]
        symbols = self.symbols(points[items])
        features = self._features(symbols, spaced)
        # Counted from the line break before a text, which has no position of its own, nor has the one behind it.
        begins = np.repeat(ends - [len(text) + 1 for text in texts], np.diff(bounds))
        positions, is_syllable = items - begins, symbols < NUM_SYLLABLES
        positions[np.array(bounds[1:]) - 1] = -1
        return Encoded(features, positions, is_syllable), bounds

    def _features(self, symbols: Indices, spaced: Mask) -> npt.NDArray[np.int32]:
        features = self._features_of_symbol.take(symbols, axis=0)
        features[:, -1] += spaced
        return features

    @cached_property
    def _features_of_symbol(self) -> npt.NDArray[np.int32]:
        """Symbol ─► its six features where no space stands before it: one look-up, and not the arithmetic of each."""
        symbols = np.arange(NUM_SYLLABLES + FIRST_OTHER + len(self.others))
        numbers = self.feature_numbers(*split_symbols(symbols, np), np.zeros_like(symbols), self.label_of_number)
        return np.stack(numbers, -1).astype(np.int32)

    def feature_numbers(
        self, lead: Any, vowel: Any, tail: Any, other: Any, spaced: Any, labels: Any
    ) -> tuple[Any, ...]:
        """
        Place six features in the one table of embeddings; arrays or tensors, all of one shape.

        Args:
            lead, vowel, tail: the letters' indices, NO_LEAD, NO_VOWEL and NO_TAIL for what is no syllable.
            other: the number of the other character, NOT_OTHER for a syllable.
            spaced: 1 where a space stands before the item.
            labels: `label_of_number`, as an array or a tensor on the others' device.
        """
        parts = (lead, vowel, tail, labels[syllable_number(lead, vowel, tail)], other, spaced)
        return tuple(part + offset for part, offset in zip(parts, self.offsets[:-1], strict=True))


def _can_be_other(character: str) -> bool:
    """Say whether a character may get a feature of its own; half a surrogate pair may not, for it cannot be saved."""
    is_half = "\ud800" <= character <= "\udfff"
    return character not in " \n" and not is_half and not syllable_mask(code_points(character))[0]


def syllable_number(lead: Any, vowel: Any, tail: Any) -> Any:
    """Join letters to a syllable's number; "no syllable" gives a number that no syllable has."""
    return lead * 588 + vowel * 28 + tail


def split_symbols(symbols: Any, library: Any) -> tuple[Any, Any, Any, Any]:
    """
    Split symbols into lead, vowel, tail and other, with the arithmetic of `library` (numpy or torch).

    >>> [part.tolist() for part in split_symbols(np.array([0, NUM_SYLLABLES + 5]), np)]
    [[0, 19], [0, 21], [0, 28], [0, 5]]
    """
    is_syllable = symbols < NUM_SYLLABLES
    lead, vowel, tail = symbols // 588, symbols % 588 // 28, symbols % 28
    return (
        library.where(is_syllable, lead, NO_LEAD),
        library.where(is_syllable, vowel, NO_VOWEL),
        library.where(is_syllable, tail, NO_TAIL),
        library.where(is_syllable, NOT_OTHER, symbols - NUM_SYLLABLES),
    )
