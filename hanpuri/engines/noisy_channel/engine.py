"""
The engine of the noisy channel: a causal model of transformers, and the generator of the noise.

In:  `transformers:runs/cpu-tiny,channel=airbnb`.   Out: an engine that restores noisy texts, and answers nothing else.

A model of running text is asked how likely a text is; so it restores without having been tuned to. One that was trained
to restore is asked how likely a text is as its answer to the noisy one, which it reads first.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any, Self

from hanpuri.data.templates import Fields
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.noisy_channel.language_model import CausalModel
from hanpuri.engines.noisy_channel.search import search
from hanpuri.engines.noisy_channel.slots import Slot, Spelling, read_slots
from hanpuri.engines.settings import EngineSettings
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import DataError
from hanpuri.hangul import FIRST_SYLLABLE, is_syllable
from hanpuri.noise.channel import feasible_letters
from hanpuri.noise.likelihood import Channel
from hanpuri.training.generation import checked_ids, find_positions
from hanpuri.training.prompting import Prompting

STRENGTHS = {0.98: 0.8, 0.5: 0.1, 0.02: 0.1}
"""Which share of the syllables may have changed, in how many texts: never all, so that any text is possible."""
WEIGHT = 0.8
"""What the channel counts for beside a model of running text."""
PROMPTED_WEIGHT = 0.5
"""The same beside a model that has read the noisy text."""
WIDTH = 8
"""Beginnings of a text that are kept at most."""
MARGIN = 6.0
"""Nats that one of them may fall behind the best."""
WINDOW = 256
"""Tokens that a model of running text looks back at most."""
NO_LIMIT = 1 << 30
"""Tokens of a model that does not say how many it can read."""


class NoisyChannelEngine:
    """A language model with a channel. Made by `open`."""

    name: str
    identity: str
    """All that its answers depend on: the model's own, the noise, and how both are weighed."""

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Tokenizer,
        prompting: Prompting,
        *,
        profile: str,
        identity: str = "",
        weight: float | None = None,
        width: int = WIDTH,
    ) -> None:
        self.name = name
        self.prompting = prompting
        self._is_prompted = prompting.form != "text" and (prompting.form is not None or tokenizer.has_chat_template)
        self._tokenizer = tokenizer
        self._positions = find_positions(model)
        self._spelling = Spelling.of(tokenizer)
        self._feasible, self._channel = feasible_letters(profile), Channel(strengths=STRENGTHS, profile=profile)
        pad_id = next((id for id in (tokenizer.pad_id, tokenizer.eos_id) if id is not None), 0)
        reach = self._positions or NO_LIMIT
        window = reach if self._is_prompted else min(WINDOW, reach)
        self._model = CausalModel(model, pad_id=pad_id, window=window)
        usual = PROMPTED_WEIGHT if self._is_prompted else WEIGHT
        self._weight = usual if weight is None else weight
        self._width = width
        self.identity = f"{identity} channel {profile} {STRENGTHS} {self._weight} {width} {window}"

    @classmethod
    def open(cls, settings: EngineSettings) -> Self:
        """
        Load the model of `transformers:runs/cpu-tiny,channel=airbnb`.

        Raises:
            EngineError: if its tokenizer does not write character by character.
            DataError, ModelError, RecipeError: as `TransformersEngine.open`.
        """
        asked = TransformersEngine.open(settings)
        return cls(
            settings.name,
            asked._model,
            asked._tokenizer,
            asked.prompting,
            profile=settings.channel,
            identity=asked.identity,
        )

    def prompt(self, row: Fields, name: str) -> str:
        """
        Give what is read for a row: its noisy text, or the prompt that holds it; see `Engine.prompt`.

        Raises:
            DataError: as `generate`.
        """
        noisy = _noisy_of(row, name)
        return self.prompting.prompt(row, name).text if self._is_prompted else noisy

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Restore rows; see `Engine.generate`. Of `decoding` the batch size applies: nothing is drawn, and nothing is cut.

        Raises:
            DataError: if a row has no noisy text, or is too long for a model that reads it first.
        """
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        texts = [_noisy_of(row, name) for row, name in zip(rows, names, strict=True)]
        slots = [read_slots(text, self._spelling, self._feasible) for text in texts]
        prompts = [self._prompt_ids(*each) for each in zip(rows, slots, names, strict=True)]
        found = self._search(slots, prompts, decoding.batch_size)
        return [_answer(text, one, len(prompt)) for text, one, prompt in zip(texts, found, prompts, strict=True)]

    def _search(
        self, slots: Sequence[Sequence[Slot]], prompts: Sequence[Sequence[int]], batch_size: int
    ) -> list[tuple[int, ...]]:
        """Search some texts at a time, those of like length together; one without a syllable is not looked at."""
        found: list[tuple[int, ...]] = [()] * len(slots)
        worthwhile = [place for place, text in enumerate(slots) if any(len(slot.tokens) > 1 for slot in text)]
        worthwhile.sort(key=lambda place: len(slots[place]))
        for start in range(0, len(worthwhile), batch_size):
            places = worthwhile[start : start + batch_size]
            results = search(
                [slots[place] for place in places],
                [prompts[place] for place in places],
                self._model,
                self._channel,
                weight=self._weight,
                width=self._width,
                margin=MARGIN,
            )
            for place, result in zip(places, results, strict=True):
                found[place] = result
        return found

    def _prompt_ids(self, row: Fields, slots: Sequence[Slot], name: str) -> list[int]:
        """Give the tokens that the model reads before the text."""
        if not self._is_prompted:
            first = self._tokenizer.bos_id
            return [self._tokenizer.need_eos() if first is None else first]
        ids = checked_ids(self.prompting.prompt(row, name), self._tokenizer, self._positions)
        ids += self._tokenizer.encode(self.prompting.before, after="\n") if self.prompting.before else []
        if self._positions is not None and (total := len(ids) + len(slots)) > self._positions:
            found = f"{name}: found {total:,} tokens of prompt and answer, expected at most {self._positions:,}"
            raise DataError(f"{found}, the model's positions", "shorten it")
        return ids


def _noisy_of(row: Fields, name: str) -> str:
    if not isinstance(noisy := row.get("noisy"), str):
        found = f"{name}: found the fields {', '.join(row)}, expected noisy: a channel restores, no more"
        raise DataError(found, "ask without channel")
    if any("\ud800" <= character <= "\udfff" for character in noisy):
        raise DataError(f"{name}: found half a surrogate pair, expected text", "clean the text first")
    return unicodedata.normalize("NFC", noisy)


def _answer(noisy: str, found: Sequence[int], num_prompt_tokens: int) -> Answer:
    """Put the syllables that were found into their places; where nothing was looked for, the text stays."""
    characters = list(noisy)
    places = [place for place, character in enumerate(noisy) if is_syllable(character)]
    for place, number in zip(places, found, strict=False):
        characters[place] = chr(FIRST_SYLLABLE + number)
    return Answer("".join(characters), len(noisy), True, num_prompt_tokens=num_prompt_tokens)
