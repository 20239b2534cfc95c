"""chrF is sacrebleu's, pooled and drawn again by us."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import CHRF

from hanpuri.errors import EngineError
from hanpuri.evaluation.metrics import chrf
from hanpuri.evaluation.metrics.ngrams import count_ngrams, pool_ngrams

TEXT = st.text("가나다라 ab", max_size=15)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_the_pooled_score_is_sacrebleus_corpus_score(pairs):
    said, right = [list(side) for side in zip(*pairs, strict=True)]
    assert 100 * chrf(said, right) == pytest.approx(CHRF().corpus_score(said, [right]).score)


def test_rows_can_be_counted_once_and_pooled_in_any_choice():
    said, right = ["방이 조아요", "너무 작아요", "가"], ["방이 좋아요", "너무 작아요", "나"]
    tally = count_ngrams(said, right)
    twice_first = np.array([[2.0, 0.0, 1.0]])
    expected = CHRF().corpus_score([said[0], said[0], said[2]], [[right[0], right[0], right[2]]]).score
    assert 100 * pool_ngrams(twice_first @ tally) == pytest.approx(expected)


def test_decomposed_text_is_the_same_text():
    assert chrf(["\u1100\u1161 나다"], ["가 나다"]) == 1.0


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sacrebleu.metrics.chrf", None)
    with pytest.raises(EngineError) as error:
        chrf(["가"], ["가"])
    assert str(error.value) == (
        'chrf needs the library sacrebleu, which is not installed; install it: pip install "hanpuri[evaluate]"'
    )
