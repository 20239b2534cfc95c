"""
A client that asks when it is time to, whether or not it was answered yet, as people do who know nothing of each other.

In:  a port, requests, and the seconds at which each is sent.   Out: an Answer a request, and figures of many:

    {"requests": 1200, "statuses": {"200": 1200}, "p50": 14.2, "p90": 17.0, "p99": 31.5, "late_p99": 0.4, …}

Milliseconds count from when a request was due, not from when it could be sent, so that a client that cannot follow
makes its figures worse, never better; `late_p99` says by how much. A connection carries one request at a time and is
kept for the next.
"""

import asyncio
import json
import math
import random
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, NamedTuple

import httptools

MAX_CONNECTIONS = 1_000
ANSWER_SECONDS = 60.0
NO_CONNECTION, NO_ANSWER = 0, -1
"""What stands for a status where there was none."""


class Answer(NamedTuple):
    """What became of a request; `due` and `late` in seconds after the first one was due, and after this one was."""

    due: float
    status: int
    seconds: float
    late: float = 0.0
    retry_after: float | None = None


def poisson(rate: float, seconds: float, seed: int = 0) -> Iterator[float]:
    """
    Draw when requests are due that come independently of each other, `rate` a second.

    >>> due = list(poisson(20, 100))
    >>> 1_800 < len(due) < 2_200, due == sorted(due), due[-1] < 100
    (True, True, True)
    """
    rng, now = random.Random(seed), 0.0
    while (now := now + rng.expovariate(rate)) < seconds:
        yield now


def quantile(values: Sequence[float], share: float) -> float:
    """
    Give the smallest value that at least this share of all does not exceed.

    >>> quantile([5, 1, 4, 2, 3], 0.5), quantile([1, 2], 0.99), quantile([7], 0.5)
    (3, 2, 7)

    Raises:
        ValueError: if there are no values.
    """
    if not values:
        raise ValueError("there are no values to take a quantile of")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summarise(answers: Sequence[Answer], client_cpu: float = 0.0) -> dict[str, Any]:
    """
    Put many answers into figures: statuses counted, milliseconds of those that were helped.

    >>> summarise([Answer(0.0, 200, 0.010), Answer(0.1, 200, 0.030), Answer(0.2, 429, 0.001, retry_after=1.0)])["p50"]
    10.0
    """
    statuses = Counter(str(answer.status) for answer in answers)
    good = [answer.seconds * 1_000 for answer in answers if answer.status == 200]
    told = {f"p{share:g}": round(quantile(good, share / 100), 1) for share in (50, 90, 99) if good}
    late = {"late_p99": round(quantile([answer.late * 1_000 for answer in answers], 0.99), 1)} if answers else {}
    return {
        "requests": len(answers),
        "statuses": dict(sorted(statuses.items())),
        **told,
        **late,
        "client_cpu": round(client_cpu, 3),
    }


def seconds_until_back(answers: Sequence[Answer], limit: float, window: float = 5.0) -> float | None:
    """
    Say from which second on half of all were helped within `limit` seconds, for a while; None if that never came.

    >>> slow, fast = [Answer(t / 10, 200, 0.5) for t in range(20)], [Answer(t / 10, 200, 0.01) for t in range(20, 90)]
    >>> seconds_until_back(slow + fast, 0.02), seconds_until_back(slow, 0.02)
    (2.0, None)

    Args:
        answers: in the order in which they were due.
        limit: seconds.
        window: seconds for which it has to last: one slow or fast moment of the machine decides nothing.
    """
    for second in range(int(answers[-1].due) if answers else 0):
        if all(_median(answers, second, second + length) <= limit for length in (1.0, window)):
            return float(second)
    return None


def _median(answers: Sequence[Answer], begin: float, end: float) -> float:
    """Give the median of the seconds of those who were due in this time; who was not helped waits for ever."""
    inside = [answer for answer in answers if begin <= answer.due < end]
    return quantile([answer.seconds if answer.status == 200 else math.inf for answer in inside] or [math.inf], 0.5)


