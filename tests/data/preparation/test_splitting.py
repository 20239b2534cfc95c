"""
Rows dealt out to train, validation and test.

In: keys of what may not be parted, strata, a seed, shares. Out: the split of each row.
"""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.preparation.deduplicate import key_of
from hanpuri.data.preparation.splitting import TEST, TRAIN, VALIDATION, deal_out, draw, length_classes
from hanpuri.data.recipe import SplitSettings

UNITS = st.lists(st.integers(0, 30), max_size=60)
SHARES = st.tuples(st.sampled_from([0, 0.01, 0.1, 0.3, 0.49]), st.sampled_from([0, 0.01, 0.1, 0.3, 0.5]))


def keys_of(names: list[object]) -> np.ndarray:
    return np.frombuffer(b"".join(key_of(str(name)) for name in names), dtype="<u8").reshape(-1, 2)


def dealt(names: list, shares: tuple[float, float], seed: int = 0, strata: list[int] | None = None) -> list[int]:
    settings = SplitSettings(validation=shares[0], test=shares[1], stratify=None if strata is None else "label")
    numbers = np.array(strata or [0] * len(names), dtype=np.int64)
    return deal_out(keys_of(names), numbers, seed, settings).tolist()


@pytest.mark.parametrize("shares", [(0.01, 0.01), (0.1, 0.2), (0.0, 0.5), (0.3, 0.0)])
@pytest.mark.parametrize("seed", [0, 1, -1, 2**70])
def test_the_shares_are_those_that_chance_gives(shares, seed):
    num_rows = 20_000
    counts = Counter(dealt(list(range(num_rows)), shares, seed))
    for split, share in ((VALIDATION, shares[0]), (TEST, shares[1])):
        deviation = (num_rows * share * (1 - share)) ** 0.5
        assert abs(counts[split] - num_rows * share) <= 4 * deviation


@given(UNITS, UNITS, SHARES, st.integers(0, 5), st.randoms())
def test_a_row_never_moves_whatever_rows_are_added_and_in_which_order(names, added, shares, seed, rng):
    before = dict(zip(names, dealt(names, shares, seed), strict=True))
    everything = names + added
    rng.shuffle(everything)
    after = dict(zip(everything, dealt(everything, shares, seed), strict=True))
    assert before == {name: after[name] for name in before}


@given(UNITS, SHARES, st.data())
def test_all_rows_of_a_unit_go_one_way_with_strata_and_without(names, shares, data):
    strata = data.draw(st.none() | st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names)))
    placed = set(zip(names, dealt(names, shares, 0, strata), strict=True))
    assert len(placed) == len(set(names))


@given(st.lists(st.integers(0, 3), max_size=80), SHARES, st.integers(0, 5))
def test_with_strata_the_shares_hold_within_each_to_a_row(strata, shares, seed):
    placed = dealt(list(range(len(strata))), shares, seed, strata)
    for stratum in set(strata):
        counts = Counter(split for split, its in zip(placed, strata, strict=True) if its == stratum)
        for split, share in ((VALIDATION, shares[0]), (TEST, shares[1])):
            assert abs(counts[split] - share * counts.total()) <= 0.5


@given(st.lists(st.integers(0, 2), max_size=40), st.lists(st.integers(0, 2), max_size=10), SHARES, st.integers(0, 5))
def test_with_strata_each_new_row_moves_at_most_two_and_none_from_validation_to_the_test(strata, added, shares, seed):
    names = list(range(len(strata) + len(added)))
    before = dealt(names[: len(strata)], shares, seed, strata)
    after = dealt(names, shares, seed, strata + added)[: len(strata)]
    moves = [move for move in zip(before, after, strict=True) if move[0] != move[1]]
    assert len(moves) <= 2 * len(added)
    if len(added) == 1:
        assert all(TRAIN in move for move in moves)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), max_size=40), SHARES, st.randoms())
def test_with_strata_too_the_order_of_rows_makes_no_difference(rows, shares, rng):
    def by_name(rows: list[tuple[int, int]]) -> dict[int, int]:
        names, strata = [name for name, _ in rows], [stratum for _, stratum in rows]
        return dict(zip(names, dealt(names, shares, 0, strata), strict=True))

    before = by_name(rows)
    rng.shuffle(rows)
    assert by_name(rows) == before


def test_another_seed_deals_otherwise():
    deals = {tuple(dealt(list(range(100)), (0.3, 0.3), seed)) for seed in range(20)}
    assert len(deals) == 20


@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=2), st.integers(-(2**70), 2**70))
def test_a_draw_is_a_share(key, seed):
    [drawn] = draw(np.array([key], dtype=np.uint64), seed).tolist()
    assert 0 <= drawn < 1


def test_draws_are_even():
    drawn = draw(keys_of(list(range(10_000))), 3)
    assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(np.full(10, 1000), abs=120)


@given(st.integers(0, 10**9))
def test_each_class_of_length_is_twice_as_long_as_the_one_before(length):
    [number] = length_classes(np.array([length])).tolist()
    assert number == length.bit_length()
