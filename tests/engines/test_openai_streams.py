"""
An answer that grows: no piece breaks a syllable, and what broke off is no answer.

In: events as a server sends them, cut anywhere. Out: pieces that make up the text.
"""

import asyncio
import json
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.servers.connection import read_events
from hanpuri.engines.servers.replies import Listener, joined
from hanpuri.errors import EngineError
from tests.engines.servers import DONE, HTML, answer, ask, event, fault, opened, reply, serving, stream

# Streams.


def heard(engine, row=None, decoding=None):
    pieces = []
    answered = engine.stream(row or ask("방은?"), pieces.append, decoding or Decoding())
    return answered, pieces


def test_a_stream_is_heard_piece_by_piece():
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 4}}\n\n'
    act = stream(event(""), event("방이 "), b": ping\n\n", event("넓어요"), event(finish="stop"), usage, DONE)
    with serving(act) as server, opened(server) as engine:
        assert heard(engine) == (Answer("방이 넓어요", 4, True, num_prompt_tokens=5), ["방이 ", "넓어요"])
        assert engine.spent.num_tokens == 4
    assert server.asked[0]["stream"] is True


TEXT = "방이 넓\u2028어요 😀 \u1112\u1161\u11ab글"


@given(st.lists(st.integers(1, 400), max_size=8), st.booleans())
def test_no_piece_breaks_a_syllable_wherever_the_network_cuts(cuts, ascii):
    events = b"".join(event(character, ascii=ascii) for character in TEXT) + event(finish="stop") + DONE
    places = [0, *sorted({min(cut, len(events)) for cut in cuts}), len(events)]
    said = []
    parts = [events[start:end] for start, end in pairwise(places)]

    async def chunks():
        for part in parts:
            yield part

    async def read():
        return [json.loads(line) async for line in read_events(chunks()) if line != b"[DONE]"]

    text, listener = "", Listener(said.append, str, ())
    for told in asyncio.run(read()):
        text += told["choices"][0]["delta"].get("content", "")
        listener.hear(text)
    listener.say(joined(text))
    assert "".join(said) == TEXT
    assert not any(piece.startswith(("\u1161", "\u11ab")) for piece in said)


def test_halves_of_a_character_are_joined():
    halves = [b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % half for half in (b"\\ud83d", b"\\ude00")]
    with serving(stream(*halves, event(finish="stop"), DONE)) as server, opened(server) as engine:
        assert heard(engine) == (Answer("😀", 0, True), ["😀"])


# what the server does, why there is no answer, what was heard by then, how often it was asked
BROKEN = [
    (stream(event("방이 ")), "the answer broke off", ["방이 "], 1),
    (stream(event("방이 "), event("넓")[:20]), "the answer broke off", ["방이 "], 1),
    (stream(event("방이 "), b"data: {oops\n\n"), "found {oops, expected JSON", ["방이 "], 1),
    (
        stream(event("방이 "), b'data: {"error": {"message": "no slot"}}\n\n'),
        "the server answers 500: no slot",
        ["방이 "],
        1,
    ),
    # nothing was heard yet: it is asked again
    (stream(), "found no answer in the reply", [], 3),
    (fault(500), "the server answers 500", [], 3),
    (reply(HTML), "found an HTML page, 502 Bad Gateway, expected JSON", [], 3),
]


@pytest.mark.parametrize(("act", "why", "pieces", "num_tries"), BROKEN)
def test_a_stream_that_breaks_off_is_no_answer(act, why, pieces, num_tries):
    with serving(act) as server, opened(server) as engine:
        assert heard(engine) == (Answer.failed(why, num_tries), pieces)


def test_a_server_that_does_not_stream_is_heard_in_one_piece():
    with serving(answer("방이 넓어요")) as server, opened(server) as engine:
        answered, pieces = heard(engine)
    assert (answered.text, pieces) == ("방이 넓어요", ["방이 넓어요"])


def test_what_a_template_puts_around_an_answer_is_not_heard():
    act = stream(event(" "), event("방이"), event(" 넓어요#"), event("##"), event(" 더"), event(finish="stop"), DONE)
    with serving(act) as server, opened(server, "server.way=completions,template=koalpaca") as engine:
        answered, pieces = heard(engine, decoding=Decoding(stop=("###",)))
    assert (answered.text, "".join(pieces)) == ("방이 넓어요", "방이 넓어요")


def test_a_listener_that_fails_ends_the_stream():
    def leave(piece):
        raise BrokenPipeError

    with serving(stream(*[event("방")] * 50)) as server, opened(server) as engine, pytest.raises(BrokenPipeError):
        engine.stream(ask("방은?"), leave)


def test_a_stream_that_is_stopped_closes_the_connection():
    closed = threading.Event()

    def act(handler, body):
        stream(event("방"))(handler, body)
        if handler.connection.recv(1) == b"":
            closed.set()
        handler.close_connection = True

    pieces = []
    with serving(act) as server, opened(server) as engine:
        answer = engine.stream(ask("방은?"), pieces.append, stopped=lambda: bool(pieces))
        assert closed.wait(20)
    assert (answer.text, answer.finished, pieces) == ("방", False, ["방"])


def test_a_stream_is_refused_as_a_batch_is():
    with (
        serving(fault(400, b"top_k is unknown")) as server,
        opened(server) as engine,
        pytest.raises(EngineError) as error,
    ):
        engine.stream(ask("방은?"), print, Decoding(temperature=1, top_k=5))
    assert str(error.value) == f"{engine.name}: the server answers 400: top_k is unknown; leave out top_k"
