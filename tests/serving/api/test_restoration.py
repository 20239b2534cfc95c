"""
POST /v1/restore as a client has it: a real service, asked over HTTP.

In: bodies of every kind. Out: restored texts as the library gives them, or {"error", "mend"}.
"""

import json
import socket
import time
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanpuri.compact.restoring.runtime import Restorer

NOISY = "확잠실읾 념뭄 잙앙욤"
UNCLEAR = "빵 옌 냄쌔 😀"


def restore(client, **body):
    answer = client.post("/v1/restore", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def small() -> Restorer:
    return Restorer("small", threads=1)


def test_one_text_is_restored_with_what_changed_and_how_sure_the_model_is(client):
    found = restore(client, text=NOISY)
    assert (found["model"], found["noisy"], found["text"]) == ("base", NOISY, "화장실이 너무 작아요")
    assert found["edits"][0].keys() == {"position", "noisy", "restored", "confidence"}
    assert [found["edits"][0][key] for key in ("position", "noisy", "restored")] == [0, "확", "화"]
    assert len(found["confidences"]) == len(NOISY)
    assert found["edits"][0]["confidence"] == found["confidences"][0]
    assert found["alternatives"] == []
    assert 0 < found["milliseconds"] < 60_000


def test_many_texts_are_restored_in_their_order(client, small):
    texts = [NOISY, "", "WiFi 20MB", UNCLEAR, NOISY]
    found = restore(client, texts=texts, model="small")
    assert found.keys() == {"model", "milliseconds", "results"}
    assert found["model"] == "small"
    for one, expected in zip(found["results"], small.restore(texts), strict=True):
        assert (one["noisy"], one["text"]) == (expected.noisy, expected.text)
        assert one["confidences"] == list(expected.confidence)
        assert [tuple(edit.values()) for edit in one["edits"]] == list(expected.edits)
    assert restore(client, texts=[])["results"] == []


def test_a_wide_reach_tells_of_each_part_how_it_was_hidden(client):
    found = restore(client, text="ㄱr격二 녀뮤 비싸욘", reach="wide")
    assert found["text"] == "가격이 너무 비싸요"
    told = [(edit["position"], edit["noisy"], edit["restored"], edit["kind"]) for edit in found["edits"]]
    assert told[:3] == [(0, "ㄱr", "가", "pieces"), (3, "二", "이", "hanja"), (5, "녀", "너", "sound")]
    assert len(found["confidences"]) == len(found["text"])
    moved = restore(client, text="방 이 너무좁 아요 水건 도없 어요", reach="wide", spacing=True)
    assert moved["text"] == "방이 너무 좁아요 수건도 없어요"
    for wrong in ({"reach": "far"}, {"spacing": True}):
        refused = client.post("/v1/restore", json={"text": "x", **wrong})
        assert refused.status_code == 422
        assert "reach" in refused.json()["error"]


def test_alternatives_name_what_else_it_could_be_from_the_likeliest_down(client):
    found = restore(client, text=UNCLEAR, alternatives=3)
    assert found["alternatives"]
    for place in found["alternatives"]:
        choices = place["choices"]
        assert choices[0] == {"text": found["text"][place["position"]], "confidence": choices[0]["confidence"]}
        assert choices[0]["confidence"] == found["confidences"][place["position"]] < 0.9
        assert [one["confidence"] for one in choices] == sorted((one["confidence"] for one in choices), reverse=True)
    assert found["text"] == restore(client, text=UNCLEAR)["text"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=4))
def test_any_texts_keep_the_promises(client, texts):
    found = restore(client, texts=texts, model="small")["results"]
    for text, one in zip(texts, found, strict=True):
        characters = list(unicodedata.normalize("NFC", text))
        assert one["noisy"] == "".join(characters)
        for edit in one["edits"]:
            assert characters[edit["position"]] == edit["noisy"]
            characters[edit["position"]] = edit["restored"]
        assert one["text"] == "".join(characters)
        assert len(one["confidences"]) == len(characters)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=50),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["text", "texts", "model", "alternatives", "x"]), inner, max_size=4)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_body_makes_the_service_fail(client, body):
    for path in ("/v1/restore", "/v1/obfuscate"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 400, 422)
        if answer.status_code != 200:
            assert answer.json().keys() == {"error", "mend"}


DOCS = "see /docs for what is expected"
WANTED = "expected one"


@pytest.mark.parametrize(
    ("body", "status", "error", "mend"),
    [
        ("{}", 422, f"the body: found neither text nor texts, {WANTED}", DOCS),
        ('{"text": "", "texts": []}', 422, f"the body: found both text and texts, {WANTED}", DOCS),
        # half a surrogate pair, as JSON can write it
        ('{"text": "방\\ud800"}', 422, "text: found half a surrogate pair at character 1, expected text", DOCS),
        (
            '{"texts": ["방", "\\udfff"]}',
            422,
            "texts: text 2: found half a surrogate pair at character 0, expected text",
            DOCS,
        ),
        ('{"text": 5}', 422, "text: Input should be a valid string", DOCS),
        ('{"texts": ["방", null, 3]}', 422, "texts.1: Input should be a valid string", DOCS),
        ('{"text": "방", "alternatives": 6}', 422, "alternatives: Input should be less than or equal to 5", DOCS),
        ('{"text": "방", "file": "/etc/passwd"}', 422, "file: Extra inputs are not permitted", DOCS),
        (
            json.dumps({"text": "방", "model": "smal"}),
            404,
            "model: found no such model, expected one of base, small",
            "did you mean small?",
        ),
        (
            json.dumps({"texts": ["방"] * 1001}),
            422,
            "texts: found 1,001 texts, expected 1,000 at most",
            "send them in several requests",
        ),
        (
            json.dumps({"text": "a" * 10_001}),
            422,
            "text 1: found 10,001 characters, expected 10,000 at most",
            "cut it into several texts",
        ),
        (
            json.dumps({"texts": ["a" * 9_000] * 23}),
            422,
            "found 207,000 characters, expected 200,000 at most in one request",
            "send the texts in several requests",
        ),
        ("[" * 100_000, 400, "There was an error parsing the body", "send JSON in UTF-8, not nested deeply"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(client, body, status, error, mend):
    answer = client.post("/v1/restore", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (status, {"error": error, "mend": mend})


def waiting(client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("hanpuri_waiting_requests"))


def until(ready, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not (is_ready := ready()) and time.monotonic() < end:
        time.sleep(0.01)
    return is_ready


def test_the_texts_of_a_client_that_went_away_are_not_restored(serve):
    served = serve()
    body = json.dumps({"texts": [NOISY * 10] * 900}).encode()
    head = f"POST /v1/restore HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nContent-Type: application/json\r\n"
    with served.client() as client:
        with socket.create_connection(("127.0.0.1", served.port)) as gone:
            gone.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            assert until(lambda: waiting(client) == 1)
        start = time.monotonic()
        assert until(lambda: waiting(client) == 0)
        assert time.monotonic() - start < 3  # whole, they take 8 s and more


def test_the_documentation_shows_korean_examples_and_every_fault(client):
    for path in ("/v1/restore", "/v1/obfuscate"):
        told = client.get("/openapi.json").json()["paths"][path]["post"]
        examples = told["requestBody"]["content"]["application/json"]["examples"].values()
        for example in examples:
            assert client.post(path, json=example["value"]).status_code == 200
        assert {"200", "400", "401", "413", "422", "429"} <= told["responses"].keys()
