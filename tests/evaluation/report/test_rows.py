"""
The worst rows, and those on which engines disagree.

In: answers. Out: specimens of rows, the worst first, their faults marked.
"""

import numpy as np

from hanpuri.engines.base import Answer
from hanpuri.evaluation.report.compared import compare
from hanpuri.evaluation.report.rows import MAX_ROWS, disagreements, judge, worst_rows
from hanpuri.pages.page import Marked, Paragraph, RowText, Share, Specimens, Table


def judged(evaluation):
    return judge(evaluation, "char_accuracy", compare(evaluation))


def asked(evaluation):
    return judge(evaluation, "token_f1", None)


def headings(block: Specimens) -> list[str]:
    return [item.heading for item in block.items]


def test_the_worst_come_first_and_right_rows_not_at_all(restored):
    found = worst_rows(
        judged(restored(("방이 작아요", "방이 작아오"), ("문이", "문이"), ("창이 작아요", "창 큽니다"))), folded=False
    )
    assert found.caption == "told: the worst 2 of 2 rows with a fault"
    assert headings(found) == ["reviews.jsonl:3 · 4 of 6 characters wrong", "reviews.jsonl:1 · 1 of 6 characters wrong"]
    names, texts = zip(*found.items[1].lines, strict=True)
    assert names == ("noisy", "restored", "clean")
    assert texts[0] == RowText("0 방이 작아요")
    assert isinstance(texts[1], Marked)
    assert [(piece.text, piece.mark) for piece in texts[1].pieces] == [("방이 작아", ""), ("오", "wrong")]
    assert texts[2] == RowText("방이 작아요")


def test_one_wrong_syllable_of_two_is_no_worse_than_many_of_a_long_row(restored):
    long = "방이 아주 넓고 깨끗해서 좋았어요"
    found = worst_rows(
        judged(restored(("문", "뭉"), (long, long.replace("아", "어").replace("고", "교").replace("서", "소")))),
        folded=False,
    )
    assert headings(found)[0].startswith("reviews.jsonl:2")


def test_rows_without_an_answer_are_not_the_worst_but_failures(restored):
    found = worst_rows(judged(restored(("문", Answer.failed("down")), ("창", "  "), ("방", "방"))), folded=False)
    assert found == Paragraph("told: every row that was answered is right.")


def test_no_more_than_a_few_are_shown(restored):
    found = worst_rows(
        judged(restored(*((f"방{number}", "") for number in range(3)), *(("방", "문"),) * 40)), folded=True
    )
    assert found.folded
    assert len(found.items) == MAX_ROWS
    assert found.caption == "told: the worst 15 of 40 rows with a fault"


def test_texts_that_are_too_long_to_align_are_shown_as_they_are(restored):
    one = judged(restored(("방이" * 600, "문이" * 600)))
    assert one.compared.errors.tolist() == [600]
    assert isinstance(one.line(0), RowText)


def test_answers_to_questions_are_judged_by_their_score_and_not_marked(evaluated):
    rows = [
        ({"instruction": "언제 여나요?", "output": "아홉 시에 엽니다"}, "아홉 시에 닫습니다"),
        ({"instruction": "바다가 보이나요?", "output": "네"}, "아니요"),
        ({"instruction": "주차장이 있나요?", "output": "네"}, "네"),
    ]
    found = worst_rows(asked(evaluated(rows)), folded=False)
    assert headings(found) == ["reviews.jsonl:2 · score 0.00", "reviews.jsonl:1 · score 0.67"]
    assert found.items[0].lines == (
        ("asked", RowText("바다가 보이나요?")),
        ("answered", RowText("아니요")),
        ("expected", RowText("네")),
    )


def test_engines_are_held_against_the_first_row_by_row(restored):
    one = judged(restored(("가", "가"), ("나", "나"), ("다", "따"), ("라", "롸"), engine="one"))
    two = judged(restored(("가", "가"), ("나", "냐"), ("다", "다"), ("라", Answer.failed("down")), engine="two"))
    table, rows = disagreements([one, two])
    assert isinstance(table, Table)
    assert table.head == ("engine", "both right", "only one right", "only this one right", "neither right")
    assert table.rows == (("two", *[Share(0.25)] * 4),)
    assert rows.folded
    assert headings(rows) == ["reviews.jsonl:4", "reviews.jsonl:2", "reviews.jsonl:3"]
    assert [name for name, _ in rows.items[0].lines] == ["noisy", "one", "two", "clean"]
    assert rows.items[0].lines[2] == ("two", RowText("(no answer)"))


def test_engines_that_agree_are_said_to(restored):
    pair = [judged(restored(("가", "가"), ("나", "냐"), engine=name)) for name in ("one", "two")]
    assert list(disagreements(pair))[1] == Paragraph("No row is better with one of them than with another.")


def test_no_answer_is_never_right(restored):
    (table, *_) = disagreements([judged(restored(("가", Answer.failed("down")), engine=name)) for name in ("a", "b")])
    assert table.rows == (("b", Share(0), Share(0), Share(0), Share(1)),)
    assert np.isnan(judged(restored(("가", Answer.failed("down")))).badness).all()
