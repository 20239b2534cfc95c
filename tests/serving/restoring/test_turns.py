"""
Whose turn it is, and when it is too much.

In: requests whose pieces are plain calls. Out: the order in which they were done, and who was refused.
"""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.restoring.turns import Kind, Turns
from hanpuri.serving.settings import Limits
from hanpuri.serving.watching.metrics import Counters


class Bench:
    """A line before one thread, which stands still until it is let go, and what was done there."""

    def __init__(self, folder, *, threads: int = 1, window_seconds: float = 0.0, **limits: float) -> None:
        self.turns = Turns(threads, Limits.model_validate(limits), window_seconds, Counters(folder))
        self.runs: list[list[str]] = []
        self.may_go = threading.Event()

    def do(self, pieces: Sequence[str]) -> None:
        self.may_go.wait(10)
        self.runs.append(list(pieces))

    def kind(self, name: str = "a", most: int = 1, gains: bool = False) -> Kind:
        return Kind((name,), self.do, most=most, gains=gains)

    def ask(self, who: str, number: int = 1, *, each: int = 10, kind: Kind | None = None) -> "asyncio.Task[str]":
        """Ask for pieces `who1`, `who2`, …, of so many characters each."""
        pieces = {kind or self.kind(): [f"{who}{count}" for count in range(1, number + 1)]}
        return asyncio.ensure_future(self.turns.run("model", number * each, lambda: pieces, lambda: f"{who} is done"))


@pytest.fixture
def bench(tmp_path) -> Callable[..., Bench]:
    return lambda **told: Bench(tmp_path, **told)


