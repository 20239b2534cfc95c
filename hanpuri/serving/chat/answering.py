"""
Engines of ours: a conversation becomes the row that the model was trained on, and its answer grows in a thread.

In: a ChatRequest. Out: a completion, or its chunks:

    [{"role": "user", "content": "얼마인가요?"}]  ─►  {"instruction": "얼마인가요?", "input": ""}  ─►  "주차는 ", "무료"

The engine answers one after another; when a client goes, its answer is cut at the next token, and the next one begins.
"""

import asyncio
import hashlib
import logging
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Self

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, CountingEngine, Decoding, PromptedEngine, StreamingEngine
from hanpuri.errors import DataError, EngineError
from hanpuri.serving.chat.faults import TOO_LONG, UNSUPPORTED, ChatFault, waiting_for_turn
from hanpuri.serving.chat.replies import Reply
from hanpuri.serving.chat.request import ChatRequest, Message
from hanpuri.serving.engines import ServedEngine
from hanpuri.serving.watching.logs import LOGGER
from hanpuri.training.answering import asked_row

NUM_TOKENS = 1_024
"""Tokens of an answer whose length nobody told."""
NAME = "messages"
HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "reasoning_effort": (),
}
"""What an engine of ours cannot do, and what asks for none of it."""
OF_SERVERS = ("name", "tool_calls", "tool_call_id", "reasoning_content")
Heard = AsyncGenerator[str | Answer | None, None]


