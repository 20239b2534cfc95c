"""
The generator over tensors: fresh noise for a whole batch at every training step, on the device that trains.

In:  leads, vowels, tails (B, T) of clean text, the settings of each row.   Out: leads, vowels, tails (B, T), noisy.

The same three steps as `hanpuri.noise.airbnb`, which is the one to read; here every step is taken by all syllables at
once. A test compares the two on P(noisy letter | clean letter). Needs torch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from hanpuri.hangul import LEADS, TAILS, VOWELS, ks_x_1001_mask
from hanpuri.noise.airbnb import MAX_TRIES
from hanpuri.noise.rules import ALPHABETS, ASPIRATES, LAX_TAILS, TAIL_SPLITS, LetterTables, Place

# Liaison goes from left to right and looks at the lead that the pair before may just have moved in. Taken by all pairs
# at once, it needs a round for every pair that hangs on the one before: in KS X 1001 three at most, as in
# 갈왰옌아 → 가뢨예나, because of what can arise only 쏀 and 뢨 lack their form without a tail.
LIAISON_ROUNDS = 3
NONE = -1


@dataclass(frozen=True)
class RowSettings:
    """
    Each row's own noise, every field (B, 1).

    Attributes:
        liaison, doubling, tail_insertion: the sliders of these names.
        num_changed_places: how many of lead, vowel and tail a change draws anew, `Sliders.num_changed_places`.
        tables: the letter tables, by their number among those that the generator was made with.
        ks_x_1001: whether only syllables of KS X 1001 may be made.
    """

    liaison: Tensor
    doubling: Tensor
    num_changed_places: Tensor
    tail_insertion: Tensor
    tables: Tensor
    ks_x_1001: Tensor


class BatchedGenerator(torch.nn.Module):
    """The letter tables as tensors, and the three steps over them."""

    allowed: Tensor
    stays: Tensor
    moves: Tensor
    aspirate: Tensor
    lax_tail: Tensor

    def __init__(self, tables: tuple[LetterTables, ...]) -> None:
        super().__init__()
        self.register_buffer("allowed", torch.tensor(ks_x_1001_mask()).view(len(LEADS), len(VOWELS), len(TAILS)))
        for place in ALPHABETS:
            self.register_buffer(f"{place}_candidates", torch.stack([_candidate_tensor(t, place) for t in tables]))
            self.register_buffer(f"{place}_counts", torch.stack([_count_tensor(t, place) for t in tables]))
        lead, tail = LEADS.index, TAILS.index
        self.register_buffer("stays", _letter_map(TAILS, {t: tail(s) for t, (s, _) in TAIL_SPLITS.items()}))
        self.register_buffer("moves", _letter_map(TAILS, {t: lead(m) for t, (_, m) in TAIL_SPLITS.items()}))
        self.register_buffer("aspirate", _letter_map(TAILS, {t: lead(a) for t, a in ASPIRATES.items()}))
        self.register_buffer("lax_tail", _letter_map(LEADS, {le: tail(la) for le, la in LAX_TAILS.items()}))

    def forward(
        self, leads: Tensor, vowels: Tensor, tails: Tensor, active: Tensor, adjacent: Tensor, settings: RowSettings
    ) -> tuple[Tensor, Tensor, Tensor]:
        """
        Make noise for a batch.

        Args:
            leads, vowels, tails: (B, T) letter indices; where `active` is false they are kept, whatever they are.
            active: (B, T) the syllables that may change.
            adjacent: (B, T) whether a character touches the one on its right (no space between them).
            settings: each row's sliders, tables and KS X 1001 switch.

        Returns:
            the noisy leads, vowels and tails, each (B, T).
        """
        noisy = self.change(*self.join(leads, vowels, tails, active, adjacent, settings), settings)
        return (
            torch.where(active, noisy[0], leads),
            torch.where(active, noisy[1], vowels),
            torch.where(active, noisy[2], tails),
        )

    def join(
        self, leads: Tensor, vowels: Tensor, tails: Tensor, active: Tensor, adjacent: Tensor, settings: RowSettings
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Take the two steps across syllables, liaison and doubling, and choose the places of the third.

        Returns:
            leads, vowels and tails, each (B, T), and the places that are to be drawn anew, (3, B, T).
        """
        # What stands for "no syllable" must be able to look something up, too: it is put back at the end.
        leads, vowels = leads.clamp(0, len(LEADS) - 1), vowels.clamp(0, len(VOWELS) - 1)
        tails = tails.clamp(0, len(TAILS) - 1)
        pairs = active[:, :-1] & active[:, 1:] & adjacent[:, :-1]
        leads, tails = self._liaise(leads, vowels, tails, pairs, settings)
        tails = self._double(leads, vowels, tails, pairs, settings)
        draw = torch.rand(3, *leads.shape, device=leads.device)
        # A draw's rank is the number of smaller ones: a sort of three by three comparisons, which fuses with the rest.
        rank = (draw[None] < draw[:, None]).sum(1)
        return leads, vowels, tails, rank < settings.num_changed_places

    def _fits(self, leads: Tensor, vowels: Tensor, tails: Tensor, settings: RowSettings) -> Tensor:
        return self.allowed[leads, vowels, tails] | ~settings.ks_x_1001

    def _liaise(
        self, leads: Tensor, vowels: Tensor, tails: Tensor, pairs: Tensor, settings: RowSettings
    ) -> tuple[Tensor, Tensor]:
        left_tail, right_lead = tails[:, :-1], leads[:, 1:]
        moved = torch.where(right_lead == LEADS.index("ㅇ"), self.moves[left_tail], NONE)
        melted = torch.where(right_lead == LEADS.index("ㅎ"), self.aspirate[left_tail], NONE)
        new_lead = torch.where(moved != NONE, moved, melted)
        new_tail = torch.where(moved != NONE, self.stays[left_tail], 0).clamp(min=0)
        wanted = pairs & (new_lead != NONE) & (torch.rand_like(pairs, dtype=torch.float) < settings.liaison)
        new_lead = new_lead.clamp(min=0)
        wanted &= self._fits(new_lead, vowels[:, 1:], tails[:, 1:], settings)
        taken, current = wanted, leads
        for _ in range(LIAISON_ROUNDS):
            taken = wanted & self._fits(current[:, :-1], vowels[:, :-1], new_tail, settings)
            current = torch.cat([leads[:, :1], torch.where(taken, new_lead, right_lead)], 1)
        return current, torch.cat([torch.where(taken, new_tail, left_tail), tails[:, -1:]], 1)

    def _double(self, leads: Tensor, vowels: Tensor, tails: Tensor, pairs: Tensor, settings: RowSettings) -> Tensor:
        left_tail, copy = tails[:, :-1], self.lax_tail[leads[:, 1:]]
        wanted = pairs & (left_tail == 0) & (copy != NONE)
        wanted &= torch.rand_like(pairs, dtype=torch.float) < settings.doubling
        copy = copy.clamp(min=0)
        wanted &= self._fits(leads[:, :-1], vowels[:, :-1], copy, settings)
        return torch.cat([torch.where(wanted, copy, left_tail), tails[:, -1:]], 1)

    def change(
        self, leads: Tensor, vowels: Tensor, tails: Tensor, chosen: Tensor, settings: RowSettings
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw the chosen places anew, until each syllable is another one that is allowed, or was tried ten times."""
        new, done = [leads, vowels, tails], torch.zeros_like(leads, dtype=torch.bool)
        for _ in range(MAX_TRIES):
            new, done = self.draw_once(leads, vowels, tails, chosen, new, done, settings)
        return new[0], new[1], new[2]

    def draw_once(
        self,
        leads: Tensor,
        vowels: Tensor,
        tails: Tensor,
        chosen: Tensor,
        new: list[Tensor],
        done: Tensor,
        settings: RowSettings,
    ) -> tuple[list[Tensor], Tensor]:
        """Draw once for every syllable that is not done; public, because training compiles it."""
        lead = torch.where(chosen[0], self._draw("lead", leads, settings), leads)
        vowel = torch.where(chosen[1], self._draw("vowel", vowels, settings), vowels)
        tail = torch.where(chosen[2], self._draw("tail", tails, settings), tails)
        inserted = torch.randint_like(tails, 1, len(TAILS))
        insert = (tails == 0) & (torch.rand(tails.shape, device=tails.device) < settings.tail_insertion)
        tail = torch.where(insert, inserted, tail)
        differs = (lead != leads) | (vowel != vowels) | (tail != tails)
        take = ~done & differs & self._fits(lead, vowel, tail, settings)
        drawn = (lead, vowel, tail)
        return [torch.where(take, fresh, kept) for fresh, kept in zip(drawn, new, strict=True)], done | take

    def _draw(self, place: Place, letters: Tensor, settings: RowSettings) -> Tensor:
        counts, candidates = getattr(self, f"{place}_counts"), getattr(self, f"{place}_candidates")
        number = (torch.rand(letters.shape, device=letters.device) * counts[settings.tables, letters]).long()
        drawn: Tensor = candidates[settings.tables, letters, number]
        return drawn


def _candidate_tensor(tables: LetterTables, place: Place) -> Tensor:
    """Candidates of every letter as indices, (number of letters, 8), padded with the letter itself."""
    alphabet = ALPHABETS[place]
    rows = [[alphabet.index(c) for c in tables.candidates(place, letter)] for letter in alphabet]
    return torch.tensor([(row or [own]) + [own] * (8 - len(row or [own])) for own, row in enumerate(rows)])


def _count_tensor(tables: LetterTables, place: Place) -> Tensor:
    return torch.tensor([max(1, len(tables.candidates(place, letter))) for letter in ALPHABETS[place]])


def _letter_map(letters: tuple[str, ...] | str, targets: dict[str, int]) -> Tensor:
    return torch.tensor([targets.get(letter, NONE) for letter in letters])
