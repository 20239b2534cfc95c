"""
How a process that serves begins and ends: its faults are kept for who started it, signals are heard, time runs out.

In: an application in this process, and signals to it. Out: a service that is not ready, exit codes, a fault in a file.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from hanpuri.errors import EngineError
from hanpuri.serving.app import create_app
from hanpuri.serving.running import lifetime
from hanpuri.serving.running.lifetime import fault_kept, take_fault
from hanpuri.serving.service import Service
from hanpuri.serving.settings import Limits, ServiceSettings

SETTINGS = ServiceSettings(models=("small",), threads=1, database="none", limits=Limits(shutdown_seconds=0.05))


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that came to what was there before the service."""
    found: list[int] = []
    before = {
        sign: signal.signal(sign, lambda sign, frame: found.append(sign)) for sign in (signal.SIGINT, signal.SIGTERM)
    }
    yield found
    for sign, handler in before.items():
        signal.signal(sign, handler)


@pytest.fixture
def exits(monkeypatch) -> list[int]:
    """The codes with which the process would have been gone, long after which it would be by itself."""
    found: list[int] = []
    monkeypatch.setattr(lifetime, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr("hanpuri.serving.running.lifetime.os._exit", found.append)
    return found


def live(folder: Path, *signs: signal.Signals, seconds: float = 0.0) -> Service:
    """Let a service live in this process, send it signals, wait a while, and let it end."""
    (folder / "secret").write_bytes(b"0" * 32)
    app = create_app(SETTINGS, folder)

    async def run() -> Service:
        async with app.router.lifespan_context(app):
            for sign in signs:
                os.kill(os.getpid(), sign)
            await asyncio.sleep(seconds)
            service: Service = app.state.service
            return service

    return asyncio.run(run())


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_at_the_first_signal_a_service_is_not_ready_and_who_listened_before_hears_it_too(tmp_path, heard, exits, sign):
    assert not live(tmp_path).closing.is_set()
    assert live(tmp_path, sign).closing.is_set()
    assert (heard, exits) == ([sign], [])


def test_a_process_that_does_not_end_in_its_time_is_gone_and_so_is_its_folder(tmp_path, heard, exits):
    folder = tmp_path / "shared"
    folder.mkdir()
    live(folder, signal.SIGTERM, signal.SIGTERM, seconds=0.5)
    assert exits == [1]
    assert not folder.exists()


def test_the_clock_runs_until_all_is_closed(tmp_path, heard, exits, monkeypatch):
    """A language model in the middle of an answer is waited for; not for ever."""

    @asynccontextmanager
    async def open_slowly(*told) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(closing=asyncio.Event())
        await asyncio.sleep(0.5)

    monkeypatch.setattr("hanpuri.serving.app.open_service", open_slowly)
    live(tmp_path, signal.SIGTERM)
    assert exits == [1]


def test_a_second_ctrl_c_makes_it_gone_at_once(tmp_path, heard, exits):
    live(tmp_path, signal.SIGTERM, signal.SIGINT)
    assert exits == [130]


def test_after_its_end_signals_are_what_they_were(tmp_path, heard, exits):
    live(tmp_path)
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_a_fault_of_opening_is_kept_for_who_started_the_process(tmp_path):
    assert take_fault(tmp_path) is None
    with pytest.raises(EngineError), fault_kept(tmp_path):
        raise EngineError("found no \u2028 database", "start it")
    kept = take_fault(tmp_path)
    assert kept
    assert (kept.message, kept.mend) == ("found no \u2028 database", "start it")
    assert take_fault(tmp_path) is None  # it is not told of the next process


def test_what_is_a_mistake_of_ours_is_logged_with_its_place(tmp_path, caplog):
    with pytest.raises(ZeroDivisionError), fault_kept(tmp_path):
        1 / 0  # noqa: B018 — it is the fault
    assert take_fault(tmp_path) is None
    assert [record.getMessage() for record in caplog.records] == ["the service cannot be opened"]
