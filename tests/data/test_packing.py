"""
Packing: no token is lost, no row sees another.

In: token ids and examples. Out: blocks and packs; and a tiny model that says the same of a row in a pack and alone.
"""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.examples import IGNORE, Counts, Example
from hanpuri.data.packing import (
    block_diagonal_mask,
    first_fit_decreasing,
    make_blocks,
    pack_documents,
    pack_examples,
)
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import load_template

documents = st.lists(st.lists(st.integers(1, 500), max_size=12), max_size=12)
lengths = st.lists(st.integers(0, 12), max_size=40)


def example(id: str, ids: list[int], num_prompt: int = 1) -> Example:
    labels = [IGNORE] * num_prompt + ids[num_prompt:]
    return Example(id, np.array(ids, np.int32), np.array(labels, np.int32))


# --- pre-training


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bytes", "물</s>산</s>"),
        ("unigram", "<s> 물</s><s> 산</s>"),  # puts a bos token, and a space before each text
    ],
)
def test_documents_end_with_eos_and_begin_as_the_tokenizer_has_it(tokenizer_of, kind, expected):
    tokenizer, plain, counts = tokenizer_of(kind), load_template("plain"), Counts()
    rows = [plain.render({"text": text}, text) for text in ("물", "산")]
    blocks = list(make_blocks(rows, tokenizer, ExampleSettings(max_length=3), counts, keep_last=True))
    assert tokenizer.decode([id for block in blocks for id in block.tolist()]) == expected
    assert (counts.examples, counts.tokens) == (2, sum(map(len, blocks)))
    assert all(len(block) == 3 for block in blocks[:-1])


@given(documents=documents, max_length=st.integers(2, 9))
def test_blocks_hold_every_token_in_order(documents, max_length):
    blocks = [block.tolist() for block in pack_documents(documents, max_length, keep_last=True)]
    assert list(chain(*blocks)) == list(chain(*documents))
    assert all(len(block) == max_length for block in blocks[:-1])


@given(documents=documents, max_length=st.integers(2, 9))
def test_without_the_last_block_all_are_full(documents, max_length):
    blocks = list(pack_documents(documents, max_length))
    assert all(len(block) == max_length for block in blocks)
    assert len(blocks) == sum(map(len, documents)) // max_length


def test_blocks_come_before_all_documents_are_read():
    read = []

    def documents():
        for number in range(1, 100):
            read.append(number)
            yield [number] * 3

    assert next(pack_documents(documents(), 4)).tolist() == [1, 1, 1, 2]
    assert read == [1, 2]


def test_a_block_of_one_token_teaches_nothing():
    with pytest.raises(ValueError, match=r"^max_length is 1, a block needs at least 2 tokens$"):
        list(pack_documents([[1]], 1))


# --- fine-tuning


@given(lengths=lengths, capacity=st.integers(12, 30))
def test_each_length_lies_in_one_bin_and_no_bin_is_over_full(lengths, capacity):
    bins = first_fit_decreasing(lengths, capacity)
    assert sorted(chain(*bins)) == list(range(len(lengths)))
    assert all(sum(lengths[place] for place in places) <= capacity for places in bins)


@given(lengths=lengths, capacity=st.integers(12, 30))
def test_bins_are_those_of_looking_through_all_bins(lengths, capacity):
    bins: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        fits = (places for places in bins if sum(lengths[one] for one in places) + lengths[place] <= capacity)
        if (places := next(fits, None)) is None:
            bins.append(places := [])
        places.append(place)
    assert first_fit_decreasing(lengths, capacity) == sorted(sorted(places) for places in bins)


def test_a_length_over_the_capacity_is_a_wrong_call():
    with pytest.raises(ValueError, match=r"^a length is over the capacity of 4$"):
        first_fit_decreasing([5], 4)
    with pytest.raises(ValueError, match=r"^long has 5 tokens, a pack holds 4$"):
        pack_examples([example("long", [1, 2, 3, 4, 5])], 4)


def test_rows_of_a_pack_begin_anew():
    (pack,) = pack_examples([example("a", [5, 6, 0]), example("b", [8, 0], num_prompt=0)], 6)
    assert pack.ids == ("a", "b")
    assert pack.input_ids.tolist() == [5, 6, 0, 8, 0]
    assert pack.labels.tolist() == [IGNORE, 6, 0, IGNORE, 0]
    assert pack.position_ids.tolist() == [0, 1, 2, 0, 1]
    assert pack.sequence_ids.tolist() == [1, 1, 1, 2, 2]


@given(rows=st.lists(st.lists(st.integers(1, 500), min_size=1, max_size=12), max_size=12))
def test_packs_hold_every_token_of_every_row(rows):
    examples = [example(str(number), ids, 0) for number, ids in enumerate(rows)]
    seen = {}
    for pack in pack_examples(examples, 16):
        assert len(pack) <= 16
        for number, id in enumerate(pack.ids, 1):
            own = pack.sequence_ids == number
            seen[id] = pack.input_ids[own].tolist()
            assert pack.labels[own].tolist() == [IGNORE, *seen[id][1:]]
            assert pack.position_ids[own].tolist() == list(range(len(seen[id])))
    assert seen == {str(number): ids for number, ids in enumerate(rows)}


@settings(max_examples=30)
@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_a_token_sees_its_own_row_up_to_itself(lengths):
    sequence_ids = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    mask = block_diagonal_mask(sequence_ids)
    for row, column in np.ndindex(mask.shape):
        assert mask[row, column] == (column <= row and sequence_ids[row] == sequence_ids[column])


def test_a_model_says_the_same_of_a_row_in_a_pack_and_alone():
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    configuration = LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, attn_implementation="eager")
    model = LlamaForCausalLM(configuration).eval()
    rows = [example("a", [5, 6, 7, 8, 2]), example("b", [9, 3, 2]), example("c", [4, 4, 11, 2])]
    (pack,) = pack_examples(rows, 12)
    allowed = torch.tensor(block_diagonal_mask(pack.sequence_ids))
    mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[None, None]
    with torch.no_grad():
        ids, positions = (torch.tensor(array.astype(np.int64))[None] for array in (pack.input_ids, pack.position_ids))
        packed = model(input_ids=ids, position_ids=positions, attention_mask=mask).logits[0]
        causal = model(input_ids=ids).logits[0]
        for number, id in enumerate(pack.ids, 1):
            row = next(row for row in rows if row.id == id)
            alone = model(input_ids=torch.tensor(row.input_ids.astype(np.int64))[None]).logits[0]
            own = torch.tensor(pack.sequence_ids == number)
            assert torch.allclose(packed[own], alone, atol=1e-5)
    # Without the mask they differ, so the comparison can tell.
    assert not torch.allclose(causal[-1], packed[-1], atol=1e-3)
