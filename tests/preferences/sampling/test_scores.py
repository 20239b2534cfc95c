"""Answers with scores become pairs where the scores are far enough apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.preferences.sampling import pairs_from_scores
from tests.preferences.drawn_rows import sampled

FOUR = ("하나", 1.0), ("둘", 0.75), ("셋", 0.5), ("넷", 0.0)


@pytest.mark.parametrize(
    ("which", "pairs"),
    [
        ("best-worst", [("하나", "넷")]),
        ("best-median", [("하나", "셋")]),
        # 둘 before 셋 is too near
        ("all", [("하나", "셋"), ("하나", "넷"), ("둘", "넷"), ("셋", "넷")]),
    ],
)
def test_which_answers_stand_in_pairs_is_chosen(which, pairs):
    found = pairs_from_scores([sampled(*FOUR)], which=which, margin=0.3)
    assert [(row["chosen"], row["rejected"]) for row in found.rows] == pairs


def test_a_pair_says_where_it_came_from():
    (pair,) = pairs_from_scores([sampled(*FOUR, instruction="어때요?", input="방")], source="round 1").rows
    assert pair == {
        **{"prompt": "어때요?", "input": "방", "chosen": "하나", "rejected": "넷", "id": "1", "source": "round 1"},
        **{"chosen_score": 1.0, "rejected_score": 0.0},
    }


@pytest.mark.parametrize(
    ("drawn", "why"),
    [
        ([("하나", 0.5), ("둘", 0.5)], "all answers have the same score"),
        ([("하나", 0.5), ("둘", 0.45)], "scores less than 0.1 apart"),
        ([("하나", 0.5), ("하나", 0.5)], "all answers are the same"),
        # an answer that was cut off, is empty, never came or has no score stands in no pair
        ([("하나", 1.0), ("둘…", 0.0), ("", 0.0), ("!no", None), ("셋", None)], "only one answer can be learnt from"),
        ([("하나", None), ("둘", None)], "no answer could be scored"),
        ([("!no", None)], "no answer came"),
    ],
)
def test_a_row_that_says_nothing_is_counted_by_its_reason(drawn, why):
    found = pairs_from_scores([sampled(*drawn)])
    assert (found.rows, found.counts) == ((), {why: 1})


def test_texts_that_differ_only_in_how_letters_are_typed_are_the_same():
    assert pairs_from_scores([sampled(("가", 1.0), ("\u1100\u1161", 0.0))]).counts == {"all answers are the same": 1}


def test_a_tie_gives_nothing_even_without_a_margin():
    assert pairs_from_scores([sampled(("하나", 0.5), ("둘", 0.5))], margin=0.0).rows == ()


def test_scores_that_are_the_margin_apart_make_a_pair_whatever_the_machine_makes_of_them():
    assert len(pairs_from_scores([sampled(("하나", 0.8), ("둘", 0.7))], margin=0.1).rows) == 1


def test_a_pair_that_stands_twice_is_written_once():
    found = pairs_from_scores([sampled(*FOUR), sampled(*FOUR, number=2)])
    assert found.counts == {"the same pair as another row": 1}
    assert [(one.where, one.why) for one in found.left_out] == [("rows.jsonl:2", "the same pair as another row")]


@pytest.mark.parametrize(("margin", "which"), [(-0.1, "all"), (0.1, "worst-best")])
def test_a_wrong_call_is_refused(margin, which):
    message = (
        f"^found margin {margin} and which '{which}', expected 0 or more, and one of best-worst, best-median, all$"
    )
    with pytest.raises(ValueError, match=message):
        pairs_from_scores([], margin=margin, which=which)


drawn = st.lists(
    st.tuples(st.sampled_from(["", "가", "나", "다…", "!x", "라마"]), st.none() | st.floats(-1, 1)), min_size=1
)


@given(drawn, st.sampled_from(["best-worst", "best-median", "all"]), st.floats(0, 1))
def test_whatever_was_drawn_the_better_answer_is_chosen_by_the_margin(drawn, which, margin):
    found = pairs_from_scores([sampled(*drawn)], which=which, margin=margin)
    assert bool(found.rows) != bool(found.left_out)
    for pair in found.rows:
        assert pair["chosen_score"] > pair["rejected_score"]
        assert pair["chosen_score"] - pair["rejected_score"] >= margin - 1e-9
        assert pair["chosen"].strip()
        assert pair["rejected"].strip()
        assert pair["chosen"] != pair["rejected"]
