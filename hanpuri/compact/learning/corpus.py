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
        line_breaks: where a line break stands, one after the other, (number of line breaks,).
        starts: where each corpus starts, and the end of the last, (number of corpora + 1,).
    """

    symbols: Tensor
    spaced: Tensor
    line_breaks: Tensor
    starts: Tensor

    def __len__(self) -> int:
        return len(self.symbols)

    def to(self, device: torch.device) -> "TextStream":
        """Move the stream to the device that trains."""
        tensors = self.symbols, self.spaced, self.line_breaks, self.starts
        return TextStream(*(tensor.to(device) for tensor in tensors))

    def draw(
        self, corpora: Tensor, length: int, random: torch.Generator | None = None, *, as_texts: bool = False
    ) -> tuple[Tensor, Tensor]:
        """
        Draw one window for each number of a corpus in `corpora` (B,).

        The last window of a corpus ends with it. A corpus shorter than a window begins all of its windows, and what
        comes before or after it fills them.

        Args:
            corpora: which corpus each window is drawn from.
            length: characters of a window, but for spaces.
            random: where random numbers are from; by default torch's generator of the device, which a graph can record.
            as_texts: whether each window is made a text of its own, with a line break at each end.

        Returns:
            symbols and spaces, (B, length) each, on the stream's device.
        """
        corpora = corpora.to(self.starts.device)
        first, after = self.starts[corpora], self.starts[corpora + 1]
        num_places = (after - length - first + 1).clamp(min=1)
        fraction, at_line = torch.rand(2, len(corpora), generator=random, dtype=torch.float64, device=first.device)
        anywhere = first + (fraction * num_places).long()
        # A corpus begins with a line break, so that the last one before a place is always one of its own.
        before = self.line_breaks[torch.searchsorted(self.line_breaks, anywhere, right=True) - 1]
        where = torch.where(at_line < SHARE_AT_LINE_START, before, anywhere).clamp(max=len(self) - length)
        items = where[:, None] + torch.arange(length, device=first.device)
        symbols, spaced = self.symbols[items].long(), self.spaced[items]
        if as_texts:
            symbols[:, 0] = symbols[:, -1] = self.symbols[self.line_breaks[0]].long()
            spaced[:, :2] = spaced[:, -1] = False
        return symbols, spaced


def draw_corpora(weights: Tensor, count: int, random: torch.Generator | None = None) -> Tensor:
    """
    Draw the corpus of each of `count` windows by the weights of the corpora, which need not add up to one.

    `torch.multinomial` would do, but a GPU's graph cannot record it.

    >>> draw_corpora(torch.tensor([0.0, 2.0, 0.0]), 4).tolist()
    [1, 1, 1, 1]
    """
    up_to = weights.double().cumsum(0)
    draws = torch.rand(count, generator=random, dtype=torch.float64, device=weights.device)
    return torch.searchsorted(up_to / up_to[-1], draws, right=True)


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
        torch.cat(breaks),
        torch.tensor(starts),
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
