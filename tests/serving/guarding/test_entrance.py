"""Keys and rates, asked of a service of two workers."""

import time

import httpx2
import pytest

from hanpuri.serving.guarding.key_file import remove_key
from hanpuri.serving.guarding.keys import FAILURES_PER_MINUTE
from tests.serving.guarding.conftest import ORIGIN

NO_KEY = {"error": "found no key, expected an API key", "mend": "send Authorization: Bearer KEY, or X-API-Key: KEY"}
WRONG_KEY = NO_KEY | {"error": "found an unknown key, expected an API key"}


@pytest.fixture
def client(keyed):
    with keyed.served.client() as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/v1/models", "/metrics"])
@pytest.mark.parametrize("form", ["Authorization: Bearer {}", "authorization: bearer   {}", "X-API-Key: {}"])
def test_who_has_a_key_comes_in(client, keyed, path, form):
    name, _, value = form.format(keyed.key).partition(": ")
    assert client.get(path, headers={name: value}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/healthz", "/readyz"])
def test_the_page_the_documentation_and_the_health_are_open(client, path):
    assert client.get(path).status_code == 200


def test_strangers_are_told_what_to_show_and_slowed_down(client, keyed):
    for headers, fault in [
        ({}, NO_KEY),
        ({"X-API-Key": ""}, NO_KEY),
        (bearer(keyed.key[:-1]), WRONG_KEY),
        (bearer(keyed.key + "x"), WRONG_KEY),
        ({"Authorization": f"Basic {keyed.key}"}, NO_KEY),
        ({"X-API-Key": "열쇠".encode()}, WRONG_KEY),
    ]:
        answer = client.get("/v1/models", headers=headers)
        assert (answer.status_code, answer.json()) == (401, fault)
        assert answer.headers["www-authenticate"] == "Bearer"
    answers = [client.post("/v1/restore", json={"text": "가"}) for _ in range(FAILURES_PER_MINUTE)]
    assert answers[-1].status_code == 429
    assert answers[-1].json() == {"error": "found too many requests without a good key", "mend": NO_KEY["mend"]}
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3
    assert client.get("/v1/models", headers=bearer(keyed.key)).status_code == 200  # the same address, with a good one


def test_scripts_of_an_allowed_site_ask_without_a_key_whether_they_may_and_can_read_that_they_need_one(client):
    asking = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    assert client.options("/v1/models", headers=asking).status_code == 200
    refused = client.get("/v1/models", headers={"Origin": ORIGIN})
    assert refused.status_code in (401, 429)
    assert refused.headers["access-control-allow-origin"] == ORIGIN


def test_openais_clients_are_refused_in_their_own_form(client):
    refused = client.post("/v1/chat/completions", json={"model": "x"}, headers=bearer("hanpuri_x"))
    told = refused.json()
    assert told["error"]["type"] in ("authentication_error", "rate_limit_error")
    assert (told["error"]["param"], told["mend"]) == (None, NO_KEY["mend"])


def test_a_key_is_good_as_soon_as_it_is_added_and_no_longer_when_it_is_removed(keyed):
    key = keyed.new_key("short-lived")
    with keyed.served.client(headers=bearer(key)) as client:
        assert client.get("/v1/models").status_code == 200
        remove_key(keyed.path, "short-lived")
        assert client.get("/v1/models").status_code in (401, 429)  # 429: so many strangers came before


def test_two_workers_count_one_rate_and_tell_what_is_left(keyed):
    key = keyed.new_key("slow", 5)
    answers = []
    for _ in range(7):  # each on a connection of its own, so that both workers are asked
        with httpx2.Client(base_url=keyed.served.url, trust_env=False, headers=bearer(key)) as client:
            answers.append(client.get("/v1/models"))
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"5"}
    refused = answers[-1]
    assert refused.json() == {"error": "found more than 5 requests a minute", "mend": "come again later"}
    assert 10 <= int(refused.headers["retry-after"]) <= 13
    assert 50 <= int(refused.headers["x-ratelimit-reset"]) <= 60


def test_a_broken_file_leaves_the_keys_as_they_were_and_the_log_says_so_once(keyed):
    whole = keyed.path.read_bytes()
    try:
        keyed.path.write_text('{"keys": [', encoding="utf-8")
        with keyed.served.client(headers=bearer(keyed.key)) as client:
            assert [client.get("/v1/models").status_code for _ in range(6)] == [200] * 6
    finally:
        keyed.path.write_bytes(whole)
    said = [line for line in keyed.served.log.read_text(encoding="utf-8").splitlines() if "stay good" in line]
    assert 1 <= len(said) <= 2  # once a worker
    assert f"stay good: {keyed.path}: Invalid JSON" in said[0]


def test_the_log_names_the_key_by_its_name_only(keyed):
    with keyed.served.client(headers=bearer(keyed.key)) as client:
        client.get("/v1/models")
    deadline = time.monotonic() + 10
    while "key=web" not in keyed.served.log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert keyed.key not in keyed.served.log.read_text(encoding="utf-8")


def test_every_endpoint_is_known_to_be_open_or_to_need_a_key(tmp_path):
    from hanpuri.serving.app import create_app
    from hanpuri.serving.guarding.paths import needs_key
    from hanpuri.serving.settings import ServiceSettings

    app = create_app(ServiceSettings(), tmp_path)
    open_ones = {path for path in app.openapi()["paths"] if not needs_key(path)}
    assert open_ones <= {"/healthz", "/readyz"}
