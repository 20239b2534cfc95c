"""A wrong answer stands behind the right one, the hardest first; what is no mistake is told apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.engines.base import Decoding
from hanpuri.preferences.mistakes import KINDS, Wrong, mine_mistakes
from tests.preferences.drawn_rows import DrawingEngine, row_of

WARM = Decoding(temperature=0.8)


def mine(*rows: tuple[str, str, list[str]], **how):
    """Ask for pairs of questions, right answers and what the engine draws."""
    engine = DrawingEngine({asked: answers for asked, _, answers in rows})
    asked = [row_of(asked, right, number) for number, (asked, right, _) in enumerate(rows, 1)]
    return mine_mistakes(engine, asked, **how)


def test_a_wrong_answer_becomes_a_pair_that_says_how_wrong_it_is():
    (pair,) = mine(("쟉은 빵", "작은 방", ["작은 빵"])).rows
    assert pair == {
        **{"prompt": "쟉은 빵", "chosen": "작은 방", "rejected": "작은 빵", "id": "1", "source": "mistakes"},
        **{"hardness": "1 wrong", "wrong": 1, "rejected_score": 2 / 3},
    }


def test_other_length_comes_first_then_the_fewest_wrong_characters():
    found = mine(
        ("가", "너무 좋아요", ["나무 조와오"]),  # 4 wrong
        ("나", "너무 좋아요", ["너무 조아요"]),  # 1 wrong
        ("다", "너무 좋아요", ["조아"]),  # 5 edits
        ("라", "너무 좋아요", ["너무좋아요"]),  # 1 edit: a lost space
        ("마", "너무 좋아요", ["너무 조아오"]),  # 2 wrong
        ("바", "바다가 보이는 방이 좋았어요", ["파타까 뽀익눈 빵잎 죠핬썯욤"]),  # all
        ("사", "너무 좋아요!", ["나머 조와오?"]),  # 6 wrong
    )
    assert [pair["prompt"] for pair in found.rows] == ["라", "다", "나", "마", "가", "사", "바"]
    assert found.kinds == {"other length": 2, "1 wrong": 1, "2–4 wrong": 2, "5–9 wrong": 1, "10 or more wrong": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("너무", "the answer is right"),
        # the same text with letters typed apart
        ("\u1102\u1165\u1106\u116e", "the answer is right"),
        ("너무\n", "the answer is right"),
        ("", "the answer is empty"),
        ("나무…", "the answer was cut off"),
        ("!no server", "no answer came"),
    ],
)
def test_what_is_no_mistake_to_learn_from_gives_nothing_and_is_told_apart(text, why):
    found = mine(("념뭄", "너무", [text]))
    assert (found.rows, found.counts, found.kinds) == ((), {why: 1}, {})
    assert found.left_out[0].detail == ("no server" if why == "no answer came" else "")


def test_what_was_cut_off_or_is_empty_is_taken_where_it_is_wanted():
    rows = ("가", "너무", ["나무…"]), ("나", "너무", [""])
    assert [pair["rejected"] for pair in mine(*rows, unfinished=True).rows] == ["나무"]
    assert [pair["rejected"] for pair in mine(*rows, unfinished=True, empty=True).rows] == ["", "나무"]


def test_a_row_without_a_right_answer_is_counted():
    assert mine(("념뭄", " ", ["너무"])).counts == {"the row has no right answer": 1}


def test_of_several_answers_each_wrong_one_gives_a_pair_once():
    found = mine(("념뭄", "너무", ["나무", "나무", "너무", "너머"]), count=4, decoding=WARM)
    assert sorted(pair["rejected"] for pair in found.rows) == ["나무", "너머"]
    assert found.counts == {"the same pair as another row": 1}


def test_the_hardest_are_taken_where_there_may_be_no_more():
    found = mine(("가", "너무", ["나모"]), ("나", "너무", ["나무"]), ("다", "너무", ["너머"]), most=2)
    assert [pair["prompt"] for pair in found.rows] == ["나", "다"]
    assert (found.counts, found.kinds) == ({"easier than the first 2": 1}, {"1 wrong": 2})
    assert found.left_out[0].where == "rows.jsonl:1"


def test_answers_to_questions_are_wrong_below_a_score_and_the_nearest_are_the_hardest():
    answers = {"하나?": ["네 그렇습니다"], "둘?": ["아마 네"], "셋?": ["글쎄요"]}
    rows = [row_of(asked, "네", number, instruction=asked, input="") for number, asked in enumerate(answers, 1)]
    usual = mine_mistakes(DrawingEngine(answers), rows)
    assert [(pair["prompt"], pair["rejected_score"]) for pair in usual.rows] == [("셋?", 0.0)]
    assert usual.counts == {"right by token_f1": 2}
    strict = mine_mistakes(DrawingEngine(answers), rows, wrong=Wrong("exact_match"))
    assert [pair["prompt"] for pair in strict.rows] == ["하나?", "둘?", "셋?"]
    assert strict.kinds == {"wrong answer": 3}
    assert strict.rows[0]["rejected_score"] == pytest.approx(2 / 3)


def test_a_measure_of_which_less_is_better_tells_no_mistake():
    with pytest.raises(ValueError, match=r"^found the measure cer, expected one of char_accuracy, char_f1, "):
        Wrong("cer")


text = st.text(st.sampled_from("가나다 라!"), max_size=6)


@given(st.lists(st.tuples(text, text), min_size=1, max_size=6))
def test_whatever_is_answered_each_row_gives_a_pair_or_a_reason_and_the_order_holds(answers):
    rows = [(re.sub(r"^!", "?", f"{number}{right}"), right, [said]) for number, (right, said) in enumerate(answers)]
    found = mine(*rows)
    assert len(found.rows) + len(found.left_out) == len(rows)
    order = [KINDS.index(pair["hardness"]) for pair in found.rows]
    assert order == sorted(order)
    assert all(pair["chosen"] != pair["rejected"] for pair in found.rows)
