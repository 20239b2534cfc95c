"""
Windows of clean text ─► features of a noisy form of them, and the labels to learn.

In:  symbols (B, T), spaces (B, T).   Out: features (B, T, 6), labels (B, T); a label of −100 is not learnt.

Every row draws its own noise: none, partial, full, by hand, with sliders anywhere. No shape hangs on what is drawn, so
that a GPU can record all of it once and play it again. Needs torch.
"""

import torch
from torch import Tensor, nn

from hanpuri.compact.settings import NoiseSettings
from hanpuri.compact.vocabulary import (
    KEEP,
    NO_LEAD,
    NO_TAIL,
    NO_VOWEL,
    NOT_OTHER,
    UNKNOWN_OTHER,
    Vocabulary,
    split_symbols,
    syllable_number,
)
from hanpuri.noise.batched import BatchedGenerator, RowSettings
from hanpuri.noise.rules import AIRBNB, HAND

NOT_LEARNT = -100
AIRBNB_TABLES, HAND_TABLES = 0, 1


class Noiser(nn.Module):
    """
    Makes training examples from clean windows; random numbers come from torch's generator of the device.

    Args:
        settings: what share of the rows gets which noise.
        vocabulary: how characters are read and labelled.
        masked: share of the syllables that are hidden, on top of the noise: read as a character without a number, so
            that nothing but its neighbours tells what stood there.
    """

    label_of_number: Tensor

    def __init__(self, settings: NoiseSettings, vocabulary: Vocabulary, masked: float = 0.0) -> None:
        super().__init__()
        self.settings, self.vocabulary, self.masked = settings, vocabulary, masked
        self.generator = BatchedGenerator((AIRBNB, HAND))
        self.register_buffer("label_of_number", torch.from_numpy(vocabulary.label_of_number))

    def compile_parts(self) -> None:
        """Compile what comes before the ten draws, one draw, and what comes after: in one piece it takes minutes."""
        self._join = torch.compile(self._join, dynamic=False)  # type: ignore[method-assign]
        self._read = torch.compile(self._read, dynamic=False)  # type: ignore[method-assign]
        generator = self.generator
        generator.draw_once = torch.compile(generator.draw_once, dynamic=False)  # type: ignore[method-assign]

    @torch.no_grad()
    def forward(self, symbols: Tensor, spaced: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) symbols and spaces ─► (B, T, 6) features and (B, T) labels."""
        leads, vowels, tails, chosen, active, settings = self._join(symbols, spaced)
        noisy = self.generator.change(leads, vowels, tails, chosen, settings)
        return self._read(symbols, spaced, active, *noisy)

    def _join(self, symbols: Tensor, spaced: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, RowSettings]:
        """Draw what may change, and take the steps of the noise that go across syllables."""
        lead, vowel, tail, other = split_symbols(symbols, torch)
        is_syllable = other == NOT_OTHER
        active = is_syllable & (torch.rand_like(is_syllable, dtype=torch.float) < self._strengths(symbols))
        adjacent = torch.cat([~spaced[:, 1:], torch.zeros_like(spaced[:, :1])], 1)
        settings = self._row_settings(symbols)
        return *self.generator.join(lead, vowel, tail, active, adjacent, settings), active, settings

    def _read(
        self, symbols: Tensor, spaced: Tensor, active: Tensor, lead: Tensor, vowel: Tensor, tail: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Make features and labels of what the noise left."""
        *clean, other = split_symbols(symbols, torch)
        is_syllable = other == NOT_OTHER
        lead, vowel, tail = [torch.where(active, n, c) for n, c in zip((lead, vowel, tail), clean, strict=True)]
        if self.masked:
            hidden = is_syllable & (torch.rand_like(is_syllable, dtype=torch.float) < self.masked)
            lead, vowel = torch.where(hidden, NO_LEAD, lead), torch.where(hidden, NO_VOWEL, vowel)
            tail, other = torch.where(hidden, NO_TAIL, tail), torch.where(hidden, UNKNOWN_OTHER, other)
        features = self.vocabulary.feature_numbers(lead, vowel, tail, other, spaced.long(), self.label_of_number)
        clean_number = syllable_number(*clean)
        labels = self.label_of_number[clean_number]
        # A syllable without a label can be learnt only where it was left alone.
        learnt = is_syllable & ((labels != KEEP) | (syllable_number(lead, vowel, tail) == clean_number))
        return torch.stack(features, -1), torch.where(learnt, labels, NOT_LEARNT)

    def _strengths(self, symbols: Tensor) -> Tensor:
        """Draw the share of syllables that may change in each row, (B, 1)."""
        kind, share = torch.rand(2, len(symbols), 1, device=symbols.device)
        clean, partial = self.settings.clean, self.settings.clean + self.settings.partial
        return torch.where(kind < clean, 0.0, torch.where(kind < partial, share, 1.0))

    def _row_settings(self, symbols: Tensor) -> RowSettings:
        draws = torch.rand(7, len(symbols), 1, device=symbols.device)
        sliders = torch.where(draws[0] < self.settings.sliders, draws[1:5], 0.5)
        by_hand = draws[5] < self.settings.hand
        return RowSettings(
            liaison=sliders[0],
            doubling=sliders[1],
            num_changed_places=(3 * sliders[2]).ceil(),
            tail_insertion=sliders[3],
            tables=torch.where(by_hand, HAND_TABLES, AIRBNB_TABLES),
            ks_x_1001=draws[6] >= torch.where(by_hand, self.settings.hand_any_syllable, self.settings.any_syllable),
        )
