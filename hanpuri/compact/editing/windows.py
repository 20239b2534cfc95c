"""
Clean lines and aligned pairs ─► windows of hidden text with labels, for a network that edits to learn from.

In:  corpora, each a list of lines with a weight.   Out: features (B, T, 6), labels (3, B, T).

A window holds line after line, line breaks between them, until it is full. Most lines are hidden each in its own way,
in some windows all in one; a share stays clean, and a share gets the plain noise of the web generator, so that the
network stays as good at that as the one it began from. A process draws 200,000 items a second.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hanpuri.compact.editing.edits import NOT_LEARNT, EditVocabulary
from hanpuri.compact.vocabulary import KEEP
from hanpuri.hiding.cells import Cell, Row
from hanpuri.hiding.hide import draw_kinds, draw_share
from hanpuri.hiding.kinds import KINDS, Kind
from hanpuri.hiding.natural import season
from hanpuri.noise.airbnb import generate

BREAK = Cell("\n", "\n", False, False)
# Lines are drawn by characters: of a corpus so many say how long they are.
LINES_TO_MEASURE = 5_000


@dataclass(frozen=True)
class EditMixture:
    """
    What share of the lines is hidden how; what is left meets several kinds at once.

    Attributes:
        clean: left alone.
        web: the web generator with its sliders in the middle, on every syllable.
        single: one kind of hiding.
        seasoned: of the lines, before anything else: gets times, prices, faces and the like, which are no hiding.
        shared: of the windows: all lines are hidden in one way.
        pairs: aligned pairs in place of a line.
    """

    clean: float = 0.24
    web: float = 0.28
    single: float = 0.12
    seasoned: float = 0.35
    shared: float = 0.4
    pairs: float = 0.0


class EditBatch(NamedTuple):
    """Features (B, T, 6) and labels (3, B, T), −100 where nothing is learnt."""

    features: npt.NDArray[np.int16]
    labels: npt.NDArray[np.int16]


@dataclass
class EditWindows:
    """
    Draws windows.

    Attributes:
        vocabulary: what the labels mean.
        corpora: lines of clean text in NFC, with one space between words.
        weights: share of the characters drawn from each corpus.
        pairs: cells of pairs from elsewhere, as `hanpuri.hiding.alignment` finds them.
        mixture: what is done to the lines; it may be changed on the way.
        rng: decides everything.
    """

    vocabulary: EditVocabulary
    corpora: Mapping[str, Sequence[str]]
    weights: Mapping[str, float]
    pairs: Sequence[tuple[Cell, ...]] = ()
    mixture: EditMixture = field(default_factory=EditMixture)
    rng: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._lines = list(self.corpora.values())
        sizes = [sum(map(len, some)) / len(some) for some in (lines[:LINES_TO_MEASURE] for lines in self._lines)]
        self._chances = [self.weights[name] / size for name, size in zip(self.corpora, sizes, strict=True)]

    def draw(self, num_rows: int, length: int) -> EditBatch:
        """Draw windows of `length` items."""
        rows = zip(*(self._window(length) for _ in range(num_rows)), strict=True)
        points, spaced, actions, inserts, spacings = (np.array(part) for part in rows)
        features = self.vocabulary.features(points.ravel(), spaced.ravel().astype(bool)).astype(np.int16)
        return EditBatch(features.reshape(*points.shape, -1), np.stack([actions, inserts, spacings]).astype(np.int16))

    def _window(self, length: int) -> list[list[int]]:
        shared = self._draw_kinds() if self.rng.random() < self.mixture.shared else None
        columns: list[list[int]] = [[ord("\n")], [False], [KEEP], [KEEP], [NOT_LEARNT]]
        while len(columns[0]) < length:
            targets: tuple[Sequence[int], ...] = self.vocabulary.targets((*self._line(shared), BREAK))
            for column, new in zip(columns, targets, strict=True):
                column.extend(new)
        # Half of the windows begin in the middle of a text, as those of long texts do.
        start = self.rng.randrange(len(columns[0]) - length + 1) if self.rng.random() < 0.5 else 0
        return [column[start : start + length] for column in columns]

    def _line(self, shared: Sequence[Kind] | None) -> tuple[Cell, ...]:
        rng = self.rng
        if self.pairs and rng.random() < self.mixture.pairs:
            return rng.choice(self.pairs)
        line = rng.choice(rng.choices(self._lines, self._chances)[0])
        row = Row(season(line, rng) if rng.random() < self.mixture.seasoned else line)
        for kind in self._draw_kinds() if shared is None else shared:
            kind.hide(row, rng, draw_share(rng))
        return row.cells()

    def _draw_kinds(self) -> Sequence[Kind]:
        mixture, place = self.mixture, self.rng.random()
        if place < mixture.clean:
            return ()
        if place < mixture.clean + mixture.web:
            return (WEB_ALONE,)
        if place < mixture.clean + mixture.web + mixture.single:
            return (self.rng.choice(KINDS),)
        return draw_kinds(self.rng)


def web_alone(row: Row, rng: random.Random, share: float) -> None:
    """Change every syllable as the web generator does with its sliders in the middle, whatever the share."""
    row.noisy = list(generate(row.hidden, rng).replace(" ", ""))


WEB_ALONE = Kind("web_alone", web_alone, 0.0, "the web generator as it stands", ("화장실", "확짱쉴"))
