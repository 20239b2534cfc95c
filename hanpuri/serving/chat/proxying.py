"""
Engines that are servers: a request is passed on as it is, and what comes back, as it comes.

In: a ChatRequest for "qwen". Out: what the server says, with the name that its clients know in place of its own:

    {"model": "qwen", "messages": […], "tools": […]}   ─►   POST …/chat/completions {"model": "Qwen/Qwen3-0.6B", …}
    {"model": "qwen", "choices": […], …}               ◄─   {"model": "Qwen/Qwen3-0.6B", "choices": […], …}

The server gets our key and never the client's, and nobody else is asked: redirects are not followed. When a client
goes, the connection to the server is closed, which ends the answer there.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

from hanpuri.engines.openai import OpenAIEngine
from hanpuri.engines.servers.connection import EVENTS, JSON, read_events
from hanpuri.engines.servers.faults import OVERFLOW, fault_of, words_of
from hanpuri.engines.servers.ways import with_system
from hanpuri.serving.chat.faults import BUSY_SECONDS, LATER, TOO_LONG, ChatFault, waiting_for_turn
from hanpuri.serving.chat.request import ChatRequest
from hanpuri.serving.engines import ServedEngine
from hanpuri.serving.watching.logs import LOGGER

PATH = "/chat/completions"
OURS = {"model", "messages", "user", "max_tokens", "max_completion_tokens"}
"""Fields that are not passed on as they came."""
OF_THE_REQUEST = frozenset({400, 409, 413, 415, 422})
"""Statuses by which a server says that the request is at fault. All others are no fault of the client."""
TELL = "tell who runs this service"


class ServerChat:
    """A chat with a model behind a server. Open for the length of an `async with`."""

    def __init__(self, served: ServedEngine, engine: OpenAIEngine, wait_seconds: float) -> None:
        self._served, self._engine, self._wait_seconds = served, engine, wait_seconds
        concurrency = _concurrency(served)
        self._turns = asyncio.Semaphore(concurrency)
        self._client: httpx2.AsyncClient = engine.connection.open_client(concurrency + 1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def answer(self, asked: ChatRequest) -> dict[str, Any]:
        """
        Answer in one piece.

        Raises:
            ChatFault: if the server refuses, fails or is not there.
            ServiceFault: 429, if too many wait.
        """
        async with self._asked(asked, JSON) as reply:
            told = self._read(await reply.aread())
        if not isinstance(told.get("choices"), list):
            raise self._nonsense("no choices")
        return self._named(told)

    async def stream(self, asked: ChatRequest) -> AsyncGenerator[dict[str, Any], None]:
        """
        Answer in pieces.

        Raises:
            ChatFault, ServiceFault: as `answer`; a ChatFault also if the answer breaks off.
        """
        begun = ended = False
        async with self._asked(asked, EVENTS) as reply:
            async for data in read_events(reply.aiter_bytes()):
                if data == b"[DONE]":
                    return
                piece = self._read(data)
                choices = _choices_of(piece)
                for choice in choices if not begun else ():
                    # llama.cpp leaves it out where the first token is no whole character, as in Korean it may be.
                    choice["delta"] = {"role": "assistant"} | (choice.get("delta") or {})
                begun, ended = True, ended or any(choice.get("finish_reason") for choice in choices)
                yield self._named(piece)
        if not ended:
            raise ChatFault(503, f"the answer of {self._served.name} broke off", LATER)

    @asynccontextmanager
    async def _asked(self, asked: ChatRequest, kind: str) -> AsyncIterator[httpx2.Response]:
        """Pass a request on; gives the head of an answer of a kind."""
        with self._served.place():
            async with waiting_for_turn(self._served.name, self._wait_seconds):
                await self._turns.acquire()
            try:
                url = self._engine.connection.address + PATH
                async with self._client.stream("POST", url, json=self._body(asked)) as reply:
                    if reply.status_code != 200:
                        raise self._refusal(reply, await reply.aread())
                    if not reply.headers.get("content-type", "").startswith(kind):
                        raise self._nonsense("an answer of another kind")
                    yield reply
            except (httpx2.HTTPError, OSError) as error:
                raise self._gone(error) from None
            finally:
                self._turns.release()

    def _body(self, asked: ChatRequest) -> dict[str, Any]:
        settings = self._served.settings
        body = asked.model_dump(exclude_unset=True, exclude=OURS if asked.stream else {*OURS, "stream_options"})
        messages = [message.model_dump(exclude_unset=True) for message in asked.messages]
        for message in messages:
            if message["role"] == "developer":  # a name that templates of open models do not know
                message["role"] = "system"
        if asked.num_tokens is not None:
            body[settings.server.max_tokens_name] = asked.num_tokens
        return {"model": self._engine.served.model, "messages": with_system(messages, settings.system), **body}

    def _read(self, content: bytes) -> dict[str, Any]:
        """Read a reply or a piece of one; an error in its place is raised."""
        try:
            told = json.loads(content)
        except ValueError:
            raise self._nonsense("no JSON") from None
        if not isinstance(told, dict):
            raise self._nonsense("no object")
        if told.get("error"):
            raise self._in_place(told["error"])
        return told

    def _named(self, told: dict[str, Any]) -> dict[str, Any]:
        """Put the name that clients know in the place of the server's own."""
        return {**told, "model": self._served.name}

    def _refusal(self, reply: httpx2.Response, content: bytes) -> ChatFault:
        """Say why a server did not answer: by the client's fault, or by another's."""
        status, name = reply.status_code, self._served.name
        if status in OF_THE_REQUEST:
            return self._of_client(content)
        if status == 429:
            wait = fault_of(status, reply.headers, b"").wait_seconds
            seconds = BUSY_SECONDS if wait is None else wait
            return ChatFault(429, f"{name} has too much to do", LATER, retry_after=seconds)
        logging.getLogger(LOGGER).warning("%s: the server behind it answers %d", name, status)
        if status >= 500:
            wait = fault_of(status, reply.headers, b"").wait_seconds
            seconds = BUSY_SECONDS if wait is None else wait
            return ChatFault(503, f"{name} failed", LATER, retry_after=seconds)
        return ChatFault(502, f"the server behind {name} does not take what this service asks", TELL)

    def _of_client(self, content: bytes) -> ChatFault:
        """Hand on what a server says of a request, in our names."""
        said = self._hidden(words_of(content)) or "the server refuses the request"
        if OVERFLOW.search(said):
            return ChatFault(400, said, "leave out earlier messages", param="messages", code=TOO_LONG)
        return ChatFault(400, said, "see what it says of the request", param=_param_of(content))

    def _in_place(self, error: Any) -> ChatFault:
        """Judge an error that came in the place of an answer."""
        content = json.dumps({"error": error}).encode()
        status = error.get("code") if isinstance(error, dict) else None
        if status in OF_THE_REQUEST:
            return self._of_client(content)
        logging.getLogger(LOGGER).warning("%s: the server behind it broke an answer off", self._served.name)
        return ChatFault(503, f"{self._served.name} failed", LATER, retry_after=BUSY_SECONDS)

    def _nonsense(self, found: str) -> ChatFault:
        logging.getLogger(LOGGER).warning("%s: the server behind it sent %s", self._served.name, found)
        return ChatFault(502, f"the server behind {self._served.name} does not answer as it should", TELL)

    def _gone(self, error: Exception) -> ChatFault:
        logging.getLogger(LOGGER).warning(
            "%s: %s: %s", self._served.name, type(error).__name__, self._hidden(str(error))
        )
        if isinstance(error, httpx2.ReadTimeout | httpx2.WriteTimeout):
            return ChatFault(504, f"{self._served.name} did not answer in time", LATER, retry_after=BUSY_SECONDS)
        return ChatFault(503, f"{self._served.name} cannot be reached now", LATER, retry_after=BUSY_SECONDS)

    def _hidden(self, text: str) -> str:
        """Take out of the server's words what it is called there, where it is, and our key."""
        connection = self._engine.connection
        shown = connection.hide(text).replace(connection.address, self._served.name)
        return shown.replace(self._engine.served.model, self._served.name)


def _choices_of(piece: dict[str, Any]) -> list[dict[str, Any]]:
    choices = piece.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def _concurrency(served: ServedEngine) -> int:
    """Count the requests that a server is sent at a time."""
    settings = served.settings
    return settings.llamacpp.parallel if settings.engine == "llamacpp" else settings.server.concurrency


def _param_of(content: bytes) -> str | None:
    """Find the field that a server says a request is wrong in."""
    try:
        param = json.loads(content)["error"]["param"]
    except (ValueError, KeyError, TypeError):
        return None
    return param if isinstance(param, str) and param in ChatRequest.model_fields else None
