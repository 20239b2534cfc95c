"""The memory that work takes is seen while it goes on."""

import sys
import time

from hanpuri.evaluation.memory import PAUSE_SECONDS, MemoryWatch


def test_what_was_held_for_a_while_and_let_go_counts():
    with MemoryWatch() as small:
        pass
    with MemoryWatch() as large:
        held = b"x" * 64_000_000
        time.sleep(3 * PAUSE_SECONDS)
        del held
    assert large.peak_bytes > small.peak_bytes + 32_000_000


def test_without_psutil_nothing_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with MemoryWatch() as watch:
        pass
    assert watch.peak_bytes is None
