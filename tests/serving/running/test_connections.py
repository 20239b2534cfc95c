"""
Connections that ask nothing, or do not read what they asked for: the service lets go of them.

In: bytes on a socket, whole, half, or none. Out: one answer in the form of all faults, and the end of the connection.
"""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

SECONDS = 20
CONNECTIONS = {
    "nothing at all: there is nobody to tell": (b"", b"", b""),
    "a head that stops in the middle": (
        *(b"GET /healthz HTTP/1.1\r\nHost: 127.", b"408"),
        b"found no whole head of a request in 1 seconds",
    ),
    "a head without an end": (
        *(b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000, b"431"),
        b"found a head of more than 65,536 bytes",
    ),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400", b"found no well-formed request of HTTP/1.1"),
    "a good request, and silence after it": (
        *(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"200"),
        b'{"status":"ok"}',
    ),
    "a good request, and half a one after it": (
        *(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz", b"200"),
        b'{"status":"ok"}',
    ),
}


@pytest.fixture(scope="module")
def impatient(serve):
    return serve("--idle-seconds", "1", "--max-queued-characters", "1000000", "--model", "small", "--database", "none")


@pytest.fixture(scope="module")
def answers(impatient) -> dict[str, tuple[bytes, float]]:
    """What was answered on each connection, and after how many seconds it was closed; all at once, for they wait."""

    def send(sent: bytes) -> tuple[bytes, float]:
        start, answer = time.monotonic(), b""
        with socket.create_connection(("127.0.0.1", impatient.port), timeout=SECONDS) as one:
            one.sendall(sent)
            with suppress(ConnectionResetError):
                while more := one.recv(65_536):
                    answer += more
        return answer, time.monotonic() - start

    with ThreadPoolExecutor(len(CONNECTIONS)) as pool:
        found = pool.map(send, (sent for sent, _, _ in CONNECTIONS.values()))
        return dict(zip(CONNECTIONS, found, strict=True))


@pytest.mark.parametrize("what", CONNECTIONS)
def test_a_connection_that_asks_nothing_is_closed(answers, what):
    answer, seconds = answers[what]
    _, status, found = CONNECTIONS[what]
    assert answer[9:12] == status
    assert found in answer
    assert seconds < 10


def test_a_client_that_does_not_read_its_answer_is_given_up(impatient):
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        one.settimeout(SECONDS)
        one.connect(("127.0.0.1", impatient.port))
        # Nothing to restore, but an answer of 5 MB: more than the system takes on its own.
        body = json.dumps({"texts": ["a" * 9_000] * 100}).encode()
        head = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        one.sendall(f"POST /v1/restore HTTP/1.1\r\n{head}".encode() + body)
        _wait_until(lambda: " 200 POST /v1/restore " in impatient.log.read_text(encoding="utf-8"))
        _wait_until(lambda: not _is_connected(impatient.process.pid, one.getsockname()[1]))


def _is_connected(pid: int, port: int) -> bool:
    """Whether a process still holds its end of a connection, by the client's port."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def _wait_until(what) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, f"not within {SECONDS} seconds"
        time.sleep(0.02)
