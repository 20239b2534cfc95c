"""Clients that go away, and more clients than there is room for: the model is free again at once, and nobody waits."""

import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from tests.serving.chat.conftest import QUEUED, Chatting, turns

FOR_EVER = {"max_tokens": 900_000}
"""Tokens for which the model `wild` would need hours."""
SOON = 20
"""Seconds, on a machine that does other things besides."""


def is_free(chatting: Chatting, model: str = "wild") -> bool:
    """Tell whether a model answers one who asks now; the answer itself takes milliseconds."""
    told = chatting.client.with_options(timeout=SOON).chat.completions
    return bool(told.create(model=model, messages=turns("?"), max_tokens=2).usage)


@pytest.mark.parametrize("model", ["wild", "gguf"])
def test_who_stops_reading_a_stream_stops_the_model(chatting: Chatting, model: str) -> None:
    stream = chatting.ask(model, "안녕?", stream=True, temperature=2, **FOR_EVER)
    assert next(stream).choices[0].delta.role == "assistant"
    stream.close()
    assert is_free(chatting, model)


def test_who_does_not_wait_for_a_whole_answer_stops_the_model(chatting: Chatting) -> None:
    with pytest.raises(openai.APITimeoutError):
        chatting.client.with_options(timeout=0.5).chat.completions.create(
            model="wild", messages=turns("안녕?"), **FOR_EVER
        )
    assert is_free(chatting)


def test_who_leaves_the_queue_leaves_his_place_in_it(chatting: Chatting) -> None:
    with chatting.ask("wild", "안녕?", stream=True, **FOR_EVER) as first:
        next(first)
        for _ in range(QUEUED + 1):  # one after another each takes a place, and leaves it
            with pytest.raises(openai.APITimeoutError):
                chatting.client.with_options(timeout=0.1).chat.completions.create(model="wild", messages=turns("?"))
            time.sleep(0.2)
    assert is_free(chatting)


def test_more_than_may_wait_are_told_to_come_again(chatting: Chatting) -> None:
    asked = chatting.client.with_options(timeout=1.5).chat.completions

    def ask(_: int) -> str:
        try:
            with asked.create(model="wild", messages=turns("?"), stream=True, **FOR_EVER) as stream:
                for _chunk in stream:
                    pass
        except openai.RateLimitError as error:
            return f"{error.body['message']}, {error.response.headers['retry-after']} s"
        except openai.APITimeoutError:
            return "waited"
        return "answered"

    with chatting.ask("wild", "안녕?", stream=True, **FOR_EVER) as first, ThreadPoolExecutor(2 * QUEUED) as threads:
        next(first)
        told = list(threads.map(ask, range(2 * QUEUED)))
    assert told.count("waited") == QUEUED - 1  # the first one has a place too
    assert told.count(f"{QUEUED} requests wait for wild already, 2 s") == QUEUED + 1
    assert is_free(chatting)


def test_one_model_that_writes_for_ever_holds_up_no_other(chatting: Chatting) -> None:
    with chatting.ask("wild", "안녕?", stream=True, **FOR_EVER) as stream:
        next(stream)
        assert is_free(chatting, "talk")
        assert is_free(chatting, "gguf")
        with chatting.served.client() as client:
            assert client.get("/healthz").status_code == 200
