"""
The items and labels of a network that edits: text ─► features, hidden text with its cells ─► labels.

In:  "ㅎㅏㄴ국♡".   Out: features for ⏎ ㅎ ㅏ ㄴ 국 ♡ ⏎, to be labelled: keep, 한, delete, delete, 국, delete, keep.

Where `vocabulary` labels syllables alone, here every character but the space is an item that is kept, deleted, brought
to its normal form (NFKC: Ａ ─► A) or made a syllable, behind which another may be put in; and each is told whether a
space stands before it, and before what is put in behind it. An item is read by six numbers as in `vocabulary`; a Hanja
is read by its reading too, an enclosed syllable by the syllable, a styled letter by the letter.
"""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hanpuri.compact.vocabulary import KEEP, LINE_BREAK, NO_LEAD, NO_TAIL, NO_VOWEL, NUM_FEATURES, Vocabulary
from hanpuri.hangul import FIRST_SYLLABLE, NUM_SYLLABLES, Indices, code_points
from hanpuri.hiding.cells import SPACE, Cell
from hanpuri.hiding.tables import readings

NOT_LEARNT = -100
# Number of ways that spaces stand: before the item, before what is put in behind it.
NUM_SPACINGS = 4
# The kinds of characters without a number of their own, by the start of their Unicode category.
CLASSES = ("unknown", "hanja", "enclosed", "kana", "Lu", "Ll", "L", "Mn", "M", "Cf", "So", "Sm", "S", "P", "N", "C")
NOT_OTHER = 0
FIRST_CLASS = 1
FIRST_OTHER = FIRST_CLASS + len(CLASSES)
# Fillers are letters to Unicode, but nobody sees them.
INVISIBLE_LETTERS = "\u115f\u1160\u3164\uffa0"


class EditTargets(NamedTuple):
    """
    What is to be learnt of a text of T items; −100 where nothing is.

    Attributes:
        points: (T,) code points of the items.
        spaced: (T,) whether a space stands before the item in the hidden text.
        actions, inserts, spacings: (T,) the labels.
    """

    points: list[int]
    spaced: list[bool]
    actions: list[int]
    inserts: list[int]
    spacings: list[int]


class EditItems(NamedTuple):
    """A text as the network reads it: features (T, 6), and where each item stands; −1 for the line breaks around it."""

    features: npt.NDArray[np.int32]
    positions: Indices


