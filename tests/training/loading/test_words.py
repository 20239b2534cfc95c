"""
Which words are worth a token.

In: texts. Out: beginnings of words, in the order of what they save.
"""

import pytest

from hanpuri.errors import DataError
from hanpuri.training.loading.words import find_words
from hanpuri.training.recipe import ExtendTokenizerSettings


def found(tokenizer, texts, count, min_frequency=1, tokens=()):
    told = ExtendTokenizerSettings(count=count, min_frequency=min_frequency, tokens=tokens)
    return find_words(tokenizer, texts, told)


def spent(tokenizer, texts):
    return sum(map(len, tokenizer.encode_batch(texts)))


def test_a_stem_comes_before_its_forms_and_what_it_saved_is_not_counted_again(tokenizer_of):
    texts = ["이 쌀국수가", "이 쌀국수는", "이 떡볶이집", "이 떡볶이집"] * 3
    assert found(tokenizer_of("bytes"), texts, 2) == [" 떡볶이집", " 쌀국수"]


def test_the_tokens_that_are_found_save_what_was_promised(tokenizer_of, tmp_path):
    from hanpuri.training.loading.vocabulary import extend_tokenizer

    old = tokenizer_of("bytes")
    texts = ["그 쌀국수와 떡볶이는 훌륭했지만", "이 쌀국수는 훌륭한 떡볶이", "또 훌륭하네요 쌀국숫집"] * 4
    told = ExtendTokenizerSettings(count=5, min_frequency=4)
    new = extend_tokenizer(old, told, texts, tmp_path).tokenizer
    assert spent(new, texts) < spent(old, texts)


def test_what_is_rare_is_given_or_is_no_hangul_is_not_found(tokenizer_of):
    texts = ["a hotel a 쌀국수 b 떡볶이 c", "a hotel d 쌀국수 떡볶이", "a hotel 순댓국"]
    assert found(tokenizer_of("bytes"), texts, 1, min_frequency=2, tokens=(" 쌀국수",)) == [" 떡볶이"]


def test_too_few_words_are_a_fault(tokenizer_of):
    with pytest.raises(DataError) as caught:
        found(tokenizer_of("bytes"), ["이 쌀국수"], 3, min_frequency=2)
    assert str(caught.value) == (
        "the corpora hold 0 words that would save tokens, expected 3;"
        " lower tokenizer.extend.count or min_frequency, or give more text"
    )
