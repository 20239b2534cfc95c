"""
The audit of a tokenizer, on tokenizers so small that each count can be checked by hand.

In: a tokenizer and texts. Out: what the texts cost, and what is lost.
"""

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hanpuri.data.quality import tokens
from hanpuri.data.quality.facts import TokenizerAudit
from hanpuri.data.quality.tokens import audit_tokenizer
from hanpuri.data.tokenizers import Tokenizer


@pytest.fixture
def bytes_alone() -> Tokenizer:
    """Byte-level without a merge: every byte is a token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Backend(models.BPE(vocab={piece: place for place, piece in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return Tokenizer("bytes", PreTrainedTokenizerFast(tokenizer_object=backend))


@pytest.fixture
def few_characters() -> Tokenizer:
    """One token a character, for eight of them; the rest is unknown."""
    pieces = ["<unk>", *"방이 좁아요넓"]
    backend = Backend(models.WordLevel({piece: place for place, piece in enumerate(pieces)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.decoder = decoders.Fuse()
    return Tokenizer("characters", PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>"))


def test_bytes_cost_three_tokens_a_syllable_and_lose_nothing(bytes_alone):
    audit = audit_tokenizer(bytes_alone, ["방이 좁아요", "넓어요"])
    assert audit == TokenizerAudit(
        texts=2,
        characters=9,
        syllables=8,
        tokens=25,  # and one for the space
        byte_tokens=24,
        unknown_tokens=0,
        lost_characters=0,
        exact=2,
    )
    assert (audit.tokens_per_syllable, audit.byte_share, audit.exact_share) == (25 / 8, 24 / 25, 1.0)


def test_unknown_syllables_are_counted_and_their_text_does_not_come_back(few_characters):
    audit = audit_tokenizer(few_characters, ["방이 좁아요", "뺑위 쫍하욜"])
    assert (audit.tokens, audit.unknown_tokens, audit.byte_tokens) == (12, 5, 0)
    assert (audit.exact, audit.lost_characters, audit.exact_share) == (1, 0, 0.5)


def test_lost_characters_are_those_that_were_whole_before(bytes_alone):
    backend = Backend.from_str(bytes_alone._first.to_str())
    backend.normalizer = normalizers.Replace("뷁", "\ufffd")
    losing = Tokenizer("losing", PreTrainedTokenizerFast(tokenizer_object=backend))
    audit = audit_tokenizer(losing, ["뷁뷁", "이미 없는 \ufffd"])
    assert (audit.lost_characters, audit.exact) == (2, 1)


def test_no_texts_have_no_faults(bytes_alone):
    audit = audit_tokenizer(bytes_alone, [])
    assert audit == TokenizerAudit(0, 0, 0, 0, 0, 0, 0, 0)
    assert (audit.tokens_per_syllable, audit.byte_share, audit.exact_share) == (0.0, 0.0, 1.0)


def test_it_does_not_matter_how_many_are_taken_at_a_time(bytes_alone, monkeypatch):
    texts = ["방", "", "이 좁", "아요 ㅋㅋ", "🙂"]
    whole = audit_tokenizer(bytes_alone, texts)
    monkeypatch.setattr(tokens, "BATCH", 2)
    assert audit_tokenizer(bytes_alone, iter(texts)) == whole
