"""
When a run is asked to stop before its end: by ctrl-C, or because its time is over.

In: a signal, a deadline. Out: `asked` between two steps; half a step cannot be gone on from.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopping:
    """What a run is asked between steps."""

    def __init__(self, stop_after: float = float("inf")) -> None:
        self.deadline = time.monotonic() + stop_after
        self.interrupted = False
        self.stopped = False
        """Whether `asked` has said yes."""

    def asked(self, accelerator: Any, device: Any) -> bool:
        """Say whether to stop after this step; all processes say the same, whichever of them was told."""
        here = self.interrupted or time.monotonic() >= self.deadline
        if accelerator.num_processes > 1:
            import torch

            here = bool(accelerator.reduce(torch.tensor(int(here), device=device), "sum") > 0)
        self.stopped = self.stopped or here
        return here

    @contextmanager
    def catching_ctrl_c(self) -> Iterator[None]:
        """Let the first ctrl-C wait for the step to end; a second one does not."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            yield  # signals reach the main thread alone, and what a shell started in the background not at all
            return
        before = signal.getsignal(signal.SIGINT) or signal.default_int_handler

        def note(number: int, frame: object) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
