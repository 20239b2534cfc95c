"""`vllm serve`, asked by the engine openai: what it answers is what the model answers here."""

import pytest

from hanpuri.engines.alignment import make_pattern
from hanpuri.engines.base import Decoding
from hanpuri.engines.opening import open_engine
from hanpuri.engines.restoring import restore
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.errors import HanpuriError

SHORT = Decoding(max_new_tokens=24)
UNKNOWN = [{"noisy": text} for text in ("쪼씩이 맜잇써욥", "와잎퐈이 앉 됌", '그는 "괜차나?" [랬다]\n😀', "읾 " * 20)]


@pytest.fixture(scope="module")
def address(server):
    return server()


@pytest.fixture(scope="module")
def ask_of(address, settings_of):
    """Open the engine openai on the server."""
    return lambda way, **more: open_engine(settings_of(address, "openai", server=way, **more))


@pytest.fixture(scope="module")
def other(taught, settings_of):
    return TransformersEngine.open(settings_of(taught, "transformers", device="cpu"))


def test_asked_in_token_ids_it_gives_what_was_learnt(ask_of, taught, learnt, other):
    rows = [{"noisy": noisy} for noisy in learnt] + UNKNOWN
    with ask_of({"way": "completions", "tokenizer": str(taught)}) as engine:
        answers = engine.generate(rows, SHORT)
    assert [answer.text for answer in answers[: len(learnt)]] == list(learnt.values())
    told = [(answer.text, answer.finished, answer.num_tokens, answer.num_prompt_tokens) for answer in answers]
    expected = other.generate(rows, SHORT)
    assert told == [(answer.text, answer.finished, answer.num_tokens, answer.num_prompt_tokens) for answer in expected]


def test_asked_in_messages_it_renders_them_as_the_template_of_the_tokenizer_does(ask_of, taught, settings_of):
    rows = [{"instruction": "얼마인가요?", "input": ""}, {"messages": [{"role": "user", "content": "쨰밌어요"}]}]
    chat = TransformersEngine.open(settings_of(taught, "transformers", device="cpu", template="chat"))
    with ask_of({"way": "chat"}) as engine:
        told = [answer.num_prompt_tokens for answer in engine.generate(rows, SHORT)]
    assert told == [answer.num_prompt_tokens for answer in chat.generate(rows, SHORT)]


def test_an_answer_comes_in_pieces(ask_of, taught, learnt):
    pieces = []
    with ask_of({"way": "completions", "tokenizer": str(taught)}) as engine:
        answer = engine.stream({"noisy": next(iter(learnt))}, pieces.append, SHORT)
    assert "".join(pieces) == answer.text == next(iter(learnt.values()))
    assert len(pieces) > 1


@pytest.mark.parametrize("aligned", ["syllables", "airbnb"])
@pytest.mark.parametrize("way", ["chat", "completions"])
def test_it_keeps_every_place(ask_of, taught, way, aligned):
    texts = [row["noisy"] for row in UNKNOWN]
    tokenizer = {"tokenizer": str(taught)} if way == "completions" else {}
    with ask_of({"way": way, **tokenizer}, aligned=aligned) as engine:
        answers = list(restore(engine, texts))
    for text, answer in zip(texts, answers, strict=True):
        assert (answer.failure, answer.finished) == ("", True)
        assert make_pattern(text, aligned).matches(answer.text)


def test_a_prompt_that_is_too_long_is_told_by_its_row(ask_of, learnt):
    rows = [{"noisy": next(iter(learnt))}, {"noisy": "읾" * 600}]
    with ask_of({"way": "completions"}, template="restoration") as engine:
        first, second = engine.generate(rows, SHORT)
    assert first.text == next(iter(learnt.values()))
    assert "too long" in second.failure


def test_a_model_that_it_does_not_serve_is_one_line(address, settings_of):
    asked = address.replace("#taught", "#taugt")
    with pytest.raises(HanpuriError) as error, open_engine(settings_of(asked, "openai")):
        pass
    plain = address.partition("#")[0]
    assert str(error.value) == f"{plain} serves no model taugt; it has taught; did you mean {plain}#taught?"
