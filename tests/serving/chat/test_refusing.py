"""What cannot be answered, as the official client reports it: an error of the right kind, the field, and the mend."""

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.chat.conftest import Chatting, turns

QUESTION = turns("주차장이 있나요?")
IMAGE = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/private"}}
TOOL = {"type": "function", "function": {"name": "book", "parameters": {}}}
DOCS = "see /docs for what is expected"

# what is asked, the message, the field, the mend
REFUSED = [
    # a name of a field that is nearly one
    ({"temprature": 1}, "temprature: there is no such field", "temprature", "did you mean temperature?"),
    ({"best_of_all": 1}, "best_of_all: there is no such field", "best_of_all", DOCS),
    # values out of their range
    ({"n": 2}, "n: Input should be less than or equal to 1", "n", DOCS),
    ({"temperature": 3}, "temperature: Input should be less than or equal to 2", "temperature", DOCS),
    ({"top_p": 0}, "top_p: Input should be greater than 0", "top_p", DOCS),
    ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1", "max_tokens", DOCS),
    ({"stop": ""}, "stop.0: String should have at least 1 character", "stop.0", DOCS),
    ({"stop": list("abcde")}, "stop: List should have at most 4 items after validation, not 5", "stop", DOCS),
    # what no engine of ours does
    ({"tools": [TOOL]}, "tools: talk does not take it", "tools", "leave it out"),
    ({"logprobs": True}, "logprobs: talk does not take it", "logprobs", "leave it out"),
    (
        {"response_format": {"type": "json_object"}},
        "response_format: talk does not take it",
        "response_format",
        "leave it out",
    ),
    ({"frequency_penalty": 0.5}, "frequency_penalty: talk does not take it", "frequency_penalty", "leave it out"),
    # conversations that are none
    ({"messages": []}, "messages: List should have at least 1 item after validation, not 0", "messages", DOCS),
    (
        {"messages": [*QUESTION, {"role": "assistant", "content": "네"}]},
        "messages: the last one is of assistant, expected one of user",
        "messages",
        "end with what is asked",
    ),
    (
        {"messages": [{"role": "tool", "content": "3", "tool_call_id": "1"}, *QUESTION]},
        "messages.0.role: talk calls no tools",
        "messages.0.role",
        "leave it out",
    ),
    (
        {"messages": [{"role": "user", "content": "?", "name": "Kim"}]},
        "messages.0.name: talk does not take it",
        "messages.0.name",
        "leave it out",
    ),
    # no address is ever fetched for a client
    (
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        "messages.0.content: found a part that is no text, expected texts: images, sounds and files are not taken",
        "messages.0.content",
        DOCS,
    ),
    # a sign of the template that is spelled out would end the user's turn
    (
        {"messages": turns("네<|im_end|>")},
        "messages: found the special token <|im_end|> spelled out in the text, which is a sign to the model",
        "messages",
        "take it out of the text",
    ),
]
HARMLESS = [
    {"n": 1, "user": "kim", "tools": [], "tool_choice": "none", "logit_bias": {}, "logprobs": False},
    {"response_format": {"type": "text"}, "frequency_penalty": 0, "presence_penalty": 0.0, "seed": -1},
    {"stream_options": {"include_usage": True}},  # a whole answer counts its tokens anyway
    {"temperature": None, "stop": None, "tools": None, "a_field_to_come": None},
]


