"""
Rewards that are no number: an answer that one part of the reward could not score.

In: the parts of the reward of each answer, the answers to one prompt side by side. Out: the same without gaps:

    [0.2, nan, 0.4, 0.6]   ─►   [0.2, 0.4, 0.4, 0.6]     the mean of the others: it pushes the answer nowhere

Needs torch, as whoever has tensors does.
"""

from collections.abc import Sequence
from typing import Any

from hanpuri.errors import ModelError


def fill_unscored(parts: Any, answers: int, names: Sequence[str], row: str) -> Any:
    """
    Give what has no number the mean of the other answers to its prompt, or else that of the whole step.

    Args:
        parts: (prompts · answers, rewards); nan is no number.
        answers: to one prompt, which stand side by side.
        names: of the rewards.
        row: names the first row, for an error.

    Raises:
        ModelError: if a reward scored no answer at all.
    """
    lost = parts.isnan().all(0).tolist()
    if any(lost):
        name = names[lost.index(True)]
        found = f"the reward {name} scored none of the {len(parts):,} answers of a step, that to {row} first"
        raise ModelError(found, "see why it gives no number; the same command goes on from the last checkpoint")
    groups = parts.view(-1, answers, parts.shape[1])
    means = groups.nanmean(1, keepdim=True)
    means = means.where(~means.isnan(), parts.nanmean(0))
    return groups.where(~groups.isnan(), means).reshape(parts.shape)
