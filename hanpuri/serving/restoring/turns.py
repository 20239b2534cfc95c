"""
Requests ─► runs on worker threads: who waits, whose turn it is, and when it is too much.

In:  the work of a request in pieces, such as the windows of its texts, each of a kind; pieces of one kind may be done
in one run, whoever's they are.   Out: the request's result, when all its pieces are done.

    1,000 texts     ▢▢▢▢▢▢▢▢▢▢▢ …        runs      ▢▢▢ ▣ ▢▢▢ ▤ ▢▢▢ …
    one review      ▣                ─►
    another         ▤

Each run is of the request whose turn it is, filled up with pieces of that kind from others; then it goes to the end of
the line. So one review waits for a run or two beside a request of 1,000 texts, not for its end.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hanpuri.serving.faults import ServiceFault
from hanpuri.serving.settings import Limits
from hanpuri.serving.watching.metrics import Counters

Result = TypeVar("Result")

SHORT = 2_000
"""Characters that are prepared and finished at once, in about 2 ms; more would keep others waiting."""
LONGER = 10
"""Times as long as others, about, is prepared what takes long."""
FIRST_SPEED = 5_000.0
"""Characters a second of one thread, before anything was measured."""
RUN_CHARACTERS = 256
"""Of one request, about, that are restored before it is the next one's turn."""
LEARNING = 0.1
"""Share of the last run in what is taken for the speed."""


@dataclass(frozen=True)
class Kind:
    """What pieces have in common that can be done together."""

    name: tuple[object, ...]
    """What is done, such as the model's name first; pieces of one name are of one kind."""
    work: Callable[[Sequence[Any]], None] = field(compare=False)
    """Does pieces, on a worker thread."""
    work_alone: Callable[[Sequence[Any]], None] | None = field(default=None, compare=False)
    """Does them sooner, with the help of other threads; for when nothing else runs or waits."""
    threads_alone: int = field(default=1, compare=False)
    """How many threads `work_alone` takes; with others beside them, all would be slow."""
    most: int = field(default=1, compare=False)
    """Pieces in one run."""
    gains: bool = field(default=False, compare=False)
    """Whether a run of several takes so much less time that it is worth waiting for them."""


Pieces = Mapping[Kind, Sequence[Any]]


@dataclass(eq=False)
class _Job:
    """A request on its way."""

    unread: float
    """Characters that wait."""
    of: str
    """Whose speed counts for it."""
    done: "asyncio.Future[None]"
    left: dict[Kind, list[Any]] = field(default_factory=dict)
    """Pieces that nobody has begun."""
    num_open: int = 0
    """Pieces that are not done."""


@dataclass
class _Run:
    kind: Kind
    pieces: list[Any] = field(default_factory=list)
    shares: list[tuple[_Job, int]] = field(default_factory=list)
    is_alone: bool = False

    @property
    def num_threads(self) -> int:
        return self.kind.threads_alone if self.is_alone else 1

    def take(self, job: _Job) -> None:
        """Take as many pieces of a job as there is room for."""
        found = job.left[self.kind]
        number = min(len(found), self.kind.most - len(self.pieces))
        self.shares.append((job, number))
        self.pieces += found[:number]
        del found[:number]
        if not found:
            del job.left[self.kind]

    def do(self) -> float:
        """Do the work, and give the seconds that it took."""
        work = self.kind.work_alone if self.is_alone and self.kind.work_alone else self.kind.work
        start = time.perf_counter()
        work(self.pieces)
        return time.perf_counter() - start


