"""
Which character stands for which: the cheapest way from a restored text to the clean one.

In: two texts. Out: places in both; here written below each other, a gap as ·.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.evaluation.report.alignment import GAP, MAX_CHARACTERS, Pairing, align
from hanpuri.hangul import decompose, is_syllable

TEXTS = st.text("가나각낙까 a!\ud800", max_size=7)


def below_each_other(hypothesis: str, reference: str) -> tuple[str, str]:
    (pairing,) = align([hypothesis], [reference])
    assert pairing is not None
    return tuple(
        "".join(text[place] if place >= 0 else "·" for place in places)
        for text, places in ((hypothesis, pairing.hypothesis.tolist()), (reference, pairing.reference.tolist()))
    )


@pytest.mark.parametrize(
    ("hypothesis", "reference", "first", "second"),
    [
        ("방이 작아요", "방이 작아요", "방이 작아요", "방이 작아요"),
        # one letter, three letters: still the same place
        ("방이 작아오", "방이 작아요", "방이 작아오", "방이 작아요"),
        ("방이 작아킵", "방이 작아요", "방이 작아킵", "방이 작아요"),
        # a syllable too few or too many does not shift the others
        ("방 작아오", "방이 작아요", "방· 작아오", "방이 작아요"),
        ("방이이 작아오", "방이 작아요", "방이이 작아오", "방·이 작아요"),
        # 아 stands rather for 야 than for 교
        ("아", "교야", "·아", "교야"),
        # a space stands for nothing else
        ("방 작아요", "방이작아요", "방· 작아요", "방이·작아요"),
        # as long, but shifted
        ("나다라마바사", "가나다라마바", "·나다라마바사", "가나다라마바·"),
        # nothing on a side, or on both
        ("", "방이", "··", "방이"),
        ("방이", "", "방이", "··"),
        ("", "", "", ""),
    ],
)
def test_each_character_stands_for_the_one_it_is_most_like(hypothesis, reference, first, second):
    assert below_each_other(hypothesis, reference) == (first, second)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
def test_both_texts_are_there_whole_and_in_order_and_no_way_is_cheaper(pairs):
    pairings = align([hypothesis for hypothesis, _ in pairs], [reference for _, reference in pairs])
    for (hypothesis, reference), pairing in zip(pairs, pairings, strict=True):
        assert [place for place in pairing.hypothesis.tolist() if place >= 0] == list(range(len(hypothesis)))
        assert [place for place in pairing.reference.tolist() if place >= 0] == list(range(len(reference)))
        assert cost(hypothesis, reference, pairing) == cheapest(hypothesis, reference)


def test_rows_of_all_lengths_are_aligned_as_each_alone():
    hypotheses = ["가나다"[: number % 4] * (number % 7) for number in range(300)]
    references = ["나다가"[: number % 3] * (number % 5) for number in range(300)]
    together = align(hypotheses, references)
    for one, hypothesis, reference in zip(together, hypotheses, references, strict=True):
        (alone,) = align([hypothesis], [reference])
        assert one.hypothesis.tolist() == alone.hypothesis.tolist()
        assert one.reference.tolist() == alone.reference.tolist()


def test_texts_that_are_too_long_are_not_aligned_unless_they_are_the_same_place_by_place():
    long = "가" * (MAX_CHARACTERS + 1)
    same, other = align([long, long], [long, long + "나"])
    assert len(same.hypothesis) == MAX_CHARACTERS + 1
    assert other is None


def price(one: str, other: str) -> int:
    if one == other:
        return 0
    if one.isspace() != other.isspace():
        return 2 * GAP + 1
    if not (is_syllable(one) and is_syllable(other)):
        return 3
    return sum(left != right for left, right in zip(decompose(one), decompose(other), strict=True))


def cost(hypothesis: str, reference: str, pairing: Pairing) -> int:
    places = zip(pairing.hypothesis.tolist(), pairing.reference.tolist(), strict=True)
    return sum(GAP if min(one, other) < 0 else price(hypothesis[one], reference[other]) for one, other in places)


def cheapest(hypothesis: str, reference: str) -> int:
    """The cost of the cheapest way, a field of the table at a time."""
    row = [GAP * place for place in range(len(reference) + 1)]
    for number, one in enumerate(hypothesis, 1):
        above, row = row, [GAP * number]
        for place, other in enumerate(reference):
            row.append(min(above[place] + price(one, other), above[place + 1] + GAP, row[place] + GAP))
    return row[-1]
