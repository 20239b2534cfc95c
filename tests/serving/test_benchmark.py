"""
The benchmark's client counts as it says: from when a request was due, answered or not, and every status.

In: a small server of our own, which answers as a row of a table says. Out: answers and figures.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.service_client import (
    NO_ANSWER,
    NO_CONNECTION,
    Answer,
    Client,
    make_request,
    poisson,
    quantile,
    seconds_until_back,
    summarise,
)
from benchmarks.service_table import ROWS, service_rows

REQUEST = make_request({"text": "방이 넓어요"})
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def with_server(handle: Handler, work: Callable[[Client], Awaitable[object]]) -> object:
    """Let a client work with a server."""

    async def run() -> object:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        client = Client(server.sockets[0].getsockname()[1])
        async with server:
            try:
                return await asyncio.wait_for(work(client), 20)
            finally:
                client.close()

    return asyncio.run(run())


def answering(*answers: bytes, seconds: float = 0.0, ends: bool = False) -> Handler:
    """A server that gives these answers in turn, each after some seconds; it may hang up behind each."""
    turn = itertools.cycle(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(len(REQUEST)):
                await asyncio.sleep(seconds)
                writer.write(next(turn))
                await writer.drain()
                if ends:
                    break
        finally:
            writer.close()

    return handle


# --- the client


def test_requests_are_sent_when_they_are_due_and_not_when_the_last_one_was_answered():
    due = [number / 100 for number in range(10)]
    started = time.perf_counter()
    answers = with_server(answering(GOOD, seconds=0.3), lambda client: client.open_loop([REQUEST], iter(due)))
    assert time.perf_counter() - started < 1
    assert [answer.due for answer in answers] == due
    assert all(answer.status == 200 and 0.3 <= answer.seconds < 0.9 for answer in answers)


def test_a_client_that_could_not_send_in_time_counts_the_delay_as_the_services():
    async def work(client: Client) -> list[Answer]:
        asyncio.get_running_loop().call_later(0.05, time.sleep, 0.3)
        return await client.open_loop([REQUEST], iter([0.0, 0.1]))

    _, second = with_server(answering(GOOD), work)
    assert second.late > 0.2
    assert second.seconds >= second.late
    assert summarise([second])["late_p99"] > 200


def test_a_closed_loop_has_as_many_requests_under_way_as_it_has_clients():
    answers = with_server(answering(GOOD, seconds=0.05), lambda client: client.closed_loop([REQUEST], 4, 0.5))
    assert 8 < len(answers) <= 44


ENDS = [
    # one connection carries all
    (answering(GOOD), [200, 200, 200]),
    # what is told of a full queue
    (answering(GOOD, BUSY), [200, 429, 200]),
    # the server says that it hangs up, and does
    (answering(LAST, ends=True), [200, 200, 200]),
    # it hangs up without a word: what was kept open is no use, and the request is sent anew
    (answering(GOOD, ends=True), [200, 200, 200]),
    # it answers with something else, and with nothing
    (answering(b"what?\r\n\r\n"), [NO_ANSWER] * 3),
    (answering(b"", ends=True), [NO_ANSWER] * 3),
]


@pytest.mark.parametrize(("handle", "statuses"), ENDS)
def test_every_request_has_an_end(handle, statuses):
    async def work(client: Client) -> list[int]:
        return [(await client.ask(REQUEST))[0] for _ in range(3)]

    assert with_server(handle, work) == statuses


def test_a_connection_that_was_closed_while_it_stood_idle_is_left_for_a_new_one():
    async def work(client: Client) -> list[int]:
        found = []
        for _ in range(3):
            found.append((await client.ask(REQUEST))[0])
            await asyncio.sleep(0.05)
        return found

    assert with_server(answering(GOOD, ends=True), work) == [200, 200, 200]


def test_retry_after_is_read():
    assert with_server(answering(BUSY), lambda client: client.ask(REQUEST)) == (429, 3.0, b"")


def test_where_nobody_listens_a_request_is_counted_as_not_sent():
    async def work(client: Client) -> int:
        return (await Client(1).ask(REQUEST))[0]

    assert with_server(answering(GOOD), work) == NO_CONNECTION


# --- the figures

QUANTILES = [
    # the middle of three, and of four the lower one of the middle
    ([3, 1, 2], 0.5, 2),
    ([4, 3, 1, 2], 0.5, 2),
    # of a hundred, ninety-nine are not slower than the ninety-ninth
    (list(range(1, 101)), 0.99, 99),
    # of fewer it is the slowest
    (list(range(1, 51)), 0.99, 50),
    # one has no choice
    ([7], 0.01, 7),
]


@pytest.mark.parametrize(("values", "share", "expected"), QUANTILES)
def test_a_quantile_is_a_value_that_was_measured(values, share, expected):
    assert quantile(values, share) == expected


def test_there_is_no_quantile_of_nothing():
    with pytest.raises(ValueError, match=r"^there are no values to take a quantile of$"):
        quantile([], 0.5)


def test_arrivals_have_their_rate_and_no_memory():
    due = list(poisson(50, 400, seed=3))
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert len(due) == pytest.approx(20_000, rel=0.03)
    # Of independent arrivals, a share of 1/e of the gaps is longer than the mean gap.
    assert sum(gap > 1 / 50 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


def test_what_was_refused_is_counted_and_does_not_make_the_service_look_fast():
    slow = [Answer(number, 200, 0.1) for number in range(10)]
    refused = [Answer(number, 429, 0.001, retry_after=1.0) for number in range(90)]
    assert summarise([*slow, *refused], client_cpu=0.25) == {
        "requests": 100,
        "statuses": {"200": 10, "429": 90},
        "p50": 100.0,
        "p90": 100.0,
        "p99": 100.0,
        "late_p99": 0.0,
        "client_cpu": 0.25,
    }


BACK = [
    # at once
    ([0.01] * 100, 0.0),
    # after four seconds
    ([0.5] * 40 + [0.01] * 80, 4.0),
    # for a moment only: half a second is nobody's recovery
    ([0.5] * 10 + [0.01] * 5 + [0.5] * 85 + [0.01] * 100, 10.0),
    # never
    ([0.5] * 100, None),
    # one slow answer in four
    ([0.01, 0.5, 0.01, 0.01] * 25, 0.0),
    # there were none
    ([], None),
]


@pytest.mark.parametrize(("seconds", "expected"), BACK)
def test_a_service_is_back_when_most_are_helped_as_fast_as_before_for_a_while(seconds, expected):
    answers = [Answer(number / 10, 200, one) for number, one in enumerate(seconds)]
    assert seconds_until_back(answers, limit=0.02) == expected


def test_while_people_are_refused_the_service_is_not_back():
    refused = [Answer(number / 10, 429, 0.001) for number in range(50)]
    helped = [Answer(5 + number / 10, 200, 0.01) for number in range(100)]
    assert seconds_until_back([*refused, *helped], limit=0.02) == 5.0


# --- the table

MEASURED = {
    "machine": "2 processors, something",
    "date": "2026-11-22",
    "versions": {"hanpuri": "0.1.0", "python": "3.13.5"},
    "workers": {
        "1": {
            "ready_seconds": 1.234,
            "base": {"p50": 14.2, "p90": 20.0, "p99": 60.4},
            "small": {"p50": 8.1, "p90": 9.9, "p99": 30.0},
            "batches": {"service": 13_000, "library": 14_000, "ratio": 0.929},
            "overload": {
                "capacity": 120.4,
                "statuses": {"200": 7_000, "429": 6_990, "503": 2},
                "p50": 900.2,
                "p99": 1_500.0,
                "memory_mib": [200.0, 204.0, 206.0],
                "growth": 0.0098,
                "recovery_seconds": 2.0,
            },
        }
    },
}


def test_the_table_says_what_was_measured_and_what_was_aimed_at():
    head, rows, where = service_rows(MEASURED)
    assert head == ["", "1 worker", "target"]
    assert [row[1] for row in rows] == [
        "1.23 s",
        "14 · 20 · 60 ms",
        "8 · 10 · 30 ms",
        "13,000, 93%",
        "120",
        "7,000 · 6,990 · 2",
        "900 · 1500 ms",
        "200 → 206 MiB, +1.0%",
        "2 s",
    ]
    assert [row[2] for row in rows] == [row.target for row in ROWS]
    assert where == "2 processors, something, the client on the same ones, 2026-11-22; hanpuri 0.1.0, python 3.13.5"


def test_the_table_of_the_korean_readme_has_the_same_figures():
    head, rows, _ = service_rows(MEASURED, korean=True)
    _, english, _ = service_rows(MEASURED)
    assert head == ["", "프로세스 1개", "목표"]
    assert [row[1:] for row in rows] == [row[1:] for row in english]


def test_a_service_that_never_came_back_and_helped_nobody_is_shown_as_that():
    overload = {"statuses": {"429": 5}, "recovery_seconds": None, "capacity": 0.0, "memory_mib": [1.0], "growth": 0.0}
    one = MEASURED["workers"]["1"] | {"overload": overload}
    _, rows, _ = service_rows(MEASURED | {"workers": {"2": one}})
    assert [row[1] for row in rows][5:] == ["0 · 5 · 0", "– · – ms", "1 → 1 MiB, +0.0%", "never"]
