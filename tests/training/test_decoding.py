"""Tokens become text up to what ends it, and a cut breaks no character."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.training.decoding import Decoding, Ends, Generated, read_answer


@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy"])
def test_a_cut_answer_is_a_beginning_of_the_whole_one(tokenizer_of, kind):
    tokenizer = tokenizer_of(kind)

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=12), st.data())
    @settings(max_examples=60)
    def check(text, data):
        ids = tokenizer.encode(text, after="가")
        whole = tokenizer.decode(ids, continues=True)
        cut = data.draw(st.integers(0, len(ids)))
        answer = read_answer(ids[:cut], tokenizer, Ends())
        assert whole.startswith(answer.text)
        assert "\ufffd" not in answer.text
        assert answer.num_trimmed < 4
        ended = read_answer([*ids, tokenizer.eos_id], tokenizer, Ends(frozenset([tokenizer.eos_id])))
        assert ended == Generated(whole, len(ids), finished=True)

    check()


def test_a_character_that_the_model_got_wrong_stays_to_be_seen(tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    first_byte = next(id for id in tokenizer.encode("뷁") if tokenizer.is_byte_fallback(id))
    answer = read_answer(
        [first_byte, *tokenizer.encode("바다"), tokenizer.eos_id], tokenizer, Ends(frozenset([tokenizer.eos_id]))
    )
    assert answer.text == "\ufffd바다"


def test_special_tokens_are_not_spelled_out(tokenizer_of):
    tokenizer = tokenizer_of("bytes")
    ids = [*tokenizer.encode("바다"), *tokenizer.encode("<|im_start|>"), *tokenizer.encode("가")]
    assert read_answer(ids, tokenizer, Ends()).text == "바다가"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1, expected 0 (greedy) or more"),
        ({"top_p": 0.0}, "top_p is 0.0, expected a share above 0"),
        ({"max_new_tokens": 0}, "max_new_tokens and batch_size have to be 1 or more"),
    ],
)
def test_wrong_decoding_is_a_wrong_call(settings, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Decoding(**settings)
    assert str(error.value) == message
