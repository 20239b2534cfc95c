"""
A causal model of transformers that goes on with many beginnings at once, and forgets those that are dropped.

In:  a prompt for each text; then, again and again, which beginnings to go on with and by which token each.
Out: log P(next token), one row for each beginning.

All have the same number of tokens behind their prompts, so one cache of keys and values serves them all: it is put into
a new order at every step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hanpuri.engines.noisy_channel.search import LogProbabilities
from hanpuri.hangul import Indices


class CausalModel:
    """The model, and the cache of the texts that it is at."""

    def __init__(self, model: Any, *, pad_id: int, window: int) -> None:
        """
        Take a model in evaluation mode.

        Args:
            model: a causal language model of transformers.
            pad_id: stands before shorter prompts.
            window: tokens that the cache holds at most; then all but the last quarter of them is forgotten.
        """
        self._model, self._pad_id, self._window = model, pad_id, window
        self._device = next(model.parameters()).device
        self._ids: Any = None
        self._mask: Any = None
        self._cache: Any = None

    def begin(self, prompts: Sequence[Sequence[int]]) -> LogProbabilities:
        """Read the prompts; see `LanguageModel.begin`."""
        import torch

        width = max(map(len, prompts))
        padded = [[self._pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        is_token = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self._ids = torch.tensor(padded, device=self._device)
        self._mask = torch.tensor(is_token, device=self._device)
        self._cache = None
        return self._read(self._ids)

    def extend(self, parents: Indices, tokens: Indices) -> LogProbabilities:
        """Go on from some beginnings; see `LanguageModel.extend`."""
        import torch

        places = torch.from_numpy(parents).to(self._device)
        new = torch.from_numpy(tokens).to(self._device)[:, None]
        self._ids = torch.cat([self._ids[places], new], 1)
        self._mask = torch.cat([self._mask[places], torch.ones_like(new)], 1)
        if self._cache.get_seq_length() >= self._window:
            kept = slice(-(self._window // 4), None)
            self._ids, self._mask = self._ids[:, kept], self._mask[:, kept]
            self._cache = None
            return self._read(self._ids)
        self._cache.reorder_cache(places)
        return self._read(new)

    def _read(self, ids: Any) -> LogProbabilities:
        import torch

        positions = (self._mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        with torch.inference_mode():
            told = self._model(
                input_ids=ids,
                attention_mask=self._mask,
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
            self._cache = told.past_key_values
            log_probabilities: LogProbabilities = torch.log_softmax(told.logits[:, -1].float(), -1).cpu().numpy()
        return np.asarray(log_probabilities)
