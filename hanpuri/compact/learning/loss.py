"""
What the network makes of a window, and the labels ─► the loss.

In:  hidden (B, T, width), labels (B, T).   Out: the mean cross-entropy of what is to be learnt. Needs torch.
"""

from torch import Tensor
from torch.nn import functional as F

from hanpuri.compact.learning.noising import NOT_LEARNT

# A product with 2,473 columns of two bytes is aligned to nothing, and takes seven times as long as one with 2,496.
COLUMNS = 64
# The logarithm of the share that a column of the padding gets: none.
NEVER = -1e4


def head_loss(hidden: Tensor, weight: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the labels: hidden (B, T, width), labels (B, T) with −100 where nothing is learnt."""
    scores = F.linear(hidden, *pad_head(hidden, weight, bias))
    return F.cross_entropy(scores.flatten(0, 1).float(), labels.flatten(), ignore_index=NOT_LEARNT)


def pad_head(hidden: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Bring the last layer to the precision of `hidden`, with columns that are never likely, up to a multiple of 64."""
    missing = -len(weight) % COLUMNS
    return F.pad(weight.type_as(hidden), (0, 0, 0, missing)), F.pad(bias.type_as(hidden), (0, missing), value=NEVER)