class Turns:
    """The line of requests before the worker threads; used from one event loop."""

    def __init__(self, threads: int, limits: Limits, window_seconds: float, counters: Counters) -> None:
        self.threads, self.limits, self.window_seconds = threads, limits, window_seconds
        self._counters = counters
        self._jobs: set[_Job] = set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._line: dict[_Job, None] = {}
        """Those with pieces that nobody has begun, the next one first."""
        self._num_busy = 0
        """Threads that work."""
        self._window: asyncio.TimerHandle | None = None
        self._speeds: dict[str, float] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="restoring")
        # What long requests need besides, one after the other: more threads would only contend for the interpreter.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="beside")

    async def run(
        self,
        of: str,
        num_characters: int,
        prepare: Callable[[], Pieces],
        finish: Callable[[], Result],
        *,
        takes_long: bool = False,
    ) -> Result:
        """
        Do the work of a request, when its turns have come.

        Args:
            of: what is asked for, such as the model: each has its own speed.
            num_characters: of its texts.
            prepare: gives the pieces of its work.
            finish: gives the result, when all are done.
            takes_long: whether both take long for a text, so that even of a short one nobody is to wait for them.

        Raises:
            ServiceFault: 422, if it is more than may ever wait; 429, if too much waits already, or it took too long.
        """
        self._admit(of, num_characters)
        job = _Job(num_characters, of, asyncio.get_running_loop().create_future())
        self._jobs.add(job)
        self._is_idle.clear()
        self._tell()
        size = num_characters * (LONGER if takes_long else 1)
        try:
            async with asyncio.timeout(self.limits.request_seconds):
                self._enter(job, await self.beside(size, prepare))
                await job.done
                return await self.beside(size, finish)
        except TimeoutError:
            found = f"found no time for {num_characters:,} characters in {self.limits.request_seconds:g} s"
            raise self._busy(found, "come again later, or send fewer texts in one request") from None
        finally:
            self._jobs.discard(job)
            self._line.pop(job, None)
            self._tell()
            if not self._jobs:
                self._is_idle.set()

    async def beside(self, num_characters: int, function: Callable[[], Result]) -> Result:
        """Call what takes time by a text's length: here if it is short, else where it keeps nobody waiting."""
        if num_characters <= SHORT:
            return function()
        return await asyncio.get_running_loop().run_in_executor(self._beside, function)

    async def close(self) -> None:
        """Finish what was accepted, and let the threads go."""
        await self._is_idle.wait()
        self._pool.shutdown()
        self._beside.shutdown()

    @property
    def num_waiting(self) -> int:
        """Requests that are not done."""
        return len(self._jobs)

    @property
    def waiting_characters(self) -> int:
        """Characters that nobody has restored yet."""
        return round(sum(job.unread for job in self._jobs))

    @property
    def waiting_seconds(self) -> float:
        """How long it takes until all that waits is done, as fast as it went so far."""
        return sum(job.unread / self._speeds.get(job.of, FIRST_SPEED) for job in self._jobs) / self.threads

    def _admit(self, of: str, num_characters: int) -> None:
        limits = self.limits
        if num_characters > limits.queued_characters:
            found = f"found {num_characters:,} characters, expected {limits.queued_characters:,} at most in one request"
            raise ServiceFault(422, found, "send the texts in several requests")
        # Who asks for no more than a request's share of the room is counted as one request: however much waits of
        # those who ask for a lot, a single review comes in.
        is_small = num_characters <= limits.queued_characters // limits.queued_requests
        may_come = self._is_soon() if is_small else self._has_room(of, num_characters)
        if self._jobs and (not may_come or len(self._jobs) >= limits.queued_requests):
            found = f"found {len(self._jobs):,} requests with {self.waiting_characters:,} characters waiting already"
            raise self._busy(found, "come again later")

    def _is_soon(self) -> bool:
        """Say whether the turn of a new request comes soon enough: of each before it one run is done, not all."""
        before = ((min(job.unread, RUN_CHARACTERS), job.of) for job in self._jobs)
        seconds = sum(characters / self._speeds.get(of, FIRST_SPEED) for characters, of in before)
        return seconds / self.threads <= self.limits.turn_seconds

    def _has_room(self, of: str, num_characters: int) -> bool:
        """Say whether so much can wait too, and be done in time as fast as it went so far."""
        seconds = num_characters / self._speeds.get(of, FIRST_SPEED) / self.threads
        is_in_time = self.waiting_seconds + seconds <= self.limits.request_seconds
        return is_in_time and self.waiting_characters + num_characters <= self.limits.queued_characters

    def _busy(self, message: str, mend: str) -> ServiceFault:
        self._counters.refused("busy")
        return ServiceFault(429, message, mend, retry_after=self.waiting_seconds)

    def _enter(self, job: _Job, pieces: Pieces) -> None:
        job.left = {kind: list(some) for kind, some in pieces.items() if some}
        job.num_open = sum(map(len, job.left.values()))
        if not job.num_open:
            job.done.set_result(None)
            return
        self._line[job] = None
        if self._num_busy or not self.window_seconds or not all(kind.gains for kind in job.left):
            self._start()
        elif self._window is None:
            self._window = asyncio.get_running_loop().call_later(self.window_seconds, self._start)

    def _start(self) -> None:
        """Give every thread that is free a run."""
        if self._window is not None:
            self._window.cancel()
            self._window = None
        while self._line and self._num_busy < self.threads:
            run = self._gather()
            run.is_alone = not self._num_busy and not self._line
            self._num_busy += run.num_threads
            future = asyncio.get_running_loop().run_in_executor(self._pool, run.do)
            future.add_done_callback(partial(self._end, run))

    def _gather(self) -> _Run:
        first = next(iter(self._line))
        run = _Run(next(iter(first.left)))
        for job in [first, *self._line]:
            if len(run.pieces) == run.kind.most:
                break
            if run.kind in job.left:
                run.take(job)
        for job, _ in run.shares:
            if not job.left:
                del self._line[job]
        if first in self._line:
            self._line[first] = self._line.pop(first)
        return run

    def _end(self, run: _Run, done: "asyncio.Future[float]") -> None:
        self._num_busy -= run.num_threads
        num_characters = 0.0
        for job, number in run.shares:
            share = job.unread * number / job.num_open
            job.num_open -= number
            job.unread -= share
            num_characters += share
            if job.done.done():
                continue
            if error := done.exception():
                job.done.set_exception(error)
                self._line.pop(job, None)
            elif not job.num_open:
                job.done.set_result(None)
        if not done.exception():
            self._learn(run.shares[0][0].of, num_characters / max(done.result(), 1e-6))
        self._tell()
        self._start()

    def _learn(self, of: str, speed: float) -> None:
        before = self._speeds.setdefault(of, speed)
        self._speeds[of] = before + LEARNING * (speed - before)

    def _tell(self) -> None:
        self._counters.waiting(len(self._jobs), self.waiting_characters)