def make_request(body: dict[str, Any]) -> bytes:
    """Write a request to restore, head and body."""
    content = json.dumps(body, ensure_ascii=False).encode()
    head = "POST /v1/restore HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


@dataclass
class Client:
    """Connections to one port of this machine."""

    port: int
    num_open: int = 0
    idle: "deque[_Connection]" = field(default_factory=deque)

    async def open_loop(self, requests: Sequence[bytes], due: Iterator[float]) -> list[Answer]:
        """Send requests when they are due, going through them again and again; wait for the last answer."""
        answers: list[Answer] = []
        running: set[asyncio.Task[None]] = set()
        started = time.perf_counter()
        for request, when in zip(cycle(requests), due, strict=False):
            if (wait := started + when - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._answer(request, started, when, answers))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        return sorted(answers, key=_when_due)

    async def closed_loop(self, requests: Sequence[bytes], num_clients: int, seconds: float) -> list[Answer]:
        """Let some clients ask as fast as they are answered."""
        answers: list[Answer] = []
        started = time.perf_counter()

        async def ask_on(first: int) -> None:
            for number in range(first, 1 << 30, num_clients):
                if (now := time.perf_counter() - started) >= seconds:
                    return
                await self._answer(requests[number % len(requests)], started, now, answers)

        await asyncio.gather(*(ask_on(first) for first in range(num_clients)))
        return sorted(answers, key=_when_due)

    async def ask(self, request: bytes) -> tuple[int, float | None, bytes]:
        """Send one request: status, what Retry-After says, body."""
        if not self.idle and self.num_open >= MAX_CONNECTIONS:
            return NO_CONNECTION, None, b""
        was_open = bool(self.idle)
        try:
            connection = self.idle.pop() if was_open else await self._connect()
        except OSError:
            return NO_CONNECTION, None, b""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await connection.ask(request)
        except (ConnectionError, TimeoutError) as error:
            self._close(connection)
            # A server may close what stood idle at the very moment that it is used again: every client asks once more.
            if was_open and isinstance(error, ConnectionError) and not connection.has_begun:
                return await self.ask(request)
            return NO_ANSWER, None, b""
        if connection.is_open:
            self.idle.append(connection)
        else:
            self._close(connection)
        return found

    def close(self) -> None:
        """Close what is idle."""
        while self.idle:
            self._close(self.idle.pop())

    async def _answer(self, request: bytes, started: float, due: float, answers: list[Answer]) -> None:
        sent = time.perf_counter() - started
        status, retry_after, _ = await self.ask(request)
        answers.append(Answer(due, status, time.perf_counter() - started - due, sent - due, retry_after))

    async def _connect(self) -> "_Connection":
        self.num_open += 1
        try:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(_Connection, "127.0.0.1", self.port)
        except OSError:
            self.num_open -= 1
            raise
        return connection

    def _close(self, connection: "_Connection") -> None:
        self.num_open -= 1
        connection.close()


def _when_due(answer: Answer) -> float:
    return answer.due


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.is_open, self.has_begun = transport, True, False
        self.parser = httptools.HttpResponseParser(self)
        self.found: asyncio.Future[tuple[int, float | None, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, float | None, bytes]:
        if not self.is_open:
            raise ConnectionError
        self.found = asyncio.get_running_loop().create_future()
        self.body, self.has_begun = bytearray(), False
        self.retry_after: float | None = None
        self.transport.write(request)
        return await self.found

    def close(self) -> None:
        self.is_open = False
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.has_begun = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._fail()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.retry_after = float(value)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_open = self.is_open and self.parser.should_keep_alive()
        self.has_begun = False
        if self.found and not self.found.done():
            self.found.set_result((self.parser.get_status_code(), self.retry_after, bytes(self.body)))

    def _fail(self) -> None:
        self.is_open = False
        if self.found and not self.found.done():
            self.found.set_exception(ConnectionError())
