"""
How a process that serves begins and ends.

In: a fault while models are opened; a signal to end. Out: the fault, in a file that the process which started it all
reads; a service that is not ready for more, and a process that ends in time.
"""

import asyncio
import json
import logging
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from hanpuri.errors import HanpuriError
from hanpuri.runs.files import write_json
from hanpuri.serving.settings import ServiceSettings
from hanpuri.serving.watching.logs import LOGGER

if TYPE_CHECKING:
    from hanpuri.serving.service import Service

SETTINGS, FOLDER = "HANPURI_SERVICE_SETTINGS", "HANPURI_SERVICE_FOLDER"
"""Where a worker process finds what it is told: in its environment."""
NUMBERS, FAULT, BEGUN = "prometheus", "fault.json", "begun-"
"""What lies in the folder that the workers of a service share, beside the secret: what they count, how they began."""
GRACE_SECONDS = 5.0
"""What a process has, after the time of its requests is over, to close what is open; a model may be in the middle."""
EXIT_LATE, EXIT_STOPPED = 1, 130
"""The codes of a process that did not end in time, and of one that was stopped while it ended."""

Handler = Callable[[int, FrameType | None], Any] | int | None

logger = logging.getLogger(LOGGER)


@contextmanager
def fault_kept(folder: Path) -> Iterator[None]:
    """Keep a fault of opening a service for `take_fault`; what is no HanpuriError is logged with its places."""
    try:
        yield
    except HanpuriError as error:
        write_json(folder / FAULT, {"message": error.message, "mend": error.mend})
        raise
    except Exception as error:
        logger.critical("the service cannot be opened", exc_info=error)
        raise


def take_fault(folder: Path) -> HanpuriError | None:
    """Take, once, the fault that a process of this service could not begin with."""
    with suppress(FileNotFoundError):
        told = json.loads((folder / FAULT).read_text(encoding="utf-8"))
        (folder / FAULT).unlink()
        return HanpuriError(told["message"], told["mend"])
    return None


def tell_begun(folder: Path) -> None:
    """Tell who started this process that it has opened all that it serves."""
    (folder / f"{BEGUN}{os.getpid()}").touch()


def have_begun(folder: Path, pids: Iterable[int | None]) -> bool:
    """Say whether each of these processes told so."""
    return all((folder / f"{BEGUN}{pid}").exists() for pid in pids)


@contextmanager
def end_heard(settings: ServiceSettings, folder: Path) -> Iterator["Ending"]:
    """
    Hear that this process shall end, from before its service is opened until all is closed.

    At the first signal the service is not ready any more, and a clock runs; at the second ctrl-C, or when the clock ran
    out, the process is gone. uvicorn's own handlers are called after ours.
    """
    ending = Ending(settings.limits.shutdown_seconds + GRACE_SECONDS, folder)
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    ending.before = {sign: signal.signal(sign, ending.on_signal) for sign in (signal.SIGINT, signal.SIGTERM)}
    ending.follow_parent()
    try:
        yield ending
    finally:
        for sign, handler in ending.before.items():
            signal.signal(sign, handler)
        if ending.clock:
            ending.clock.cancel()


class Ending:
    """What becomes of signals."""

    service: "Service | None" = None
    """What is told, once it is open."""
    clock: threading.Timer | None = None
    """What is left of the time to end; None before the first signal."""

    def __init__(self, seconds: float, folder: Path) -> None:
        self.seconds, self.folder = seconds, folder
        self.loop = asyncio.get_running_loop()
        self.before: dict[signal.Signals, Handler] = {}

    def on_signal(self, sign: int, frame: FrameType | None) -> None:
        """Begin to end, or be gone; then do what a signal did before."""
        if self.clock and sign == signal.SIGINT:
            self.force(EXIT_STOPPED)
        if self.clock is None:
            self.clock = threading.Timer(self.seconds, self.force, [EXIT_LATE])
            self.clock.daemon = True
            self.clock.start()
            if self.service:
                self.loop.call_soon_threadsafe(self.service.closing.set)
        if callable(handler := self.before[signal.Signals(sign)]):
            handler(sign, frame)

    def follow_parent(self) -> None:
        """End as if told to when the process that started this worker is gone: nobody else would end it."""
        if parent := multiprocessing.parent_process():

            def follow() -> None:
                parent.join()
                os.kill(os.getpid(), signal.SIGTERM)

            threading.Thread(target=follow, daemon=True).start()

    def force(self, code: int) -> None:
        """Be gone, whatever still runs."""
        if multiprocessing.parent_process() is None:  # else it is for the parent to clear away
            shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(code)
