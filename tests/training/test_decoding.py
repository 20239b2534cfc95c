"""Tokens become text up to what ends it, and a cut breaks no character."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.training.decoding import Decoding, Draw, Ends, Generated, StopText, read_answer


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
        ({"top_k": -1}, "top_k is -1, expected 0 (all tokens) or more"),
        ({"stop": ("\n", "")}, "a stop is an empty text, which stands everywhere"),
        ({"max_new_tokens": 0}, "max_new_tokens and batch_size have to be 1 or more"),
    ],
)
def test_wrong_decoding_is_a_wrong_call(settings, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        Decoding(**settings)
    assert str(error.value) == message


# written, stops, before the answer, the answer
STOPPED = [
    ("바다가 보여요", (), "", None),
    ("바다가 보여요\n###", ("###",), "", "바다가 보여요\n"),
    # of several it is the first in the text, not the first in the list
    ("바다가 보여요\n###", ("###", "\n"), "", "바다가 보여요"),
    ("바다가 보여요", ("보여", "가 보"), "", "바다"),
    # nothing is left
    ("###", ("###",), "", ""),
    # what the template has the model write first may hold a stop, also while it is not yet whole
    ("답:\n바다", ("\n",), "답:\n", None),
    ("답:\n바다\n", ("\n",), "답:\n", "답:\n바다"),
    ("답:", (":",), "답:\n", None),
    # and where the model wrote something else, all of it counts
    ("네:\n바다", ("\n",), "답:\n", "네:"),
]


@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy"])
@pytest.mark.parametrize(("text", "stops", "before", "expected"), STOPPED)
def test_an_answer_ends_at_the_first_of_its_stops(tokenizer_of, kind, text, stops, before, expected):
    import torch

    tokenizer, ends = tokenizer_of(kind), Ends(texts=stops, before=before)
    ids = tokenizer.encode(text, after="가")
    answer = read_answer(ids, tokenizer, ends)
    assert (answer.text, answer.finished) == (text if expected is None else expected, expected is not None)
    if stops:
        asked = tokenizer.encode("물음")
        told = StopText(ends, tokenizer, len(asked))(torch.tensor([asked + ids]), None)
        assert told.tolist() == [expected is not None]


def test_a_stop_far_behind_the_prompt_is_seen_at_its_last_token(tokenizer_of):
    import torch

    tokenizer, ends = tokenizer_of("bytes"), Ends(texts=("\n\n", "##"), before="답: ")
    asked, ids = tokenizer.encode("물음\n\n"), tokenizer.encode("답: 바다가 넓고 아침에도 보여요. " * 4 + "##")
    stop = StopText(ends, tokenizer, len(asked))
    told = [bool(stop(torch.tensor([asked + ids[:length]]), None)) for length in range(1, len(ids) + 1)]
    assert told == [False] * (len(ids) - 1) + [True]


# top_k, top_p, tokens that can come. The shares are 0.4, 0.3, 0.2, 0.1.
LEFT = [
    (0, 1.0, {0, 1, 2, 3}),
    (1, 1.0, {0}),
    (3, 1.0, {0, 1, 2}),
    (9, 1.0, {0, 1, 2, 3}),
    (0, 0.69, {0, 1}),
    (0, 0.71, {0, 1, 2}),
    # top_p is of what top_k has left: 0.4 of 0.7 is more than 0.55
    (2, 0.55, {0}),
    (2, 0.6, {0, 1}),
]


@pytest.mark.parametrize(("top_k", "top_p", "expected"), LEFT)
def test_top_k_comes_before_top_p(top_k, top_p, expected):
    import torch

    decoding = Decoding(temperature=1.0, top_k=top_k, top_p=top_p)
    draw = Draw(decoding, [[place] for place in range(200)])
    scores = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log().expand(200, 4)
    assert set(draw(None, scores).argmax(-1).tolist()) == expected
