"""What a judge and people have in common, against examples that were worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.preferences.judge.agreement import agreement_of, cohens_kappa
from hanpuri.preferences.judge.judgements import OUTCOMES

TABLES = [
    ([[20, 5], [10, 15]], 0.4),  # observed 35/50, expected (25·30 + 25·20)/2500 = 0.5
    ([[45, 15], [25, 15]], 0.130435),  # the same accuracy 0.6 …
    ([[25, 35], [5, 35]], 0.259259),  # … with other margins
    ([[10, 0], [0, 10]], 1.0),
    ([[5, 5], [5, 5]], 0.0),
    ([[0, 10], [10, 0]], -1.0),
    ([[44, 5, 1], [7, 20, 3], [9, 5, 6]], 0.491525),  # observed 0.7, expected 0.41
]


@pytest.mark.parametrize(("table", "kappa"), TABLES)
def test_kappa_is_that_of_worked_examples(table, kappa):
    assert cohens_kappa(np.array(table, dtype=float)) == pytest.approx(kappa, abs=1e-5)


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[9, 0], [0, 0]]])
def test_kappa_is_no_number_where_nothing_can_differ(table):
    assert np.isnan(cohens_kappa(np.array(table, dtype=float)))


VERDICTS = [
    *[("first", "first")] * 4,
    *[("second", "second")] * 2,
    ("first", "second"),  # the judge takes the other side
    ("tie", "tie"),
    ("tie", "first"),
    ("first", "tie"),
    ("first", "disagreement"),
    ("second", "unjudged"),
]


def test_ties_disagreements_and_unjudged_pairs_are_counted_openly():
    found = agreement_of(VERDICTS)
    assert (found.num_labels, found.num_decided) == (12, 7)
    assert found.decided.value == pytest.approx(6 / 7)
    assert found.same.value == pytest.approx(7 / 12)
    assert found.table["first"] == {"first": 4, "second": 1, "tie": 1, "disagreement": 1, "unjudged": 0}
    assert found.table["second"] == {"first": 0, "second": 2, "tie": 0, "disagreement": 0, "unjudged": 1}
    # From both sides: first and second have 6 on the diagonal and 1 beside it each; ties 2, and 1, 2 beside it.
    by_hand = np.array([[6, 1, 2], [1, 6, 2], [1, 1, 2]], dtype=float)
    assert found.kappa.value == pytest.approx(cohens_kappa(by_hand))
    assert found.kappa.low <= found.kappa.value <= found.kappa.high
    assert found.decided.low < found.decided.value < found.decided.high == 1.0


def test_kappa_of_a_file_whose_first_answer_is_always_the_chosen_one_is_that_of_a_shuffled_one():
    told = [("first", "first")] * 9 + [("first", "second")] * 3
    turned = [("second", "second")] * 5 + [("first", "first")] * 4 + [("first", "second")] * 2 + [("second", "first")]
    assert agreement_of(told).kappa.value == pytest.approx(agreement_of(turned).kappa.value) == pytest.approx(0.5)


def test_labels_of_one_pair_are_drawn_together_and_show_what_people_agree_on():
    verdicts = [("first", "first"), ("first", "first"), ("second", "first"), ("tie", "second"), ("first", "tie")] * 3
    groups = list("aaabcdddefggghi")
    alone, together = agreement_of(verdicts), agreement_of(verdicts, groups)
    for name in ("decided", "same", "kappa"):
        assert getattr(alone, name).value == pytest.approx(getattr(together, name).value)
    # Of a group each time the same two of three labels are right: no draw of groups gives another share.
    assert (together.decided.low, together.decided.high) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert alone.decided.low < 2 / 3 < alone.decided.high
    assert together.people.value == pytest.approx(1 / 3)  # one of three pairs of labels: first first
    assert np.isnan(alone.people.value)


def test_nothing_decided_is_no_number_and_no_label_is_a_wrong_call():
    found = agreement_of([("first", "unjudged"), ("tie", "unjudged")])
    assert found.as_dict()["decided"] is None
    assert found.as_dict()["kappa"] is None
    assert found.as_dict()["same"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    with pytest.raises(ValueError, match="found no label, expected one or more"):
        agreement_of([])


SIDES = st.sampled_from(["first", "second", "tie"])
TURNED = {"first": "second", "second": "first"}


@settings(max_examples=25)
@given(st.lists(st.tuples(SIDES, st.sampled_from(OUTCOMES)), min_size=1, max_size=12))
def test_turning_every_pair_round_changes_no_figure(verdicts):
    found = agreement_of(verdicts)
    turned = agreement_of([(TURNED.get(side, side), TURNED.get(outcome, outcome)) for side, outcome in verdicts])
    assert found.num_decided == turned.num_decided
    for name in ("decided", "same", "kappa"):
        assert getattr(found, name).value == pytest.approx(getattr(turned, name).value, nan_ok=True)
