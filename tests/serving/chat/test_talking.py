"""Conversations with models of ours, through the official client: what was learnt by heart comes back word for word."""

import asyncio

import openai
import pytest

from hanpuri.data.tokenizers import REPLACEMENT
from tests.engines.conftest import ALONE, TALK
from tests.serving.chat.conftest import Chatting, text_of, turns

FIRST, SAID, THEN, ANSWER = (turn["content"] for turn in TALK)
OURS = ("talk", "whole")  # in this process, and by llama.cpp in the tokens of the training


@pytest.mark.parametrize("model", [*OURS, "gguf"])
def test_a_conversation_goes_on_as_it_was_learnt(chatting: Chatting, model: str) -> None:
    answer = chatting.ask(model, FIRST, SAID, THEN, temperature=0, max_tokens=32)
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", ANSWER, "stop")
    assert (answer.object, answer.model) == ("chat.completion", model)
    assert chatting.ask(model, ALONE[0]["content"], temperature=0, max_tokens=32).choices[0].message.content != ANSWER


@pytest.mark.parametrize("model", [*OURS, "gguf"])
def test_a_stream_says_the_same_in_pieces(chatting: Chatting, model: str) -> None:
    chunks = chatting.stream(model, FIRST, temperature=0, max_tokens=32)
    assert text_of(chunks) == SAID
    assert len(chunks) > 4
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk.model for chunk in chunks} == {model}
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]


@pytest.mark.parametrize("model", [*OURS, "gguf"])
def test_tokens_are_counted_alike_in_a_stream_and_without(chatting: Chatting, model: str) -> None:
    told = {"temperature": 0, "max_tokens": 32}
    whole = chatting.ask(model, FIRST, **told)
    *_, last = chatting.stream(model, FIRST, stream_options={"include_usage": True}, **told)
    assert (last.choices, last.usage.total_tokens) == ([], whole.usage.total_tokens)
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert whole.usage.completion_tokens > 4


@pytest.mark.parametrize("model", OURS)
def test_an_answer_is_cut_at_so_many_tokens(chatting: Chatting, model: str) -> None:
    answer = chatting.ask(model, FIRST, max_completion_tokens=3)
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 3)
    assert SAID.startswith(answer.choices[0].message.content)
    assert chatting.stream(model, FIRST, max_tokens=3)[-1].choices[0].finish_reason == "length"


@pytest.mark.parametrize("stop", ["대까지", ["없는 말", "대까지"]])
def test_an_answer_ends_before_a_stop(chatting: Chatting, stop: str | list[str]) -> None:
    answer = chatting.ask("talk", FIRST, stop=stop)
    assert answer.choices[0].message.content == SAID[: SAID.index("대까지")]
    assert answer.choices[0].finish_reason == "stop"
    assert text_of(chatting.stream("talk", FIRST, stop=stop)) == SAID[: SAID.index("대까지")]


def test_a_seed_draws_the_same_answer_and_none_another_one(chatting: Chatting) -> None:
    def draw(**told: object) -> str:
        answer = chatting.ask("wild", "안녕?", temperature=1.5, top_p=0.95, max_tokens=12, **told)
        return str(answer.choices[0].message.content)

    assert draw(seed=7) == draw(seed=7) != draw(seed=8)
    assert draw() != draw()


def test_parts_are_joined_and_a_developer_is_the_system(chatting: Chatting) -> None:
    parts = [{"type": "text", "text": FIRST}]
    answer = chatting.client.chat.completions.create(model="talk", messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == SAID
    system = [{"role": "developer", "content": "짧게."}, {"role": "user", "content": FIRST}]
    longer = chatting.client.chat.completions.create(model="talk", messages=system, max_tokens=4)
    assert longer.usage.prompt_tokens > answer.usage.prompt_tokens


def test_an_answer_can_be_sent_back_as_the_client_gives_it(chatting: Chatting) -> None:
    said = chatting.ask("talk", FIRST).choices[0].message
    messages = [*turns(FIRST), said, *turns(THEN)]
    answer = chatting.client.chat.completions.create(model="talk", messages=messages)
    assert answer.choices[0].message.content == ANSWER


def test_no_piece_of_a_stream_breaks_a_syllable(chatting: Chatting) -> None:
    told = {"temperature": 2, "seed": 5, "max_tokens": 200}
    chunks = chatting.stream("wild", "아무 말이나 해 주세요.", **told)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    whole = chatting.ask("wild", "아무 말이나 해 주세요.", **told).choices[0].message.content
    assert "".join(pieces) == whole
    assert REPLACEMENT in whole  # bytes that the model itself got wrong are to be seen
    assert not any(piece.endswith(REPLACEMENT) for piece in pieces[:-2])
    assert len(pieces) > 20


def test_the_fingerprint_tells_models_apart_and_no_path(chatting: Chatting) -> None:
    told = {model: chatting.ask(model, FIRST, max_tokens=1).system_fingerprint for model in ("talk", "single")}
    assert len(set(told.values())) == 2
    assert all(str(one).startswith("fp_") and "/" not in str(one) for one in told.values())


def test_the_asynchronous_client_asks_many_at_once(chatting: Chatting) -> None:
    async def ask_all() -> list[str]:
        address = f"{chatting.served.url}/v1"
        async with openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0) as client:

            async def heard() -> str:
                told = {"model": "talk", "messages": turns(FIRST), "stream": True}
                return text_of([chunk async for chunk in await client.chat.completions.create(**told)])

            return await asyncio.gather(heard(), heard(), heard())

    assert asyncio.run(ask_all()) == [SAID] * 3
