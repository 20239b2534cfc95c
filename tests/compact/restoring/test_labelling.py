"""What comes back is told in shared numbers, and they are those that rounding gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.compact.restoring.labelling import rounded


@given(st.lists(st.floats(0, 1, width=32)))
def test_a_confidence_is_rounded_as_numpy_rounds_it(shares):
    as_array = np.array(shares, dtype=np.float64)
    assert rounded(as_array) == tuple(as_array.round(4).tolist())


@given(st.floats(1, 1 + 1e-6))
def test_a_hair_above_one_is_one(share):
    assert rounded(np.array([share])) == (1.0,)


def test_confidences_are_plain_numbers():
    assert type(rounded(np.array([0.5]))[0]) is float
