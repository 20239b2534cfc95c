"""The F1 of answers, each way of counting by a table, and that of SQuAD by its published definition."""

import re
import string
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.evaluation.metrics import josa_f1, korquad_f1, squad_em, squad_f1, token_f1
from hanpuri.evaluation.metrics.overlap import without_josa

TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=4)
ENGLISH = st.lists(st.sampled_from(["a", "An", "the", "river", "Han!", " ", "\n", "강은", "-", "the-an"])).map(" ".join)

TOKENS = [
    # hypothesis, reference, F1
    ("서해로 흐릅니다", "서해로 흐릅니다", 1.0),
    ("흐릅니다 서해로", "서해로 흐릅니다", 1.0),  # in any order
    ("서해로\n 흐릅니다 ", "서해로 흐릅니다", 1.0),  # white space of any kind
    ("네 네", "네", 2 / 3),  # a token counts as often as it stands there
    ("서해로", "서해", 0.0),  # another particle is another token
    (unicodedata.normalize("NFD", "방이"), "방이", 1.0),  # decomposed and precomposed are the same text
    ("", "네", 0.0),
    ("네", " ", 0.0),
    ("", " ", 1.0),
]

NORMALISED = [
    # hypothesis, reference, squad_em, squad_f1, josa_f1, korquad_f1
    ("The Han river.", "han river", 1.0, 1.0, 1.0, 16 / 19),  # KorQuAD knows no articles
    ("서해로", "서해", 0.0, 0.0, 1.0, 4 / 5),
    ("서해로 흐릅니다.", "서해로 흐릅니다", 1.0, 1.0, 1.0, 1.0),
    ("강이 서해로 흐른다", "강은 서해로", 0.0, 2 / 5, 4 / 5, 8 / 13),
    ("《한강》", "한강", 0.0, 0.0, 0.0, 1.0),  # marks that only KorQuAD takes off
    ("서 해로", "서해로", 0.0, 0.0, 0.0, 1.0),  # where words are parted is nothing to KorQuAD
    ("the", "a", 1.0, 1.0, 1.0, 0.0),  # nothing is left of both
    ("", "서해", 0.0, 0.0, 0.0, 0.0),
]

JOSA = [
    # token, what is left, why
    ("사람은", "사람"),
    ("나무는", "나무"),
    ("사람는", "사람는"),  # 는 follows a vowel
    ("나무은", "나무은"),
    ("서울로", "서울"),  # after ㄹ it is 로, as after a vowel
    ("집으로", "집"),
    ("집로", "집로"),
    ("학교에서는", "학교"),  # the longest that fits
    ("서울까지", "서울"),
    ("은", "은"),  # nothing would be left
    ("A은", "A은"),  # what is no syllable has no tail to tell by
    ("river", "river"),
    ("값이", "값"),
]


@pytest.mark.parametrize(("hypothesis", "reference", "f1"), TOKENS)
def test_known_pairs_have_a_known_token_f1(hypothesis, reference, f1):
    assert token_f1([hypothesis], [reference]) == pytest.approx(f1)


@pytest.mark.parametrize(("hypothesis", "reference", "exact", "squad", "josa", "korquad"), NORMALISED)
def test_each_way_of_counting_has_its_known_values(hypothesis, reference, exact, squad, josa, korquad):
    assert squad_em([hypothesis], [reference]) == exact
    assert squad_f1([hypothesis], [reference]) == pytest.approx(squad)
    assert josa_f1([hypothesis], [reference]) == pytest.approx(josa)
    assert korquad_f1([hypothesis], [reference]) == pytest.approx(korquad)


@pytest.mark.parametrize(("token", "left"), JOSA)
def test_a_particle_is_taken_off_where_it_can_stand(token, left):
    assert without_josa(token) == left


def test_f1_is_a_mean_over_rows_so_that_a_short_row_counts_as_much():
    assert token_f1(["가 나 다", "라"], ["가 나 다", "마"]) == 0.5


@given(TEXTS)
def test_every_f1_is_the_same_both_ways_and_perfect_for_the_same_text(texts):
    for measure in (token_f1, squad_f1, josa_f1, korquad_f1):
        assert measure(texts, texts) == 1.0
        assert measure(texts, texts[::-1]) == pytest.approx(measure(texts[::-1], texts))
        assert 0 <= measure(texts, texts[::-1]) <= 1


@given(ENGLISH, ENGLISH)
def test_squad_is_counted_by_its_definition(said, right):
    # Precision and recall of tokens: lower case, then no punctuation, then no articles, then single spaces.
    first, second = (
        re.sub(r"\b(a|an|the)\b", " ", "".join(one for one in text.lower() if one not in string.punctuation)).split()
        for text in (said, right)
    )
    shared = sum((Counter(first) & Counter(second)).values())
    if not first or not second:
        expected = float(first == second)
    elif not shared:
        expected = 0.0
    else:
        precision, recall = shared / len(first), shared / len(second)
        expected = 2 * precision * recall / (precision + recall)
    assert squad_f1([said], [right]) == pytest.approx(expected)
    assert squad_em([said], [right]) == (first == second)


@given(st.text(max_size=10))
def test_taking_a_particle_off_leaves_the_beginning_of_the_token(token):
    left = without_josa(token)
    assert token.startswith(left)
    assert bool(left) == bool(token)
