"""
Prompts ─► tokens: how transformers writes behind a batch of prompts, and how rows that are done leave it.

In: tokens of prompts, and the room of each. Out: the tokens that each got, whatever follows an end included:

    [[1, 417, 88], [1, 5]]   ─►   [[91, 207, 2], [33, 2, 0, 0, …]]

Answers of a batch end at very different places, and one that never ends would hold all the others until there is no
room left. So a batch is written in stretches, and behind each those that are done leave with their share of the cache.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.training.decoding import Decoding, Draw, Ends, Listener, StopAsked, StopText

STRETCH = 32
"""Tokens that are written before those that are done leave."""


class Guide(Protocol):
    """Rules tokens out while a batch is answered; its methods stand where transformers calls them."""

    def rule_out(self, input_ids: Any, scores: Any) -> Any:
        """Give the scores of the next token, (B, vocabulary), −∞ where it may not come."""
        ...

    def look_ahead(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Take the tokens that were chosen, the last ones of `input_ids`; tell for each row whether it is done."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows of the batch only, in this order."""
        ...


def make_batches(
    tokens: Sequence[Sequence[int]], rooms: Sequence[int], size: int, *, mixed: bool
) -> Iterator[list[int]]:
    """
    Group the places of prompts of like length, the longest first; unless `mixed`, of the same room only.

        >>> list(make_batches([[1], [1, 2, 3], [1, 2]], [9, 9, 9], 2, mixed=True))
        [[1, 2], [0]]
    """
    # The longest first: where memory does not do, it fails at once.
    by_length = sorted(range(len(tokens)), key=lambda place: -len(tokens[place]))
    for _, group in groupby(by_length, lambda place: 0 if mixed else rooms[place]):
        places = list(group)
        for start in range(0, len(places), size):
            yield places[start : start + size]


def write(
    model: Any,
    prompts: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
    decoding: Decoding,
    rooms: Sequence[int],
    ends: Ends,
    *,
    guide: Guide | None = None,
    listener: Listener | None = None,
    stopped: Callable[[], bool] | None = None,
) -> list[list[int]]:
    """
    Let a model write behind prompts; the tokens of each, whatever follows an end included.

    Args:
        model: a causal model of transformers, out of training.
        prompts: tokens of each prompt.
        tokenizer: the model's.
        decoding: how tokens are chosen.
        rooms: how many tokens each prompt may get behind it.
        ends: what ends an answer.
        guide: what rules tokens out.
        listener: hears of each token, where there is one prompt.
        stopped: asked at each token whether all is to end there.
    """
    import torch

    device = next(model.parameters()).device
    width = max(map(len, prompts))
    pad_id = next((id for id in (tokenizer.pad_id, tokenizer.eos_id) if id is not None), 0)
    ids = torch.tensor([[pad_id] * (width - len(one)) + list(one) for one in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts], device=device)
    draw = Draw(decoding, prompts) if decoding.temperature else None
    choosing = [*([guide.rule_out] if guide else []), *([draw] if draw else [])]
    stops: list[Callable[..., Any]] = [
        *([guide.look_ahead] if guide else []),
        *([StopText(ends, tokenizer, width)] if ends.texts else []),
        *([StopAsked(stopped)] if stopped else []),
    ]
    written: list[list[int]] = [[] for _ in prompts]
    rows, cache = list(range(len(prompts))), None
    while rows:
        room = max(rooms[row] - len(written[row]) for row in rows)
        # One row alone has nothing to wait for.
        settings = _settings(min(STRETCH, room) if len(rows) > 1 else room, pad_id, ends)
        told = model.generate(
            ids,
            attention_mask=mask,
            past_key_values=cache,
            generation_config=settings,
            logits_processor=choosing,
            stopping_criteria=[done := _Done([rooms[row] for row in rows], width, ends, stops)],
            streamer=listener,
        )
        for row, new in zip(rows, told.sequences[:, ids.shape[1] :].tolist(), strict=True):
            written[row] += new
        left = [place for place, over in enumerate(done.rows) if not over]
        rows = [rows[place] for place in left]
        if rows:
            places = torch.tensor(left, device=device)
            grown = told.sequences.shape[1] - mask.shape[1]
            ids, cache = told.sequences[places], told.past_key_values
            mask = torch.cat([mask[places], mask.new_ones(len(left), grown)], dim=1)
            if len(left) < len(done.rows):
                cache.batch_select_indices(places)
                for one in (guide, draw):
                    if one is not None:
                        one.keep(left)
    return [row[:room] for row, room in zip(written, rooms, strict=True)]


def _settings(num_tokens: int, pad_id: int, ends: Ends) -> Any:
    """Say how transformers writes: the likeliest token of what the processors leave, and nothing of the model's own."""
    import transformers

    make: Any = transformers.GenerationConfig  # its signature has no types
    return make(
        max_new_tokens=num_tokens,
        do_sample=False,
        use_cache=True,
        pad_token_id=pad_id,
        eos_token_id=sorted(ends.ids) or None,
        return_dict_in_generate=True,
    )


class _Done:
    """Tells transformers which rows are done, and remembers it: by a token, a text, or because there is no room."""

    def __init__(self, rooms: Sequence[int], start: int, ends: Ends, stops: Sequence[Callable[..., Any]]) -> None:
        self.rows = [False] * len(rooms)
        self._rooms, self._start, self._ends, self._stops = rooms, start, ends, stops

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Tell it for each row of `input_ids`, (B, T)."""
        import torch

        length, last = input_ids.shape[1] - self._start, input_ids[:, -1].tolist()
        full = [length >= room for room in self._rooms]
        ended = [id in self._ends.ids for id in last]
        told = [stop(input_ids, scores).tolist() for stop in self._stops]
        self.rows = [any(one) for one in zip(self.rows, full, ended, *told, strict=True)]
        return torch.tensor(self.rows, device=input_ids.device)
