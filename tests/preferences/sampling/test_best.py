"""Of several answers the best is kept, in the form that was asked, and all others are counted."""

import pytest

from hanpuri.preferences.sampling import keep_best
from tests.preferences.drawn_rows import sampled

TALK = [{"role": "user", "content": "주차장이 있나요?"}]


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"noisy": "쨰밌"}, {"noisy": "쨰밌", "clean": "재밌"}),
        ({"instruction": "어때요?", "input": "방"}, {"instruction": "어때요?", "input": "방", "output": "재밌"}),
        ({"messages": TALK}, {"messages": [*TALK, {"role": "assistant", "content": "재밌"}]}),
    ],
)
def test_the_best_answer_stands_in_the_place_of_the_right_one(fields, kept):
    found = keep_best([sampled(("째밌", 0.5), ("재밌", 1.0), **fields)])
    assert found.rows == ({**kept, "id": "1", "score": 1.0, "first_score": 0.5},)


@pytest.mark.parametrize(
    ("drawn", "why"),
    [
        ([("째밌", 0.5)], "the best scores less than 0.9"),
        ([("!no server", None), ("!no server", None)], "no answer came"),
        ([("", 1.0), ("!no server", None)], "all answers are empty"),
        ([("재밌…", 1.0), ("", 1.0)], "no answer was brought to an end"),
        ([("재밌", None)], "no answer could be scored"),
    ],
)
def test_a_row_without_a_good_answer_gives_none_and_is_counted_by_its_reason(drawn, why):
    found = keep_best([sampled(*drawn)], threshold=0.9)
    assert (found.rows, found.counts) == ((), {why: 1})


def test_the_ledger_says_what_was_said_of_an_answer_that_never_came():
    (out,) = keep_best([sampled(("!the server is down", None))]).left_out
    assert vars(out) == {"where": "rows.jsonl:1", "why": "no answer came", "detail": "the server is down"}


def test_the_greedy_answer_may_be_the_best_and_then_gains_nothing():
    one = sampled(("째밌", 0.5), greedy=("재밌", 1.0))
    assert keep_best([one]).rows[0]["clean"] == "재밌"
    found = keep_best([one], min_gain=0.1)
    assert found.counts == {"the best is not better by 0.1 than the greedy answer": 1}


def test_a_row_that_stands_twice_is_kept_once_and_of_equal_answers_the_first():
    same = sampled(("재밌", 1.0), ("재미", 1.0))
    found = keep_best([same, same])
    assert [row["clean"] for row in found.rows] == ["재밌"]
    assert found.as_dict() == {"rows": 2, "written": 1, "left_out": {"the same as another row": 1}}


def test_a_gain_below_nothing_is_no_gain():
    with pytest.raises(ValueError, match=r"^min_gain is -1, expected 0 or more$"):
        keep_best([], min_gain=-1)
