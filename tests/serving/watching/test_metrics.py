"""
What a service says of its requests: a line each, numbers for Prometheus, and never a text that somebody sent.

In: an application that answers, fails, is left and is stopped, driven in this process; and the real service. Out: lines
of the log in both forms, answers with an id, numbers.
"""

import asyncio
import json
import logging
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from hanpuri.serving.running.lifetime import NUMBERS
from hanpuri.serving.settings import ServiceSettings
from hanpuri.serving.watching.logs import LOGGER, JsonLog, TextLog
from hanpuri.serving.watching.metrics import Counters, count_requests, say

SECRET = "비밀이에요 01012345678"
HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


def make_app(folder: Path, **told: object) -> FastAPI:
    """An application whose endpoints do what can become of a request."""
    app = FastAPI(openapi_url=None)
    app.state.service = SimpleNamespace(counters=Counters(folder))

    @app.post("/say/{what}")
    async def answer(what: str, request: Request) -> dict[str, str]:
        await request.body()
        say(request, model="base", texts=3, characters=40, key="손님 방")
        return {"what": what}

    @app.post("/fail")
    async def fail() -> None:
        try:
            {}[SECRET]
        except KeyError as error:
            raise ExceptionGroup(SECRET, [ValueError(SECRET)]) from error

    @app.get("/break")
    async def broken() -> StreamingResponse:
        async def pieces():
            yield b"half"
            raise ValueError(SECRET)

        return StreamingResponse(pieces())

    @app.get("/leave")
    async def leave() -> None:
        raise ClientDisconnect

    @app.get("/stop")
    async def stop() -> None:
        raise asyncio.CancelledError

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    count_requests(app, ServiceSettings(**told), app.routes)
    return app


def ask(app: FastAPI, method: str, path: str, **told: object) -> httpx2.Response:
    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **told)

    return asyncio.run(send())


@pytest.fixture
def app(tmp_path) -> FastAPI:
    return make_app(tmp_path)


@pytest.fixture
def lines(caplog):
    """The log of this process, as lines for people and for programs."""
    caplog.set_level(logging.DEBUG, logger=LOGGER)

    def written(form: type[logging.Formatter] = TextLog) -> list[str]:
        return [form().format(record) for record in caplog.records if record.name == LOGGER]

    return written


def numbers(app: FastAPI) -> dict[str, float]:
    """Numbers by name and labels: `requests_total{method="GET",…}` without the prefix that all have."""
    text, _ = app.state.service.counters.write("")
    samples = (sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples)
    named = {
        sample.name.removeprefix("hanpuri_") + "".join(f" {value}" for _, value in sorted(sample.labels.items())): value
        for sample in samples
        for value in [sample.value]
    }
    return {name: value for name, value in named.items() if not name.startswith(("python_", "process_"))}


# --- lines


def test_a_request_is_one_line_with_what_the_rooms_said_of_it(app, lines):
    answer = ask(app, "POST", "/say/room?text=" + SECRET, json={"text": SECRET}, headers={"X-Request-Id": "a-1"})
    assert answer.headers["x-request-id"] == "a-1"
    (line,) = lines()
    time, rest = line.split(" ", 1)
    assert time.endswith("Z")
    took = rest.split()[3]
    said = 'model=base texts=3 characters=40 key="손님 방" id=a-1'
    assert rest == f"200 POST /say/{{what}} {took} ms {said}"
    (line,) = map(json.loads, lines(JsonLog))
    assert line.pop("time") == time
    assert line == {
        **{"level": "info", "status": 200, "method": "POST", "route": "/say/{what}", "milliseconds": float(took)},
        **{"model": "base", "texts": 3, "characters": 40, "key": "손님 방", "id": "a-1"},
    }


def test_bodies_are_logged_only_where_that_is_asked_for_and_on_one_line(tmp_path, lines):
    body = f'{{"text": "{SECRET}"}}\n2026-01-01T00:00:00Z 200 POST /v1/restore'.encode() + b"\xff"
    ask(make_app(tmp_path), "POST", "/say/room", content=body)
    assert SECRET not in lines()[0]
    ask(make_app(tmp_path, log_texts=True), "POST", "/say/room", content=body)
    line = lines()[1]
    assert SECRET in line
    assert "\n" not in line
    assert json.loads(lines(JsonLog)[1])["body"] == body.decode("utf-8", "backslashreplace")


