"""
`hanpuri serve` as a user has it: a process of its own on a free port, and a client that asks it.

In: options of the command line. Out: a Served, whose `url` answers. All of one session with the same options share one
process; a test that ends, kills or counts its service asks for one of its own.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

READY_SECONDS, END_SECONDS = 60, 30


@dataclass(frozen=True)
class Served:
    """A service that runs: `log` is what it writes to standard error, `folder` where it was started."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    folder: Path

    def client(self, **told: object) -> httpx2.Client:
        """Open a client of it, which the test closes (`with`)."""
        return httpx2.Client(base_url=self.url, timeout=60, trust_env=False, **told)

    def end(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end, and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        return self.process.wait(END_SECONDS)


Serve = Callable[..., Served]


@contextmanager
def started(folder: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """Start a service in a folder, wait until it is ready, and end it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HANPURI_")}
    command = [sys.executable, "-m", "hanpuri", "serve", "--json", "--port", "0", *options]
    log = folder / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, env=clean | (environment or {})
        )
    try:
        url = str(_first_line(process, log)["url"])
        yield Served(url, int(url.rpartition(":")[2]), process, log, folder)
    finally:
        _end(process)


def _first_line(process: subprocess.Popen[bytes], log: Path) -> dict[str, object]:
    assert process.stdout
    select.select([process.stdout], [], [], READY_SECONDS)
    line = process.stdout.readline() if select.select([process.stdout], [], [], 0)[0] else b""
    assert line, f"the service was not ready: {log.read_text(encoding='utf-8')}"
    ready: dict[str, object] = json.loads(line)
    return ready


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        process.stdout.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """
    Start services: `serve("--model", "small")`; with `alone=True` one that no other test shares.

    Feedback is kept in SQLite, in the folder of each.
    """
    shared: dict[tuple[object, ...], Served] = {}
    with ExitStack() as open_ones:

        def serve(*options: str, alone: bool = False, environment: dict[str, str] | None = None) -> Served:
            key = (*options, *sorted((environment or {}).items()))
            if not alone and key in shared:
                return shared[key]
            folder = tmp_path_factory.mktemp("service")
            served = open_ones.enter_context(started(folder, *options, environment=environment))
            if not alone:
                shared[key] = served
            return served

        yield serve


@pytest.fixture(scope="session")
def client(serve: Serve) -> Iterator[httpx2.Client]:
    """A client of a service with the usual settings, which all tests share."""
    with serve().client() as client:
        yield client
