"""
Whatever comes from the net: heads and bodies that are broken, huge, deep or lie about themselves.

Each is answered with a 4xx in the one form, or as what it is; never with a 5xx, never with silence. The service is as
well afterwards as it was before.
"""

import json
import re
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.sockets import Reply, ask, read_reply, request

POSTS = ("/v1/restore", "/v1/obfuscate", "/v1/compare", "/v1/feedback", "/v1/chat/completions")
DEEP = 100_000
BODIES = [
    b"",  # nothing at all
    b"\x00",
    b"nonsense",
    b"\xff\xfe\x00",  # no UTF-8
    b'{"text": "\xed\xa0\x80"}',  # half a surrogate pair, as bytes
    b'{"text": "\\ud800"}',  # as an escape
    b'{"texts": ["\\udfff", "\\ud83d"]}',
    b'{"\\ud800": 1, "text": "x"}',
    b'{"model": "\\ud800", "text": "x"}',
    b'{"text": "x", "alternatives": NaN}',
    b'{"text": "x", "strength": Infinity}',
    b'{"text": "x", "alternatives": -1e999}',
    b'{"text": "x", "seed": 1' + b"0" * 5_000 + b"}",  # a number that int() refuses
    b'{"text": "x", "alternatives": 1' + b"0" * 400 + b"}",  # and one that is no float
    b'{"text": "x", "alternatives": true}',
    b"[" * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"text":' * DEEP,
    b'{"text": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    b'{"text": "x", "texts": ["x"]}',
    b'{"texts": []}',
    b'{"text": null}',
    b'{"text": ["x"]}',
    b'{"text": {"$ref": "x"}}',
    b"null",
    b"[]",
    b"1",
    b'"text"',
    b'{"text": "x"} {"text": "x"}',  # two of them
    b"\xef\xbb\xbf" + b'{"texts": 1}',  # with a mark of byte order
    '{"text": 1}'.encode("utf-16"),
    b'{"texts": ' + json.dumps(["x"] * 1_001).encode() + b"}",
    b'{"text": "' + b"x" * 10_001 + b'"}',
    b'{"model": "' + b"../" * 300 + b'", "text": "x"}',
    b'{"' + b"k" * 900_000 + b'": 1}',
    b'{"kind": "correction", "noisy": "x", "restored": "y", "consent": "maybe"}',
]
GOOD_TWICE = b'{"text": "y", "text": "x"}'


@pytest.fixture(scope="module")
def port(serve) -> int:
    number: int = serve().port
    return number


@pytest.fixture(autouse=True, scope="module")
def well_afterwards(serve):
    """What is held against the service when all was sent."""
    yield
    served = serve()
    reply = ask(served.port, request("POST", "/v1/restore", '{"text": "확잠실읾 념뭄 잙앙욤"}'.encode()))
    assert (reply.status, json.loads(reply.body)["text"]) == (200, "화장실이 너무 작아요")
    log = served.log.read_text(encoding="utf-8")
    assert not re.findall(r"^\S+ 5\d\d .*|Traceback.*", log, re.MULTILINE)


def is_well_answered(reply: Reply) -> bool:
    """Whether it was helped, or told in the one form (the chat's for the chat) what is wrong."""
    if reply.status < 400:
        return reply.status in (200, 201, 204)
    told = json.loads(reply.body)
    error = told["error"]["message"] if isinstance(told["error"], dict) else told["error"]
    assert len(reply.body) < 2_000
    return reply.status < 500 and sorted(told) == ["error", "mend"] and bool(error) and bool(told["mend"])


@pytest.mark.parametrize("path", POSTS)
def test_what_hardly_is_a_request_of_ours_is_told_so(port, path):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for body in BODIES:
            connection.sendall(request("POST", path, body))
            reply = read_reply(connection)
            assert is_well_answered(reply), (path, body[:60], reply.status, reply.body[:300])


