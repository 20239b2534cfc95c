"""
Corpora mixed and cut in blocks: shares hold, the same text is on one side, nothing stale or half is ever used.

In: small files of our own. Out: blocks, and what is left in the cache.
"""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.preparation.workers import Workers
from hanpuri.errors import DataError, ModelError
from hanpuri.training.feeding import encoding, mixture
from hanpuri.training.feeding.corpora import Document, draw_of, lowest, read_corpora
from hanpuri.training.feeding.mixture import make_training_blocks
from hanpuri.training.recipe import CorporaSettings, CorpusSettings


@pytest.fixture
def corpora(tmp_path):
    """Two corpora: sea, of 300 short lines, and hill, of 30 longer ones."""
    sea, hill = tmp_path / "sea.txt", tmp_path / "hill.jsonl"
    sea.write_text("".join(f"바다 {number}\n" for number in range(300)), encoding="utf-8")
    hills = (json.dumps({"id": number, "text": f"산이 높고 물이 맑다 {number}"}) + "\n" for number in range(30))
    hill.write_text("".join(hills), encoding="utf-8")
    return sea, hill


def told(*paths: Path, weights=(), validation=0.1, documents=2000, whole=False, **about):
    weights = weights or [1.0] * len(paths)
    corpora = [CorpusSettings(path=path, weight=weight, **about) for path, weight in zip(paths, weights, strict=True)]
    told = {"validation": validation, "validation_documents": documents, "whole": whole}
    return CorporaSettings(corpora=tuple(corpora), **told)


@pytest.fixture
def blocks_of(tokenizer_of, tmp_path):
    def make(settings, *, kind="bytes", max_length=16, seed=0, cache=tmp_path / "cache", **size):
        size = size or {"epochs": 1.0}
        return make_training_blocks(settings, tokenizer_of(kind), max_length=max_length, seed=seed, cache=cache, **size)

    return make


def documents_of(blocks, tokenizer):
    """The whole documents in blocks, as text; the last one may be cut."""
    return tokenizer.decode(blocks.train.reshape(-1).tolist()).split("</s>")[:-1]


# --- which documents


def test_a_document_stays_on_its_side_whatever_else_changes(corpora):
    sea, hill = corpora
    first = read_corpora(told(sea))
    mine = {one.text: first.holds_out(one) for one in first.corpora[0].documents(sea)}
    lines = sea.read_text(encoding="utf-8").splitlines()
    sea.write_text("\n".join(["새 줄", *reversed(lines)]), encoding="utf-8")
    later = read_corpora(told(sea, hill, documents=3))
    assert {one.text: later.holds_out(one) for one in later.corpora[0].documents(sea) if one.text in mine} == mine
    assert 15 < sum(mine.values()) < 45


def test_a_text_of_a_validation_file_is_not_trained_on_in_another_corpus(tmp_path, corpora):
    import pyarrow as pa
    import pyarrow.parquet as pq

    sea, _ = corpora
    folder = tmp_path / "prepared"
    folder.mkdir()
    pq.write_table(pa.table({"text": ["들이 넓다", "바다 1"]}), folder / "train.parquet")
    pq.write_table(pa.table({"text": ["바다 2", "바다 3"]}), folder / "validation.parquet")
    found = read_corpora(told(folder, sea, validation=0))
    trained = [{one.text for one in found.training_documents(corpus)} for corpus in found.corpora]
    assert trained[0] == {"들이 넓다", "바다 1"}
    assert trained[1] == {f"바다 {number}" for number in range(300)} - {"바다 2", "바다 3"}
    assert {one.text for one in found.held_out(found.corpora[0])} == {"바다 2", "바다 3"}
    assert read_corpora(told(folder)).share == 0
    assert found.files == (folder / "train.parquet", folder / "validation.parquet", sea)


