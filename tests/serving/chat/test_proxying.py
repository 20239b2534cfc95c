"""Models behind servers: what is passed on, what comes back, and what a client hears when the server has a bad day."""

import json
import threading
from http.server import BaseHTTPRequestHandler

import httpx2
import openai
import pytest

from tests.engines.servers import DONE, HTML, Act, Body, answer, event, fault, hang_up, reply, send, stream, wait
from tests.serving.chat.conftest import KEY, Chatting, text_of, turns

HIDDEN = "org/hidden-7b"
TOOL = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}
CALL = {"id": "call-1", "type": "function", "function": {"name": "book", "arguments": "{}"}}


def says(message: str, **more: object) -> dict[str, object]:
    """An error in OpenAI's form."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None} | more}


def test_a_request_is_passed_on_in_the_servers_names_with_our_key(chatting: Chatting) -> None:
    away = chatting.does(answer("네, 두 대까지 됩니다.", reasoning_content="흠"))
    told = {"temperature": 0.3, "top_p": 0.9, "seed": 4, "stop": "끝", "tools": [TOOL], "tool_choice": "auto"}
    messages = [{"role": "developer", "content": "짧게."}, *turns("주차장이 있나요?")]
    answered = chatting.client.chat.completions.create(
        model="away", messages=messages, max_completion_tokens=9, user="kim", extra_body={"top_k": 5}, **told
    )
    assert (answered.model, answered.choices[0].message.content) == ("away", "네, 두 대까지 됩니다.")
    assert answered.choices[0].message.to_dict()["reasoning_content"] == "흠"
    asked = told | {"model": HIDDEN, "stop": ["끝"], "top_k": 5, "max_tokens": 9}
    messages[0]["role"] = "system"  # templates of open models know no developer
    assert away.asked == [asked | {"messages": messages}]  # and nobody is told who asks
    assert away.keys == [f"Bearer {KEY}"]


def test_calls_of_tools_come_and_go(chatting: Chatting) -> None:
    away = chatting.does(answer(None, "tool_calls", tool_calls=[CALL]))
    called = chatting.ask("away", "예약해 줘", tools=[TOOL]).choices[0].message
    assert called.tool_calls[0].function.name == "book"
    result = {"role": "tool", "content": "됐음", "tool_call_id": "call-1"}
    messages = [*turns("예약해 줘"), called, result]
    chatting.client.chat.completions.create(model="away", messages=messages, tools=[TOOL])
    assert away.asked[-1]["messages"][1:] == [{"role": "assistant", "tool_calls": [CALL]}, result]


def test_pieces_are_passed_on_one_by_one_as_they_come(chatting: Chatting) -> None:
    heard = threading.Event()

    def act(handler: BaseHTTPRequestHandler, body: Body) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.wfile.write(event("바다"))
        handler.wfile.flush()
        assert heard.wait(20), "the first piece did not come through before the second was sent"
        handler.wfile.write(event("가 ") + event(None, "stop") + DONE)
        handler.close_connection = True

    chatting.does(act)
    with chatting.ask("away", "안녕?", stream=True) as chunks:
        first = next(chunks)
        assert (first.model, first.choices[0].delta.content) == ("away", "바다")
        heard.set()
        assert text_of(list(chunks)) == "가 "


def test_a_stream_may_break_anywhere_between_bytes(chatting: Chatting) -> None:
    whole = b": hello\r\n\r\n" + event("화장실이 ") + event("작아요") + event(None, "stop") + DONE
    chatting.does(stream(*(whole[place : place + 3] for place in range(0, len(whole), 3))))
    chunks = chatting.stream("away", "안녕?")
    assert text_of(chunks) == "화장실이 작아요"
    assert chunks[0].choices[0].delta.role == "assistant"  # llama.cpp leaves it out at times


# what the server away does, the client's error, status, message, code
BAD_DAYS = [
    # the request is at fault: its own words, in our names
    (
        fault(400, says(f"{HIDDEN} takes no top_k", param="top_k")),
        (openai.BadRequestError, 400, "away takes no top_k", None),
    ),
    (
        fault(422, {"detail": "temperature is odd"}),
        (openai.BadRequestError, 400, "temperature is odd", None),
    ),
    (
        fault(400, says("This model's maximum context length is 64 tokens.")),
        (
            openai.BadRequestError,
            400,
            "This model's maximum context length is 64 tokens.",
            "context_length_exceeded",
        ),
    ),
    # it is too busy, and says until when
    (fault(429, says("slow down"), retry_after="7"), (openai.RateLimitError, 429, "away has too much to do", None)),
    # our own key, model or address is at fault: nothing that a client could mend
    (
        fault(401, says(f"Incorrect API key provided: {KEY}")),
        (openai.InternalServerError, 502, "the server behind away does not take what this service asks", None),
    ),
    (
        fault(404, says(f"no model {HIDDEN}")),
        (openai.InternalServerError, 502, "the server behind away does not take what this service asks", None),
    ),
    # nobody else is asked
    (
        fault(307, b"", location="http://127.0.0.1:9/v1/chat/completions"),
        (openai.InternalServerError, 502, "the server behind away does not take what this service asks", None),
    ),
    # it fails
    (fault(500, b"Traceback"), (openai.InternalServerError, 503, "away failed", None)),
    (fault(502, HTML), (openai.InternalServerError, 503, "away failed", None)),
    (hang_up, (openai.InternalServerError, 503, "away cannot be reached now", None)),
    (wait, (openai.InternalServerError, 504, "away did not answer in time", None)),
    # it answers nonsense
    (reply({"object": "nothing"}), (openai.InternalServerError, 502, None, None)),
    (reply(says("out of memory", code=500)), (openai.InternalServerError, 503, "away failed", None)),
    (
        lambda handler, body: send(handler, 200, HTML),
        (openai.InternalServerError, 502, "the server behind away does not answer as it should", None),
    ),
]


@pytest.mark.parametrize(("act", "expected"), BAD_DAYS)
def test_a_server_on_a_bad_day_is_told_in_openais_form(
    chatting: Chatting, act: Act, expected: tuple[type[openai.APIStatusError], int, str | None, str | None]
) -> None:
    kind, status, message, code = expected
    chatting.does(act)
    with pytest.raises(kind) as error:
        chatting.ask("away", "안녕?")
    assert (error.value.status_code, error.value.code) == (status, code)
    assert message is None or error.value.body["message"] == message
    told = error.value.response.text
    assert error.value.response.json()["mend"]
    assert all(secret not in told for secret in (KEY, HIDDEN, chatting.away.address, "Traceback"))
    assert ("retry-after" in error.value.response.headers) == (status in (429, 503, 504))


def test_the_wait_that_a_server_asks_for_is_asked_of_the_client(chatting: Chatting) -> None:
    chatting.does(fault(429, says("slow down"), retry_after="7"))
    with pytest.raises(openai.RateLimitError) as error:
        chatting.ask("away", "안녕?", stream=True)
    assert error.value.response.headers["retry-after"] == "7"


# what comes after the first piece, and what the client hears
BREAKS = [
    (b"", "the answer of away broke off"),
    (b"data: " + json.dumps(says("out of memory", code=500)).encode() + b"\n\n", "away failed"),
    (b"data: no json\n\n", "the server behind away does not answer as it should"),
]


@pytest.mark.parametrize(("rest", "message"), BREAKS)
def test_what_breaks_off_is_an_error_in_the_stream(chatting: Chatting, rest: bytes, message: str) -> None:
    chatting.does(stream(event("바다"), rest))
    chunks = chatting.ask("away", "안녕?", stream=True)
    assert next(chunks).choices[0].delta.content == "바다"
    with pytest.raises(openai.APIError) as error:
        list(chunks)
    assert error.value.message == message


def test_a_server_that_does_not_stream_is_told_before_the_stream_begins(chatting: Chatting) -> None:
    chatting.does(answer("네"))
    with pytest.raises(openai.InternalServerError) as error:
        chatting.ask("away", "안녕?", stream=True)
    assert error.value.body["message"] == "the server behind away does not answer as it should"


@pytest.mark.parametrize("streams", [True, False])
def test_who_goes_away_closes_the_connection_to_the_server(chatting: Chatting, streams: bool) -> None:
    closed = threading.Event()

    def act(handler: BaseHTTPRequestHandler, body: Body) -> None:
        if streams:
            stream(event("바"))(handler, body)
        if handler.connection.recv(1) == b"":  # nothing more is sent there until it is closed
            closed.set()
        handler.close_connection = True

    chatting.does(act)
    if streams:
        with chatting.ask("away", "안녕?", stream=True) as chunks:
            next(chunks)
    else:
        with pytest.raises(openai.APITimeoutError):
            chatting.client.with_options(timeout=0.5).chat.completions.create(model="away", messages=turns("안녕?"))
    assert closed.wait(20)
    chatting.does(answer("네"))
    assert chatting.ask("away", "안녕?").choices[0].message.content == "네"


def test_a_service_of_ours_behind_another_one_answers_and_refuses_alike(chatting: Chatting) -> None:
    assert chatting.ask("twice", "그대로?").choices[0].message.content == "그대로?"
    assert text_of(chatting.stream("twice", "그대로?")) == "그대로?"
    with pytest.raises(openai.BadRequestError) as error:
        chatting.ask("twice", "그대로?", logprobs=True)
    assert (error.value.body["message"], error.value.param) == ("logprobs: twice does not take it", "logprobs")


def test_the_models_that_chat_are_listed_for_the_client(chatting: Chatting) -> None:
    listed = {model.id: model.to_dict() for model in chatting.client.models.list()}
    assert [name for name, about in listed.items() if about["chats"]] == [
        *("talk", "wild", "single", "gguf", "whole", "away", "twice")
    ]
    assert isinstance(listed["talk"]["created"], int)
    assert not any(secret in str(listed) for secret in (HIDDEN, "transformers:", "127.0.0.1"))


def test_the_log_holds_no_text_and_no_key(chatting: Chatting) -> None:
    chatting.does(fault(400, says("비밀이라는 말은 안 됩니다")))
    with pytest.raises(openai.BadRequestError):
        chatting.ask("away", "비밀 이야기")
    with chatting.served.client() as client:
        assert client.get("/healthz", headers={"x-request-id": "after-secrets"}).status_code == httpx2.codes.OK
    log = chatting.served.log.read_text(encoding="utf-8")
    assert "model=away" in log
    assert "비밀" not in log
    assert KEY not in log
