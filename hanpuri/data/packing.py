"""
Examples and documents laid end to end, so that no computation goes into padding.

In: documents as token ids, or examples. Out: blocks of one length for pre-training, and packs for fine-tuning. Two
documents in blocks of four, eos being 0; two examples in a pack:

    [5, 6, 7], [8, 9]              ─►  [5, 6, 7, 0], [8, 9, 0]
    [5, 6, 0], [8, 0]              ─►  input_ids [5, 6, 0, 8, 0]    position_ids [0, 1, 2, 0, 1]
                                       sequence_ids [1, 1, 1, 2, 2]

In pre-training a block may begin in the middle of a document, and a document sees the one before it in its block. In a
pack no row sees another: positions begin anew, attention is cut by `block_diagonal_mask`, and the first token of a row
is never trained, because it would be foretold from its neighbour's end.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hanpuri.data.examples import IGNORE, Counts, Example, Ids, iterate_examples
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import Rendered
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """Rows laid end to end; each array is (T,), and T is at most the length that was asked for."""

    ids: tuple[str, ...]
    """The rows' ids, in order."""
    input_ids: Ids
    labels: Ids
    position_ids: Ids
    """From 0 on in each row."""
    sequence_ids: Ids
    """1 for the tokens of the first row, 2 for those of the second; 0 is left for padding."""

    def __len__(self) -> int:
        return len(self.input_ids)


def make_blocks(
    rendereds: Iterable[Rendered | DataError],
    tokenizer: Tokenizer,
    settings: ExampleSettings,
    counts: Counts,
    *,
    keep_last: bool = False,
) -> Iterator[Ids]:
    """
    Turn rows into blocks of `max_length` tokens for pre-training; a document may be longer than a block.

    Raises:
        DataError, ModelError: as `examples.iterate_examples`; faulty rows once all others were given.
    """
    whole = settings.model_copy(update={"max_length": sys.maxsize})
    documents = (example.input_ids for example in iterate_examples(rendereds, tokenizer, whole, counts))
    yield from pack_documents(documents, settings.max_length, keep_last=keep_last)


def pack_documents(
    documents: Iterable[Sequence[int] | Ids], max_length: int, *, keep_last: bool = False
) -> Iterator[Ids]:
    """
    Lay documents end to end and cut them in blocks, holding one block and one document in memory.

    Every token of a block is trained: its labels are its ids.

        >>> [block.tolist() for block in pack_documents([[5, 6, 7, 0], [8, 9, 0]], 4, keep_last=True)]
        [[5, 6, 7, 0], [8, 9, 0]]

    Args:
        documents: token ids, each ended by its eos as examples are.
        max_length: tokens in a block.
        keep_last: give the last block too if it is shorter.

    Raises:
        ValueError: if `max_length` is under 2.
    """
    if max_length < 2:
        raise ValueError(f"max_length is {max_length}, a block needs at least 2 tokens")
    waiting: list[int] = []
    for document in documents:
        waiting.extend(document)
        end = len(waiting) - len(waiting) % max_length
        for start in range(0, end, max_length):
            yield np.array(waiting[start : start + max_length], np.int32)
        del waiting[:end]
    if waiting and keep_last:
        yield np.array(waiting, np.int32)


def pack_examples(examples: Sequence[Example], max_length: int) -> list[Pack]:
    """
    Lay examples into as few packs as first-fit decreasing finds: the longest first, each into the first pack with room.

    The same examples give the same packs. Rows keep their order within a pack, and packs that of their first rows.

    Raises:
        ValueError: if an example is longer than `max_length`.
    """
    for example in examples:
        if len(example) > max_length:
            raise ValueError(f"{example.id} has {len(example)} tokens, a pack holds {max_length}")
    bins = first_fit_decreasing([len(example) for example in examples], max_length)
    return [_lay([examples[place] for place in places]) for places in bins]


def first_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """
    Deal lengths into bins: the longest first, each into the first bin with room for it.

        >>> first_fit_decreasing([2, 5, 3, 4], 7)
        [[0, 1], [2, 3]]

    Returns:
        the places of the lengths in each bin, ascending.

    Raises:
        ValueError: if a length is over `capacity`.
    """
    if any(length > capacity for length in lengths):
        raise ValueError(f"a length is over the capacity of {capacity}")
    # A tree over the bins whose every node knows the most room below it: the first bin with room in log n steps.
    size = 1 << max(0, (len(lengths) - 1).bit_length())
    room = [capacity] * (2 * size)
    bins: list[list[int]] = [[] for _ in lengths]
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        node = 1
        while node < size:
            node = 2 * node if room[2 * node] >= lengths[place] else 2 * node + 1
        bins[node - size].append(place)
        room[node] -= lengths[place]
        while node > 1:
            node //= 2
            room[node] = max(room[2 * node], room[2 * node + 1])
    return sorted(sorted(places) for places in bins if places)


def block_diagonal_mask(sequence_ids: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """
    Give the mask under which a token sees the tokens of its own row up to itself: (T,) ─► (T, T), True where it sees.

        >>> block_diagonal_mask(np.array([1, 1, 2])).astype(int).tolist()
        [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    same = sequence_ids[:, None] == sequence_ids[None, :]
    return np.asarray(np.tril(same), np.bool_)


def _lay(examples: Sequence[Example]) -> Pack:
    labels = np.concatenate([example.labels for example in examples])
    starts = np.cumsum([0, *(len(example) for example in examples[:-1])])
    labels[starts] = IGNORE
    return Pack(
        ids=tuple(example.id for example in examples),
        input_ids=np.concatenate([example.input_ids for example in examples]),
        labels=labels,
        position_ids=np.concatenate([np.arange(len(example), dtype=np.int32) for example in examples]),
        sequence_ids=np.repeat(np.arange(1, len(examples) + 1, dtype=np.int32), [len(one) for one in examples]),
    )
