"""
Windows of clean text ─► features of a noisy form of them, and the labels to learn.

In:  symbols (B, T), spaces (B, T).   Out: features (B, T, 6), labels (B, T); a label of −100 is not learnt.

Every row draws its own noise: none, partial, full, by hand, with sliders anywhere. Needs torch.
"""

import torch
from torch import Tensor, nn

from hanpuri.compact.settings import NoiseSettings
from hanpuri.compact.vocabulary import KEEP, NOT_OTHER, Vocabulary, split_symbols, syllable_number
from hanpuri.noise.batched import BatchedGenerator, RowSettings
from hanpuri.noise.rules import AIRBNB, HAND

NOT_LEARNT = -100
AIRBNB_TABLES, HAND_TABLES = 0, 1


class Noiser(nn.Module):
    """Makes training examples from clean windows; random numbers come from torch's generator of the device."""

    label_of_number: Tensor

    def __init__(self, settings: NoiseSettings, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.settings, self.vocabulary = settings, vocabulary
        self.generator = BatchedGenerator((AIRBNB, HAND))
        self.register_buffer("label_of_number", torch.from_numpy(vocabulary.label_of_number))

    @torch.no_grad()
    def forward(self, symbols: Tensor, spaced: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T) symbols and spaces ─► (B, T, 6) features and (B, T) labels."""
        lead, vowel, tail, other = split_symbols(symbols, torch)
        is_syllable = other == NOT_OTHER
        active = is_syllable & (torch.rand_like(is_syllable, dtype=torch.float) < self._strengths(symbols))
        adjacent = torch.cat([~spaced[:, 1:], torch.zeros_like(spaced[:, :1])], 1)
        settings = self._row_settings(symbols)
        noisy: tuple[Tensor, Tensor, Tensor] = self.generator(lead, vowel, tail, active, adjacent, settings)
        features = self.vocabulary.feature_numbers(*noisy, other, spaced.long(), self.label_of_number)
        clean_number = syllable_number(lead, vowel, tail)
        labels = self.label_of_number[clean_number]
        # A syllable without a label can be learnt only where it was left alone.
        learnt = is_syllable & ((labels != KEEP) | (syllable_number(*noisy) == clean_number))
        return torch.stack(features, -1), torch.where(learnt, labels, NOT_LEARNT)

    def _strengths(self, symbols: Tensor) -> Tensor:
        """Draw the share of syllables that may change in each row, (B, 1)."""
        kind, share = torch.rand(2, len(symbols), 1, device=symbols.device)
        clean, partial = self.settings.clean, self.settings.clean + self.settings.partial
        return torch.where(kind < clean, 0.0, torch.where(kind < partial, share, 1.0))

    def _row_settings(self, symbols: Tensor) -> RowSettings:
        draws = torch.rand(7, len(symbols), 1, device=symbols.device)
        sliders = torch.where(draws[0] < self.settings.sliders, draws[1:5], 0.5)
        return RowSettings(
            liaison=sliders[0],
            doubling=sliders[1],
            num_changed_places=(3 * sliders[2]).ceil(),
            tail_insertion=sliders[3],
            tables=torch.where(draws[5] < self.settings.hand, HAND_TABLES, AIRBNB_TABLES),
            ks_x_1001=draws[6] >= self.settings.any_syllable,
        )
