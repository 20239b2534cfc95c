"""POST and DELETE /v1/feedback, as a page or a program asks them of a service that runs."""

import json
import sqlite3
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.serving.feedback.database import CONNECTIONS
from hanpuri.serving.feedback.said import Correction, Vote, hide_visitor
from hanpuri.serving.feedback.store import FeedbackStore, open_store

CORRECTION = {
    "kind": "correction",
    "noisy": "쟈근 빵",
    "restored": "작은 빵",
    "corrected": "작은 방",
    "consent": True,
}
SEE = "see /docs for what is expected"
UNSOUND = "found the character U+0000 or half a surrogate pair, expected text that can be kept"


@pytest.fixture(scope="module")
def service(serve, tmp_path_factory):
    """A service whose database the test may look into."""
    path = tmp_path_factory.mktemp("feedback") / "feedback.db"
    return serve("--database", f"sqlite:///{path}", "--max-characters", "50", "--max-queued-requests", "2")


@pytest.fixture(scope="module")
def client(service):
    with service.client() as client:
        yield client


@pytest.fixture(scope="module")
def store(service) -> Iterator[FeedbackStore]:
    database = service.process.args[service.process.args.index("--database") + 1]
    with open_store(database, make=False) as store:
        yield store


def post(client, body=CORRECTION, **told):
    return client.post("/v1/feedback", json=body | told)


def fault(response) -> tuple[int, str, str]:
    return response.status_code, response.json()["error"], response.json()["mend"]


def test_a_correction_is_kept_with_what_is_known_of_it(client, store):
    decomposed = unicodedata.normalize("NFD", "작은 방")
    answer = post(client, corrected=decomposed, model="base", visitor="다정한 손님")
    assert answer.status_code == 201
    found = store.find(UUID(answer.json()["id"]))
    assert answer.json() == {"id": str(found.id)}
    assert isinstance(found, Correction)
    assert (found.noisy, found.restored, found.corrected, found.model) == ("쟈근 빵", "작은 빵", "작은 방", "base")
    assert (found.visitor, found.consent, found.accepted) == (hide_visitor("다정한 손님"), True, None)


def test_the_same_id_again_is_kept_once_and_other_content_is_refused(client, store):
    id = str(uuid4())
    answers = [post(client, id=id) for _ in range(3)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (status, {"id": id}) for status in (201, 200, 200)
    ]
    taken = (409, "other feedback has this id already", "draw a new random UUID for new feedback")
    assert fault(post(client, id=id, corrected="작은 밤")) == taken
    assert [one.corrected for one in store.each(Correction) if str(one.id) == id] == ["작은 방"]