async def asked(*tasks: "asyncio.Task[str]") -> None:
    """Wait until requests stand in the line."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


def test_a_short_request_waits_for_a_run_and_not_for_the_end_of_a_long_one(bench):
    async def scene() -> None:
        line = bench()
        long = line.ask("long", 5)
        await asked(long)
        short = line.ask("short")
        await asked(short)
        line.may_go.set()
        assert await asyncio.gather(long, short) == ["long is done", "short is done"]
        assert line.runs == [["long1"], ["long2"], ["short1"], ["long3"], ["long4"], ["long5"]]
        await line.turns.close()

    asyncio.run(scene())


def test_pieces_of_one_kind_are_done_together_whoever_s_they_are(bench):
    async def scene() -> None:
        line = bench()
        first = line.ask("first")  # holds the thread
        await asked(first)
        three, other = line.kind("three", most=3), line.kind("other", most=3)
        waiting = [line.ask("a", 2, kind=three), line.ask("b", 1, kind=other), line.ask("c", 2, kind=three)]
        await asked(*waiting)
        line.may_go.set()
        await asyncio.gather(first, *waiting)
        assert line.runs == [["first1"], ["a1", "a2", "c1"], ["b1"], ["c2"]]
        await line.turns.close()

    asyncio.run(scene())


def test_what_gains_waits_a_window_for_others_while_nothing_runs(bench):
    async def scene(gains: bool) -> list[list[str]]:
        line = bench(window_seconds=0.05)
        line.may_go.set()
        kind = line.kind(most=8, gains=gains)
        early = line.ask("early", kind=kind)
        await asyncio.sleep(0.01)
        late = line.ask("late", kind=kind)
        await asyncio.gather(early, late)
        await line.turns.close()
        return line.runs

    assert asyncio.run(scene(True)) == [["early1", "late1"]]
    assert asyncio.run(scene(False)) == [["early1"], ["late1"]]


def test_every_thread_gets_a_run(bench):
    async def scene() -> None:
        line = bench(threads=3)
        meet = threading.Barrier(3, timeout=5)  # broken, unless three are there at once
        kind = Kind(("meet",), lambda pieces: meet.wait() and None)
        await asyncio.gather(*(line.ask(who, kind=kind) for who in "abc"))
        await line.turns.close()

    asyncio.run(scene())


def refused(status: int, message: str, mend: str) -> "pytest.RaisesExc[ServiceFault]":
    return pytest.raises(ServiceFault, match=f"^{re.escape(f'{message}; {mend}')}$", check=lambda e: e.status == status)


def test_too_many_requests_are_refused_and_told_when_to_come_again(bench):
    async def scene() -> None:
        line = bench(queued_requests=2, queued_characters=1000)
        waiting = [line.ask("a"), line.ask("b")]
        await asked(*waiting)
        with refused(429, "found 2 requests with 20 characters waiting already", "come again later") as caught:
            await line.ask("c")
        assert caught.value.retry_after == pytest.approx(20 / 5_000)
        line.may_go.set()
        await asyncio.gather(*waiting)
        assert await line.ask("c") == "c is done"
        await line.turns.close()

    asyncio.run(scene())


def test_too_many_characters_are_refused_but_a_single_review_comes_in(bench):
    async def scene() -> None:
        line = bench(queued_requests=10, queued_characters=1000)
        long = line.ask("long", 10, each=100)
        await asked(long)
        with refused(429, "found 1 requests with 1,000 characters waiting already", "come again later"):
            await line.ask("other", 2, each=100)
        review = line.ask("review", 1, each=100)
        await asked(review)
        line.may_go.set()
        await asyncio.gather(long, review)
        assert line.turns.waiting_characters == 0
        await line.turns.close()

    asyncio.run(scene())


def test_a_short_request_is_refused_if_its_turn_would_not_come_soon_whatever_a_long_one_still_needs(bench):
    async def scene() -> None:
        line = bench(turn_seconds=0.061, queued_characters=200_000)  # 305 characters, until a speed is known
        long = line.ask("long", 100, each=100)  # 256 of them count
        await asked(long)
        short = [line.ask(who, each=22) for who in "abc"]
        await asked(long, *short)
        with refused(429, "found 4 requests with 10,066 characters waiting already", "come again later"):
            await line.ask("d", each=1)
        line.may_go.set()
        await asyncio.gather(long, *short)
        assert await line.ask("d", each=1_000) == "d is done"
        await line.turns.close()

    asyncio.run(scene())


def test_what_runs_while_nothing_else_runs_or_waits_is_helped(bench):
    async def scene() -> None:
        line = bench()
        helped: list[list[str]] = []
        kind = Kind(("a",), line.do, lambda pieces: helped.append(list(pieces)))
        alone = line.ask("alone", kind=kind)
        await alone
        first, second = line.ask("first", kind=kind), line.ask("second", 2, kind=kind)
        line.may_go.set()
        await asyncio.gather(first, second)
        assert (helped, line.runs) == ([["alone1"], ["first1"], ["second2"]], [["second1"]])
        await line.turns.close()

    asyncio.run(scene())


def test_what_is_helped_takes_the_threads_that_help_it(bench):
    async def scene() -> None:
        line = bench(threads=2)
        kind = Kind(("a",), lambda pieces: pytest.fail("nobody was alone"), line.do, threads_alone=2)
        first = line.ask("first", kind=kind)
        await asked(first)
        others = [line.ask("second"), line.ask("third", kind=line.kind("other"))]
        await asked(first, *others)
        assert not line.runs
        line.may_go.set()
        await asyncio.gather(first, *others)
        assert line.runs[0] == ["first1"]
        assert sorted(line.runs[1:]) == [["second1"], ["third1"]]
        await line.turns.close()

    asyncio.run(scene())


def test_more_than_may_ever_wait_is_refused_for_good(bench):
    async def scene() -> None:
        line = bench(queued_characters=1000)
        line.may_go.set()
        found = "found 1,001 characters, expected 1,000 at most in one request"
        with refused(422, found, "send the texts in several requests"):
            await line.ask("long", 1001, each=1)
        await line.turns.close()

    asyncio.run(scene())


def test_what_cannot_be_done_in_time_beside_others_is_refused_at_once(bench):
    async def scene() -> None:
        line = bench(request_seconds=2)
        slow = Kind(("slow",), lambda pieces: time.sleep(0.05))
        await line.ask("slow", kind=slow)  # 200 characters a second: that is learnt
        first = line.ask("first")
        await asked(first)
        message = "found 1 requests with 10 characters waiting already"
        with refused(429, message, "come again later"):
            await line.ask("long", 1, each=2_000)
        line.may_go.set()
        await first
        await line.turns.close()

    asyncio.run(scene())


def test_a_request_whose_time_is_over_leaves_the_line(bench):
    async def scene() -> None:
        line = bench(request_seconds=0.05)
        first, second = line.ask("first"), line.ask("second", 3)
        mend = "come again later, or send fewer texts in one request"
        with refused(429, "found no time for 10 characters in 0.05 s", mend):
            await first
        with refused(429, "found no time for 30 characters in 0.05 s", mend):
            await second
        assert line.turns.num_waiting == 0
        line.may_go.set()
        await line.turns.close()
        assert line.runs == [["first1"]]

    asyncio.run(scene())


def test_a_client_that_went_away_leaves_the_line(bench):
    async def scene() -> None:
        line = bench()
        first, gone, last = line.ask("first"), line.ask("gone", 4), line.ask("last")
        await asked(first, gone, last)
        gone.cancel()
        line.may_go.set()
        assert await asyncio.gather(first, last) == ["first is done", "last is done"]
        assert gone.cancelled()
        assert line.runs == [["first1"], ["last1"]]
        await line.turns.close()

    asyncio.run(scene())


def test_closing_finishes_what_was_accepted(bench):
    async def scene() -> None:
        line = bench()
        waiting = [line.ask("a", 3), line.ask("b", 2)]
        await asked(*waiting)
        closing = asyncio.ensure_future(line.turns.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        line.may_go.set()
        await closing
        assert await asyncio.gather(*waiting) == ["a is done", "b is done"]

    asyncio.run(scene())


def test_a_failure_reaches_those_whose_work_it_was_and_nobody_else(bench):
    async def scene() -> None:
        line = bench()
        line.may_go.set()

        def fail(pieces: Sequence[str]) -> None:
            raise MemoryError("no more")

        with pytest.raises(MemoryError, match=r"^no more$"):
            await line.ask("bad", 3, kind=Kind(("bad",), fail))
        assert await line.ask("good", 2) == "good is done"
        assert line.turns.num_waiting == 0
        await line.turns.close()

    asyncio.run(scene())


def test_no_work_is_done_at_once(bench):
    async def scene() -> None:
        line = bench()
        assert await line.ask("nobody", 0) == "nobody is done"
        await line.turns.close()

    asyncio.run(scene())
