"""
Which letter was taken for which, counted.

In: clean and restored texts. Out: counts for leads, vowels and tails, and the most frequent syllables.
"""

import numpy as np

from hanpuri.engines.base import Answer
from hanpuri.evaluation.report.compared import compare
from hanpuri.evaluation.report.confusion import Confusions, confusion_blocks, confusions
from hanpuri.hangul import LEADS, TAILS, VOWELS
from hanpuri.pages.page import Paragraph, Plots, RowText, Share, Table


def counted(*evaluations) -> Confusions:
    return confusions([compare(one) for one in evaluations])


def times(found: Confusions, clean: str, written: str) -> int:
    for letters, counts in zip((LEADS, VOWELS, TAILS), found.letters, strict=True):
        if clean in letters and written in letters:
            return int(counts[letters.index(clean), letters.index(written)])
    raise AssertionError(f"{clean} and {written} are not of one kind")


def test_letters_are_counted_by_what_should_stand_there(restored):
    found = counted(restored(("방이 작아요", "빵이 작아오"), ("요요", "요오"), ("없다", "업다")))
    assert (times(found, "ㅂ", "ㅃ"), times(found, "ㅃ", "ㅂ")) == (1, 0)
    assert times(found, "ㅛ", "ㅗ") == 2
    assert times(found, "ㅄ", "ㅂ") == 1
    assert times(found, "ㅛ", "ㅛ") == 1  # what is right is counted, too
    assert [int(counts.sum()) for counts in found.letters] == [9, 9, 9]
    assert (found.num_syllables, found.num_wrong) == (9, 4)


def test_the_most_frequent_syllables_come_first_with_how_often_they_were_asked_for(restored):
    found = counted(restored(("시시시요요", "씨씨시오요"), ("시", "씨")))
    assert found.syllables == (("시", "씨", 3, 4),)  # 요 → 오 was once, which says nothing
    assert counted(restored(("시요", "씨오"))).syllables == (("시", "씨", 1, 1), ("요", "오", 1, 1))


def test_a_shift_is_no_confusion(restored):
    found = counted(restored(("방이 정말 작아요", "방이 작아요"), ("넓어요", "넓고요어요")))
    assert found.num_wrong == 0
    assert found.num_syllables == 8  # 정말 has no counterpart, nor have 고 and 요


def test_a_row_without_an_answer_confuses_nothing(restored):
    found = counted(restored(("방이", Answer.failed("the server is down")), ("요!", "요?")))
    assert (found.num_syllables, found.num_wrong) == (1, 0)


def test_files_are_counted_together(restored):
    found = counted(restored(("시", "씨")), restored(("시", "씨"), file="prose"))
    assert found.syllables == (("시", "씨", 2, 2),)


def test_only_letters_with_a_mistake_are_drawn(restored):
    told, plots, table = confusion_blocks("told", counted(restored(("시시요", "씨시오"), ("시", "씨"))))
    assert told == Paragraph("told: of 4 syllables, 3 became another one (75.0 %).")
    assert isinstance(plots, Plots)
    assert [plot.title for plot in plots.plots] == ["Leads of told", "Vowels of told"]
    assert plots.plots[0].told == "2 of 4 are wrong. Most often: ㅅ → ㅆ (2)."
    assert isinstance(table, Table)
    assert table.rows == ((RowText("시 → 씨"), 2, 3, Share(2 / 3)),)


def test_without_a_mistake_there_is_nothing_to_draw(restored):
    assert list(confusion_blocks("told", counted(restored(("방이", "방이"))))) == [
        Paragraph("told: of 2 syllables, 0 became another one (0 %).")
    ]
    empty = counted(restored(("!", "")))
    assert not np.any(empty.letters[0])
    assert list(confusion_blocks("told", empty)) == [Paragraph("told: of 0 syllables, 0 became another one (0 %).")]