def test_a_failure_is_answered_as_all_faults_are_and_its_place_logged_without_what_it_says(app, lines):
    answer = ask(app, "POST", "/fail", json={"text": SECRET})
    made = answer.headers["x-request-id"]
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "the service failed at this",
        "mend": f"its log says where: look for {made}",
    }
    assert HEADERS.items() <= dict(answer.headers).items()
    failed, line = lines()
    assert failed.splitlines()[0].endswith(f" error request {made} failed")
    assert "{}[SECRET]" in failed
    assert [row for row in failed.splitlines() if row in ("KeyError", "ValueError", "ExceptionGroup")] == [
        *("KeyError", "ValueError", "ExceptionGroup")
    ]
    assert f" 500 POST /fail {line.split()[4]} ms id={made}" in line
    for form in (TextLog, JsonLog):
        assert SECRET not in "".join(lines(form))


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        # the client left before its answer
        ("/leave", 499, "INFO"),
        # the time to end gracefully was over
        ("/stop", 503, "ERROR"),
        # a failure in the middle of an answer: the connection is broken off, which the client sees
        ("/break", 500, "ERROR"),
        # asked every few seconds, all day
        ("/healthz", 200, "DEBUG"),
        # nothing of ours: the path, which may be anything, is not repeated
        ("/nothing/" + SECRET, 404, "INFO"),
    ],
)
def test_what_became_of_a_request_is_in_its_line(app, lines, caplog, path, status, level):
    with suppress(AssertionError):  # httpx2 insists on an answer, also where the client is said to have left
        ask(app, "GET", path)
    assert f" {status} GET " in lines()[-1]
    assert caplog.records[-1].levelname == level
    assert SECRET not in "".join(lines())


@pytest.mark.parametrize("given", ["", "가", "a b", "a\tb", "x" * 65, "{}", "<b>"])
def test_an_id_that_is_no_plain_word_is_not_taken_over(app, given):
    answer = ask(app, "GET", "/healthz", headers={"X-Request-Id": given.encode()})
    assert len(answer.headers["x-request-id"]) == 16


# --- numbers


def test_requests_are_counted_by_route_method_and_status(app):
    for path in ("/say/one", "/say/two", "/say/" + "a" * 100):
        ask(app, "POST", path)
    for path in ("/a", "/b", "/" + SECRET):
        ask(app, "GET", path)
    ask(app, "BREW", "/say/tea")
    found = numbers(app)
    assert {name: value for name, value in found.items() if name.startswith("requests_total")} == {
        "requests_total POST /say/{what} 200": 3,
        # the labels are ours: no client makes new ones
        "requests_total GET none 404": 3,
        "requests_total other /say/{what} 405": 1,
    }
    assert found["request_seconds_count /say/{what}"] == 4
    assert found["open_requests"] == 0


def test_what_the_rooms_count_is_written(app):
    counters = app.state.service.counters
    counters.restored("base", 3, 120, 0.02)
    counters.refused("busy")
    counters.waiting(2, 90)
    counters.fed_back("vote")
    wanted = {
        **{"restored_texts_total base": 3, "restored_characters_total base": 120, "restoring_seconds_sum base": 0.02},
        **{"restoring_seconds_bucket 0.01 base": 0, "restoring_seconds_bucket 0.025 base": 1},
        **{"refused_total busy": 1, "waiting_requests": 2, "waiting_characters": 90, "feedback_total vote": 1},
    }
    assert wanted.items() <= numbers(app).items()


@given(st.text() | st.from_regex(r"(text/plain|application/openmetrics-text)(; ?(version|escaping)=[\w.,-]*)*"))
def test_whatever_form_is_asked_for_numbers_are_written(accept):
    counters = counters_of_all()
    text, media_type = counters.write(accept)
    assert b"hanpuri_refused_total" in text
    assert media_type.startswith(("text/plain", "application/openmetrics-text"))


def counters_of_all(made: list[Counters] = []) -> Counters:  # noqa: B006 — made once
    if not made:
        made.append(Counters(Path("nowhere")))
        made[0].refused("busy")
    return made[0]


def test_a_service_without_numbers_of_several_workers_shares_no_folder(tmp_path):
    assert Counters(tmp_path).shared is None
    (tmp_path / NUMBERS).mkdir()
    assert Counters(tmp_path).shared == tmp_path / NUMBERS


# --- the service itself


def test_the_service_logs_no_text_and_counts_what_it_restored(serve):
    served = serve()
    with served.client() as client:
        before = of_service(client)
        answer = client.post("/v1/restore", json={"texts": [SECRET, "확잠실읾"], "model": "small"})
        after = of_service(client)
    log = served.log.read_text(encoding="utf-8")
    assert f"texts=2 characters={len(SECRET) + 4} id={answer.headers['x-request-id']}" in log
    assert "비밀" not in log
    assert " /metrics " not in log
    name = 'hanpuri_restored_texts_total{model="small"}'
    assert after[name] - before.get(name, 0) == 2
    assert after['hanpuri_requests_total{method="POST",route="/v1/restore",status="200"}'] >= 1
    assert after["process_resident_memory_bytes"] > 1e7


def of_service(client: httpx2.Client) -> dict[str, float]:
    rows = [line.rpartition(" ") for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}
