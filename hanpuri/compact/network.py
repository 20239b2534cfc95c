"""
The encoder: features of a noisy text ─► a score for every label at every item.

In:  features (B, T, 6).   Out: scores (B, T, num_labels).

A plain transformer encoder, chosen for what a laptop's integer arithmetic does well: the sum of six embeddings, rotary
positions, normalisation before each half of a block without learnt scales (the matrix after it can learn them), GELU.
Rows of a batch are of one length, so there is no padding and no mask. Needs torch.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hanpuri.compact.embedding import SummedEmbedding
from hanpuri.compact.settings import MAX_LENGTH

HEAD_WIDTH = 64
FEED_FORWARD_FACTOR = 4
ROTARY_BASE = 10_000.0
NORM_EPSILON = 1e-6


@dataclass(frozen=True)
class NetworkShape:
    """The sizes that make a network: how many embeddings and labels, how wide, how many blocks."""

    num_embeddings: int
    num_labels: int
    width: int
    num_layers: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.width % HEAD_WIDTH:
            raise ValueError(f"the width is {self.width}; it has to be a multiple of {HEAD_WIDTH}")

    @property
    def num_heads(self) -> int:
        """Attention heads of 64 each."""
        return self.width // HEAD_WIDTH

    def as_dict(self) -> dict[str, int]:
        """The four numbers by name."""
        return asdict(self)


def rotary_angles() -> Tensor:
    """The angle of every position and frequency, (MAX_LENGTH, HEAD_WIDTH / 2)."""
    half = HEAD_WIDTH // 2
    angles: Tensor = torch.arange(MAX_LENGTH)[:, None] / ROTARY_BASE ** (torch.arange(half) / half)
    return angles


class Block(nn.Module):
    """Attention to all items, then a feed-forward layer; each is added to what came in."""

    def __init__(self, width: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = nn.Dropout(dropout)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, FEED_FORWARD_FACTOR * width, bias=False)
        self.down = nn.Linear(FEED_FORWARD_FACTOR * width, width, bias=False)

    def forward(self, hidden: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """(B, T, width) ─► (B, T, width)."""
        hidden = hidden + self.dropout(self.attend(normalise(hidden), cosine, sine))
        fed: Tensor = self.dropout(self.feed(normalise(hidden)))
        return hidden + fed

    def feed(self, hidden: Tensor) -> Tensor:
        """Every item by itself, through a layer four times as wide."""
        fed: Tensor = self.down(F.gelu(self.up(hidden)))
        return fed

    def attend(self, hidden: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Every item looks at every other; positions enter as a rotation of queries and keys."""
        batch, length, width = hidden.shape
        parts = self.query_key_value(hidden).view(batch, length, 3, self.num_heads, HEAD_WIDTH)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(rotate(query, cosine, sine), rotate(key, cosine, sine), value)
        mixed = mixed.transpose(1, 2).reshape(batch, length, width)
        out: Tensor = self.attention_out(mixed)
        return out


def normalise(hidden: Tensor) -> Tensor:
    """Scale every item to a root mean square of one."""
    return F.rms_norm(hidden, hidden.shape[-1:], eps=NORM_EPSILON)


def rotate(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate the two halves of each head (B, H, T, 64) by the angle of its position (Su et al., RoFormer)."""
    first, second = heads.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1).type_as(heads)


class RestorerNetwork(nn.Module):
    """Embeddings, blocks, and a linear layer that scores the labels."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: NetworkShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = nn.Dropout(dropout)
        self.embedding = SummedEmbedding(shape.num_embeddings, shape.width)
        self.blocks = nn.ModuleList(Block(shape.width, shape.num_heads, dropout) for _ in range(shape.num_layers))
        self.head = nn.Linear(shape.width, shape.num_labels)
        self.register_buffer("cosine", rotary_angles().cos(), persistent=False)
        self.register_buffer("sine", rotary_angles().sin(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                nn.init.zeros_(parameter)
            else:
                # What is added to the residual stream starts small, so that depth does not blow it up.
                is_added = name.endswith(("attention_out.weight", "down.weight"))
                shrink = (2 * self.shape.num_layers) ** -0.5 if is_added else 1.0
                nn.init.normal_(parameter, std=0.02 * shrink)

    def forward(self, features: Tensor) -> Tensor:
        """Score the labels: (B, T, 6) ─► (B, T, num_labels), with T up to MAX_LENGTH."""
        scores: Tensor = self.head(self.encode(features))
        return scores

    def encode(self, features: Tensor) -> Tensor:
        """Everything but the last layer: (B, T, 6) ─► (B, T, width), normalised."""
        hidden: Tensor = self.dropout(self.embedding(features))
        length = features.shape[1]
        cosine, sine = self.cosine[:length].type_as(hidden), self.sine[:length].type_as(hidden)
        for block in self.blocks:
            hidden = block(hidden, cosine, sine)
        return normalise(hidden)