def test_both_copies_of_a_text_are_on_the_same_side(blocks_of, tokenizer_of, tmp_path, corpora):
    sea, _ = corpora
    copy = tmp_path / "copy.txt"
    copy.write_text(sea.read_text(encoding="utf-8"), encoding="utf-8")
    blocks = blocks_of(told(sea, copy))
    held_out = tokenizer_of().decode([id for block in blocks.validation for id in block[1:].tolist()]).split("</s>")
    assert set(held_out[:-1]) & set(documents_of(blocks, tokenizer_of())) == set()


@given(draws=st.lists(st.integers(0, 30), max_size=40), most=st.integers(1, 6))
def test_the_lowest_draws_are_chosen_each_once(draws, most):
    chosen = lowest((Document(str(draw), "", draw / 31) for draw in draws), most)
    assert [one.text for one in chosen] == [str(draw) for draw in sorted(set(draws))[:most]]


def test_texts_for_a_tokenizer_are_dealt_out_by_the_weights_and_never_held_out(corpora):
    sea, hill = corpora
    found = read_corpora(told(sea, hill, weights=(3, 1)))
    texts = list(found.texts(800))
    characters = Counter("sea" if text.startswith("바다") else "hill" for text in texts for _ in text)
    assert characters["sea"] / characters.total() == pytest.approx(0.75, abs=0.05)
    assert all(draw_of(text) >= 0.1 for text in texts)
    assert len(list(found.texts(10**9))) == len(set(found.texts(10**9)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("see.txt", "see.txt: found no such file; did you mean {folder}/sea.txt?"),
        (
            "folder",
            "folder: found no train.parquet in this folder, expected one that `hanpuri prepare` made;"
            " name a file, or prepare the folder's files first",
        ),
        ("blank.txt", "blank.txt holds no text to train on; give a file with a text a line, or take the corpus out"),
        (
            "signs.txt",
            "signs.txt holds no text to train on (2 documents: special token in the text);"
            " give a file with a text a line, or take the corpus out",
        ),
        (
            "short.txt",
            "the corpora hold 4 tokens, expected 16 for a block at least; give more text, or lower max_length",
        ),
    ],
)
def test_a_corpus_that_cannot_be_trained_on_is_one_clear_line(blocks_of, corpora, tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "blank.txt").write_text("\n \n", encoding="utf-8")
    (tmp_path / "signs.txt").write_text("<s>\n가</s>\n", encoding="utf-8")
    (tmp_path / "short.txt").write_text("물은", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        blocks_of(told(tmp_path / name, validation=0))
    assert str(caught.value).removeprefix(f"{tmp_path}/") == message.format(folder=tmp_path)


def test_nothing_held_out_is_a_fault_unless_it_is_meant(blocks_of, corpora):
    sea, _ = corpora
    with pytest.raises(DataError) as caught:
        blocks_of(told(sea, validation=0.0001))
    assert str(caught.value) == (
        "data.validation 0.0001 holds out none of 300 documents, expected some to measure by;"
        " raise it, or set it to 0 to measure nothing"
    )
    assert (blocks_of(told(sea, validation=0)).validation, blocks_of(told(sea, validation=0)).validation_bytes) == (
        (),
        0,
    )


def test_a_tokenizer_without_eos_is_refused(tokenizer_of, tmp_path, corpora):
    tokenizer = tokenizer_of("bytes", without=("eos_token", "pad_token"))
    with pytest.raises(ModelError, match="has no eos token"):
        make_training_blocks(told(corpora[0]), tokenizer, max_length=8, seed=0, cache=tmp_path, num_blocks=1)


# --- the mix


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (1, 9)])
def test_at_any_point_the_mix_is_what_was_asked_for(blocks_of, tokenizer_of, corpora, weights):
    blocks = blocks_of(told(*corpora, weights=weights), num_blocks=200)
    tokens = {"sea": 0, "hill": 0}
    longest = 0
    for document in documents_of(blocks, tokenizer_of()):
        length = len(tokenizer_of().encode(document)) + 1
        tokens["sea" if document.startswith("바다") else "hill"] += length
        longest = max(longest, length)
        assert abs(tokens["sea"] - weights[0] / sum(weights) * sum(tokens.values())) <= longest
    assert blocks.train.shape == (200, 16)
    assert sum(share.used for share in blocks.shares) == 3200
    assert blocks.shares[0].used == pytest.approx(3200 * weights[0] / sum(weights), abs=longest)


