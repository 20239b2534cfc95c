"""
How an engine of ours is asked in turn and let go again, shown on engines that do what a test needs.

In: an engine that writes for ever, or fails. Out: what becomes of those who wait, and of the engine's thread.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.echo import EchoEngine
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import EngineError
from hanpuri.serving.chat.faults import ChatFault
from hanpuri.serving.chat.opening import open_chats
from hanpuri.serving.chat.request import ChatRequest
from hanpuri.serving.chat.sending import begin_stream
from hanpuri.serving.engines import ServedEngine
from hanpuri.serving.leaving import until_gone

ASKED = ChatRequest(model="it", messages=[{"role": "user", "content": "안녕?"}])


class Endless(EchoEngine):
    """Says one thing, and goes on until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = threading.Event()

    def stream(
        self,
        row: Any,
        on_text: Callable[[str], None],
        decoding: Decoding = GREEDY,
        *,
        name: str = "row 1",
        stopped: Callable[[], bool] | None = None,
    ) -> Answer:
        on_text("바")
        while not stopped():
            threading.Event().wait(0.005)
        self.ended.set()
        return Answer("바", 1, finished=False)


class Failing(EchoEngine):
    """Says one thing, and fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def stream(self, row: Any, on_text: Callable[[str], None], *_: Any, **__: Any) -> Answer:
        on_text("바")
        raise self.error


@contextmanager
def served(engine: EchoEngine) -> Iterator[ServedEngine]:
    with ThreadPoolExecutor(1) as threads:
        yield ServedEngine("it", parse_engine("echo"), engine, threads, max_waiting=2)


def test_what_is_being_written_when_the_service_ends_is_cut() -> None:
    async def talk(it: ServedEngine) -> None:
        async with open_chats({"it": it}, wait_seconds=5) as chats:
            pieces = chats["it"].stream(ASKED)
            await anext(pieces)
        await pieces.aclose()

    engine = Endless()
    with served(engine) as it:
        asyncio.run(talk(it))
    assert engine.ended.is_set()


def test_who_waited_too_long_for_the_turn_is_told_to_come_again() -> None:
    async def talk(it: ServedEngine) -> ChatFault:
        async with open_chats({"it": it}, wait_seconds=0.05) as chats, aclosing(chats["it"].stream(ASKED)) as pieces:
            await anext(pieces)
            with pytest.raises(ChatFault) as error:
                await chats["it"].answer(ASKED)
            return error.value

    with served(Endless()) as it:
        fault = asyncio.run(talk(it))
    assert (fault.status, fault.message, fault.mend) == (429, "it has too much to do", "come again later")
    assert it.num_waiting == 0


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (EngineError("/models/secret: out of memory", "take less"), 503, "it failed"),  # known by the engine
        (RuntimeError("/models/secret"), 500, "the answer broke off"),  # known by nobody
    ],
)
def test_a_model_that_fails_is_told_in_the_stream_without_its_secrets(
    caplog: pytest.LogCaptureFixture, error: Exception, status: int, told: str
) -> None:
    async def talk(it: ServedEngine) -> list[bytes]:
        async with open_chats({"it": it}, wait_seconds=5) as chats:
            response = await begin_stream(asked_by_one_who_waits(), chats["it"].stream(ASKED))
            return [bytes(event) async for event in response.body_iterator]

    with served(Failing(error)) as it:
        first, second, last = asyncio.run(talk(it))
    assert json.loads(first[6:])["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert json.loads(second[6:])["choices"][0]["delta"] == {"content": "바"}
    assert json.loads(last[6:])["error"] == {"message": told, "type": "server_error", "param": None, "code": None}
    assert len(caplog.records) == 1


def test_who_goes_before_the_first_piece_leaves_nothing_behind() -> None:
    async def talk(it: ServedEngine) -> None:
        async with open_chats({"it": it}, wait_seconds=5) as chats:
            gone = Request({"type": "http"}, receive=told({"type": "http.disconnect"}))
            with pytest.raises(ClientDisconnect):
                await until_gone(gone, chats["it"].answer(ASKED))

    engine = Endless()
    with served(engine) as it:
        asyncio.run(talk(it))
    assert it.num_waiting == 0


def asked_by_one_who_waits() -> Request:
    """A request whose client stays."""

    async def receive() -> Any:
        await asyncio.Event().wait()

    return Request({"type": "http"}, receive=receive)


def told(message: dict[str, str]) -> Any:
    async def receive() -> dict[str, str]:
        return message

    return receive
