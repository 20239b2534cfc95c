"""What an answer is rewarded with: measures, patterns, lengths, functions of one's own; and how they are written."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import ModelError, RecipeError
from hanpuri.evaluation import metrics
from hanpuri.preferences.rewards import open_rewards, parse_term, same_length, same_spacing, total
from hanpuri.training.recipe import RewardTermSettings
from hanpuri.training.reinforcement.reward import Reward, right_answer, score_answers

ROW = {"noisy": "빵이 넓엎욘", "clean": "방이 넓어요"}


def scores_of(answer, row=ROW, **term):
    with open_rewards([RewardTermSettings(**term)]) as rewards:
        return score_answers(rewards[0], [row], [answer])[0]


# a part of the reward, an answer to "방이 넓어요", what it gets
PARTS = [
    ({"measure": "char_accuracy"}, "방이 넙어요", 0.8),
    ({"measure": "char_accuracy"}, "", 0.0),
    ({"measure": "exact_match"}, "방이 넓어요", 1.0),
    ({"measure": "exact_match"}, "방이 넓어요 ", 0.0),
    ({"measure": "token_f1"}, "방이 좁아요", 0.5),
    ({"measure": "same_length"}, "방이 넓어", 5 / 6),
    ({"measure": "same_length"}, "방이 넓어요 방이 넓", 1 / 6),
    ({"measure": "same_length"}, "방이 넓어요 " * 9, 0.0),  # never below 0
    ({"measure": "same_spacing"}, "가가 가가가", 1.0),  # only spaces are looked at
    ({"measure": "same_spacing"}, "방이 넓 어요", 0.5),  # one right, one too many
    ({"pattern": r"[가-힣 ]+요"}, "방이 넓어요", 1.0),
    ({"pattern": r"[가-힣 ]+요"}, "방이 넓어요!", 0.0),  # the whole answer has to match
    ({"pattern": r"방.+요"}, "방이\n넓어요", 1.0),  # a line end is a character too
    ({"longest": 6}, "방이 넓어요", 1.0),
    ({"longest": 4}, "방이 넓어요", 0.5),
    ({"longest": 3}, "방이 넓어요", 0.0),  # twice as long
]


@pytest.mark.parametrize(("term", "answer", "expected"), PARTS)
def test_each_part_gives_its_number(term, answer, expected):
    assert scores_of(answer, **term) == pytest.approx(expected)


# rows of all forms, and what is right there
@pytest.mark.parametrize(
    ("row", "right"),
    [
        ({"noisy": "쨰밌어요", "clean": "재밌어요"}, "재밌어요"),
        ({"instruction": "인사", "input": "", "output": "네"}, "네"),
        ({"prompt": "인사", "chosen": "네", "rejected": "아니"}, "네"),
        ({"messages": [{"role": "user", "content": "인사"}, {"role": "assistant", "content": "네"}]}, "네"),
        ({"messages": [{"role": "user", "content": "인사"}]}, None),
        ({"text": "옛날에"}, None),
        ({"noisy": "쨰밌어요"}, None),
        ({"noisy": "쨰밌어요", "clean": ""}, None),
    ],
)
def test_the_right_answer_is_found_in_rows_of_all_forms(row, right):
    assert right_answer(row) == right
    score = scores_of("네", row, measure="exact_match")
    assert math.isnan(score) if right is None else score == float(right == "네")


def test_a_single_answer_is_measured_as_the_measures_measure_it():
    for name in ("char_accuracy", "exact_match", "token_f1"):
        measure = getattr(metrics, name)
        assert scores_of("방이 넙어요", measure=name) == measure(["방이 넙어요"], [ROW["clean"]])


# all texts: a reward is a number from 0 to 1, and the right answer gets 1
@given(st.text(), st.text())
def test_length_and_spacing_are_numbers_from_0_to_1(answer, right):
    for measure in (same_length, same_spacing):
        assert 0 <= measure(answer, right) <= 1
        assert measure(right, right) == 1


# what is written on a command line, and what it says
@pytest.mark.parametrize(
    ("told", "source", "value", "weight"),
    [
        ("char_accuracy", "measure", "char_accuracy", 1.0),
        ("same_length*0.5", "measure", "same_length", 0.5),
        ("model:runs/reward*-2", "model", "runs/reward", -2.0),
        ("function:C:/mine.py:kind", "function", "C:/mine.py:kind", 1.0),
        ("judge:judge.yaml*1e-1", "judge", "judge.yaml", 0.1),
        ("longest:80", "longest", "80", 1.0),
        ("pattern:.*", "pattern", ".*", 1.0),  # a star with no number behind it is no weight
        ("pattern:[가-힣]*요*3", "pattern", "[가-힣]*요", 3.0),
    ],
)
def test_a_part_is_read_as_it_is_written_on_a_command_line(told, source, value, weight):
    term = parse_term(told)
    assert (term.source, str(getattr(term, source)), term.weight) == (source, value, weight)


# what is no part of a reward, and what is said
@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (
            "accuracy",
            "measure: Input should be 'char_accuracy', 'exact_match', 'token_f1', 'same_length' or 'same_spacing'"
            " (found 'accuracy')",
        ),
        ("char_accuracy*inf", "weight: Input should be a finite number (found inf)"),
        ("char_accuracy*nan", "weight: Input should be a finite number (found nan)"),
        ("model:", "model: String should have at least 1 character (found '')"),
        ("char_accuracy*0", "a weight of 0 is no reward, take it out"),
        ("pattern:(", "pattern: no regular expression: missing ), unterminated subpattern at position 0 (found '(')"),
    ],
)
def test_what_is_no_part_of_a_reward_is_said_in_one_line(told, fault):
    with pytest.raises(RecipeError) as error:
        parse_term(told)
    mend = "write it as char_accuracy, same_length*0.5, model:runs/reward, function:mine.py:kind or judge:judge.yaml"
    assert str(error.value) == f"the reward {told!r}: {fault}; {mend}"


def test_the_total_is_the_weighted_sum_and_no_number_where_a_part_is_none():
    terms = [parse_term("exact_match"), parse_term("longest:6*0.5")]
    rows, answers = [ROW, {"noisy": "쨰밌어요"}], ["방이 넓어요", "재밌어요"]
    with open_rewards(terms) as rewards:
        assert [reward.needs_answer for reward in rewards] == [True, False]
        first, second = total(rewards, rows, answers)
        assert total(rewards, [], []) == []
    assert first == 1.5
    assert math.isnan(second)
    with pytest.raises(ValueError, match="found no reward, expected one or more"):
        total([], rows, answers)


# what a function gives for two answers, and what is said
@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ([1.0], "the reward kind gave 1 values for 2 answers; let it give one for each"),
        (
            [1.0, 1e300],
            "row 2: the reward kind gave 1e+300 for the answer '나', expected a number; mend the reward;"
            " None or nan says that an answer cannot be scored",
        ),
        (
            [1.0, math.inf],
            "row 2: the reward kind gave inf for the answer '나', expected a number; mend the reward;"
            " None or nan says that an answer cannot be scored",
        ),
        (
            [1.0, "5"],
            "row 2: the reward kind gave '5' for the answer '나', expected a number; mend the reward;"
            " None or nan says that an answer cannot be scored",
        ),
    ],
)
def test_what_is_no_number_is_refused_with_reward_and_row(given, fault):
    with pytest.raises(ModelError) as error:
        score_answers(Reward("kind", 1.0, lambda rows, answers: given), [ROW, ROW], ["가", "나"])
    assert str(error.value) == fault
