"""Which rows are counted together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.evaluation.slices import group_rows, length_bucket, made_by

LENGTHS = [(0, "1-20"), (20, "1-20"), (21, "21-50"), (100, "51-100"), (200, "101-200"), (500, "201-500"), (501, "501+")]


@pytest.mark.parametrize(("length", "bucket"), LENGTHS)
def test_a_length_falls_into_its_bucket(length, bucket):
    assert length_bucket("가" * length) == bucket


MADE = [
    # noisy, clean, rules
    ("난나", "나나", ("doubling",)),
    ("갑시 넓뮤", "값이 너무", ("liaison", "tail insertion", "vowel")),
    ("너무", "너무", ("none",)),
    ("넘", "너무", ()),  # of another length: nothing can be said
    ("나무", "너무", ("other",)),  # no rule of ours makes this
]


@pytest.mark.parametrize(("noisy", "clean", "rules"), MADE)
def test_the_rules_that_made_a_pair_are_told(noisy, clean, rules):
    assert made_by(noisy, clean) == rules


def test_lengths_go_from_short_to_long_rules_by_name_all_else_as_it_comes():
    rows = [
        {"length": ("101-200",), "rule": ("5-1", "1-3"), "level": ("hard",)},
        {"length": ("21-50",), "rule": (), "level": ("easy",)},
        {"length": ("501+",), "level": ("hard",)},
    ]
    assert {key: numbers.tolist() for key, numbers in group_rows(rows).items()} == {
        ("length", "21-50"): [1],
        ("length", "101-200"): [0],
        ("length", "501+"): [2],
        ("level", "hard"): [0, 2],
        ("level", "easy"): [1],
        ("rule", "1-3"): [0],
        ("rule", "5-1"): [0],
    }


@given(st.lists(st.text(max_size=600)))
def test_every_row_has_one_length(texts):
    groups = group_rows([{"length": (length_bucket(text),)} for text in texts])
    assert sorted(number for numbers in groups.values() for number in numbers) == list(range(len(texts)))
