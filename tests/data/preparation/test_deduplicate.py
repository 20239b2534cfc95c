"""
Rows that say the same, exactly or nearly.

In: texts. Out: keys, bands, pairs that may be alike, how alike they are, and clusters.
"""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.preparation import deduplicate
from hanpuri.data.preparation.deduplicate import (
    choose_bands,
    first_of_each,
    join_pairs,
    key_of,
    normalise,
    number_groups,
    propose_pairs,
    sign_bands,
    similarities,
)
from hanpuri.data.recipe import NearSettings

SYLLABLES = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허고노도로모보소오조초코토포호"
SHORT = st.text(st.sampled_from("가나다 !"), max_size=10)


def made_up(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(SYLLABLES, k=length))


def jaccard(left: str, right: str, shingle: int) -> float:
    """What is promised, as a plain loop."""
    pieces = [{text[at : at + shingle] for at in range(len(text) - shingle + 1)} for text in (left, right)]
    return len(pieces[0] & pieces[1]) / len(pieces[0] | pieces[1]) if pieces[0] | pieces[1] else 0.0


def found_pairs(texts: list[str], settings: NearSettings) -> set[tuple[int, int]]:
    pairs = propose_pairs(sign_bands(texts, settings))
    shares = similarities(pairs, lambda rows: [texts[row] for row in rows], settings.shingle)
    return {(left, right) for left, right in pairs[shares >= settings.similarity].tolist()}


# --- exactly the same


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("LG 티비가 있어요", "lg 티비가  있어요!!", True),
        ("방이 넓어요(2층)", "방이_넓어요\n2층", True),
        ("Straße", "STRASSE", True),
        ("방이 넓어요", "방이 널어요", False),
        # texts without a letter are compared by what they have
        ("!?", "! ?", True),
        ("!?", "??", False),
        ("😀", "😡", False),
        ("ㅋㅋ", "ㅋㅋㅋ", False),
        ("", " \n", True),
    ],
)
def test_case_spaces_and_punctuation_make_no_difference(left, right, same):
    assert (normalise(left) == normalise(right)) == same


@given(st.text(), st.text(st.sampled_from(" \n\t.,!?_~-"), max_size=5))
def test_a_normalised_text_stays_as_it_is_and_added_punctuation_changes_no_text_with_letters(text, added):
    once = normalise(text)
    assert normalise(normalise(once)) == normalise(once)
    if any(map(str.isalnum, text)):
        assert normalise(added + text + added) == once


@given(st.lists(st.sampled_from(["a", "b", "\ud800", ""]), max_size=12))
def test_rows_have_one_number_exactly_if_their_keys_are_equal(texts):
    keys = np.frombuffer(b"".join(map(key_of, texts)), dtype="<u8").reshape(-1, 2)
    numbers = number_groups(keys).tolist()
    assert len(set(zip(texts, numbers, strict=True))) == len(set(texts)) == len(set(numbers))
    assert set(numbers) == set(range(len(set(numbers))))


@given(st.lists(st.integers(0, 4), max_size=12), st.randoms())
def test_the_keeper_of_a_group_is_the_one_that_comes_first_in_the_order(labels, rng):
    groups = np.unique(np.array(labels, dtype=np.int64), return_inverse=True)[1]
    order = list(range(len(labels)))
    rng.shuffle(order)
    keepers = first_of_each(groups, np.array(order, dtype=np.int64)).tolist()
    assert keepers == [next(row for row in order if labels[row] == label) for label in labels]


# --- nearly the same


def test_nearly_all_pairs_of_a_known_similarity_are_found_and_no_other():
    rng = random.Random(7)
    texts: list[str] = []
    for _ in range(500):
        text, num_new = made_up(rng, 204), rng.randint(1, 10)  # 200 pieces, of which so many are new
        texts += [text, text[:-num_new] + made_up(rng, num_new)]
    wanted = {(row, row + 1) for row in range(0, len(texts), 2)}
    assert all(jaccard(texts[left], texts[right], 5) >= 0.9 for left, right in wanted)
    found = found_pairs(texts, NearSettings())
    assert found <= wanted
    assert len(found) >= 0.98 * len(wanted)


@pytest.mark.parametrize("similarity", [0.5, 0.8, 0.95])
def test_pairs_just_above_the_wanted_similarity_are_found_and_those_below_are_not(similarity):
    rng = random.Random(11)
    num_new = int(200 * (1 - similarity) / (1 + similarity))  # (200 - new) / (200 + new) is the similarity
    texts: list[str] = []
    for number in range(400):
        text, more = made_up(rng, 204), 0 if number % 2 else 3
        texts += [text, text[: -num_new - more] + made_up(rng, num_new + more)]
    found = found_pairs(texts, NearSettings(similarity=similarity))
    assert all(jaccard(texts[left], texts[right], 5) >= similarity for left, right in found)
    above = [row for row in range(0, 800, 2) if jaccard(texts[row], texts[row + 1], 5) >= similarity]
    assert len(found) >= 0.95 * len(above) >= 0.95 * 200


