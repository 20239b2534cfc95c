"""Rewards that are no number: they push an answer nowhere."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.errors import ModelError
from hanpuri.training.reinforcement.filling import fill_unscored

NAN = math.nan


# rewards of two prompts with three answers each, and what is learnt from
@pytest.mark.parametrize(
    ("rewards", "filled"),
    [
        ([0.0, 0.5, 1.0, 0.0, 0.0, 1.0], [0.0, 0.5, 1.0, 0.0, 0.0, 1.0]),
        ([0.0, NAN, 1.0, 0.0, 0.0, 1.0], [0.0, 0.5, 1.0, 0.0, 0.0, 1.0]),  # the mean of its neighbours
        ([NAN, NAN, 1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]),
        ([NAN, NAN, NAN, 0.0, 0.5, 1.0], [0.5, 0.5, 0.5, 0.0, 0.5, 1.0]),  # nobody to compare with: all alike
    ],
)
def test_what_has_no_number_gets_the_mean_of_the_answers_beside_it(rewards, filled):
    given = torch.tensor(rewards)[:, None]
    assert fill_unscored(given, 3, ["kind"], "row 1")[:, 0].tolist() == pytest.approx(filled)


def test_a_reward_that_scored_nothing_is_named():
    given = torch.tensor([[1.0, NAN], [0.5, NAN]])
    with pytest.raises(ModelError) as error:
        fill_unscored(given, 2, ["near", "kind"], "pairs.jsonl:3")
    assert str(error.value) == (
        "the reward kind scored none of the 2 answers of a step, that to pairs.jsonl:3 first;"
        " see why it gives no number; the same command goes on from the last checkpoint"
    )


@given(
    st.lists(st.one_of(st.floats(-9, 9), st.just(NAN)), min_size=4, max_size=4).filter(lambda row: row.count(NAN) < 4)
)
def test_an_answer_without_a_number_stands_exactly_at_the_mean_of_its_group(rewards):
    if all(math.isnan(reward) for reward in rewards):
        return
    filled = fill_unscored(torch.tensor(rewards, dtype=torch.float64)[:, None], 4, ["kind"], "row 1")[:, 0]
    for reward, here in zip(rewards, filled.tolist(), strict=True):
        assert here == pytest.approx(float(filled.mean()) if math.isnan(reward) else reward, abs=1e-9)
