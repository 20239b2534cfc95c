"""Rows as they are trained, written from their tokens."""

import numpy as np
from hypothesis import given as for_any
from hypothesis import strategies as st

from hanpuri.data.examples import Example
from hanpuri.training.feeding.datasets import from_examples
from hanpuri.training.preflight.rows import Table, choose_rows, count_rows, mark, show_rows


@for_any(st.lists(st.integers(1, 50), min_size=1))
def test_the_rows_that_are_shown_go_from_the_shortest_to_the_longest(lengths):
    chosen = [lengths[place] for place in choose_rows(np.array(lengths))]
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1]) == (min(lengths), max(lengths)) or len(chosen) == 1
    assert 1 <= len(chosen) <= 5


@for_any(text=st.text(alphabet="가나다 라마바\nabc.", min_size=2, max_size=30), data=st.data())
def test_marks_are_all_that_is_added(tokenizer_of, text, data):
    tokenizer = tokenizer_of("bytes", None)
    # Each character apart, so that no cut falls into one.
    ids = [tokenizer.encode(character) for character in text]
    trains = np.repeat(
        data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids))), [len(one) for one in ids]
    )
    marked = mark(np.array([id for one in ids for id in one]), trains, tokenizer)
    assert marked.replace("⟦", "").replace("⟧", "") == text


def test_what_is_shown_comes_from_the_labels_and_not_from_the_template(tokenizer_of):
    tokenizer = tokenizer_of("bytes", None)
    ids = np.array([*tokenizer.encode("물음 "), *tokenizer.encode("답"), tokenizer.need_eos()], np.int32)
    labels = np.full(len(ids), -100, np.int32)
    labels[-1] = ids[-1]  # the answer has lost its labels
    (row,) = show_rows(Table(from_examples([Example("1", ids, labels)])), tokenizer)
    assert (row.text, row.trained) == ("물음 답⟦</s>⟧", 1)


def test_blocks_show_where_documents_begin(tokenizer_of):
    tokenizer = tokenizer_of("bytes", None)
    ids = np.array([*tokenizer.encode("끝."), tokenizer.need_eos(), *tokenizer.encode("처음")], np.int32)
    (row,) = show_rows(Table(from_examples([Example("1", ids, ids)])), tokenizer, borders=(tokenizer.need_eos(),))
    assert row.text.replace("⟦", "").replace("⟧", "") == "끝.</s>╎처음"


def test_long_rows_are_shown_from_both_ends(tokenizer_of):
    tokenizer = tokenizer_of("bytes", None)
    ids = np.array([*tokenizer.encode("머리 " + "가나다 " * 400 + "꼬리")], np.int32)
    (row,) = show_rows(Table(from_examples([Example("1", ids, ids)])), tokenizer)
    assert row.text.startswith("⟦머리 가나다")
    assert row.text.endswith("꼬리⟧")
    assert len(row.text) < 700


def test_unknown_tokens_and_tokens_a_character_are_counted(tokenizer_of):
    tokenizer = tokenizer_of("characters", None)
    ids = np.array([*tokenizer.encode("강이 흐른다"), tokenizer.unk_id, tokenizer.need_eos()], np.int32)
    figures = count_rows(Table(from_examples([Example("1", ids, ids)])), tokenizer, (tokenizer.need_eos(),))
    assert figures.unknown >= 1
    assert figures.stops == 1
    assert 0 < figures.tokens_per_character < 2


def test_large_sets_are_looked_at_in_stretches_spread_over_them():
    ids = np.arange(4, dtype=np.int32)
    table = Table(from_examples([Example(str(number), ids, ids) for number in range(5000)]))
    assert list(table.blocks()) == [(0, 1024), (1024, 2048), (2048, 3072), (3072, 4096), (4096, 5000)]
    assert list(table.blocks(max_tokens=10_000)) == [(0, 1024), (4096, 5000)]