@given(st.lists(SHORT, max_size=8), st.integers(2, 5), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_similarities_are_those_of_a_plain_loop_however_they_are_cut_in_parts(texts, shingle, similarity):
    pairs = np.array([(left, right) for right in range(len(texts)) for left in range(right)]).reshape(-1, 2)
    asked: list[list[int]] = []

    def texts_of(rows):
        asked.append(rows.tolist())
        return [texts[row] for row in rows]

    wanted = [jaccard(texts[left], texts[right], shingle) for left, right in pairs.tolist()]
    assert similarities(pairs.astype(np.int64), texts_of, shingle).tolist() == wanted
    assert all(rows == sorted(set(rows)) for rows in asked)
    long = np.full(len(texts), deduplicate.CHARACTERS_AT_ONCE // 3)  # so that two pairs make a part
    asked.clear()
    assert similarities(pairs.astype(np.int64), texts_of, shingle, long).tolist() == wanted
    assert all(len(rows) <= 4 for rows in asked)


@given(st.lists(SHORT, max_size=8), st.integers(2, 6))
def test_a_text_shorter_than_a_piece_is_nobodys_near_duplicate(texts, shingle):
    settings = NearSettings(shingle=shingle, similarity=0.1)
    for left, right in propose_pairs(sign_bands(texts, settings)).tolist():
        assert left < right
        assert min(len(texts[left]), len(texts[right])) >= shingle


@given(st.lists(SHORT, min_size=1, max_size=8), st.randoms())
def test_the_bands_of_a_text_do_not_hang_on_the_others(texts, rng):
    settings = NearSettings(shingle=2)
    bands = sign_bands(texts, settings)
    assert bands.shape == (len(texts), choose_bands(0.8)[0])
    row = rng.randrange(len(texts))
    assert sign_bands([texts[row]], settings)[0].tolist() == bands[row].tolist()


@given(st.floats(0.01, 1))
def test_bands_find_a_pair_of_the_wanted_similarity_as_surely_as_wanted(similarity):
    num_bands, num_rows = choose_bands(similarity)
    assert num_bands * num_rows <= deduplicate.NUM_PERMUTATIONS
    if similarity >= 0.04:  # below, even bands of one row are too few
        assert 1 - (1 - similarity**num_rows) ** num_bands >= deduplicate.WANTED_RECALL


@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), max_size=10))
def test_within_a_band_each_row_is_compared_to_the_first_and_to_the_one_before(rows):
    bands = np.array(rows, dtype=np.uint64).reshape(-1, 2)
    wanted = set()
    for band in bands.T.tolist():
        for value in set(band) - {0}:
            members = [row for row, its in enumerate(band) if its == value]
            wanted |= {(members[0], row) for row in members[1:]}
            wanted |= set(itertools.pairwise(members))
    assert propose_pairs(bands).tolist() == sorted(map(list, wanted))


def test_a_band_that_very_many_rows_share_proposes_no_more_than_two_pairs_a_row():
    bands = np.random.default_rng(0).integers(1, 2**63, (50_000, 18)).astype(np.uint64)
    bands[:, 0] = 7
    assert len(propose_pairs(bands)) == 2 * 50_000 - 3  # the second row's first one is the one before it


# --- clusters


def plain_clusters(pairs: list[tuple[int, int]], num_rows: int) -> list[int]:
    clusters = list(range(num_rows))
    for _ in range(num_rows):
        for left, right in pairs:
            clusters[left] = clusters[right] = min(clusters[left], clusters[right])
    return clusters


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_clusters_are_those_of_a_plain_loop(case):
    num_rows, pairs = case
    found = join_pairs(np.array(pairs, dtype=np.int64).reshape(-1, 2), num_rows)
    assert found.tolist() == plain_clusters(pairs, num_rows)


@given(st.permutations(range(9)), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=9))
def test_clusters_do_not_hang_on_the_order_of_rows(places, pairs):
    def members(pairs: list[tuple[int, int]], name) -> set[frozenset[int]]:
        clusters = join_pairs(np.array(pairs, dtype=np.int64).reshape(-1, 2), 9).tolist()
        return {frozenset(name(row) for row in range(9) if clusters[row] == cluster) for cluster in clusters}

    moved = [(places[left], places[right]) for left, right in pairs]
    assert members(moved, places.index) == members(pairs, lambda row: row)


def test_a_long_chain_of_pairs_is_one_cluster():
    order = np.random.default_rng(1).permutation(500_000)  # names handed on step by step would take an hour
    assert set(join_pairs(np.stack([order[:-1], order[1:]], axis=1), len(order)).tolist()) == {0}
