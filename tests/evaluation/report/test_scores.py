"""
Scores side by side, in numbers and in plain words.

In: evaluations of one file. Out: a sentence, tables, bars.
"""

from dataclasses import replace

import pytest

from hanpuri.evaluation.comparison import compare_with_first
from hanpuri.evaluation.report.scores import score_blocks, sentence_on, slice_blocks
from hanpuri.evaluation.significance import Interval
from hanpuri.pages.page import Noted, Paragraph, Plots, RowText, Score, Table

WORDS = ("아주", "매우", "참", "정말", "너무", "꽤", "더", "늘", "또", "잘")
CLEAN = [f"{place} {word} 좋아요" for place in ("방이", "창이") for word in WORDS]


@pytest.fixture
def good(restored):
    return restored(*((text, text) for text in CLEAN), engine="good")


@pytest.fixture
def bad(restored):
    return restored(*((text, text.replace("좋", "조")) for text in CLEAN), engine="bad")


def cells(block: Table, name: str) -> tuple:
    (row,) = (row for row in block.rows if isinstance(row[0], Noted) and row[0].text.startswith(name))
    return row[1:]


# --- in short


def test_the_best_is_named_with_its_score_and_how_it_stands_to_the_next(good, bad):
    score = bad.scores["char_accuracy"].value
    assert sentence_on([bad, good]) == (
        "On reviews (20 rows) good is the best of 2: char_accuracy 1.0000. "
        f"The next, bad, has {score:.4f}: chance alone would hardly make such a difference (p < 0.001)."
    )


def test_engines_that_cannot_be_told_apart_are_not_ranked_in_words(good, restored):
    other = restored(*((text, text if number else "") for number, text in enumerate(CLEAN)), engine="other")
    assert sentence_on([good, other]).endswith(": no difference that 20 rows can show.")


def test_one_engine_alone_is_told_with_its_interval(restored):
    alone = restored(("방이", "방이"), ("작아요", "작아오"), engine="alone")
    assert sentence_on([alone]) == "On reviews (2 rows) alone has char_accuracy 0.8000 (0.667 to 1.000)."


def test_a_file_without_right_answers_has_no_best(evaluated):
    asked = evaluated([({"instruction": "바다는?"}, "동쪽입니다")])
    assert sentence_on([asked]) == "reviews (1 row) has no right answers: only what needs none was measured."


# --- tables


def test_every_measure_has_a_row_and_the_best_stands_out(good, bad):
    scores, *_ = score_blocks([good, bad], {})
    assert scores.head == ("measure", "good", "bad")
    assert cells(scores, "char_accuracy ↑")[0] == Score("1.0000", "", best=True)
    first, second = cells(scores, "cer ↓")
    assert (first.best, second.best) == (True, False)
    low, high = second.note.split(" to ")
    assert float(low) < float(second.text) < float(high)
    assert not any(cell.best for cell in cells(scores, "failed"))  # both are the same


def test_losses_of_tokens_have_no_best_and_what_is_first_compared_stands_first(good, bad):
    def scored(one, loss: float):
        return replace(one, scores={"failed": one.scores["failed"], **one.scores, "loss": Interval(loss, loss, loss)})

    scores, *_ = score_blocks([scored(good, 2.0), scored(bad, 1.0)], {})
    assert cells(scores, "loss") == (Score("2.0000"), Score("1.0000"))
    assert scores.rows[0][0].text == "char_accuracy ↑"


def test_a_measure_that_only_one_engine_has_is_left_empty_for_the_other(good, evaluated):
    other = evaluated([({"instruction": "바다는?", "output": "동쪽"}, "동쪽")])
    scores, *_ = score_blocks([good, other], {})
    assert cells(scores, "token_f1")[0] is None
    assert cells(scores, "char_f1")[1] is None


def test_differences_are_told_in_words(good, bad):
    _, differences, explained = score_blocks([good, bad], compare_with_first([good, bad]))
    assert differences.caption == "What the others have more than good"
    rows = {row[1]: row for row in differences.rows}
    assert list(rows) == ["char_accuracy", "cer", "exact_match"]
    assert rows["exact_match"] == ("bad", "exact_match", Score("-1.0000", "-1.0000 to -1.0000"), "< 0.001", "worse")
    assert rows["cer"][4] == "worse"  # more of it
    assert isinstance(explained, Paragraph)
    assert "“No difference” is none that 20 rows can show." in explained.text


# --- slices


def test_slices_come_with_their_rows_and_the_best_of_each(evaluated):
    def engine(name: str, *said: str):
        levels = ("easy", "easy", "hard")
        rows = [
            ({"noisy": f"{n} 방이", "clean": "방이", "level": level}, text)
            for n, (level, text) in enumerate(zip(levels, said, strict=True))
        ]
        return evaluated(rows, name)

    blocks = list(slice_blocks([engine("one", "방이", "방이", "빵이"), engine("two", "빵이", "방이", "방이")]))
    table = next(block for block in blocks if isinstance(block, Table) and block.head[0] == "level")
    assert table.caption == "char_accuracy by level"
    assert table.rows == (
        (RowText("easy"), 2, Score("1.0000", best=True), Score("0.7500")),
        (RowText("hard"), 1, Score("0.5000"), Score("1.0000", best=True)),
    )
    plots = blocks[-1]
    assert isinstance(plots, Plots)
    (plot,) = (plot for plot in plots.plots if plot.title == "char_accuracy by level: reviews")
    assert plot.legend == ("one", "two")
    assert plot.told == "one does worst on hard."


def test_of_many_slices_the_largest_are_shown(evaluated):
    rows = [({"noisy": f"{n}", "clean": "방", "source": f"s{n % 60}"}, "방") for n in range(100)]
    table = next(block for block in slice_blocks([evaluated(rows)]) if block.head[0] == "source")
    assert table.caption == "char_accuracy by source, of the 40 with the most rows"
    assert [row[1] for row in table.rows] == [2] * 40
