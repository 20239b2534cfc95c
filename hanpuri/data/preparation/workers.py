"""
Work on many batches side by side, a few at a time, so that memory does not grow with the data.

In: calls, each of a function and its arguments. Out: all of them made; the first that fails ends the others.
"""

import signal
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context
from typing import Any

from hanpuri.errors import DataError
from hanpuri.runs import count_usable_cpus

Call = tuple[Callable[..., Any], tuple[Any, ...]]
Progress = Callable[[int], None]


class Workers:
    """
    Processes that are started when there is more than one call to make; for use with `with`.

        >>> done = []
        >>> with Workers(1) as workers:
        ...     workers.run([(done.append, (text,)) for text in ("방", "조식")])
        >>> done
        ['방', '조식']
    """

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or count_usable_cpus()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *raised: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def run(self, calls: Iterable[Call], progress: Progress = lambda num_done: None) -> None:
        """
        Make all calls; `progress` is told after each how many are done.

        Raises:
            DataError: if a process was killed; else what the first call that failed raised.
        """
        calls = iter(calls)
        ahead = list(islice(calls, 2))
        if self.processes == 1 or len(ahead) < 2:
            for number, (function, arguments) in enumerate(chain(ahead, calls), 1):
                function(*arguments)
                progress(number)
            return
        try:
            self._run_side_by_side(chain(ahead, calls), progress)
        except BrokenProcessPool:
            found = "a process that worked on a batch was ended from outside, most often for want of memory"
            raise DataError(found, "run it again with --processes 1: it goes on where it was") from None

    def _run_side_by_side(self, calls: Iterable[Call], progress: Progress) -> None:
        # Spawned, not forked: a forked process inherits the locks of Arrow's threads but not the threads.
        self._pool = self._pool or ProcessPoolExecutor(
            self.processes, mp_context=get_context("spawn"), initializer=_leave_ctrl_c_to_the_parent
        )
        running: set[Future[Any]] = set()
        num_done = 0
        for function, arguments in calls:
            running.add(self._pool.submit(function, *arguments))
            if len(running) > self.processes:
                running, num_done = self._gather(running, num_done, progress)
        while running:
            running, num_done = self._gather(running, num_done, progress)

    def _gather(self, running: set[Future[Any]], num_done: int, progress: Progress) -> tuple[set[Future[Any]], int]:
        done, left = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        progress(num_done + len(done))
        return left, num_done + len(done)


def _leave_ctrl_c_to_the_parent() -> None:
    """A terminal sends ctrl-C to all processes; the parent ends the others once their batch is written."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
