"""
How tokens are chosen, and how what was written becomes text: what transformers calls at each token, and the end.

In: token ids as a model writes them, one by one. Out: an answer. With eos 2 and a syllable that takes three tokens:

    417 88 91 207 2          ─►   Generated("바다 한", num_tokens=4, finished=True)
    417 88 91                ─►   Generated("바다 ", num_tokens=3, finished=False, num_trimmed=2)

Each row draws from random numbers of its own, made of the seed and its prompt: neither its neighbours in a batch nor
the training around it change what it gets.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hanpuri.data.tokenizers import REPLACEMENT, Tokenizer
from hanpuri.training.prompting import Prompting

LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8, and so tokens, at most."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """
    How tokens are chosen.

        >>> Decoding(temperature=-1)
        Traceback (most recent call last):
        ValueError: temperature is -1, expected 0 (greedy) or more
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    """0 always takes the likeliest token (greedy); 1 draws from what the model says."""
    top_p: float = 1.0
    """Draw only from the likeliest tokens that together have this probability."""
    top_k: int = 0
    """Draw only from so many of the likeliest tokens; 0 is all."""
    stop: tuple[str, ...] = ()
    """Texts that end an answer too, besides what ends it by the template; they are not part of it."""
    seed: int = 0
    """With the prompt it decides what is drawn, whichever prompts stand beside it."""
    batch_size: int = 16
    by_text: bool = False
    """The answer to a noisy text gets no more tokens than a text as long as that can take, where this is less.
    Heeded by the engines that hold the model; one behind a server may think aloud first."""

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"temperature is {self.temperature}, expected 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}, expected a share above 0")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}, expected 0 (all tokens) or more")
        if not all(self.stop):
            raise ValueError("a stop is an empty text, which stands everywhere")
        if self.max_new_tokens < 1 or self.batch_size < 1:
            raise ValueError("max_new_tokens and batch_size have to be 1 or more")


@dataclass(frozen=True, slots=True)
class Generated:
    """What a model wrote behind a prompt."""

    text: str
    num_tokens: int
    """Tokens written, the one that ends the text not counted."""
    finished: bool
    """Whether the model ended it; else it was cut at `max_new_tokens` or at the model's last position."""
    num_trimmed: int = 0
    """Tokens at a cut that made up no whole character; they are not in the text."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends an answer."""

    ids: frozenset[int] = frozenset()
    """Tokens, of which each does."""
    texts: tuple[str, ...] = ()
    """Texts, of which each does too."""
    before: str = ""
    """What the template has the model write before the answer: a stop in there ends nothing."""

    def find(self, ids: Sequence[int], tokenizer: Tokenizer) -> int | None:
        """Give how many tokens stand before the end; None if there is none yet."""
        place = next((place for place, id in enumerate(ids) if id in self.ids), None)
        if self.cut(tokenizer.decode(ids[:place], continues=True)) is None:
            return place
        return next(
            length
            for length in range(1, len(ids) + 1)
            if self.cut(tokenizer.decode(ids[:length], continues=True)) is not None
        )

    def cut(self, text: str) -> str | None:
        """
        Give what stands before the first text that ends an answer; None if there is none of them.

            >>> Ends(texts=("\\n", "###"), before="답:\\n").cut("답:\\n바다###\\n")
            '답:\\n바다'
        """
        if self.before.startswith(text):  # still on its way
            return None
        start = len(self.before) if text.startswith(self.before) else 0
        found = [place for ending in self.texts if (place := text.find(ending, start)) >= 0]
        return text[: min(found)] if found else None


def read_answer(ids: Sequence[int], tokenizer: Tokenizer, ends: Ends) -> Generated:
    """
    Turn the tokens that a model wrote into an answer, up to what ends it.

    Special tokens are left out. A character that was cut off in the middle of its bytes is left out too and counted;
    one that the model itself got wrong stays U+FFFD, to be seen.
    """
    end = ends.find(ids, tokenizer)
    kept = list(ids[:end])
    trimmed = 0 if end is not None else _num_broken(kept, tokenizer)
    text = _spell(kept[: len(kept) - trimmed], tokenizer)
    cut = ends.cut(text)
    return Generated(text if cut is None else cut, len(kept), end is not None, trimmed)


