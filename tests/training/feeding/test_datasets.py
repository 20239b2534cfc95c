import numpy as np
import pytest
import torch

from hanpuri.data.examples import Example
from hanpuri.data.packing import pack_examples
from hanpuri.training.feeding.datasets import Collator, count_tokens, from_blocks, from_examples, from_packs

ARCHITECTURES = ("llama", "qwen3", "gemma", "gemma2", "gemma3", "gpt-neox")
PAD = 9


def example(*ids, trained=1):
    labels = [-100] * (len(ids) - trained) + list(ids[len(ids) - trained :])
    return Example(str(ids), np.array(ids, np.int32), np.array(labels, np.int32))


def as_lists(batch):
    return {name: tensor.tolist() for name, tensor in batch.items()}


def test_examples_become_a_table_and_padded_batches():
    rows = from_examples([example(5, 6, 0, trained=2), example(PAD)])
    assert rows.column_names == ["input_ids", "labels"]
    assert rows[0] == {"input_ids": [5, 6, 0], "labels": [-100, 6, 0]}
    batch = Collator(PAD)([*rows])
    assert as_lists(batch) == {
        "input_ids": [[5, 6, 0], [PAD, PAD, PAD]],
        "labels": [[-100, 6, 0], [PAD, -100, -100]],  # the pad token itself stays trained where it is no padding
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
    }
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())
    assert count_tokens(batch) == 4


def test_packs_are_padded_by_sequences_of_one_token_each_and_have_no_mask():
    packs = pack_examples([example(5, 6, 0, trained=2), example(8, 0), example(7, 0)], 5)
    rows = from_packs(packs)
    assert rows.column_names == ["input_ids", "labels", "position_ids"]
    batch = Collator(PAD)([*rows])
    assert as_lists(batch) == {
        "input_ids": [[5, 6, 0, 8, 0], [7, 0, PAD, PAD, PAD]],
        "labels": [[-100, 6, 0, -100, 0], [-100, 0, -100, -100, -100]],
        "position_ids": [[0, 1, 2, 0, 1], [0, 1, 0, 0, 0]],
    }
    assert count_tokens(batch) == 7


def test_packs_for_flash_attention_are_laid_end_to_end():
    packs = pack_examples([example(5, 6, 0), example(8, 0), example(7, 0)], 5)
    batch = Collator(PAD, end_to_end=True)([*from_packs(packs)])
    assert batch["input_ids"].tolist() == [[5, 6, 0, 8, 0, 7, 0]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1]]
    assert count_tokens(batch) == 7


def test_a_batch_without_rows_is_a_wrong_call():
    with pytest.raises(ValueError, match=r"^found no row, expected at least one$"):
        Collator(PAD)([])


def test_no_rows_make_an_empty_table():
    assert len(from_examples([])) == len(from_packs([])) == 0


def test_blocks_are_read_from_their_file_and_trained_whole(tmp_path):
    cache = tmp_path / "cache" / "blocks.arrow"
    blocks = from_blocks((np.arange(place, place + 4, dtype=np.int32) for place in range(2500)), cache)
    assert len(blocks) == 2500
    assert blocks[2400] == {"input_ids": [2400, 2401, 2402, 2403], "labels": [2400, 2401, 2402, 2403]}
    assert [one["filename"] for one in blocks.cache_files] == [str(cache)]  # mapped, not in memory


def test_blocks_that_are_there_are_not_made_again(tmp_path):
    cache = tmp_path / "blocks.arrow"
    from_blocks([np.array([1, 2], np.int32)], cache)

    def never():
        raise AssertionError("asked for a block")
        yield

    assert from_blocks(never(), cache)[0]["input_ids"] == [1, 2]


def test_half_a_file_of_blocks_is_never_taken(tmp_path):
    cache = tmp_path / "blocks.arrow"

    def broken():
        yield np.array([1, 2], np.int32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_blocks(broken(), cache)
    assert not cache.exists()
    assert len(from_blocks([np.array([3, 4], np.int32)], cache)) == 1


# The sliding window of 4 is shorter than a row, so that gemma2, gemma3 cut attention within and between rows.
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_row_of_a_pack_sees_another(tiny_model, architecture, attention):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(tiny_model(architecture))
    if hasattr(config, "sliding_window"):
        config.sliding_window = 4
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
    random = np.random.default_rng(0)
    rows = [example(*random.integers(10, 800, length).tolist()) for length in (9, 3, 1, 7, 5)]
    packs = pack_examples(rows, 13)
    batch = Collator(PAD)([*from_packs(packs)])
    assert batch["input_ids"].shape[0] == 2
    batch.pop("labels")
    with torch.no_grad():
        packed = model(**batch, use_cache=False).logits
        for place, pack in enumerate(packs):
            starts = np.flatnonzero(pack.position_ids == 0)
            for start, end in zip(starts, [*starts[1:], len(pack)], strict=True):
                alone = model(input_ids=batch["input_ids"][place : place + 1, start:end]).logits[0]
                assert torch.allclose(packed[place, start:end], alone, atol=1e-5)
