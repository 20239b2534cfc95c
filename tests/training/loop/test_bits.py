"""
Bits per byte: the same figure for the same text whatever the tokenizer.

In: models whose probabilities are known. Out: what can be reckoned on paper.
"""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.training.loop.bits import bits_per_byte, puts_space_first, text_bytes, token_bytes

TEXTS = ["이 영화 재밌어요", "물이 맑다", "a1 ㅋㅋ 👍🏽 뷁"]


class Constant(torch.nn.Module):
    """A model that gives each token the same probability wherever it stands."""

    def __init__(self, probabilities):
        super().__init__()
        self.logits = torch.log(torch.tensor(probabilities, dtype=torch.float64)).float()

    def forward(self, input_ids, attention_mask):
        return type("Output", (), {"logits": self.logits.expand(*input_ids.shape, -1)})


def laid(tokenizer, texts, length=10_000):
    """Blocks as `feeding.mixture` lays them out."""
    begin = tokenizer.bos_id if tokenizer.starts_with_bos else tokenizer.eos_id
    ids = [begin]
    for text in texts:
        ids += [*([tokenizer.bos_id] if tokenizer.starts_with_bos else []), *tokenizer.encode(text), tokenizer.eos_id]
    return [np.array(ids[start : start + length], np.int32) for start in range(0, len(ids) - 1, length - 1)]


def num_bytes(texts):
    return sum(len(text.encode()) for text in texts)


def test_a_uniform_model_over_bytes_needs_eight_bits_each(tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    single = [id for id in range(tokenizer.vocab_size) if len(tokenizer.piece(id)) == 1]
    assert len(single) == 256
    probabilities = np.full(tokenizer.vocab_size, 1e-30)
    probabilities[single] = 1 / 256
    by_byte = {tokenizer.piece(id): id for id in single}
    spelled = [by_byte[letter] for text in TEXTS for id in tokenizer.encode(text) for letter in tokenizer.piece(id)]
    block = np.array([tokenizer.eos_id, *spelled, tokenizer.eos_id], np.int32)
    assert bits_per_byte(Constant(probabilities), [block], tokenizer, 1, "cpu") == pytest.approx(8, abs=1e-5)


@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy", "characters"])
@pytest.mark.parametrize("length", [5, 10_000])
def test_each_byte_of_text_is_counted_once(tokenizer_of, kind, length):
    tokenizer = tokenizer_of(kind)
    texts = [tokenizer.decode(tokenizer.encode(text)).replace("<unk>", "") for text in TEXTS]
    sizes, prefixed = token_bytes(tokenizer), puts_space_first(tokenizer)
    blocks = laid(tokenizer, texts, length)
    counted = sum(int(text_bytes(block[None], sizes, tokenizer, prefixed)[0, 1:].sum()) for block in blocks)
    assert counted == num_bytes(texts)
    assert prefixed is (kind in ("unigram", "legacy"))


@given(texts=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=20))
@settings(max_examples=10)
def test_the_bytes_of_tokens_are_those_of_their_text(tokenizer_of, texts):
    tokenizer = tokenizer_of("bytes")
    sizes = token_bytes(tokenizer)
    assert [int(sizes[tokenizer.encode(text)].sum()) for text in texts] == [len(text.encode()) for text in texts]


def test_two_tokenizers_whose_models_find_a_text_as_likely_give_the_same_figure(tokenizer_of):
    figures = []
    for kind in ("bytes", "unigram"):
        tokenizer = tokenizer_of(kind)
        sizes = token_bytes(tokenizer).astype(float)
        # A token of n bytes costs 12·n bits; what is left of the probability goes to a sign that no text holds.
        probabilities = np.where(sizes > 0, 2.0 ** (-12 * sizes), 1e-30)
        probabilities[tokenizer.eos_id] += 1 - probabilities.sum()
        blocks = laid(tokenizer, TEXTS)
        # The space that one of them puts first costs 12 bits a text, and is no text.
        extra = 12 * len(TEXTS) / num_bytes(TEXTS) if puts_space_first(tokenizer) else 0
        figures.append(bits_per_byte(Constant(probabilities), blocks, tokenizer, 2, "cpu") - extra)
    assert figures == pytest.approx([12, 12], abs=1e-4)


def test_a_unigram_model_gives_what_its_counts_say(tokenizer_of):
    tokenizer = tokenizer_of("characters")
    text = "가나다가나가"
    text = "".join(letter for letter in text if tokenizer.encode(letter) != [tokenizer.unk_id]) or "이이은"
    counts = Counter(text)
    by_hand = -sum(times * math.log2(times / len(text)) for times in counts.values()) / len(text.encode())
    probabilities = np.full(tokenizer.vocab_size, 1e-30)
    for letter, times in counts.items():
        probabilities[tokenizer.encode(letter)] = times / len(text)
    block = laid(tokenizer, [text])
    assert bits_per_byte(Constant(probabilities), block, tokenizer, 1, "cpu") == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_padding_and_the_cut_into_blocks_do_not_count(tokenizer_of, batch_size):
    tokenizer = tokenizer_of("bytes")
    random = np.random.default_rng(0).random(tokenizer.vocab_size)
    model = Constant(random / random.sum())
    whole = bits_per_byte(model, laid(tokenizer, TEXTS), tokenizer, 1, "cpu")
    assert bits_per_byte(model, laid(tokenizer, TEXTS, 7), tokenizer, batch_size, "cpu") == pytest.approx(whole)


def test_a_real_model_gives_its_loss_in_bits_by_the_bytes(tiny_model):
    from transformers import AutoModelForCausalLM

    from hanpuri.data.tokenizers import load_tokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model()), load_tokenizer(tiny_model())
    (block,) = laid(tokenizer, TEXTS[:1])
    ids = torch.from_numpy(block.astype(np.int64))[None]
    labels = ids.clone()
    labels[0, -1] = -100  # the end of the text is no text
    with torch.no_grad():
        loss = float(model(input_ids=ids, labels=labels).loss)
    expected = loss * (len(block) - 2) / math.log(2) / num_bytes(TEXTS[:1])
    assert bits_per_byte(model, [block], tokenizer, 1, "cpu") == pytest.approx(expected, rel=1e-5)


def test_nothing_to_foretell_has_no_figure(tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    assert math.isnan(bits_per_byte(Constant([1.0]), [np.array([5], np.int32)], tokenizer, 1, "cpu"))
