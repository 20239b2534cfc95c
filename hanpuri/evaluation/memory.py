"""
How much memory answering takes: the most that was held while it went on.

In: a `with` around the work. Out: bytes. Of this process, looked at ten times a second; on a GPU what torch had
allocated there. What a server or a worker process holds is not counted.
"""

import sys
import threading
from types import TracebackType
from typing import Any, Self

PAUSE_SECONDS = 0.1


class MemoryWatch:
    """
    Watches until its `with` ends.

        >>> with MemoryWatch() as watch:
        ...     numbers = list(range(1000))
        >>> watch.peak_bytes is None or watch.peak_bytes > 0
        True
    """

    peak_bytes: int | None = None
    """None where it cannot be told: psutil is not installed."""

    def __init__(self) -> None:
        self._process = _this_process()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        if gpu := _gpu():
            gpu.reset_peak_memory_stats()
        if self._process:
            self._look()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._done.set()
        if self._process:
            self._thread.join()
            self._look()
        if gpu := _gpu():
            self.peak_bytes = int(gpu.max_memory_allocated())

    def _watch(self) -> None:
        while not self._done.wait(PAUSE_SECONDS):
            self._look()

    def _look(self) -> None:
        self.peak_bytes = max(self.peak_bytes or 0, int(self._process.memory_info().rss))


def _this_process() -> Any:
    try:
        import psutil
    except ImportError:
        return None
    return psutil.Process()


def _gpu() -> Any:
    """Give torch's view of its GPU, if this process has begun to use one; torch is not loaded for it."""
    torch: Any = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized() else None