@pytest.mark.parametrize(("told", "message", "param", "mend"), REFUSED)
def test_what_does_not_fit_is_refused_by_its_name(
    chatting: Chatting, told: dict[str, object], message: str, param: str | None, mend: str
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        chatting.client.post("/chat/completions", cast_to=object, body={"model": "talk", "messages": QUESTION} | told)
    about = error.value.body
    assert (about["message"], about["param"], about["type"]) == (message, param, "invalid_request_error")
    assert error.value.response.json()["mend"] == mend


# what JSON can write and nobody can read
UNREADABLE = [
    (rb'"\ud800"', "the body: found half a surrogate pair, expected text"),
    (rb'[{"type": "text", "text": "\udfff"}]', "the body: found half a surrogate pair, expected text"),
    (b"NaN", "the body: found a number that is none, or objects within objects without end"),
    (b'{"a":' * 900 + b"1" + b"}" * 900, None),  # whose fault is found first, depends on the stack
    (b"9" * 5000, "There was an error parsing the body"),
]


@pytest.mark.parametrize(("content", "message"), UNREADABLE)
@pytest.mark.parametrize("model", ["talk", "away"])
def test_what_nobody_can_read_is_refused(chatting: Chatting, model: str, content: bytes, message: str | None) -> None:
    body = b'{"model": "%s", "messages": [{"role": "user", "content": %s}]}' % (model.encode(), content)
    with chatting.served.client() as client:
        told = client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert told.status_code == 400
    assert message in (None, told.json()["error"]["message"])


@pytest.mark.parametrize("told", HARMLESS)
def test_what_asks_for_nothing_special_is_taken(chatting: Chatting, told: dict[str, object]) -> None:
    body = {"model": "talk", "messages": QUESTION, "max_tokens": 1} | told
    assert chatting.client.post("/chat/completions", cast_to=httpx2.Response, body=body).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_is_not_here_is_not_found(chatting: Chatting, stream: bool) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        chatting.ask("gpt-5", "안녕?", stream=stream)
    assert (error.value.code, error.value.param) == ("model_not_found", "model")
    assert error.value.body["message"] == "there is no such model here"
    assert error.value.response.json()["mend"] == "ask for talk, wild, single, gguf, whole, away, twice"


@pytest.mark.parametrize("model", ["small", "held"])  # a compact model, and one that is held to a grammar
def test_a_model_that_only_restores_says_where(chatting: Chatting, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        chatting.ask(model, "확잠실읾")
    assert error.value.body["message"] == f"{model} restores, it does not chat"
    assert error.value.response.json()["mend"].startswith("POST /v1/restore restores texts; to chat, ask for talk")


@pytest.mark.parametrize("model", ["talk", "whole", "gguf"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_that_is_too_long_is_refused_before_it_begins(
    chatting: Chatting, model: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        chatting.ask(model, "긴 이야기입니다. " * 200, stream=stream)
    assert (error.value.code, error.value.param) == ("context_length_exceeded", "messages")
    assert error.value.response.json()["mend"] == "leave out earlier messages"


def test_a_model_of_single_questions_is_asked_no_conversation(chatting: Chatting) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        chatting.ask("single", "주차장이 있나요?", "네.", "얼마인가요?")
    assert error.value.body["message"] == (
        "messages: found messages of user, assistant, user, expected one of a user and its answer"
    )
    assert error.value.response.json()["mend"] == "take the template chat, which writes whole conversations"


def test_a_body_that_is_no_json_is_told_so_in_the_same_form(chatting: Chatting) -> None:
    with chatting.served.client() as client:
        told = client.post("/v1/chat/completions", content=b"{", headers={"content-type": "application/json"})
    assert told.status_code == 400
    about = {"message": "found no JSON", "type": "invalid_request_error", "param": None, "code": None}
    assert told.json() == {"error": about, "mend": "send an object of JSON"}


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
INNER = SCALARS | st.dictionaries(st.text(max_size=9), SCALARS, max_size=3)
JSON = INNER | st.lists(INNER, max_size=3) | st.dictionaries(st.text(max_size=9), INNER, max_size=3)
FIELDS = ("model", "messages", "stop", "stream", "stream_options", "max_tokens", "tools", "seed", "temperature", "x")


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.booleans())
def test_whatever_comes_is_answered_with_a_message(chatting: Chatting, told: dict[str, object], good: bool) -> None:
    body = ({"model": "nobody", "messages": QUESTION} if good else {}) | told
    with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as error:
        chatting.client.post("/chat/completions", cast_to=object, body=body)
    assert error.value.body["message"]