class EngineChat:
    """
    A chat with an engine that answers in this process, or asks its server in the words of its training.

    Open for the length of an `async with`; what is still being written at its end is cut.
    """

    def __init__(self, served: ServedEngine, wait_seconds: float) -> None:
        self._served, self._wait_seconds = served, wait_seconds
        self._ended = threading.Event()
        self._fingerprint = "fp_" + hashlib.sha256(served.engine.identity.encode()).hexdigest()[:10]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()

    async def answer(self, asked: ChatRequest) -> dict[str, Any]:
        """
        Answer in one piece.

        Raises:
            ChatFault: if the engine cannot be asked this, or fails.
            ServiceFault: 429, if too many wait.
        """
        answer = Answer.failed("nothing came")
        async with aclosing(self._hear(asked)) as heard:
            async for one in heard:
                if isinstance(one, Answer):
                    answer = one
        return self._reply(asked).whole(answer)

    async def stream(self, asked: ChatRequest) -> AsyncGenerator[dict[str, Any], None]:
        """
        Answer in pieces; the first one says that the engine took the question.

        Raises:
            ChatFault, ServiceFault: as `answer`.
        """
        reply = self._reply(asked)
        async with aclosing(self._hear(asked)) as heard:
            async for one in heard:
                if one is None:
                    yield reply.begin()
                elif isinstance(one, str):
                    yield reply.piece(one)
                else:
                    for chunk in reply.end(one):
                        yield chunk

    async def _hear(self, asked: ChatRequest) -> Heard:
        """Give None when the engine's turn has come, then the text as it grows, and the answer at last."""
        row = row_of_chat(self._served, asked)
        loop, stop = asyncio.get_running_loop(), threading.Event()
        heard: asyncio.Queue[str | asyncio.Future[Answer] | None] = asyncio.Queue()

        def stopped() -> bool:
            return stop.is_set() or self._ended.is_set()

        def hear(piece: str | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody hears it
                loop.call_soon_threadsafe(heard.put_nowait, piece)

        work = asyncio.ensure_future(self._served.call(self._answer, row, decoding_of(asked), hear, stopped))
        work.add_done_callback(partial(_end, heard))
        try:
            async with waiting_for_turn(self._served.name, self._wait_seconds):
                one = await heard.get()
            while not isinstance(one, asyncio.Future):
                yield one
                one = await heard.get()
            yield one.result()
        finally:
            stop.set()
            work.cancel()

    def _answer(
        self, row: Fields, decoding: Decoding, hear: Callable[[str | None], None], stopped: Callable[[], bool]
    ) -> Answer:
        """Answer, in the engine's thread."""
        engine = self._served.engine
        if stopped():
            return Answer.failed("nobody waits")
        try:
            self._check_length(row)
            engine.prompt(row, NAME)
            hear(None)
            if isinstance(engine, StreamingEngine):
                answer = engine.stream(row, hear, decoding, name=NAME, stopped=stopped)
            else:
                (answer,) = engine.generate([row], decoding, names=[NAME])
                hear(answer.text)
        except DataError as error:
            raise ChatFault(400, error.message, error.mend, param=NAME) from None
        except EngineError as error:
            # Not what it says: words of a server may repeat a text.
            logging.getLogger(LOGGER).warning("%s failed; %s", self._served.name, error.mend)
            raise ChatFault(503, f"{self._served.name} failed", "come again later", retry_after=1) from error
        if answer.failure:
            logging.getLogger(LOGGER).warning("%s gave no answer: %s", self._served.name, answer.cause)
            raise ChatFault(503, f"{self._served.name} gave no answer", "come again later", retry_after=1)
        return answer

    def _check_length(self, row: Fields) -> None:
        engine = self._served.engine
        if not isinstance(engine, CountingEngine) or (limit := engine.positions) is None:
            return
        num_tokens = engine.count_tokens(row, NAME)
        if num_tokens >= limit:
            found = f"found {num_tokens:,} tokens in the messages, expected under {limit:,}, the model's context length"
            raise ChatFault(400, found, "leave out earlier messages", param=NAME, code=TOO_LONG)

    def _reply(self, asked: ChatRequest) -> Reply:
        return Reply(self._served.name, self._fingerprint, asked.counts)


def _end(heard: "asyncio.Queue[str | asyncio.Future[Answer] | None]", work: "asyncio.Future[Answer]") -> None:
    if not work.cancelled():
        work.exception()  # asked for, or asyncio complains of one that nobody waited for
    heard.put_nowait(work)


def row_of_chat(served: ServedEngine, asked: ChatRequest) -> Fields:
    """
    Write a conversation as the row that an engine is asked.

    Raises:
        ChatFault: if it asks for what the engine cannot do, or the model was trained on no such conversations.
    """
    check_plain(served.name, asked)
    messages = [written(message) for message in asked.messages]
    prompting = served.engine.prompting if isinstance(served.engine, PromptedEngine) else None
    if prompting is None:
        return {"messages": messages}
    try:
        return asked_row(messages, "", prompting)
    except DataError as error:
        raise ChatFault(400, f"messages: {error.message}", "send one message of a user", param=NAME) from None


def written(message: Message) -> dict[str, str]:
    """
    Write a message as rows have it.

        >>> written(Message(role="developer", content="짧게."))
        {'role': 'system', 'content': '짧게.'}
    """
    return {"role": "system" if message.role == "developer" else message.role, "content": message.content}


def check_plain(name: str, asked: ChatRequest) -> None:
    """
    See that a request asks for nothing that an engine of ours cannot do.

    Raises:
        ChatFault: if it does; it names the field.
    """
    for field, harmless in HARMLESS.items():
        told = getattr(asked, field)
        if told is not None and told not in harmless:
            raise ChatFault(400, f"{field}: {name} does not take it", "leave it out", param=field, code=UNSUPPORTED)
    for place, message in enumerate(asked.messages):
        where = f"messages.{place}"
        if message.role == "tool":
            raise ChatFault(400, f"{where}.role: {name} calls no tools", "leave it out", param=f"{where}.role")
        for field in OF_SERVERS:
            if getattr(message, field):
                found = f"{where}.{field}: {name} does not take it"
                raise ChatFault(400, found, "leave it out", param=f"{where}.{field}", code=UNSUPPORTED)
    if asked.messages[-1].role != "user":
        found = f"messages: the last one is of {asked.messages[-1].role}, expected one of user"
        raise ChatFault(400, found, "end with what is asked", param=NAME)


def decoding_of(asked: ChatRequest) -> Decoding:
    """
    Say how tokens are chosen; where nobody tells a temperature the likeliest ones are taken, as `hanpuri ask` does.

        >>> decoding_of(ChatRequest(model="faq", messages=[{"role": "user", "content": "?"}], max_tokens=9))
        Decoding(max_new_tokens=9, temperature=0.0, top_p=1.0, top_k=0, stop=(), seed=0, batch_size=16, by_text=False)
    """
    temperature = asked.temperature or 0.0
    seed = asked.seed
    if seed is None:
        seed = secrets.randbelow(2**32) if temperature else 0
    return Decoding(
        max_new_tokens=asked.num_tokens or NUM_TOKENS,
        temperature=temperature,
        top_p=1.0 if asked.top_p is None else asked.top_p,
        top_k=asked.top_k or 0,
        stop=tuple(asked.stop),
        seed=seed,
    )
