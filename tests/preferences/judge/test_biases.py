"""What moves a judge that should not: judges that go by place, by length, or by neither."""

import math

import pytest

from hanpuri.engines.settings import parse_engine
from hanpuri.preferences.judge.biases import agreement_by_length, judges_itself, length_bias, position_bias
from hanpuri.preferences.judge.judgements import Heard, settle
from hanpuri.preferences.judge.material import Pair


def both(as_it_stands, turned):
    return settle([Heard(False, as_it_stands), Heard(True, turned)])


def pair(first: str, second: str) -> Pair:
    return Pair("a.jsonl:1", {"prompt": "몇 시예요?"}, first, second)


def test_a_judge_that_takes_the_first_place_is_found_out():
    found = position_bias([both("first", "second")] * 5)
    assert (found.num_pairs, found.contradicted.value, found.first_place.value) == (5, 1.0, 1.0)


def test_a_judge_that_looks_at_answers_gives_the_first_place_one_half_whatever_it_takes():
    found = position_bias([both("first", "first")] * 7 + [both("second", "second")])
    assert (found.contradicted.value, found.changed.value, found.first_place.value) == (0.0, 0.0, 0.5)
    assert (found.first_place.low, found.first_place.high) == (0.5, 0.5)


def test_ties_change_with_the_order_without_a_contradiction():
    found = position_bias(
        [both("first", "tie"), both("tie", "tie"), both("first", None), settle([Heard(True, "first")])]
    )
    assert (found.num_pairs, found.contradicted.value, found.changed.value) == (2, 0.0, 0.5)
    assert found.first_place.value == 1.0


def test_nothing_read_is_no_number():
    found = position_bias([both(None, None)])
    assert found.num_pairs == 0
    assert math.isnan(found.contradicted.value)


def test_what_the_longer_answer_wins_is_counted_by_how_much_longer_it_is():
    pairs = [
        pair("가" * 21, "나" * 20),  # 5 % longer, wins
        pair("가" * 20, "나" * 25),  # 25 % longer, wins
        pair("가" * 30, "나" * 10),  # 200 % longer, loses
        pair("가", ""),  # longer than nothing, wins
        pair("가", "나"),  # of one length
        pair("가가", "나"),  # not decided
    ]
    found = length_bias(pairs, ["first", "second", "second", "first", "first", "disagreement"])
    assert [(one.name, one.num_pairs, one.won.value) for one in found] == [
        ("all", 4, 0.75),
        ("up to 10 % longer", 1, 1.0),
        ("10–50 % longer", 1, 1.0),
        ("more than 50 % longer", 2, 0.5),
    ]
    (nothing,) = length_bias([], [])
    assert (nothing.num_pairs, math.isnan(nothing.won.value)) == (0, True)


def test_a_judge_that_counts_characters_is_right_where_the_longer_answer_is():
    pairs = [pair("길고 긴 답", "답"), pair("답", "길고 긴 답"), pair("길고 긴 답", "답"), pair("답", "말")]
    found = agreement_by_length(pairs, ["first", "second", "second", "first"], ["first", "second", "first", "first"])
    assert (found.num_longer, found.longer_right.value) == (2, 1.0)
    assert (found.num_shorter, found.shorter_right.value) == (1, 0.0)


@pytest.mark.parametrize(
    ("judge", "writer", "same"),
    [
        ("transformers:runs/faq", "transformers:runs/faq", True),
        ("openai:http://127.0.0.1:1/v1#a", "openai:http://127.0.0.1:1/v1#a,server.concurrency=2", True),
        ("openai:http://127.0.0.1:1/v1#a", "openai:http://127.0.0.1:1/v1#b", False),  # another model of the server
        ("transformers:runs/faq", "vllm:runs/faq", False),  # cannot be told: other engines, other names
    ],
)
def test_a_judge_of_its_own_answers_is_known(judge, writer, same):
    assert judges_itself(parse_engine(judge), parse_engine(writer)) is same