def test_who_knows_an_id_may_delete_it_once(client, store):
    id = post(client).json()["id"]
    gone = client.delete(f"/v1/feedback/{id}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert store.find(UUID(id)) is None
    unknown = (404, "found no feedback with this id", "it may have been deleted before")
    assert fault(client.delete(f"/v1/feedback/{id}")) == unknown


def compared(client):
    told = client.post("/v1/compare", json={"text": "확잠실읾 념뭄 잙앙욤"}).json()
    sides = {"left": told["left"]["text"], "right": told["right"]["text"]}
    return {"kind": "vote", "comparison": told["comparison"], "noisy": told["noisy"], **sides, "consent": True}


def test_a_vote_is_kept_and_told_whose_texts_these_were(client, store):
    told, id = compared(client), str(uuid4())
    answers = [post(client, told, choice="left", id=id) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    models = answers[0].json()["models"]
    assert sorted(models.values()) == ["base", "small"]
    found = store.find(UUID(id))
    assert isinstance(found, Vote)
    assert (found.left, found.right, found.choice) == (told["left"], told["right"], "left")
    assert {"left": found.left_model, "right": found.right_model} == models
    assert fault(post(client, told, choice="right", id=id))[0] == 409
    assert fault(post(client, id=id))[0] == 409
    assert client.delete(f"/v1/feedback/{id}").status_code == 204


def test_a_vote_that_was_kept_is_known_again_though_its_token_is_not(client):
    told, id = compared(client), str(uuid4())
    kept = post(client, told, choice="both", id=id)
    again = post(client, told | {"comparison": "of an earlier start"}, choice="both", id=id)
    assert (again.status_code, again.json()) == (200, kept.json())


def test_a_vote_on_texts_that_were_not_compared_is_refused(client):
    told = compared(client)
    status, error, _ = fault(post(client, told | {"left": "아무 글"}, choice="left"))
    assert (status, error) == (422, "comparison: found other texts than those that were compared")
    status, error, _ = fault(post(client, told | {"comparison": "x"}, choice="left"))
    assert (status, error) == (422, "comparison: found a token that this service did not sign since it was started")


@pytest.mark.parametrize(
    ("told", "error", "mend"),
    [
        # what says nothing, or two things
        (
            {"corrected": None},
            "found neither corrected nor accepted, expected one of both",
            "send the right text as corrected, or accepted: true",
        ),
        ({"accepted": True}, "accepted and corrected say the opposite of each other", "send one of both"),
        (
            {"accepted": False, "corrected": "작은 빵"},
            "accepted and corrected say the opposite of each other",
            "send one of both",
        ),
        # what no training file could hold, and what no database keeps
        ({"corrected": " \n"}, "correction.corrected: found nothing but white space, expected a text", SEE),
        ({"noisy": ""}, "correction.noisy: found nothing but white space, expected a text", SEE),
        ({"noisy": "쟈\0"}, f"correction.noisy: {UNSOUND}", SEE),
        ({"noisy": "쟈\ud800"}, f"correction.noisy: {UNSOUND}", SEE),
        ({"model": "\0"}, f"correction.model: {UNSOUND}", SEE),
        # too long
        ({"restored": "가" * 51}, "restored: found 51 characters, expected 50 at most", "send less of the text"),
        ({"visitor": "a" * 201}, "correction.visitor: String should have at most 200 characters", SEE),
        # consent is said, not guessed
        ({"consent": "true"}, "correction.consent: Input should be a valid boolean", SEE),
        ({"consent": None}, "correction.consent: Input should be a valid boolean", SEE),
        # an id that could be guessed
        ({"id": "1"}, "correction.id: expected a random UUID (version 4)", SEE),
        ({"id": str(UUID(int=1))}, "correction.id: expected a random UUID (version 4)", SEE),
        # unknown fields and kinds
        ({"choice": "left"}, "correction.choice: Extra inputs are not permitted", SEE),
        ({"kind": "비밀"}, 'the body: expected "kind": "correction" or "kind": "vote"', SEE),
        ({"kind": ["vote"]}, 'the body: expected "kind": "correction" or "kind": "vote"', SEE),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(client, told, error, mend):
    body = json.dumps(CORRECTION | told)  # escapes, as no client would encode half a pair
    answer = client.post("/v1/feedback", content=body, headers={"Content-Type": "application/json"})
    assert fault(answer) == (422, error, mend)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**30) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["kind", "noisy", "restored", "corrected", "accepted", "model", "visitor", "consent", "id", "choice", "left"]


@settings(max_examples=60, deadline=None)
@given(
    told=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3),
    kind=st.sampled_from(["correction", "vote"]),
)
def test_whatever_is_sent_is_kept_or_refused_and_nothing_breaks(client, told, kind):
    body = json.dumps(CORRECTION | {"kind": kind} | told)
    answer = client.post("/v1/feedback", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 201, 422)


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50))
def test_any_text_is_kept_as_its_normal_form(client, store, text):
    answer = post(client, corrected=f"{text[:49]}.")
    assert store.find(UUID(answer.json()["id"])).corrected == unicodedata.normalize("NFC", f"{text[:49]}.")


@pytest.mark.parametrize("path", ["1", "%00", "6f1c53d2-5b0e-4a57-9d7c-0c5d8f5c2a1"])
def test_what_is_no_id_is_refused(client, path):
    assert fault(client.delete(f"/v1/feedback/{path}")) == (422, "id: expected a UUID", SEE)


def test_more_than_may_wait_are_told_to_come_again_and_the_others_are_kept(client, service, store):
    with sqlite3.connect(store.database.engine.url.database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(CONNECTIONS + 6) as threads:
            sent = [threads.submit(post, client) for _ in range(CONNECTIONS + 6)]
            first = next(as_completed(sent)).result()
            other.execute("ROLLBACK")
            answers = [one.result() for one in sent]
    other.close()
    assert fault(first) == (429, f"{CONNECTIONS + 2} requests ask the database already", "come again later")
    assert first.headers["Retry-After"] == "2"
    assert sorted({answer.status_code for answer in answers}) == [201, 429]
    assert sum(answer.status_code == 201 for answer in answers) >= CONNECTIONS + 2


def test_a_service_without_a_database_takes_no_feedback(serve):
    with serve("--model", "small", "--database", "none").client() as client:
        expected = (404, "this service takes no feedback", "start it with --database")
        assert fault(post(client)) == expected
        assert fault(client.post("/v1/feedback", json={})) == expected
        assert fault(client.delete(f"/v1/feedback/{uuid4()}")) == expected


def test_the_log_and_the_counters_know_of_feedback_but_not_its_text(client, service):
    post(client)
    log = service.log.read_text(encoding="utf-8")
    assert "201 POST /v1/feedback" in log
    assert "쟈근" not in log
    metrics = client.get("/metrics").text
    assert 'hanpuri_feedback_total{kind="correction"}' in metrics
    assert 'hanpuri_feedback_total{kind="deletion"}' in metrics
