"""Bodies that are too long, too slow, packed, or no JSON; told so on the socket that they came from."""

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest

from hanpuri.serving.guarding.bodies import Bodies
from hanpuri.serving.settings import Limits
from tests.serving.guarding.conftest import BODY_BYTES, BODY_SECONDS
from tests.serving.sockets import ask, read_reply, request

TOO_LONG = {"error": "found a body of more than 2,000 bytes", "mend": "send the texts in several requests"}
NO_JSON = {"error": "Content-Type: expected application/json", "mend": "send JSON, and say so"}
TEXT = b'{"text": "\xea\xb0\x80"}'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(path: str = "/v1/restore", **headers: str) -> bytes:
    return request("POST", path, Content_Type="application/json", Transfer_Encoding="chunked", **headers)


def connection_stands(connection: socket.socket) -> bool:
    """Send one more byte, if that can be done."""
    try:
        connection.sendall(chunk(b"x"))
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def test_a_body_may_come_in_pieces(strict):
    pieces = [chunk(bytes([byte])) for byte in TEXT]
    reply = ask(strict.port, chunked(), *pieces, b"0\r\n\r\n")
    assert reply.status == 200


def test_a_body_of_the_longest_length_is_taken_and_one_byte_more_is_not(strict):
    for spare, status in [(0, 422), (1, 413)]:  # 422: the endpoint has seen it
        body = b'{"text": 1' + b" " * (BODY_BYTES - 11 + spare) + b"}"
        assert ask(strict.port, request("POST", "/v1/restore", body)).status == status
        assert ask(strict.port, chunked(), chunk(body), b"0\r\n\r\n").status == status


@pytest.mark.parametrize("length", [str(BODY_BYTES + 1), "9" * 18, "0" * 30 + "9999"])
def test_who_says_that_much_comes_need_not_send_it(strict, length):
    reply = ask(strict.port, request("POST", "/v1/restore", Content_Length=length, Content_Type="application/json"))
    assert (reply.status, reply.fault) == (413, TOO_LONG)
    assert reply.headers["connection"] == "close"


def test_a_client_that_goes_on_sending_still_reads_why_it_was_refused(strict):
    piece = chunk(b" " * 60_000)
    for head in (chunked(), request("POST", "/v1/restore", Content_Length="30000000", Content_Type="application/json")):
        reply = ask(strict.port, head, *[piece] * 100)
        assert (reply.status, reply.fault) == (413, TOO_LONG)


def test_it_is_not_listened_to_for_ever(strict):
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        connection.sendall(chunked() + chunk(b" " * 60_000))
        assert read_reply(connection).status == 413
        start = time.monotonic()
        while connection_stands(connection):
            assert time.monotonic() - start < 4
            time.sleep(0.05)


def test_a_body_that_does_not_come_is_not_waited_for(strict):
    head = request("POST", "/v1/restore", Content_Length="100", Content_Type="application/json")
    start = time.monotonic()
    reply = ask(strict.port, head, b'{"text":')
    assert (reply.status, reply.headers["connection"]) == (408, "close")
    found = "found 8 bytes of a body after 0.4 seconds, expected all of it"
    assert reply.fault == {"error": found, "mend": "send it faster, or in smaller parts"}
    assert BODY_SECONDS <= time.monotonic() - start < 8 * BODY_SECONDS


def test_a_client_that_leaves_before_its_body_is_whole_is_logged_as_gone(strict):
    head = request("POST", "/v1/restore", Content_Length="100", Content_Type="application/json", X_Request_Id="i-left")
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        connection.sendall(head + b"{")
    deadline = time.monotonic() + 10
    while "id=i-left" not in (log := strict.log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (line,) = [line for line in log.splitlines() if "id=i-left" in line]
    assert line.split()[1] == "499"


def test_a_slow_body_holds_nobody_else_up(strict):
    head = request("POST", "/v1/restore", Content_Length="100", Content_Type="application/json")
    slow = [socket.create_connection(("127.0.0.1", strict.port), timeout=20) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(head + b"{")
        start = time.monotonic()
        assert ask(strict.port, request("POST", "/v1/restore", TEXT)).status == 200
        assert time.monotonic() - start < BODY_SECONDS
        assert {read_reply(connection).status for connection in slow} == {408}
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        ";",
    ],
)
@pytest.mark.parametrize("path", ["/v1/restore", "/v1/obfuscate", "/nothing"])
def test_what_is_not_said_to_be_json_is_not_read(strict, content_type, path):
    reply = ask(strict.port, request("POST", path, TEXT, Content_Type=content_type))
    assert (reply.status, reply.fault) == (415, NO_JSON)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/a+json"])
def test_json_is_known_by_all_its_names(strict, content_type):
    assert ask(strict.port, request("POST", "/v1/restore", TEXT, Content_Type=content_type)).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_packed_body_is_refused(strict, encoding):
    reply = ask(strict.port, request("POST", "/v1/restore", TEXT, Content_Encoding=encoding))
    assert reply.fault == {"error": "Content-Encoding: found a packed body", "mend": "send it as it is"}
    assert reply.status == 415


def test_a_connection_is_kept_after_a_fault_that_ends_with_the_body(strict):
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        connection.sendall(request("POST", "/v1/restore", b"{}"))
        assert read_reply(connection).status == 422
        connection.sendall(request("POST", "/v1/restore", TEXT))
        assert read_reply(connection).status == 200


def test_what_was_refused_is_counted(strict):
    ask(strict.port, request("POST", "/v1/restore", TEXT, Content_Type="text/plain"))
    with strict.client() as client:
        counted = client.get("/metrics").text
    assert 'hanpuri_refused_total{reason="type"}' in counted


def test_slow_clients_do_not_fill_the_memory():
    """140 clients send 90 % of the longest body and then nothing: all of them together may send 100 such bodies."""
    sent, refused = [], []
    service = SimpleNamespace(counters=SimpleNamespace(refused=refused.append))
    app = SimpleNamespace(state=SimpleNamespace(service=service))
    head = [(b"content-type", b"application/json"), (b"content-length", b"2000")]
    bodies = Bodies(lambda *_: None, Limits(body_bytes=2_000, request_seconds=0.2))

    async def come() -> None:
        pieces = iter([{"type": "http.request", "body": b" " * 1_800, "more_body": True}])

        async def receive() -> dict[str, object]:
            return next(pieces, None) or await asyncio.sleep(60)

        async def send(message: dict[str, object]) -> None:
            sent.append(message.get("status"))

        await bodies({"type": "http", "method": "POST", "path": "/", "headers": head, "app": app}, receive, send)

    async def all_come() -> None:
        await asyncio.gather(*(come() for _ in range(140)))

    asyncio.run(all_come())
    assert (sent.count(429), sent.count(408)) == (29, 111)
    assert (refused.count("busy"), refused.count("slow"), bodies.num_held) == (29, 111, 0)
