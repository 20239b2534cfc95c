"""
Processes that read and render side by side, and take the GPU in turns.

In: a folder. Out: a turn, which ends with the process, kill -9 too.
"""

import argparse
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long something takes."""
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began


@contextmanager
def turn(options: argparse.Namespace, name: str) -> Iterator[None]:
    """Wait for a turn among the processes of a folder; it ends with the process, kill -9 too."""
    with (options.work / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Turn:
    """The turn at the GPU: taken once, kept to the end of the process."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.place, self.waited = options.work / "gpu.lock", 0.0
        self.held: IO[str] | None = None

    def take(self) -> None:
        """Wait for it, unless it is held already."""
        if self.held is None:
            began = time.monotonic()
            self.held = self.place.open("w")
            fcntl.flock(self.held, fcntl.LOCK_EX)
            self.waited = time.monotonic() - began