def test_of_a_field_that_comes_twice_the_last_counts(port):
    assert json.loads(ask(port, request("POST", "/v1/restore", GOOD_TWICE)).body)["noisy"] == "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["text", "texts", "model", "models", "alternatives", "profile", "sliders", "strength", "seed", "kind", "noisy",
     "id", "restored", "corrected", "accepted", "consent", "visitor", "comparison", "choice", "messages", "stream",
     "n", "stop"]
)  # fmt: skip


@settings(max_examples=80)
@given(path=st.sampled_from(POSTS), body=st.dictionaries(FIELDS, JSON, max_size=6) | JSON)
def test_any_json_is_answered(port, path, body):
    assert is_well_answered(ask(port, request("POST", path, json.dumps(body).encode())))


@settings(max_examples=60)
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=200))
def test_any_bytes_are_answered(port, path, body):
    assert is_well_answered(ask(port, request("POST", path, body)))


HEADER_NAMES = st.sampled_from(
    ["Host", "Origin", "Authorization", "X-API-Key", "Content-Type", "Accept", "X-Request-Id", "Content-Encoding",
     "If-None-Match", "Range", "Expect", "Upgrade", "X-Forwarded-For", "Cookie"]
)  # fmt: skip
HEADER_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"])
PATHS = st.sampled_from(
    ["/", "/v1/models", "/v1/restore", "/metrics", "/docs", "/openapi.json", "/page/js/main.js", "*"]
)


@settings(max_examples=100)
@given(method=METHODS, path=PATHS, headers=st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=4))
def test_any_head_is_answered(port, method, path, headers):
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "Connection: close", "", ""]
    if not any(name == "Host" for name, _ in headers):
        lines.insert(1, "Host: localhost")
    reply = ask(port, "\r\n".join(lines).encode("latin-1"))
    assert reply.status in (200, 204, 206, 304, 307) or 400 <= reply.status < 500


@pytest.mark.parametrize(
    ("head", "statuses"),
    [
        (b"GET\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),  # TLS on a plain port
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),  # HTTP/2
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", {400}),
        # Too long, unless all of it comes at once.
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 66_000 + b"\r\n\r\n", {200, 431}),
        (b"GET /" + b"a" * 66_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", {400, 431}),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n X: folded\r\n\r\n", {400}),
        # As to a proxy; the name is that of Host.
        (b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", {200}),
        (b"POST /v1/restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", {400}),
        (b"POST /v1/restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1x\r\n\r\n", {400}),
        (b"POST /v1/restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", {400}),
        (b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
    ],
)
def test_what_is_no_http_is_told_so(port, head, statuses):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head)
        reply = read_reply(connection)
    assert reply.status in statuses
    assert is_well_answered(reply)


SMUGGLED = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: identity, chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding:\x0bchunked"],
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: +5"],
    ],
)
def test_a_request_with_two_lengths_hides_no_second_one(port, lines):
    head = b"\r\n".join([b"POST /v1/restore HTTP/1.1", b"Host: localhost", b"Content-Type: application/json", *lines])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
        replies = []
        while (reply := read_reply(connection)).status and len(replies) < 3:
            replies.append(reply.status)
            if reply.headers.get("connection") == "close":
                break
    assert replies == [400]


@pytest.mark.parametrize(
    "path",
    [
        "/page/../settings.py",
        "/page/%2e%2e/settings.py",
        "/page/..%2fsettings.py",
        "/page/..%5csettings.py",
        "/page//etc/passwd",
        "/page/%00",
        "/page/js/main.js%00.css",
        "/docs/../api/page.py",
        "/docs/%2e%2e%2fapi%2fpage.py",
        "/..%2f..%2fetc/passwd",
        "/page/.",
        "/page/js",
        "/page/%c0%ae%c0%ae/settings.py",
        "//page/index.html",
        "/page/%252e%252e/settings.py",
        "/v1/models/",  # nor is anybody sent elsewhere
    ],
)
def test_no_file_is_read_but_those_of_the_page(port, path):
    reply = ask(port, request("GET", path))
    assert reply.status == 404, path
    assert b"import" not in reply.body
