"""What every answer tells a browser."""

import pytest

from hanpuri.serving.guarding.headers import HEADERS, _add_headers

EVERYTHING = [
    ("GET", "/", 200),
    ("GET", "/docs", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/v1/models", 200),
    ("GET", "/healthz", 200),
    ("GET", "/nothing", 404),
    ("PUT", "/v1/restore", 405),
    ("POST", "/v1/restore", 422),
]


@pytest.mark.parametrize(("method", "path", "status"), EVERYTHING)
def test_every_answer_has_them(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert (answer.headers.get("cache-control") == "no-store") == path.startswith("/v1/")
    assert "strict-transport-security" not in answer.headers  # not encrypted
    assert "server" not in answer.headers


def test_scripts_and_styles_come_from_the_service_alone():
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["font-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_behind_encryption_browsers_are_told_to_keep_to_it():
    message = {"type": "http.response.start", "headers": [(b"cache-control", b"no-cache")]}
    _add_headers({"path": "/v1/models", "scheme": "https"}, message)
    told = dict(message["headers"])
    assert told[b"strict-transport-security"] == b"max-age=31536000"
    assert told[b"cache-control"] == b"no-cache"  # an endpoint's own word goes before ours
