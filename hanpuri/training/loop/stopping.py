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
        stops = _agreed(self.interrupted or time.monotonic() >= self.deadline, accelerator, device)
        self.stopped = self.stopped or stops
        return stops

    def was_interrupted(self, accelerator: Any, device: Any) -> bool:
        """Say whether any process was told by ctrl-C."""
        return _agreed(self.interrupted, accelerator, device)

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


def _agreed(here: bool, accelerator: Any, device: Any) -> bool:
    """Say whether it is so in any process; each has to ask, since one that stopped alone would leave the others."""
    if accelerator.num_processes == 1:
        return here
    import torch

    return bool(accelerator.reduce(torch.tensor(int(here), device=device), "sum") > 0)
