"""
When to ask again, when to wait, and when to give up.

In: something that is tried, and how it fails. Out: what it brought, and after how many tries; or the last Fault:

    500, 500, an answer                    ─►   the answer, 3 tries, with half a second and a second between them
    429 with Retry-After: 7                ─►   nobody asks anything for 7 seconds
    nothing at all, row after row          ─►   `broken`: all other rows fail at once, with the reason

Pauses double and are drawn from a range, so that rows that failed together do not come back together.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from hanpuri.engines.servers.faults import Fault
from hanpuri.engines.settings import ServerSettings

FIRST_PAUSE_SECONDS = 0.5
Result = TypeVar("Result")


class Patience:
    """How a server is borne with: retries, its rate limit, and the end of it."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._not_before = 0.0
        self._num_lost = 0
        self._gone = asyncio.Event()
        self.broken: Fault | None = None
        """Why nothing is asked any more; None while it is."""
        self.num_tries = 0
        """Requests that were begun."""
        self.num_again = 0
        """Of these, those that were another try."""

    async def bear(self, once: Callable[[], Awaitable[Result]]) -> tuple[Result, int]:
        """
        Try until it comes; how many tries it took.

        Raises:
            Fault: the last one, with its number of tries; or why nothing is asked any more.
        """
        num_tries = 0
        while True:
            await self._turn()
            if self.broken:
                fault = Fault(self.broken.why, "row", cause=self.broken.cause)
                fault.num_tries = num_tries
                raise fault
            num_tries += 1
            self.num_tries += 1
            self.num_again += num_tries > 1
            try:
                result = await once()
            except Fault as fault:
                fault.num_tries = num_tries
                if not await self._bears(fault):
                    raise
            else:
                self._num_lost = 0
                return result, num_tries

    def hope(self) -> None:
        """Ask again after all; the first row that is lost ends it again."""
        self._num_lost = self._settings.max_lost - 1
        self.broken = None
        self._gone.clear()

    async def _bears(self, fault: Fault) -> bool:
        """Wait for another try; False if there is none."""
        if fault.scope == "all":
            self._give_up(fault)
        if fault.scope != "try":
            self._num_lost = 0  # it is there, and says so
            return False
        pause = min(self._settings.max_wait_seconds, FIRST_PAUSE_SECONDS * 2 ** (fault.num_tries - 1))
        pause *= random.uniform(0.5, 1.0)
        if fault.wait_seconds is not None:
            if fault.wait_seconds > self._settings.max_wait_seconds:
                self._give_up(fault, behind=f"; it asks to wait {fault.wait_seconds:,.0f} seconds")
                return False
            self._not_before = max(self._not_before, _now() + fault.wait_seconds)
        if fault.num_tries >= self._settings.max_tries:
            self._lose(fault)
            return False
        if fault.wait_seconds is None:
            await self._sleep(pause)
        return True

    def _lose(self, fault: Fault) -> None:
        self._num_lost += 1
        if self._num_lost >= self._settings.max_lost:
            self._give_up(fault, before=f"given up: {self._num_lost} rows in a row got no answer, the last: ")

    def _give_up(self, fault: Fault, before: str = "", behind: str = "") -> None:
        why, cause = (f"{before}{words}{behind}" for words in (fault.why, fault.cause))
        self.broken = self.broken or Fault(why, "row", cause=cause)
        self._gone.set()

    async def _turn(self) -> None:
        """Wait until a request may be begun."""
        while not self.broken and (left := self._not_before - _now()) > 0:
            await self._sleep(left)
        if self._settings.requests_per_minute:
            self._not_before = max(self._not_before, _now()) + 60 / self._settings.requests_per_minute

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not for a server that was given up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
