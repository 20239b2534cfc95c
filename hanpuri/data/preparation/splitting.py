"""
Rows ─► train, validation and test, by a hash of what they say.

In: for each row the key of its unit (its group, or what it asks), a seed, shares. Out: 0, 1 or 2 for each row:

    "화장실이 너무 작아요"  ─►  0.4213…  ─►  train, whatever rows stand before it or are added later

All rows of a unit go the same way. Without strata a row never moves when others are added. With strata the shares hold
within each of them, so a new unit may push one other into the test or out of it, and one into validation or out of it;
none goes from the one to the other.
"""

import numpy as np
import numpy.typing as npt

from hanpuri.data.preparation.deduplicate import Keys, first_of_each, number_groups
from hanpuri.data.preparation.windows import mix
from hanpuri.data.recipe import Split, SplitSettings

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)

Numbers = npt.NDArray[np.int64]


def deal_out(units: Keys, strata: Numbers, seed: int, settings: SplitSettings) -> npt.NDArray[np.int8]:
    """
    Deal rows out: the split of each, shape (N,).

    Args:
        units: (N, 2) the key of what may not be parted.
        strata: (N,) the number of the length or label class of each row; all 0 if there are none.
        seed: another seed, another deal.
        settings: the shares.
    """
    draws = draw(units, seed)
    if settings.stratify is None:
        return _by_share(draws, settings)
    # A unit goes as a whole, with the stratum of the row that comes first by its key, not by its place.
    groups = number_groups(units)
    heads = first_of_each(groups, np.lexsort((strata, draws)))
    dealt = np.zeros(len(units), dtype=np.int8)
    is_head = heads == np.arange(len(units))
    for stratum in np.unique(strata[is_head]):
        members = np.flatnonzero(is_head & (strata == stratum))
        members = members[np.argsort(draws[members], kind="stable")]
        num_test, num_validation = (round(share * len(members)) for share in (settings.test, settings.validation))
        # From both ends, with training between: a border that moves does not push the other one.
        dealt[members[:num_test]] = TEST
        dealt[members[len(members) - num_validation :]] = VALIDATION
    return dealt[heads]


def draw(units: Keys, seed: int) -> npt.NDArray[np.float64]:
    """
    Give each unit its number from 0 to below 1, the same wherever it stands.

        >>> draw(np.array([[1, 2], [3, 4], [1, 2]], dtype=np.uint64), seed=0).round(4).tolist()
        [0.552, 0.3982, 0.552]
    """
    salt = mix(np.array([seed % 2**64], dtype=np.uint64))
    bits: npt.NDArray[np.float64] = (mix(units[:, 0] ^ mix(units[:, 1] + salt)) >> np.uint64(11)).astype(np.float64)
    return bits * 2.0**-53


def length_classes(num_characters: Numbers) -> Numbers:
    """
    Class texts by length, each class twice as long as the one before: fixed, so that added rows move no border.

        >>> length_classes(np.array([0, 7, 8, 15, 16, 1000])).tolist()
        [0, 3, 4, 4, 5, 10]
    """
    return np.where(num_characters > 0, np.floor(np.log2(np.maximum(num_characters, 1))) + 1, 0).astype(np.int64)


def _by_share(draws: npt.NDArray[np.float64], settings: SplitSettings) -> npt.NDArray[np.int8]:
    is_test = draws < settings.test
    is_validation = ~is_test & (draws < settings.test + settings.validation)
    return np.where(is_test, TEST, np.where(is_validation, VALIDATION, TRAIN)).astype(np.int8)
