"""What a judge wrote: a verdict or none, never a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.engines.base import Answer
from hanpuri.preferences.judge.replies import read_letter, read_mark

VERDICTS = [
    ("판정: A", "A"),  # the format itself
    ("A는 맞춤법이 맞습니다.\n판정: B", "B"),  # with a reason, whatever letter stands in it
    ("판정: 비김\n\n", "tie"),  # blank lines behind it
    ("**판정: A**", "A"),  # made bold, as models like to
    ("## 판정：B.", "B"),  # a heading, a wide colon, a full stop
    ("<think>판정: B 같은데?\n판정: B</think>\n판정: A", "A"),  # what it thought to itself is no verdict
    ("판정: B일까?\n판정: B\n</think>\n\n판정: A", "A"),  # a thought that its template had opened
    ("판정: A\n판정: A", "A"),  # said twice, and the same
]
NONSENSE = [
    "",  # nothing
    "둘 다 좋은 답입니다.",  # no verdict
    "A",  # a letter alone: it may be the beginning of a sentence
    "판정: A|B|비김",  # the format repeated
    "판정: A\n판정: B",  # two minds
    "판정: A\n이상입니다.",  # not in the last line
    "판정: C",  # a third answer
    "판정: a",  # a small letter
    "판정은 A입니다.",  # another format
    '{"verdict": "A"}',  # and another
    "<html><body>판정: A</body></html>",  # a page
    "<think>판정: A",  # a thought that never ended
    "Verdict: A",  # another language
    "판정: A B",  # both
]


@pytest.mark.parametrize(("text", "letter"), VERDICTS)
def test_a_verdict_is_read_from_the_last_line(text, letter):
    assert read_letter(Answer(text, 5, finished=True)) == letter


@pytest.mark.parametrize("text", NONSENSE)
def test_what_is_no_verdict_is_never_guessed(text):
    assert read_letter(Answer(text, 5, finished=True)) is None


def test_a_reply_that_was_cut_or_never_came_is_no_verdict():
    assert read_letter(Answer("판정: A", 3, finished=False)) is None
    assert read_letter(Answer.failed("the server is down")) is None


MARKS = [
    ("점수: 7", 0.7),
    ("좋은 답입니다.\n**점수: 10점**", 1.0),
    ("점수: 0", 0.0),
    ("점수: 7.5", 0.75),
    ("점수: 11", None),  # not on the scale
    ("점수: -1", None),
    ("7", None),  # a number of what?
    ("점수: 7/10", None),  # two numbers
    ("점수: 3\n점수: 8", None),  # two minds
    ("점수: (숫자)", None),  # the format repeated
    ("점수: 일곱", None),
]


@pytest.mark.parametrize(("text", "mark"), MARKS)
def test_a_mark_is_read_as_a_share_of_the_scale(text, mark):
    assert read_mark(Answer(text, 5, finished=True), (0, 10)) == mark


def test_another_scale_is_another_share():
    assert read_mark(Answer("점수: 2", 3, finished=True), (1, 5)) == 0.25


@given(st.text())
def test_no_text_breaks_the_reading(text):
    assert read_letter(Answer(text, 1, finished=True)) in ("A", "B", "tie", None)
    mark = read_mark(Answer(text, 1, finished=True), (0, 10))
    assert mark is None or 0 <= mark <= 1


@given(st.text().filter(lambda text: "판정" not in text and "think" not in text), st.sampled_from(["A", "B", "비김"]))
def test_any_reason_may_stand_before_a_verdict(reason, letter):
    read = read_letter(Answer(f"{reason}\n판정: {letter}", 9, finished=True))
    assert read == {"A": "A", "B": "B", "비김": "tie"}[letter]