class Draw:
    """
    Draws a token for each row, in the place where transformers offers to change what is likely.

    Each row draws from random numbers of its own, so that neither its neighbours nor the training beside it matter.
    In the order of transformers and vLLM: temperature, then `top_k`, then `top_p` of what is left.
    """

    def __init__(self, decoding: Decoding, prompts: Sequence[Sequence[int]]) -> None:
        self._decoding = decoding
        self._dice = [random.Random(f"{decoding.seed} {list(prompt)}") for prompt in prompts]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Leave one token possible for each row; `scores` are (B, vocabulary)."""
        import torch

        shares = torch.softmax(scores.double() / self._decoding.temperature, dim=-1)
        shares, order = shares.sort(dim=-1, descending=True, stable=True)
        if self._decoding.top_k:
            shares[:, self._decoding.top_k :] = 0.0
            shares = shares / shares.sum(dim=-1, keepdim=True)
        below = shares.cumsum(dim=-1) - shares
        shares = shares.masked_fill(below >= self._decoding.top_p, 0.0)
        upto = shares.cumsum(dim=-1)
        points = torch.tensor([[dice.random()] for dice in self._dice], dtype=upto.dtype, device=upto.device)
        picked = (upto <= points * upto[:, -1:]).sum(dim=-1, keepdim=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter_(1, order.gather(1, picked), 0.0)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows of the batch only, in this order."""
        self._dice = [self._dice[row] for row in rows]


class StopText:
    """Tells transformers which rows have written a text that ends an answer."""

    def __init__(self, ends: Ends, tokenizer: Tokenizer, start: int) -> None:
        self._ends = ends
        self._tokenizer = tokenizer
        self._start = start
        # A token is one byte at least.
        self._num_tokens = max(len(text.encode()) for text in ends.texts) + LONGEST_CHARACTER
        self._behind = Ends(texts=ends.texts)
        self._num_before = len(ends.before.encode())

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Tell it for each row of `input_ids`, (B, T)."""
        import torch

        first = input_ids.shape[1] - self._num_tokens
        far = first >= self._start + self._num_before
        ends = self._behind if far else self._ends
        tails = input_ids[:, first if far else self._start :].tolist()
        texts = self._tokenizer.decode_batch(tails, continues=True)
        return torch.tensor([ends.cut(text) is not None for text in texts], device=input_ids.device)


class StopAsked:
    """Tells transformers to write no more when nobody waits for the answer any longer."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Tell it for all rows of `input_ids`, (B, T), alike."""
        import torch

        return torch.full(input_ids.shape[:1], self._stopped(), device=input_ids.device)


class Listener:
    """Takes tokens from transformers one by one, and hands on the text that is sure by now."""

    def __init__(self, tokenizer: Tokenizer, ends: Ends, prompting: Prompting, on_text: Callable[[str], None]) -> None:
        self._tokenizer, self._ends, self._prompting, self._on_text = tokenizer, ends, prompting, on_text
        self._ids: list[int] | None = None
        self._said = ""

    def put(self, tokens: Any) -> None:
        """Take the next token; first of all the prompt comes."""
        if self._ids is None:
            self._ids = []
            return
        self._ids += tokens.flatten().tolist()
        text = self._prompting.answer_of(read_answer(self._ids, self._tokenizer, self._ends).text)
        for ending in (*self._ends.texts, self._prompting.after):
            text = text[: len(text) - _num_begun(text, ending)]
        if not text.endswith(REPLACEMENT):
            self._say(text)

    def end(self) -> None:
        """Do nothing: the caller closes with the answer as it was read."""

    def close(self, text: str) -> None:
        """Hand on what is left of the whole answer."""
        self._say(text)

    def _say(self, text: str) -> None:
        if len(text) > len(self._said) and text.startswith(self._said):
            self._on_text(text[len(self._said) :])
            self._said = text


def _num_begun(text: str, ending: str) -> int:
    """
    Count the characters at the end of a text that may be the beginning of an ending.

        >>> _num_begun("좋아요\\n#", "\\n###"), _num_begun("좋아요", "\\n###")
        (2, 0)
    """
    return next((count for count in range(len(ending), 0, -1) if text.endswith(ending[:count])), 0)


def _spell(ids: Sequence[int], tokenizer: Tokenizer) -> str:
    return tokenizer.decode([id for id in ids if id not in tokenizer.special_ids], continues=True)


def _num_broken(ids: Sequence[int], tokenizer: Tokenizer) -> int:
    """
    Count the tokens at the end that are the beginning of a character.

    By tokens, not by what is read: of bytes that make up no text, some tokenizers read not one character.
    """
    for count in range(min(LONGEST_CHARACTER, len(ids) + 1)):
        if not _spell(ids[: len(ids) - count], tokenizer).endswith(REPLACEMENT):
            return count
    return 0  # broken further back too: the model's own doing, to be seen
