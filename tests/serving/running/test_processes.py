"""
The service as a process: it begins in time, ends without losing what it accepted, and replaces what dies.

In: real processes on loopback, requests in flight, signals, kill -9. Out: whole answers, exit codes, free ports.
"""

import errno
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.errors import EngineError, ModelError
from hanpuri.serving.running.folders import PREFIX, remove_left
from hanpuri.serving.running.processes import run_service
from hanpuri.serving.settings import ServiceSettings

MANY = [f"{number}번 확잠실읾" for number in range(1_000)]
SECONDS = 20
LIGHT = ("--model", "small", "--database", "none")


class Held:
    """A request that is accepted, but cannot be answered before its last byte is sent."""

    def __init__(self, port: int) -> None:
        self.body = json.dumps({"texts": MANY, "model": "small"}).encode()
        head = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n"
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self.socket.sendall(f"POST /v1/restore HTTP/1.1\r\n{head}".encode() + self.body[:-1])

    def finish(self) -> list[str]:
        self.socket.sendall(self.body[-1:])
        return [result["text"] for result in self.read()["results"]]

    def read(self) -> dict[str, object]:
        answer = b"".join(iter(lambda: self.socket.recv(65_536), b""))
        self.socket.close()
        answered: dict[str, object] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return answered


@pytest.fixture(scope="module")
def restored() -> list[str]:
    """What the library makes of the many texts."""
    return [one.text for one in Restorer("small").restore(MANY)]


def hold(served) -> Held:
    held = Held(served.port)
    wait_until(lambda: num_open(served) == 1)
    return held


def wait_until(what, seconds: float = SECONDS):
    """Ask until the answer is good."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.02)
    return found


def is_refused(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def num_open(served) -> float:
    """How many requests are being answered, the one that asks for it left out."""
    with served.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("hanpuri_open_requests ")) - 1


def children(pid: int) -> set[int]:
    """The processes that a process started, without the one that multiprocessing keeps its accounts with."""
    found = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return {one for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()}


def are_gone(pids) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


# --- one process


def test_what_was_accepted_is_answered_after_sigterm_and_nothing_is_left(serve, restored, tmp_path):
    served = serve(*LIGHT, alone=True, environment={"TMPDIR": str(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"})
    (folder,) = tmp_path.iterdir()  # and nothing of what onnxruntime would keep there to report to its makers
    assert folder.stat().st_mode & 0o077 == 0
    held = hold(served)
    served.process.send_signal(signal.SIGTERM)
    wait_until(lambda: is_refused(served.port))
    assert held.finish() == restored
    assert served.process.wait(SECONDS) == 0
    assert list(tmp_path.iterdir()) == []
    # It would be ready later, and take more memory.
    imported = {line.rpartition("|")[2].strip() for line in served.log.read_text(encoding="utf-8").splitlines()}
    assert "hanpuri.serving.app" in imported
    assert imported.isdisjoint({"torch", "transformers", "jinja2", "httpx2", "alembic", "psycopg"})


def test_what_never_comes_whole_is_given_up_when_the_time_to_end_is_over(serve):
    served = serve(*LIGHT, "--shutdown-seconds", "1", alone=True)
    held = hold(served)
    start = time.monotonic()
    served.process.send_signal(signal.SIGINT)  # ctrl-C on purpose is no fault
    assert held.read() == {"error": "the service ends", "mend": "ask again in a moment"}
    assert served.process.wait(SECONDS) == 0
    assert 0.9 < time.monotonic() - start < 10
    assert " 503 POST /v1/restore " in served.log.read_text(encoding="utf-8")


def test_a_second_ctrl_c_ends_at_once(serve, tmp_path):
    served = serve(*LIGHT, alone=True, environment={"TMPDIR": str(tmp_path)})
    held = hold(served)
    served.process.send_signal(signal.SIGINT)
    wait_until(lambda: is_refused(served.port))
    assert served.process.poll() is None
    start = time.monotonic()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(SECONDS) == 130
    assert time.monotonic() - start < 5  # of the 30 seconds that requests have
    assert list(tmp_path.iterdir()) == []
    held.socket.close()


# --- several


def test_workers_count_together_are_replaced_and_answer_what_they_accepted(serve, restored):
    served = serve(*LIGHT, "--workers", "2", alone=True)
    before = children(served.process.pid)
    assert len(before) == 2
    for _ in range(10):
        with served.client() as client:  # a connection of its own, which either of them takes
            assert client.get("/healthz").status_code == 200
    with served.client() as client:
        assert 'hanpuri_requests_total{method="GET",route="/healthz",status="200"} 10.0' in client.get("/metrics").text
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: "another one takes its place" in served.log.read_text(encoding="utf-8"))
    wait_until(lambda: len(children(served.process.pid)) == 2)  # the line is written before it is begun
    after = children(served.process.pid)
    assert after & before == {max(before)}
    held = hold(served)
    served.process.send_signal(signal.SIGTERM)
    wait_until(lambda: is_refused(served.port))  # and does not wait in a queue that nobody reads
    assert held.finish() == restored
    assert served.process.wait(SECONDS) == 0
    assert are_gone(after)


def test_no_worker_outlives_the_process_that_started_it(serve, restored, tmp_path):
    served = serve(*LIGHT, "--workers", "2", alone=True, environment={"TMPDIR": str(tmp_path)})
    workers = children(served.process.pid)
    held = hold(served)
    served.process.kill()
    wait_until(lambda: is_refused(served.port))
    assert held.finish() == restored
    wait_until(lambda: are_gone(workers))
    served.process.wait()
    (left,) = tmp_path.glob(f"{PREFIX}*")
    remove_left(tmp_path)
    assert not left.exists()


# --- faults


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Give back the signals that a service takes for itself."""
    signs = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM)}
    yield
    for sign, handler in signs.items():
        signal.signal(sign, handler)


@pytest.mark.usefixtures("own_signals")
def test_a_port_that_is_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError) as raised:
            run_service(ServiceSettings(port=port, database="none"))
    mend = "stop what listens there, or choose another one (--port 0 takes a free one)"
    assert str(raised.value) == f"port {port} of 127.0.0.1 is in use; {mend}"


@pytest.mark.usefixtures("own_signals")
def test_an_unknown_model_is_found_before_the_port_is_asked_for(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServiceSettings(port=taken.getsockname()[1], models=("bose",), database="none")
        with pytest.raises(ModelError, match=r"no model is called 'bose'.*did you mean base"):
            run_service(settings)
        engine = settings.model_copy(update={"models": (), "engines": (f"transformers:{tmp_path}",), "workers": 2})
        with pytest.raises(ModelError, match=r": found no config\.json in this folder; give the folder of a model$"):
            run_service(engine)
