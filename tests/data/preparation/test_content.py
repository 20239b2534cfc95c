"""
What of a row is compared: all it says, what makes it nearly another, what it asks, its id.

In: the fields of a row of each form. Out: texts of them, and 20 digits.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.preparation.content import asked, compared, content_id, said

MESSAGES = [
    {"role": "system", "content": "짧게 답해요."},
    {"role": "user", "content": "조식은 언제인가요?"},
    {"role": "assistant", "content": "일곱 시부터요."},
]


@pytest.mark.parametrize(
    ("form", "fields", "all_said", "all_compared", "all_asked"),
    [
        ("text", {"text": "방이 넓어요"}, ["방이 넓어요"], ["방이 넓어요"], ["방이 넓어요"]),
        # noisy versions of one text repeat nothing, but ask for the same answer
        ("pairs", {"noisy": "빵이", "clean": "방이"}, ["빵이", "방이"], ["방이"], ["방이"]),
        # the same question with another answer is another row, and the same question
        (
            "instruction",
            {"instruction": "줄여 줘", "input": "긴 글", "output": "글"},
            ["줄여 줘", "긴 글", "글"],
            ["줄여 줘", "긴 글", "글"],
            ["줄여 줘", "긴 글"],
        ),
        (
            "messages",
            {"messages": MESSAGES},
            ["짧게 답해요.", "조식은 언제인가요?", "일곱 시부터요."],
            ["짧게 답해요.", "조식은 언제인가요?", "일곱 시부터요."],
            ["짧게 답해요.", "조식은 언제인가요?"],
        ),
        # nobody asks: were nothing compared, all such rows would ask the same
        ("messages", {"messages": MESSAGES[2:]}, ["일곱 시부터요."], ["일곱 시부터요."], ["일곱 시부터요."]),
        (
            "preference",
            {"prompt": "추천", "input": "바다", "chosen": "네", "rejected": "아니요"},
            ["추천", "바다", "네", "아니요"],
            ["추천", "바다", "네", "아니요"],
            ["추천", "바다"],
        ),
        # all that stands before the two answers is asked
        (
            "preference",
            {"prompt": MESSAGES[:2], "input": "", "chosen": "네", "rejected": "아니요"},
            ["짧게 답해요.", "조식은 언제인가요?", "", "네", "아니요"],
            ["짧게 답해요.", "조식은 언제인가요?", "", "네", "아니요"],
            ["짧게 답해요.", "조식은 언제인가요?", ""],
        ),
    ],
)
def test_each_form_says_compares_and_asks_its_own(form, fields, all_said, all_compared, all_asked):
    assert said(fields, form) == all_said
    assert compared(all_said, form) == all_compared
    assert asked(all_said, form) == all_asked


ANY_TEXT = st.text(max_size=8) | st.sampled_from(["\ud800", "가"])


@given(st.tuples(ANY_TEXT, ANY_TEXT), st.tuples(ANY_TEXT, ANY_TEXT))
def test_ids_are_equal_where_rows_say_the_same(left, right):
    ids = [content_id(dict(zip(("noisy", "clean"), texts, strict=True)), "pairs") for texts in (left, right)]
    assert (ids[0] == ids[1]) == (left == right)
    assert all(len(id) == 20 and set(id) <= set("0123456789abcdef") for id in ids)


def test_what_is_said_in_one_field_or_in_two_makes_two_ids():
    ids = {content_id({"noisy": noisy, "clean": clean}, "pairs") for noisy, clean in [("ab", "c"), ("a", "bc")]}
    assert len(ids) == 2
