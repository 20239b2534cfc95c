"""
Bits per byte: how well a model foretells text, in a unit that does not hang on its tokenizer.

In: a model, held-out tokens. Out: the bits that the model needs for the text, by the bytes of the text in UTF-8:

    tokens     <|end_of_text|>  "이"   " 호텔"  "에서"   <|end_of_text|>
    bits             -          3.1     9.7      1.2          (0.8)           14.0 bits
    bytes            -          3       7        6              -             16 bytes   ─►  0.875 bits per byte

A loss per token cannot be compared: fewer tokens, each harder to foretell, may say the same text. A byte is a byte.
Counted are the tokens that are foretold and stand for text, bits and bytes alike. The first token of a block is not
foretold, so neither its bits nor its bytes count; special tokens, such as the end of a text, stand for no text.
"""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.examples import Example, Ids, collate
from hanpuri.data.tokenizers import BYTE_PIECE, Tokenizer

Sizes = npt.NDArray[np.int64]


def bits_per_byte(
    model: Any, validation_blocks: Sequence[Ids], tokenizer: Tokenizer, batch_size: int, device: str
) -> float:
    """
    Measure a model on blocks such as `feeding.mixture` lays out, in which each text follows an end of text or a bos.

    Args:
        model: one of transformers; its mode is left as it is.
        validation_blocks: (T,) token ids each, of different lengths.
        tokenizer: that of the model.
        batch_size: blocks at once.
        device: where the model is.

    Returns:
        bits per byte; nan if the blocks hold nothing to foretell.
    """
    import torch

    sizes = token_bytes(tokenizer)
    prefixed = puts_space_first(tokenizer)
    nats, num_bytes = 0.0, 0
    for batch in _batches(validation_blocks, batch_size):
        ids, mask = batch.input_ids, batch.attention_mask
        counted = text_bytes(ids, sizes, tokenizer, prefixed) * mask
        counted[:, 0] = 0
        # By what a token is, not by its bytes: a dummy space in front stands for none, and costs bits all the same.
        is_text = (sizes[ids] > 0) & (mask == 1)
        inputs = torch.from_numpy(ids).to(device)
        with torch.no_grad():
            logits = model(input_ids=inputs, attention_mask=torch.from_numpy(mask).to(device)).logits
        for row in range(len(ids)):  # one by one: all logits in float32 would take twice the memory
            places = torch.from_numpy(np.flatnonzero(is_text[row, 1:])).to(device)
            scores = logits[row].index_select(0, places).float()
            nats += float(torch.nn.functional.cross_entropy(scores, inputs[row, 1:][places], reduction="sum"))
        num_bytes += int(counted.sum())
    return nats / math.log(2) / num_bytes if num_bytes else math.nan


def token_bytes(tokenizer: Tokenizer) -> Sizes:
    """
    Count the bytes of text that each token stands for, (V,); special tokens and the unknown token stand for none.

    What an unknown token hides is lost, so a tokenizer that has one looks worse here than it would by its losses.
    """
    vocabulary = {id: piece for piece, id in tokenizer.fast.get_vocab().items()}
    signs = tokenizer.special_ids | {tokenizer.unk_id}
    added = set(tokenizer.fast.added_tokens_decoder)
    is_byte_level = '"ByteLevel"' in _decoder(tokenizer)
    ids = sorted(id for id in vocabulary if id not in signs)
    sizes = np.zeros(max(vocabulary) + 1, np.int64)
    for id, text in zip(ids, tokenizer.decode_batch([[id] for id in ids], continues=True), strict=True):
        if id in added:
            sizes[id] = len(vocabulary[id].encode())
        elif is_byte_level:
            sizes[id] = len(vocabulary[id])  # each of its letters stands for a byte
        else:
            sizes[id] = 1 if BYTE_PIECE.fullmatch(vocabulary[id]) else len(text.encode())
    return sizes


def puts_space_first(tokenizer: Tokenizer) -> bool:
    """Tell whether the tokenizer puts a space before a text that the text does not have."""
    return tokenizer.encode("가") != tokenizer.encode("가", after="가")


def text_bytes(ids: npt.NDArray[np.integer[Any]], sizes: Sizes, tokenizer: Tokenizer, prefixed: bool) -> Sizes:
    """
    Count the bytes of text behind each token of blocks, (B, T).

    Args:
        ids: (B, T).
        sizes: of `token_bytes`.
        tokenizer: the tokenizer.
        prefixed: of `puts_space_first`; the space that it puts behind a special token is no text.
    """
    counted: Sizes = sizes[ids]
    if prefixed:
        starts = np.isin(ids[:, :-1], list(tokenizer.special_ids))
        counted[:, 1:] -= starts & (counted[:, 1:] > 0)
    return counted


def _decoder(tokenizer: Tokenizer) -> str:
    return json.dumps(json.loads(tokenizer.fast.backend_tokenizer.to_str())["decoder"])


def _batches(blocks: Sequence[Ids], batch_size: int) -> Iterator[Any]:
    """Lay blocks side by side, the longest first: little padding, and what does not fit in memory fails at once."""
    ordered = sorted((block for block in blocks if len(block) > 1), key=len, reverse=True)
    for start in range(0, len(ordered), batch_size):
        some = [np.asarray(block, np.int32) for block in ordered[start : start + batch_size]]
        yield collate([Example("", block, block) for block in some], pad_id=0)
