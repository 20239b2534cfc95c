"""
Spreads of lengths: shares, quantiles, bins.

In: how many rows have each length. Out: numbers that can be checked by hand, and promises about any spread.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.quality.lengths import NUM_BINS, binned, doubling_edges, even_edges, quantile, share_over

SPREADS = st.dictionaries(st.integers(0, 10_000), st.integers(1, 1_000), max_size=30)


@pytest.mark.parametrize(
    ("limit", "share"),
    [
        (9, 1.0),
        (10, 0.25),  # what has just the limit is not over it
        (600, 0.0),
    ],
)
def test_what_is_over_a_limit_is_longer_than_it(limit, share):
    assert share_over({10: 3, 600: 1}, limit) == share


@pytest.mark.parametrize(("share", "length"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4)])
def test_a_quantile_is_a_length_that_a_row_has(share, length):
    assert quantile({4: 1, 3: 1, 2: 1, 1: 1}, share) == length


def test_no_rows_have_no_lengths():
    assert (share_over({}, 1), quantile({}, 0.5), binned({}, (0.5, 1.5))) == (0.0, 0, [0])


@given(SPREADS, st.floats(0, 1))
def test_at_least_the_share_lies_up_to_the_quantile(spread, share):
    length = quantile(spread, share)
    assert sum(rows for one, rows in spread.items() if one <= length) >= share * sum(spread.values()) * (1 - 1e-12)


@given(SPREADS.filter(bool))
def test_every_row_is_in_one_bin(spread):
    longest = max(spread)
    for edges in (even_edges(longest), doubling_edges(longest)):
        assert sum(binned(spread, edges)) == sum(spread.values())
        assert edges == sorted(set(edges))
        assert edges[-1] > longest
        assert not any(edge.is_integer() for edge in edges)  # a length lies on no edge


@given(st.integers(0, 10**9))
def test_there_are_never_too_many_bins_to_draw(longest):
    assert len(even_edges(longest)) - 1 <= NUM_BINS
    assert len(doubling_edges(longest)) - 1 <= 120


def test_what_just_fits_a_common_limit_lies_in_the_bin_before_it():
    assert {128.5, 256.5, 512.5, 1024.5, 2048.5, 4096.5} < set(doubling_edges(5_000))
