"""
Personal data and what only looks like it: `tests/cases/personal.jsonl` and `personal_negative.jsonl` are the examples.

In: a text. Out: the text with marks, and how many of each kind.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hanpuri.data.cleaning.personal import KINDS, mask_kind, mask_personal

CASES = Path(__file__).parents[2] / "cases"


def cases(name):
    rows = [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]
    return [pytest.param(row, id=row["why"]) for row in rows]


@pytest.mark.parametrize("case", cases("personal.jsonl"))
def test_personal_data_is_masked(case):
    masked, counts = mask_personal(case["text"], KINDS)
    assert masked == case["masked"]
    assert counts.total() == len(re.findall(r"\[(?:전화|이메일|주민등록|카드)", masked))


@pytest.mark.parametrize("case", cases("personal_negative.jsonl"))
def test_what_only_looks_like_personal_data_stays(case):
    assert mask_personal(case["text"], KINDS) == (case["text"], {})


@pytest.mark.parametrize(
    ("kinds", "masked"),
    [
        ([], "010-1234-5678 a@b.kr 900101-1234567 4111-1111-1111-1111"),
        (["phone"], "[전화번호] a@b.kr 900101-1234567 4111-1111-1111-1111"),
        (["email"], "010-1234-5678 [이메일] 900101-1234567 4111-1111-1111-1111"),
        (["resident"], "010-1234-5678 a@b.kr [주민등록번호] 4111-1111-1111-1111"),
        (["card"], "010-1234-5678 a@b.kr 900101-1234567 [카드번호]"),
    ],
)
def test_only_the_kinds_that_are_asked_for_are_masked_and_no_number_is_taken_for_another_kind(kinds, masked):
    text = "010-1234-5678 a@b.kr 900101-1234567 4111-1111-1111-1111"
    assert mask_personal(text, kinds) == (masked, dict.fromkeys(kinds, 1))


def test_a_mark_that_stood_there_before_is_not_counted():
    assert mask_personal("[전화번호] 010-1234-5678", ["phone"]) == ("[전화번호] [전화번호]", {"phone": 1})


def test_text_without_personal_data_is_given_back_itself():
    text = "2024-01-15에 120,000원 @ ok"
    assert all(mask_kind(text, kind) is text for kind in KINDS)


def test_an_unknown_kind_is_a_wrong_call():
    with pytest.raises(ValueError, match="^" + re.escape("there is no personal data of kind 'fax', expected email, ")):
        mask_personal("", ["fax"])


numbers = st.sampled_from(
    ["010-1234-5678", "a.b@c.kr", "900101-1234567", "4111111111111111", "1588-1234", "02)345-6789", "+82", "82-", "01"]
)
between = st.text(alphabet="0189 -.)(/@+a_가０－", max_size=4)
written = st.lists(st.one_of(numbers, between), max_size=8).map("".join)


@given(st.one_of(st.text(), written))
@example("a.b@c.kr-010-1234-5678")  # what is masked first stands before another number
def test_what_is_masked_stays_masked(text):
    masked, _ = mask_personal(text, KINDS)
    assert mask_personal(masked, KINDS) == (masked, {})


@given(between.filter(lambda text: not re.search("[0-9０-９][-.－]?$", text)), st.sampled_from(["", " ", "가", "~8"]))
def test_a_telephone_number_is_found_behind_anything_but_another_number(before, after):
    masked = mask_kind(f"{before}010-1234-5678{after}", "phone")
    assert masked.endswith(f"[전화번호]{after}")


@pytest.mark.parametrize("piece", ["0", "1-", "a@", "ab.", "+82", "( ", "010-1234-", "a-", "4111 "])
def test_a_long_text_that_only_begins_like_personal_data_stays(piece):
    text = piece * (200_000 // len(piece))  # were each begin tried to the end of the text, this would take minutes
    assert mask_personal(text, KINDS) == (text, {})
