"""
How far a model has gone from its reference, in nats a token: exact over the vocabulary, at tokens that are given.

In: the model, the reference, rows of tokens and which of them count. Out: the sum of the Kullback-Leibler divergences
of what the one says about the next token from what the other says, and how many tokens that were:

    (B, T) tokens, 41 of them counted   ─►   tensor([1.23, 41.])   0.03 nats a token: hardly any way at all

A sampled estimate would hang on which token came; this one does not. Needs torch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import log_softmax

from hanpuri.data.examples import IGNORE, Counts, Example, iterate_examples
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.training.answering import answered_row
from hanpuri.training.feeding.datasets import Collator
from hanpuri.training.feeding.rows import render_rows
from hanpuri.training.generation import AnswerScorer

# Numbers of one model's logits that are held at a time: 256 MB in float32.
LOGITS_AT_ONCE = 1 << 26
LONGEST = 1 << 20  # tokens; what was answered was short enough


@dataclass(frozen=True)
class Drift:
    """Measures the way between a model and its reference."""

    model: Callable[..., Any]
    as_reference: Callable[[], AbstractContextManager[Callable[..., Any]]]
    """Gives what answers in the reference's place, for the length of a `with`."""
    rows_at_once: int
    """The same in every process, because sharded models compute together."""

    def measure(self, input_ids: Any, attention_mask: Any, counted: Any) -> Any:
        """
        Add up the divergence over the tokens that count.

        Args:
            input_ids: (B, T), padded on the right.
            attention_mask: (B, T).
            counted: (B, T - 1), 1 or True where the next token counts.

        Returns:
            (2,) in float64: nats, and tokens.
        """
        total = torch.zeros(2, dtype=torch.float64, device=input_ids.device)
        for start in range(0, len(input_ids), self.rows_at_once):
            some = slice(start, start + self.rows_at_once)
            total += self._measure_some(input_ids[some], attention_mask[some], counted[some])
        return total

    def _measure_some(self, input_ids: Any, attention_mask: Any, counted: Any) -> Any:
        keep = counted.any(0).nonzero().squeeze(1)  # places at which any row foretells a token that counts
        counted = counted[:, keep].bool()
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "use_cache": False, "logits_to_keep": keep}
        own = log_softmax(self.model(**given).logits.float(), -1)
        with self.as_reference() as reference:
            theirs = log_softmax(reference(**given).logits.float(), -1)
        nats = (own.exp() * (own - theirs)).sum(-1).double()
        return torch.stack([nats[counted].sum(), counted.sum().double()])


def choose_rows_at_once(vocabulary: int, max_length: int) -> int:
    """
    Say how many rows' logits are held at a time.

        >>> choose_rows_at_once(2_000, 384), choose_rows_at_once(150_000, 1024)
        (87, 1)
    """
    return max(1, LOGITS_AT_ONCE // (vocabulary * max_length))


def own_examples(scorer: AnswerScorer, tokenizer: Tokenizer) -> list[Example]:
    """Give the rows that a scorer has just asked, with the model's answers in the place of the right ones."""
    answered = zip(scorer.rows, scorer.last, strict=True)
    rows = [row._replace(fields=dict(answered_row(row.fields, answer.hypothesis))) for row, answer in answered]
    settings = ExampleSettings(max_length=LONGEST, faults="drop")  # an empty answer has no token to go by
    return list(iterate_examples(render_rows(scorer.prompting.template, rows), tokenizer, settings, Counts()))


def batches(examples: Sequence[Example], size: int, pad_id: int) -> Iterator[dict[str, Any]]:
    """Lay examples side by side, `size` at a time; `counted` tells which tokens the model wrote."""
    collate = Collator(pad_id)
    for start in range(0, len(examples), size):
        some = examples[start : start + size]
        batch = collate([{"input_ids": one.input_ids, "labels": one.labels} for one in some])
        labels = batch.pop("labels")
        yield {**batch, "counted": labels[:, 1:] != IGNORE}
