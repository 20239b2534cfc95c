"""
A noisy text ─► what can stand in each place, as tokens of a model.

In:  "녀 뮤", a tokenizer of characters.   Out: a Slot each: the tokens of 너, 녀, …; that of the space; those of 무, ….

What is no syllable is itself. A syllable that the model has no token for is not proposed, unless nothing else fits: it
is then spelled in bytes, one slot each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import EngineError
from hanpuri.hangul import FIRST_SYLLABLE, NUM_SYLLABLES, Indices, code_points, join, syllable_mask
from hanpuri.noise.airbnb import LEAD_STEP
from hanpuri.noise.channel import FeasibleLetters

NO_SYLLABLE = -1
BEFORE = "가"
"""Any text before another, so that no tokenizer puts a space between."""


@dataclass(frozen=True)
class Slot:
    """
    The tokens of which one comes next.

    Attributes:
        tokens: (C,) their ids.
        clean: (C,) the number of the syllable that each ends; NO_SYLLABLE for all else.
        noisy: the number of the noisy syllable; NO_SYLLABLE for all else.
        joined: whether another syllable stands right before it.
        following: syllables that may stand right behind it, one for each lead; none if none stands there.
    """

    tokens: Indices
    clean: Indices
    noisy: int = NO_SYLLABLE
    joined: bool = False
    following: tuple[int, ...] = ()


class Spelling:
    """How a tokenizer spells characters, each by itself. Made by `of`."""

    def __init__(self, tokenizer: Tokenizer, token_of: Indices) -> None:
        self._tokenizer = tokenizer
        self.token_of = token_of
        """(11172,) the token that is a syllable by itself; NO_SYLLABLE where it takes several."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Spelling":
        """
        Look each syllable up.

        Raises:
            EngineError: if a token holds several characters: then a text can be spelled in many ways, and what a model
                says of one of them is not what it says of the text.
        """
        if (several := _find_several(tokenizer)) is not None:
            found = f"the tokenizer {tokenizer.name} has tokens of several characters, such as {several!r}"
            raise EngineError(
                f"{found}; channel needs a model that writes character by character",
                "take one that was trained with tokenizer.train.type: character, or aligned in place of channel",
            )
        syllables = [chr(FIRST_SYLLABLE + number) for number in range(NUM_SYLLABLES)]
        spelled = tokenizer.encode_batch(syllables, after=[BEFORE] * NUM_SYLLABLES)
        alone = [ids[0] if len(ids) == 1 and ids[0] != tokenizer.unk_id else NO_SYLLABLE for ids in spelled]
        return cls(tokenizer, np.array(alone))

    def spell(self, character: str) -> list[int]:
        """Give the tokens of one character."""
        return self._tokenizer.encode(character, after=BEFORE)


def _find_several(tokenizer: Tokenizer) -> str | None:
    """Find a token that holds more than one character."""
    texts = tokenizer.decode_batch([[id] for id in range(tokenizer.vocab_size)], continues=True)
    return next((text for id, text in enumerate(texts) if len(text) > 1 and id not in tokenizer.special_ids), None)


def read_slots(noisy: str, spelling: Spelling, feasible: FeasibleLetters) -> list[Slot]:
    """List the slots of a noisy text, in NFC, from left to right."""
    points = code_points(noisy)
    places = np.flatnonzero(syllable_mask(points)).tolist()
    letters = dict(zip(places, zip(*feasible.masks(points), strict=True), strict=True))
    slots: list[Slot] = []
    for place, character in enumerate(noisy):
        if place not in letters:
            slots += _forced(spelling.spell(character))
            continue
        lead, vowel, tail = (np.flatnonzero(mask) for mask in letters[place])
        clean = join(lead[:, None, None], vowel[:, None], tail).ravel()
        clean = clean[spelling.token_of[clean] != NO_SYLLABLE]
        number = int(points[place]) - FIRST_SYLLABLE
        if not len(clean):
            *begun, last = spelling.spell(character)
            slots += _forced(begun)
            clean, tokens = np.array([number]), np.array([last])
        else:
            tokens = spelling.token_of[clean]
        leads = np.flatnonzero(letters[place + 1][0]) if place + 1 in letters else ()
        following = tuple(int(lead) * LEAD_STEP for lead in leads)
        slots.append(Slot(tokens, clean, number, place - 1 in letters, following))
    return slots


def _forced(tokens: Sequence[int]) -> list[Slot]:
    """One slot for each token, in which nothing else can stand."""
    return [Slot(np.array([token]), np.array([NO_SYLLABLE])) for token in tokens]
