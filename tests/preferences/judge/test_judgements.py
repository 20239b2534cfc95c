"""Two orders, one judgement."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.preferences.judge.judgements import Heard, settle

SETTLED = [
    (("first", "first"), "first"),
    (("second", "second"), "second"),
    (("tie", "tie"), "tie"),
    (("tie", "first"), "tie"),  # one order sees no difference: no side is taken
    (("second", "tie"), "tie"),
    (("first", "second"), "disagreement"),  # the place won twice
    (("second", "first"), "disagreement"),
    ((None, "first"), "unjudged"),  # half of an answer is none
    ((None, None), "unjudged"),
    (("first",), "first"),  # one order alone
    (("tie",), "tie"),
    ((), "unjudged"),
]


@pytest.mark.parametrize(("sides", "outcome"), SETTLED)
def test_both_orders_make_one_judgement(sides, outcome):
    assert settle([Heard(bool(turned), side) for turned, side in enumerate(sides)]).outcome == outcome


@pytest.mark.parametrize("sides", list(product(["first", "second", "tie", None], repeat=2)))
def test_which_order_is_asked_first_changes_nothing(sides):
    heard = [Heard(False, sides[0]), Heard(True, sides[1])]
    assert settle(heard).outcome == settle(heard[::-1]).outcome


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.4))
def test_by_likelihood_the_mean_of_both_orders_decides(one, other, within):
    outcome = settle([Heard(False, "first", share=one), Heard(True, "first", share=other)], within).outcome
    mean = (one + other) / 2
    assert outcome == ("tie" if abs(mean - 0.5) <= within else "first" if mean > 0.5 else "second")


def test_what_was_said_is_kept_with_the_reason_why_nothing_could_be_read():
    judgement = settle([Heard(False, "first", ("판정: A",)), Heard(True, None, ("", "음"), "no verdict")])
    assert judgement.why == "no verdict"
    assert judgement.as_dict() == {
        "outcome": "unjudged",
        "heard": [
            {"turned": False, "side": "first", "replies": ["판정: A"]},
            {"turned": True, "side": None, "replies": ["", "음"], "why": "no verdict"},
        ],
    }