def test_one_epoch_is_as_many_tokens_as_all_corpora_have(blocks_of, corpora):
    one = blocks_of(told(*corpora), epochs=1.0)
    total = sum(share.tokens for share in one.shares)
    assert one.train.shape == (total // 16, 16)
    three = blocks_of(told(*corpora), epochs=3.0)
    assert (three.train.shape, three.tokens) == ((3 * total // 16, 16), 3 * total // 16 * 16)
    assert np.array_equal(three.train[: total // 16], one.train)


def test_a_corpus_that_is_used_up_begins_anew_in_another_order_and_it_is_said(tokenizer_of, tmp_path, corpora):
    lines: list[str] = []
    blocks = make_training_blocks(
        told(corpora[1]),
        tokenizer_of(),
        max_length=16,
        seed=0,
        cache=tmp_path / "cache",
        num_blocks=400,
        report=lines.append,
    )
    documents = documents_of(blocks, tokenizer_of())
    num = blocks.shares[0].documents
    rounds = [documents[start : start + num] for start in range(0, 5 * num, num)]
    assert all(sorted(one) == sorted(rounds[0]) for one in rounds)
    assert len({tuple(one) for one in rounds}) == 5
    assert [line.removeprefix(f"{corpora[1]} ") for line in lines[2:]] == [
        f"is read {blocks.shares[0].epochs:.1f} times, and beyond 4 times text teaches little more:"
        " lower its weight, give more of its kind, or train for fewer steps"
    ]


def test_the_seed_decides_the_order_and_not_what_is_held_out(blocks_of, corpora):
    one, two = blocks_of(told(*corpora), seed=0), blocks_of(told(*corpora), seed=1)
    assert not np.array_equal(one.train, two.train)
    assert [block.tolist() for block in one.validation] == [block.tolist() for block in two.validation]


def test_a_document_that_spells_out_a_special_token_is_left_out_and_counted(blocks_of, tokenizer_of, tmp_path):
    path = tmp_path / "web.txt"
    path.write_text("물이 맑다\n산이 </s> 높다\n들이 넓다\n" * 3, encoding="utf-8")
    blocks = blocks_of(told(path, validation=0))
    assert blocks.shares[0].left_out == {"special token in the text": 3}
    assert set(documents_of(blocks, tokenizer_of())) == {"물이 맑다", "들이 넓다"}


# --- what is measured by


@pytest.mark.parametrize("kind", ["bytes", "unigram"])
def test_each_held_out_token_but_the_first_is_foretold_once(blocks_of, tokenizer_of, corpora, kind):
    tokenizer = tokenizer_of(kind)
    blocks = blocks_of(told(*corpora), kind=kind)
    ids = [blocks.validation[0][0], *(id for block in blocks.validation for id in block[1:].tolist())]
    assert all(1 < len(block) <= 16 for block in blocks.validation)
    assert all(before[-1] == after[0] for before, after in zip(blocks.validation, blocks.validation[1:], strict=False))
    # A model sees the bos token before a text, or the end of the text before.
    assert ids[0] == (tokenizer.bos_id if tokenizer.starts_with_bos else tokenizer.eos_id)
    found = read_corpora(told(*corpora))
    texts = [one.text for corpus in found.corpora for one in found.held_out(corpus)]
    assert blocks.validation_bytes == sum(len(text.encode()) for text in texts)
    assert ids.count(tokenizer.eos_id) == len(texts) + (not tokenizer.starts_with_bos)


def test_at_most_so_many_documents_are_measured_by(blocks_of, tokenizer_of, corpora):
    blocks = blocks_of(told(*corpora, documents=4))
    assert sum(block.tolist().count(tokenizer_of().eos_id) for block in blocks.validation) in (5, 6, 7)
    assert [share.held_out for share in blocks.shares] == [share.held_out for share in blocks_of(told(*corpora)).shares]


# --- the cache


def names(folder):
    return sorted(path.name for path in (folder / "cache").iterdir())


def test_what_is_there_is_taken_and_any_change_makes_it_anew(blocks_of, tmp_path, corpora, monkeypatch):
    sea, hill = corpora
    first = blocks_of(told(sea, hill), num_blocks=20)
    with monkeypatch.context() as patched:
        patched.setattr(encoding, "iterate_examples", lambda *_: pytest.fail("encoded again"), raising=True)
        patched.setattr(mixture, "_validation", lambda *_: ((), 0))
        again = blocks_of(told(sea, hill), num_blocks=20)
        fewer = blocks_of(told(sea, hill, weights=(1, 1)), num_blocks=19)
    assert np.array_equal(first.train, again.train)
    assert np.array_equal(first.train[:19], fewer.train)
    before = names(tmp_path)
    sea.write_text("바다 0\n" * 300, encoding="utf-8")
    blocks_of(told(sea, hill, validation=0.2), num_blocks=20)
    assert len(names(tmp_path)) > len(before)
    changed = blocks_of(told(sea, hill), kind="unigram", num_blocks=20)
    assert changed.folder != first.folder


def test_half_a_folder_is_never_used(blocks_of, tmp_path, corpora, monkeypatch):
    good = blocks_of(told(*corpora), num_blocks=20).train.copy()
    for folder in (tmp_path / "cache").iterdir():
        folder.rename(folder.with_name(f"{folder.name}.1.part"))
        (folder.with_name(f"{folder.name}.1.part") / "ends.bin").unlink(missing_ok=True)
    assert np.array_equal(blocks_of(told(*corpora), num_blocks=20).train, good)


def test_a_corpus_in_parts_has_the_bytes_of_one_in_a_piece(blocks_of, tmp_path, corpora, monkeypatch):
    def stores(cache):
        blocks_of(told(*corpora), cache=cache, epochs=2.0)
        return {path.relative_to(cache): path.read_bytes() for path in cache.rglob("*") if path.is_file()}

    whole = stores(tmp_path / "whole")
    monkeypatch.setattr(encoding, "MANY", 20)
    monkeypatch.setattr(encoding, "PART", 3)
    monkeypatch.setattr(encoding, "Workers", lambda: Workers(1))  # to start processes takes seconds
    assert stores(tmp_path / "parts") == whole


def test_whole_corpora_are_encoded_to_their_end_also_for_a_few_steps(blocks_of, corpora):
    some, all_of_it = (blocks_of(told(*corpora, whole=whole), num_blocks=2) for whole in (False, True))
    longest = blocks_of(told(*corpora), epochs=1.0)
    tokens = [[share.tokens for share in blocks.shares] for blocks in (some, all_of_it, longest)]
    assert tokens[0] < tokens[1] == tokens[2]


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(blocks_of, tmp_path, corpora, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(encoding, "iterate_examples", full)
    with pytest.raises(DataError) as caught:
        blocks_of(told(*corpora))
    assert str(caught.value) == (
        f"{tmp_path / 'cache'}: tokens cannot be written there (No space left on device);"
        " make room on the disk, or see who may write there"
    )
    assert names(tmp_path) == []


def test_a_length_is_given_in_one_way(blocks_of, corpora):
    with pytest.raises(ValueError, match=r"^give either num_blocks or epochs$"):
        blocks_of(told(*corpora), num_blocks=3, epochs=1.0)
