"""
Which texts are learnt from and which are measured by.

In: rows as files hold them. Out: two lists that share no text and no long piece, and counts of what was left out.
"""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.compact.adapting.texts import OVERLAP, count_unknown, divide
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.data.preparation.windows import hash_windows, syllables_of
from hanpuri.errors import DataError

VOCABULARY = Vocabulary("가나다", "\n")


def test_a_tenth_is_kept_apart_and_nothing_of_it_is_learnt(texts):
    divided = divide(texts, VOCABULARY, 0)
    assert (len(divided.learnt), len(divided.held_out)) == (234, 26)
    assert set(divided.learnt) | set(divided.held_out) == set(texts)
    assert not set(divided.learnt) & set(divided.held_out)


@settings(max_examples=5)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(texts, rng):
    shuffled = rng.sample(texts, len(texts))
    assert divide(shuffled, VOCABULARY, 0) == divide(texts, VOCABULARY, 0)


def test_another_seed_keeps_other_texts_apart(texts):
    assert set(divide(texts, VOCABULARY, 0).held_out) != set(divide(texts, VOCABULARY, 1).held_out)


def test_what_says_nothing_new_is_left_out_and_counted(texts):
    more = [
        f"  {texts[0]}!! ",  # said before, but for spaces and punctuation
        "ㅋㅋㅋ",  # no syllable
        "",  # nothing
        "Good! 5/5",  # no Hangul
    ]
    found = divide([*texts, *more], VOCABULARY, 0).found
    assert (found.rows, found.twice, found.without_hangul) == (264, 1, 3)
    assert found.learnt + found.held_out == 260


def test_a_text_that_shares_fifteen_syllables_with_one_learnt_from_is_not_measured_by(texts):
    piece = "가나다라마바사아자차카타파하거"
    assert len(piece) == OVERLAP
    alike = [f"{text} {piece}" if number % 5 == 0 else text for number, text in enumerate(texts)]
    divided = divide(alike, VOCABULARY, 0)
    assert divided.found.overlapping > 0
    assert divided.found.held_out + divided.found.overlapping == 26
    assert not any(piece in text for text in divided.held_out)
    hashes = [
        set(hash_windows([syllables_of(text) for text in side], OVERLAP)[0].tolist())
        for side in (divided.learnt, divided.held_out)
    ]
    assert not hashes[0] & hashes[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        # none at all
        ([], "found 0 different texts with Hangul, expected 200 or more; give more sentences, a line or a cell each"),
        # one that is said a thousand times
        (["방이 좋아요"] * 1000, "found 1 different texts with Hangul in 1,000 rows, expected 200 or more; give more"),
    ],
)
def test_too_few_texts_are_refused(rows, message):
    with pytest.raises(DataError) as error:
        divide(rows, VOCABULARY, 0)
    assert str(error.value).startswith(message)


def test_texts_that_are_all_alike_are_refused(texts):
    alike = [f"안녕하세요 오늘도 저희 숙소를 찾아 주셔서 감사합니다 {text}" for text in texts]
    with pytest.raises(DataError) as error:
        divide(alike, VOCABULARY, 0)
    assert str(error.value) == (
        "of 26 texts kept apart, 26 share 15 syllables in a row with others; "
        "give texts that differ more: nothing can be measured by these"
    )


def test_syllables_without_a_label_are_counted_the_most_frequent_first():
    rows = {"".join(one) + " 뷁" for one in itertools.islice(itertools.permutations("가나다가나다"), 0, 720, 3)}
    rows |= {f"가나다라 {number}" for number in range(200)}
    unknown = divide(rows, VOCABULARY, 0).found.unknown
    assert unknown == (("라", 200), ("뷁", len(rows) - 200))
    assert count_unknown(["가나다"], VOCABULARY) == ()
