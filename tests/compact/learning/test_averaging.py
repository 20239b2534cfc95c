"""
The moving average of the weights.

In: weights that move. Out: their average, shown for a while in place of them.
"""

import pytest
import torch
from torch import nn

from hanpuri.compact.learning.averaging import WeightAverage


def at(value: float) -> nn.Parameter:
    return nn.Parameter(torch.full((2, 3), value))


def test_the_average_follows_the_weights_first_fast_then_by_the_decay():
    weights = at(0.0)
    average = WeightAverage([weights], decay=0.5)
    expected = 0.0
    for step in range(1, 30):
        weights.data.fill_(float(step))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        assert average.averages[0][0, 0].item() == pytest.approx(expected)
    assert average.averages[0][0, 0].item() == pytest.approx(28, abs=1e-3)  # one step behind: decay / (1 − decay)


def test_the_average_is_shown_in_place_and_the_weights_come_back():
    weights = at(1.0)
    average = WeightAverage([weights], decay=0.9)
    weights.data.fill_(3.0)
    where = weights.data_ptr()
    with average.shown():
        assert weights.tolist() == at(1.0).tolist()
        assert weights.data_ptr() == where
    assert weights.tolist() == at(3.0).tolist()
    assert weights.data_ptr() == where


def test_the_weights_come_back_from_a_fault_too():
    weights = at(1.0)
    average = WeightAverage([weights], decay=0.9)
    weights.data.fill_(3.0)
    with pytest.raises(ConnectionError), average.shown():
        raise ConnectionError
    assert weights.tolist() == at(3.0).tolist()


def test_a_decay_of_nought_keeps_and_shows_nothing():
    weights = at(1.0)
    average = WeightAverage([weights], decay=0)
    weights.data.fill_(3.0)
    average.update(1)
    with average.shown():
        assert weights.tolist() == at(3.0).tolist()
    assert average.averages == []
