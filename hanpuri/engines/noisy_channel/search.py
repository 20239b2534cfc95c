"""
The best text among all that can have become the noisy one: beam search over its slots.

In:  the slots of some texts, a language model, a channel.   Out: for each text the numbers of its syllables:

    slots of "념뭄"   ─►   (1288, 3892), which is 너무

Every step adds a token to the best `width` beginnings of each text. Of a beginning the exact likelihood of the noise is
known but for its last syllable, which hangs on the next lead: there the mean over all leads that can follow stands in.
At the end of a text nothing is left open, and the sum of both logarithms is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hanpuri.engines.noisy_channel.slots import NO_SYLLABLE, Slot
from hanpuri.hangul import Indices
from hanpuri.noise.likelihood import Channel, Paths

LogProbabilities = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]


ALIKE = 6
"""Tokens at the end of two beginnings that, if they are the same, make them go on alike."""


class LanguageModel(Protocol):
    """A model that goes on with many beginnings at once."""

    def begin(self, prompts: Sequence[Sequence[int]]) -> LogProbabilities:
        """Read a prompt for each text; log P(next token), (texts, vocabulary)."""
        ...

    def extend(self, parents: Indices, tokens: Indices) -> LogProbabilities:
        """Go on from the beginnings `parents`, (N,), by a token each, (N,); log P(next token), (N, vocabulary)."""
        ...


@dataclass(frozen=True)
class Beams:
    """
    N beginnings of some texts.

    Attributes:
        text: (N,) the text's number.
        language: (N,) log P(beginning) of the language model.
        paths: what the channel knows of them.
        clean: (N, syllables so far or more) the numbers of their syllables, NO_SYLLABLE in between.
        score: (N,) what they are compared by.
    """

    text: Indices
    language: Scores
    paths: Paths
    clean: Indices
    score: Scores

    def take(self, places: Indices) -> "Beams":
        """Pick beginnings by their places."""
        return Beams(
            self.text[places],
            self.language[places],
            self.paths.take(places),
            self.clean[places],
            self.score[places],
        )


def search(
    texts: Sequence[Sequence[Slot]],
    prompts: Sequence[Sequence[int]],
    model: LanguageModel,
    channel: Channel,
    *,
    weight: float,
    width: int,
    margin: float,
) -> list[tuple[int, ...]]:
    """
    Find the texts with the largest log P(clean) + weight · log P(noisy | clean).

    Args:
        texts: the slots of each text, one at least; best of like length.
        prompts: the tokens that the model reads before each.
        model: asked once a step, for all texts together.
        channel: the noise; every text has to be possible as it stands, so one of its strengths is below 1.
        weight: what the channel counts for.
        width: how many beginnings of each text are kept at most.
        margin: how far, in nats, a beginning may fall behind the best one of its text.
    """
    count = len(texts)
    found: dict[int, tuple[int, ...]] = {}
    beams = Beams(
        np.arange(count), np.zeros(count), channel.begin(count), np.zeros((count, 0), dtype=np.int64), np.zeros(count)
    )
    told = model.begin(prompts)
    for step in range(max(map(len, texts))):
        grown, parents, tokens = _grow(beams, [texts[text][step] for text in beams.text], told, channel, weight)
        kept = _best(grown, width, margin)
        beams, parents, tokens = grown.take(kept), parents[kept], tokens[kept]
        ended = np.array([len(texts[text]) == step + 1 for text in beams.text])
        for text, first in zip(*np.unique(beams.text, return_index=True), strict=True):
            if ended[first]:  # the first of a text is its best
                found[text] = tuple(beams.clean[first][beams.clean[first] != NO_SYLLABLE].tolist())
        going = np.flatnonzero(~ended)
        if len(going):
            beams, told = beams.take(going), model.extend(parents[going], tokens[going])
    return [found[text] for text in range(count)]


def _grow(
    beams: Beams, slots: Sequence[Slot], told: LogProbabilities, channel: Channel, weight: float
) -> tuple[Beams, Indices, Indices]:
    """Add to each beginning every token of its slot; the new ones, where each comes from, and its token."""
    counts = [len(slot.tokens) for slot in slots]
    parents = np.repeat(np.arange(len(slots)), counts)
    tokens = np.concatenate([slot.tokens for slot in slots])
    clean = np.concatenate([slot.clean for slot in slots])
    noisy = np.repeat([slot.noisy for slot in slots], counts)
    joined = np.repeat([slot.joined for slot in slots], counts)
    following = np.array(list(zip_longest(*(slot.following or (NO_SYLLABLE,) for slot in slots), fillvalue=-1))).T
    grown = beams.take(parents)
    is_syllable = noisy != NO_SYLLABLE
    paths = grown.paths.where(is_syllable, channel.extend(grown.paths, clean, noisy, joined))
    language = grown.language + told[parents, tokens]
    score = language + weight * channel.foresee(paths, np.repeat(following, counts, axis=0))
    written = np.concatenate([grown.clean, clean[:, None]], 1)
    return Beams(grown.text, language, paths, written, score), parents, tokens


def _best(beams: Beams, width: int, margin: float) -> Indices:
    """Find the places of the best beginnings of each text, the best first; of those that end alike only one."""
    order = np.lexsort((-beams.score, beams.text))
    ends = np.concatenate([beams.text[:, None], beams.clean[:, -ALIKE:]], 1)[order]
    order = order[np.sort(np.unique(ends, axis=0, return_index=True)[1])]
    text, score = beams.text[order], beams.score[order]
    first = np.searchsorted(text, text)
    rank = np.arange(len(order)) - first
    return order[(rank < width) & (score >= score[first] - margin)]
