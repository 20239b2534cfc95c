"""
Windows of any lengths, one behind the other ─► a score for every label of every item: no batch for each length.

In:  features (N, 6) of windows that are laid end to end, and their lengths.   Out: scores (N, num_labels).

Texts have hundreds of lengths, and a GPU idles through as many small batches. Laid end to end they fill it: everything
but the attention looks at one item at a time, and the attention is told where windows end. Needs torch.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from hanpuri.compact.network import HEAD_WIDTH, Block, RestorerNetwork, normalise, rotate

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values (N, H, 64) ─► what each item takes from the others of its window (N, H, 64)."""


def score_packed(network: RestorerNetwork, features: Tensor, lengths: Sequence[int]) -> Tensor:
    """
    Score the labels of windows that are laid end to end: what `network` says of each alone.

    Args:
        network: on the device of the features, in its precision or under autocast.
        features: (N, 6), of all windows.
        lengths: how many of the N items each window has.
    """
    num_items, device = len(features), features.device
    counts = send(torch.tensor(lengths), device)
    ends = counts.cumsum(0)
    firsts = (ends - counts).repeat_interleave(counts, output_size=num_items)
    places = torch.arange(num_items, device=device) - firsts
    hidden = network.embedding(features[None])[0]
    cosine, sine = (table[places, None].type_as(hidden) for table in (network.cosine, network.sine))
    attend = attend_in_one(lengths, ends) if features.is_cuda else attend_in_turn(lengths)
    for block in network.blocks:
        assert isinstance(block, Block)
        parts = block.query_key_value(normalise(hidden)).view(len(hidden), 3, block.num_heads, HEAD_WIDTH)
        query, key, value = parts.unbind(1)
        mixed = attend(rotate(query, cosine, sine), rotate(key, cosine, sine), value.contiguous())
        hidden = hidden + block.attention_out(mixed.flatten(1))
        hidden = hidden + block.feed(normalise(hidden))
    scores: Tensor = network.head(normalise(hidden))
    return scores


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Put a tensor of the processor on a device; a GPU fetches it while the caller goes on."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def attend_in_one(lengths: Sequence[int], ends: Tensor) -> Attend:
    """All windows in one call of FlashAttention, which wants a GPU and 16 bits."""
    from torch.nn.attention.varlen import varlen_attn

    bounds = F.pad(ends, (1, 0)).to(torch.int32)
    longest = max(lengths)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        mixed = varlen_attn(query, key, value, bounds, bounds, longest, longest)
        assert isinstance(mixed, Tensor)
        return mixed

    return attend


def attend_in_turn(lengths: Sequence[int]) -> Attend:
    """One window after the other, on any device."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        heads = (torch.split(tensor.transpose(0, 1), list(lengths), 1) for tensor in (query, key, value))
        mixed = [F.scaled_dot_product_attention(*window) for window in zip(*heads, strict=True)]
        return torch.cat(mixed, 1).transpose(0, 1)

    return attend
