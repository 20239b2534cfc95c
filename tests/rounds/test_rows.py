"""Rows are dealt out to rounds so that none comes again too soon, and none of them is held out."""

import json
from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import DataError
from hanpuri.rounds.recipe import HeldOutSettings, PromptsSettings
from hanpuri.rounds.rows import deal, texts_of, write_held_out, write_prompts
from tests.rounds.short_rounds import pairs, write_rows

SIZES = st.integers(1, 30).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(1, rows)))


@given(SIZES, st.integers(0, 5))
def test_no_row_comes_again_until_all_were_dealt(sizes, seed):
    num_rows, each = sizes
    rounds = [deal(num_rows, each, number, seed) for number in range(1, 2 * num_rows // each + 2)]
    assert all(len(set(one)) == each for one in rounds)
    dealt = [place for one in rounds for place in one]
    first = dealt[:num_rows]
    assert sorted(first) == list(range(num_rows))


@given(SIZES, st.integers(0, 5))
def test_all_rows_are_used_as_often_but_for_one_time(sizes, seed):
    num_rows, each = sizes
    dealt = [place for number in range(1, 12) for place in deal(num_rows, each, number, seed)]
    counts = [dealt.count(place) for place in range(num_rows)]
    assert max(counts) - min(counts) <= 1


def test_a_round_gets_the_same_rows_whatever_comes_after_it_and_other_seeds_give_others():
    assert deal(100, 10, 1, 0) == deal(100, 10, 1, 0)
    assert deal(100, 10, 1, 0) != deal(100, 10, 1, 1)
    assert all(not set(one) & set(other) for one, other in pairwise(deal(100, 10, number, 0) for number in range(1, 9)))


def test_the_rows_of_a_round_stand_in_their_own_form_with_their_ids(tmp_path):
    path, target = write_rows(tmp_path / "train.jsonl", pairs(10)), tmp_path / "prompts.jsonl"
    settings = PromptsSettings(path=path, rows=4)
    assert write_prompts(settings, path, 0, 1, target) == 4
    rows = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert all(row in pairs(10) for row in rows)


def test_rows_that_are_too_long_are_left_out_and_too_few_are_refused(tmp_path):
    path = write_rows(tmp_path / "train.jsonl", [*pairs(5), {"noisy": "가" * 30, "clean": "나" * 30, "id": "long"}])
    with pytest.raises(DataError) as refused:
        write_prompts(PromptsSettings(path=path, rows=6, longest=20), path, 0, 1, tmp_path / "prompts.jsonl")
    message = f"{path}: found 5 rows of 20 characters at most, and a round wants 6"
    assert str(refused.value) == f"{message}; give more rows, or lower prompts.rows"


def test_rows_without_questions_are_refused(tmp_path):
    path = write_rows(tmp_path / "text.jsonl", [{"text": "방이 넓어요"}])
    with pytest.raises(DataError) as refused:
        write_prompts(PromptsSettings(path=path, rows=1), path, 0, 1, tmp_path / "prompts.jsonl")
    message = f"{path}: found rows of the form text, expected questions with right answers"
    assert str(refused.value) == f"{message}; give rows of the form pairs, instruction, messages"


@pytest.mark.parametrize(
    "leak",
    [
        {"noisy": "빵이 넓엌요", "clean": "방이  넓어요"},  # the same clean side, with another noise and other spaces
        {"noisy": "빵이 넓어요", "clean": "다른 답"},  # the same question
        {"noisy": normalize("NFD", "빵이 넓어요"), "clean": "다른 답"},  # … and with its letters typed apart
    ],
)
def test_a_prompt_that_is_held_out_is_named(tmp_path, leak):
    held = write_rows(tmp_path / "held.jsonl", [{"noisy": "빵이 넓어요", "clean": "방이 넓어요"}])
    train = write_rows(tmp_path / "train.jsonl", [*pairs(3, start=50), leak])
    with pytest.raises(DataError) as refused:
        write_held_out(
            HeldOutSettings(path=held), held, PromptsSettings(path=train, rows=2), train, 0, tmp_path / "rows.jsonl"
        )
    message = f"{train}:4: found a row to learn from that is held out, as {held}:1"
    assert str(refused.value) == f"{message}; take them out, or hold out other rows: held_out"
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        # a preference on a held-out question, asked as a text or as a conversation of one turn
        ({"noisy": "쨰밌", "clean": "재밌"}, {"prompt": "쨰밌", "chosen": "재미", "rejected": "째미"}, True),
        (
            {"instruction": "몇 시예요?", "input": ""},
            {"prompt": [{"role": "user", "content": "몇 시예요?"}], "chosen": "세 시", "rejected": "네 시"},
            True,
        ),
        # the same short answer to another question is no leak
        ({"instruction": "몇 시예요?", "output": "네"}, {"instruction": "있나요?", "output": "네"}, False),
        # the same last question behind another one is no leak
        (
            {"messages": [{"role": "user", "content": "왜요?"}, {"role": "assistant", "content": "네"}]},
            {
                "messages": [
                    {"role": "user", "content": "있나요?"},
                    {"role": "assistant", "content": "네"},
                    {"role": "user", "content": "왜요?"},
                    {"role": "assistant", "content": "아니요"},
                ]
            },
            False,
        ),
        # the same instruction about another text is no leak
        ({"instruction": "요약해 줘", "input": "긴 글"}, {"instruction": "요약해 줘", "input": "다른 글"}, False),
    ],
)
def test_which_rows_are_the_same(one, other, alike):
    assert bool(texts_of(one) & texts_of(other)) == alike