@dataclass(frozen=True)
class EditVocabulary:
    """The syllables that can be labels, and the other characters that have a feature of their own."""

    syllables: str
    others: str

    @classmethod
    def extend(cls, vocabulary: Vocabulary, characters: Iterable[str]) -> "EditVocabulary":
        """Take a restorer's syllables and characters, so that its weights can be gone on from, and more characters."""
        fresh = dict.fromkeys(
            c for c in characters if not _is_syllable(c) and c not in vocabulary.others and c != SPACE
        )
        return cls(vocabulary.syllables, vocabulary.others + "".join(fresh))

    @classmethod
    def load(cls, path: Path) -> "EditVocabulary":
        """Read what `save` wrote."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        return cls(fields["syllables"], fields["others"])

    def save(self, path: Path) -> None:
        """Write a JSON file with both alphabets."""
        fields = {"kind": "edits", "syllables": self.syllables, "others": self.others}
        path.write_text(json.dumps(fields, ensure_ascii=False) + "\n", encoding="utf-8")

    @property
    def delete(self) -> int:
        """The label of what is deleted; KEEP is 0, the syllables follow it."""
        return len(self.syllables) + 1

    @property
    def normal(self) -> int:
        """The label of what is brought to its normal form."""
        return len(self.syllables) + 2

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many labels there are for the item, for what is put in behind it, for its spaces."""
        return len(self.syllables) + 3, len(self.syllables) + 1, NUM_SPACINGS

    @property
    def num_labels(self) -> int:
        """Columns of the network's last layer: the three kinds of labels, side by side."""
        return sum(self.sizes)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each of the six features starts in the one table of embeddings; the last number is the table's size."""
        others = FIRST_OTHER + len(self.others)
        sizes = (NO_LEAD + 1, NO_VOWEL + 1, NO_TAIL + 1, len(self.syllables) + 1, others, 4)
        return tuple(int(offset) for offset in np.cumsum((0, *sizes)))

    @cached_property
    def label_of_syllable(self) -> dict[str, int]:
        """Syllable ─► label."""
        return {syllable: label for label, syllable in enumerate(self.syllables, 1)}

    @cached_property
    def _number_of_other(self) -> dict[str, int]:
        return {character: FIRST_OTHER + number for number, character in enumerate(self.others)}

    @cached_property
    def _known(self) -> dict[int, tuple[int, ...]]:
        """The features of the characters that were met."""
        return {}

    def encode(self, text: str) -> EditItems:
        """
        Read a text.

        >>> EditVocabulary("방이", "\\n").encode("방 ♡").positions.tolist()
        [-1, 0, 2, -1]
        """
        points = np.concatenate([[LINE_BREAK], code_points(text), [LINE_BREAK]])
        items = np.flatnonzero(points != ord(SPACE))
        spaced = np.concatenate([[False], points[:-1] == ord(SPACE)])[items]
        positions = items - 1
        positions[-1] = -1
        return EditItems(self.features(points[items], spaced), positions)

    def features(self, points: Indices, spaced: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Give the six features of each item, (T, 6), as rows of the one table of embeddings."""
        distinct, where = np.unique(points, return_inverse=True)
        table = np.array([self._features_of(int(point)) for point in distinct], dtype=np.int32)
        features = table.reshape(-1, NUM_FEATURES)[where]
        features[:, -1] += spaced
        return features

    def _features_of(self, point: int) -> tuple[int, ...]:
        if point not in self._known:
            self._known[point] = tuple(n + o for n, o in zip(self._numbers_of(point), self.offsets[:-1], strict=True))
        return self._known[point]

    def _numbers_of(self, point: int) -> tuple[int, ...]:
        character = chr(point)
        if _is_syllable(character):
            return *self._letters(character), NOT_OTHER, 0
        if character in self._number_of_other:
            own = self._number_of_other[character]
            return *self._letters(readings().get(character, "")[:1] or _enclosed_syllable(character)), own, 0
        if character in readings():
            return *self._letters(readings()[character][0]), FIRST_CLASS + CLASSES.index("hanja"), 0
        if syllable := _enclosed_syllable(character):
            return *self._letters(syllable), FIRST_CLASS + CLASSES.index("enclosed"), 0
        if (plain := _plain(character)) in self._number_of_other:
            return *self._letters(""), self._number_of_other[plain], 2
        return *self._letters(""), FIRST_CLASS + CLASSES.index(_class_of(character)), 0

    def _letters(self, syllable: str) -> tuple[int, int, int, int]:
        if not syllable:
            return NO_LEAD, NO_VOWEL, NO_TAIL, KEEP
        number = ord(syllable) - FIRST_SYLLABLE
        return number // 588, number % 588 // 28, number % 28, self.label_of_syllable.get(syllable, KEEP)

    def targets(self, cells: Sequence[Cell]) -> EditTargets:
        """
        Say what is to be learnt of a hidden text.

        Of a cell the first items become its syllables, the others are deleted; of syllables that are too many for its
        items one is put in behind the last, and more cannot be learnt.

        >>> cells = [Cell("한", "ㅎㅏㄴ", False, False), Cell("방", "룸", True, False)]
        >>> EditVocabulary("방한", "\\n").targets(cells).actions
        [2, 3, 3, 1]
        """
        targets = EditTargets([], [], [], [], [])
        labels = self.label_of_syllable
        for clean, noisy, clean_gap, noisy_gap in cells:
            if len(clean) == 1 and len(noisy) == 1:
                label = labels.get(clean)
                if label is None:
                    label = KEEP if clean == noisy else self._normal_or_nothing(clean, noisy)
                _append(targets, noisy, noisy_gap, label, KEEP, clean_gap)
            else:
                self._append_cell(targets, clean, noisy, clean_gap, noisy_gap)
        return targets

    def _append_cell(self, targets: EditTargets, clean: str, noisy: str, clean_gap: bool, noisy_gap: bool) -> None:
        meant, gaps = _without_spaces(clean, clean_gap)
        last = len(noisy) - 1
        for number, character in enumerate(noisy):
            gap = noisy_gap and number == 0
            if number >= len(meant):
                _append(targets, character, gap, self.delete, KEEP, None)
                continue
            label = self.label_of_syllable.get(meant[number])
            if label is None:
                own = meant[number]
                label = KEEP if own == character else self._normal_or_nothing(own, character)
            if number < last or len(meant) <= len(noisy):
                _append(targets, character, gap, label, KEEP, gaps[number])
            else:
                insert = self.label_of_syllable.get(meant[number + 1], NOT_LEARNT)
                _append(targets, character, gap, label, insert, gaps[number], gaps[number + 1])

    def _normal_or_nothing(self, clean: str, noisy: str) -> int:
        return self.normal if unicodedata.normalize("NFKC", noisy) == clean else NOT_LEARNT

    def write(self, character: str, action: int, insert: int) -> tuple[str, str]:
        """Say what an item becomes and what is put in behind it."""
        if action == KEEP:
            own = character
        elif action == self.delete:
            own = ""
        elif action == self.normal:
            own = unicodedata.normalize("NFKC", character)
        else:
            own = self.syllables[action - 1]
        return own, self.syllables[insert - 1] if insert else ""


def _append(
    targets: EditTargets,
    noisy: str,
    noisy_gap: bool,
    action: int,
    insert: int,
    gap: bool | None,
    second_gap: bool = False,
) -> None:
    targets.points.append(ord(noisy))
    targets.spaced.append(noisy_gap)
    targets.actions.append(action)
    targets.inserts.append(insert)
    targets.spacings.append(NOT_LEARNT if gap is None else gap + 2 * second_gap)


def _without_spaces(clean: str, gap: bool) -> tuple[str, list[bool]]:
    meant, gaps = "", []
    for character in clean:
        if character == SPACE:
            gap = True
        else:
            meant += character
            gaps.append(gap)
            gap = False
    return meant, gaps


def _is_syllable(character: str) -> bool:
    return 0 <= ord(character) - FIRST_SYLLABLE < NUM_SYLLABLES


def _enclosed_syllable(character: str) -> str:
    """Give 가 of ㉮ and ㈎, "" of anything else."""
    normal = unicodedata.normalize("NFKC", character).strip("()")
    return normal if len(normal) == 1 and normal != character and _is_syllable(normal) else ""


def _plain(character: str) -> str:
    """Give A of Ａ, 𝐀 and Ⓐ, ㄱ of its half-width and its old forms."""
    normal = unicodedata.normalize("NFKC", character)
    return normal if len(normal) == 1 else character


def _class_of(character: str) -> str:
    if character in INVISIBLE_LETTERS:
        return "Cf"
    if "\u3040" <= character <= "\u30ff" or "\uff66" <= character <= "\uff9f":
        return "kana"
    if "\u3400" <= character <= "\u9fff" or "\U00020000" <= character <= "\U0003ffff":
        return "hanja"
    category = unicodedata.category(character)
    return next((name for name in CLASSES if category.startswith(name)), "unknown")
