"""
The recipe of a short training: as many steps as are of use, or as long as there is time.

In: a number of characters and of seconds. Out: steps or seconds, a batch, the same ones when it is asked again.
"""

import pytest
import torch

from hanpuri.compact.adapting import learning
from hanpuri.compact.adapting.learning import count_items, plan
from hanpuri.compact.adapting.settings import AdaptSettings
from hanpuri.compact.network import NetworkShape, RestorerNetwork

CPU = torch.device("cpu")


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Plan for a machine of a known speed."""
    network = RestorerNetwork(NetworkShape(50, 9, 64, 1))

    def planned(*, items, seconds, rate, general=None):
        monkeypatch.setattr(learning, "measure_rate", lambda network, device: rate)
        settings, texts = AdaptSettings(passes=10), tmp_path / "texts.txt"
        return plan(
            tmp_path, texts, settings, network, num_items=items, seconds=seconds, device=CPU, general=general
        ).training

    return planned


@pytest.mark.parametrize(
    ("items", "seconds", "rate", "length", "batch"),
    [
        # few texts: ten passes, in the smallest batches
        (20_000, 1500, 4_000, {"steps": 98}, 2_048),
        # more than there is time for: 1,500 seconds, in about 250 steps
        (1_500_000, 1500, 2_000, {"seconds": 1500}, 12_032),
        # a GPU: ten passes, in batches that fit it, and so in more steps
        (10_000_000, 300, 1_000_000, {"steps": 6_104}, 16_384),
    ],
)
def test_texts_are_gone_through_as_often_as_is_of_use_or_as_time_allows(make, items, seconds, rate, length, batch):
    training = make(items=items, seconds=seconds, rate=rate)
    assert {name: value for name in ("steps", "seconds") if (value := getattr(training, name))} == length
    assert training.batch_tokens == batch


def test_the_plan_stands_when_the_machine_is_slower_the_next_time(make):
    first = make(items=20_000, seconds=1500, rate=4_000)
    assert make(items=20_000, seconds=1500, rate=4) == first


def test_general_text_gets_its_share(tmp_path, make):
    make(items=20_000, seconds=1500, rate=4_000, general=tmp_path / "wiki.txt")
    told = (tmp_path / learning.RECIPE).read_text(encoding="utf-8")
    assert "wiki.txt" in told
    assert "weight: 0.25" in told


def test_the_rate_is_a_number_of_items_a_second():
    assert learning.measure_rate(RestorerNetwork(NetworkShape(50, 9, 64, 1)), CPU) > 100


def test_spaces_are_no_items_and_a_line_break_is_one():
    assert count_items(("방이 넓어요", "좋아요")) == 6 + 4
