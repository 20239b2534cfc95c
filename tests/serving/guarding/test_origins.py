"""By which names a service answers, and to whose scripts."""

import re

import pytest
from pydantic import ValidationError

from hanpuri.serving.guarding.origins import Hosts
from hanpuri.serving.settings import ServiceSettings
from tests.serving.guarding.conftest import HOST, ORIGIN
from tests.serving.sockets import ask, request

FOREIGN_NAME = {"error": "Host: found a name that this service does not go by", "mend": "start it with --allowed-host"}
FOREIGN_PAGE = {
    "error": "Origin: found a page of another site",
    "mend": "start the service with --cors-origin; a proxy in front has to pass Host on",
}
NOT_ONE = "Host: found {}, expected one"
NO_HOST = "Host: found no name or address of a host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8600", "[::1]:8600", "10.1.2.3", f"{HOST}:80"])
def test_a_service_answers_to_its_names_and_to_any_address_in_numbers(strict, host):
    assert ask(strict.port, request("GET", "/v1/models", Host=host)).status == 200


@pytest.mark.parametrize("host", ["rebound.example", f"{HOST}.evil.example", "localhost.evil.example", f"x{HOST}"])
@pytest.mark.parametrize("path", ["/", "/v1/models", "/nothing", "/metrics"])
def test_to_any_other_name_it_is_not_at_home(strict, host, path):
    reply = ask(strict.port, request("GET", path, Host=host))
    assert (reply.status, reply.fault) == (421, FOREIGN_NAME)


@pytest.mark.parametrize("host", ["", "a@localhost", "localhost/", "localhost:x", "local host", "[::1", "localhost,a"])
def test_what_is_no_host_is_a_bad_request(strict, host):
    head = b"GET /v1/models HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"
    reply = ask(strict.port, head)
    assert (reply.status, reply.fault["error"]) == (400, NO_HOST)


def test_there_is_one_host_but_old_health_checks_may_leave_it_out(strict):
    assert ask(strict.port, b"GET /healthz HTTP/1.1\r\n\r\n").fault["error"] == NOT_ONE.format(0)
    two = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"
    assert ask(strict.port, two).fault["error"] == NOT_ONE.format(2)
    assert ask(strict.port, b"GET /healthz HTTP/1.0\r\n\r\n").status == 200


@pytest.mark.parametrize(
    ("told", "host", "is_home"),
    [
        ({"host": "0.0.0.0", "api_key_file": "k"}, "gpu-box.lan", True),  # with keys the name is the owner's business
        ({"host": "0.0.0.0", "api_key_file": "k", "allowed_hosts": ["a.kr"]}, "gpu-box.lan", False),  # if he says so
        ({"host": "0.0.0.0", "api_key_file": "k", "allowed_hosts": ["*.a.kr"]}, "x.A.kr.", True),
        ({"host": "0.0.0.0", "api_key_file": "k", "allowed_hosts": ["*.a.kr"]}, "xa.kr", False),
        ({"api_key_file": "k"}, "gpu-box.lan", False),  # on this machine alone there is no reason for other names
        ({"allowed_hosts": ["*"]}, "gpu-box.lan", True),
    ],
)
def test_names_by_what_a_service_is_told(told, host, is_home):
    hosts = Hosts(lambda *_: None, ServiceSettings.model_validate(told))
    scope = {"type": "http", "http_version": "1.1", "headers": [(b"host", host.encode())]}
    assert (hosts._fault(scope) is None) == is_home


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://reviews.example.kr.evil.example",
        "null",
        "http://localhost:1",
        "file://",
        "nonsense",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_scripts_of_other_sites_are_sent_away(strict, origin, method):
    told = request(method, "/v1/models", Origin=origin, Access_Control_Request_Method="POST")
    reply = ask(strict.port, told)
    assert (reply.status, reply.fault) == (403, FOREIGN_PAGE)
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_its_own_page_may_ask_also_behind_a_proxy_with_encryption(strict, scheme):
    host = f"{HOST}:{8443 if scheme == 'https' else 8600}"
    reply = ask(strict.port, request("POST", "/v1/restore", b'{"text": "x"}', Host=host, Origin=f"{scheme}://{host}"))
    assert reply.status == 200


def test_scripts_of_an_allowed_site_ask_first_and_may_read_the_answer(strict):
    first = request(
        "OPTIONS",
        "/v1/restore",
        Origin=ORIGIN,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type,authorization,x-stainless-os",
        Access_Control_Request_Private_Network="true",
    )
    allowed = ask(strict.port, first)
    assert allowed.status == 200
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert allowed.headers["access-control-allow-private-network"] == "true"
    assert "access-control-allow-credentials" not in allowed.headers
    for body, status in [(b'{"text": "x"}', 200), (b"{}", 422)]:
        reply = ask(strict.port, request("POST", "/v1/restore", body, Origin=ORIGIN))
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, ORIGIN)
        assert "X-RateLimit-Remaining" in reply.headers["access-control-expose-headers"]


def test_of_methods_they_get_those_that_there_are(strict):
    told = request("OPTIONS", "/v1/restore", Origin=ORIGIN, Access_Control_Request_Method="PURGE")
    fault = {"error": "Access-Control-Request-Method: unknown", "mend": "use GET, HEAD, POST, DELETE"}
    assert ask(strict.port, told).fault == fault


def test_without_a_word_no_other_site_may_ask(serve):
    told = request("OPTIONS", "/v1/restore", Origin=ORIGIN, Access_Control_Request_Method="POST")
    assert ask(serve().port, told).fault == FOREIGN_PAGE


def test_answers_to_strangers_are_seen_by_no_cache(strict):
    assert "Origin" in ask(strict.port, request("GET", "/v1/models")).headers["vary"]


@pytest.mark.parametrize("origin", ["reviews.example.kr", "https://reviews.example.kr/path", "null", "https://", ""])
def test_what_is_no_origin_is_refused_before_the_service_starts(origin):
    found = f"found {origin} as a page's origin, expected one such as https://reviews.example.kr"
    with pytest.raises(ValidationError, match=re.escape(found)):
        ServiceSettings(cors_origins=(origin,))
