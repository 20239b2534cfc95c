"""
Text files ─► one stream of symbols on the device ─► windows of clean text, drawn by weight.

In:  nsmc.txt.xz, kowiki.txt.xz, … with a weight each.   Out: symbols (B, T) and spaces (B, T) for every step.

The lines of a corpus are joined by line breaks, plain spaces become a mark on the character after them, as in
`vocabulary`. The stream of 170 million characters takes three bytes each, so that all of it lies on the GPU.
Needs torch.
"""

import lzma
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hanpuri.compact.settings import CorpusSettings
from hanpuri.compact.vocabulary import LINE_BREAK, SPACE, Vocabulary
from hanpuri.data.files.sources import open_source
from hanpuri.errors import DataError
from hanpuri.hangul import Indices, code_points

# Half of the windows begin with a text, as every text does that is restored; the others begin anywhere.
SHARE_AT_LINE_START = 0.5


@dataclass(frozen=True)
class TextStream:
    """
    All corpora, one after the other.

    Attributes:
        symbols: (N,) int16, see `Vocabulary.symbols`; spaces are left out.
        spaced: (N,) bool, whether a space stood before the symbol.
        line_breaks: where a line break stands, for each corpus in turn.
        starts: where each corpus starts, and the end of the last, (number of corpora + 1,).
    """

    symbols: Tensor
    spaced: Tensor
    line_breaks: tuple[Tensor, ...]
    starts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.symbols)

    def to(self, device: torch.device) -> "TextStream":
        """Move the stream to the device that trains."""
        breaks = tuple(positions.to(device) for positions in self.line_breaks)
        return TextStream(self.symbols.to(device), self.spaced.to(device), breaks, self.starts)

    def draw(self, corpora: Tensor, length: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """
        Draw one window for each number of a corpus in `corpora` (B,).

        Returns:
            symbols and spaces, (B, length) each, on the stream's device.
        """
        device = self.symbols.device
        where = torch.empty(len(corpora), dtype=torch.int64, device=device)
        for number in range(len(self.line_breaks)):
            rows = (corpora == number).nonzero()[:, 0]
            where[rows.to(device)] = self._draw_places(number, len(rows), length, random)
        items = where[:, None] + torch.arange(length, device=device)
        return self.symbols[items].long(), self.spaced[items]

    def _draw_places(self, number: int, count: int, length: int, random: torch.Generator) -> Tensor:
        """
        Draw where windows of one corpus begin, (count,); the last of them ends with the corpus.

        A corpus shorter than a window begins all of its windows, and what comes before or after it fills them.
        """
        device = self.symbols.device
        first = self.starts[number]
        num_places = max(1, self.starts[number + 1] - length - first + 1)
        fraction, at_line = torch.rand(2, count, generator=random, dtype=torch.float64, device=device)
        anywhere = first + (fraction * num_places).long()
        breaks = self.line_breaks[number]
        before = breaks[(torch.searchsorted(breaks, anywhere, right=True) - 1).clamp(min=0)]
        return torch.where(at_line < SHARE_AT_LINE_START, before, anywhere).clamp(max=len(self) - length)


def read_corpora(
    corpora: Sequence[CorpusSettings], seed: int, vocabulary: Vocabulary | None = None
) -> tuple[TextStream, Vocabulary]:
    """
    Read all files; without a vocabulary, make one of the characters that stand in them.

    Raises:
        DataError: if a file cannot be read or holds no text, or has no such field.
    """
    points = [_read_points(corpus, seed) for corpus in corpora]
    if vocabulary is None:
        vocabulary = Vocabulary.from_counts(_count_characters(points))
    symbols, spaced, breaks, starts = [], [], [], [0]
    for part in points:
        items = np.flatnonzero(part != SPACE)
        symbols.append(vocabulary.symbols(part[items]).astype(np.int16))
        spaced.append(np.concatenate([[False], part[:-1] == SPACE])[items])
        breaks.append(torch.from_numpy(np.flatnonzero(part[items] == LINE_BREAK) + starts[-1]))
        starts.append(starts[-1] + len(items))
    stream = TextStream(
        torch.from_numpy(np.concatenate(symbols)),
        torch.from_numpy(np.concatenate(spaced)),
        tuple(breaks),
        tuple(starts),
    )
    return stream, vocabulary


def _read_points(corpus: CorpusSettings, seed: int) -> Indices:
    """Read a file as the code points of ⏎ line ⏎ line ⏎ … ⏎, in 32 bits each."""
    lines = list(_read_lines(corpus))
    if not any(line.strip() for line in lines):
        raise DataError(f"{corpus.path} holds no text", "give a file with a text a line")
    if corpus.shuffle:
        order = np.random.default_rng(seed).permutation(len(lines))
        lines = [lines[number] for number in order]
    return code_points("\n" + "\n".join(lines) + "\n").astype(np.uint32)


def _read_lines(corpus: CorpusSettings) -> Iterator[str]:
    if corpus.field is not None or not corpus.path.name.endswith((".txt", ".txt.xz")):
        yield from (row.text for row in open_source(corpus.path, field=corpus.field).rows())
        return
    # The plain case is read at once: row by row, 1.7 million lines would keep a paid GPU waiting for a minute.
    try:
        opener = lzma.open if corpus.path.suffix == ".xz" else open
        with opener(corpus.path, "rt", encoding="utf-8") as file:
            yield from file.read().removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise DataError(f"{corpus.path}: found no such file", "correct the path in the recipe's data") from None
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise DataError(f"{corpus.path} cannot be read: {error}", "give a UTF-8 text file, plain or .xz") from None


def _count_characters(points: Sequence[Indices]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in points:
        times = np.bincount(part)
        counts.update({chr(int(point)): int(times[point]) for point in np.flatnonzero(times)})
    return counts
