"""
Texts as tokens ─► what a reward model is fed: side by side, padded on the right.

In: whole texts, prompt and answer and the token that ends it. Out: tensors; of two pairs, with 9 in the padding:

    5 6 | 7 0 over 8 8 0   and   5 | 7 0 over 8 0      input_ids   5 6 7 0 9     the chosen ones first,
                                                                   5 7 0 9 9
                                                                   5 6 8 8 0     then the rejected
                                                                   5 8 0 9 9

The network finds the end of a text as its last token that is not padding, so no text may end in the padding's id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PairCollator:
    """Rows with prompt_ids, chosen_ids and rejected_ids ─► one batch, (2B, T): first what is better, then the rest."""

    pad_id: int

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Lay a batch; see `lay`."""
        sides = ("chosen_ids", "rejected_ids")
        return lay([[*row["prompt_ids"], *row[side]] for side in sides for row in rows], self.pad_id)


def lay(texts: Sequence[Sequence[int]], pad_id: int) -> dict[str, Any]:
    """
    Lay texts side by side.

    Raises:
        ValueError: if there is none, or one that ends in the padding's id: it would be read one token too early.
    """
    import torch

    if not texts or any(not len(ids) or ids[-1] == pad_id for ids in texts):
        raise ValueError(f"found no text or one that ends in {pad_id}, the id of the padding")
    shape = len(texts), max(map(len, texts))
    input_ids, attention_mask = np.full(shape, pad_id, np.int64), np.zeros(shape, np.int64)
    for place, ids in enumerate(texts):
        input_ids[place, : len(ids)] = ids
        attention_mask[place, : len(ids)] = 1
    return {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(attention_mask)}
