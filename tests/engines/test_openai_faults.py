"""
No bad day of a server ends a run or passes as an answer; what is wrong with all rows is known at the start.

In: a server on this machine that does what is written in `servers`. Out: why a row has no answer; or one line.
"""

import sys
import time

import pytest

from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.opening import open_engine
from hanpuri.engines.servers import patience
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import DataError, EngineError, HanpuriError
from tests.engines.servers import (
    HTML,
    MODELS,
    answer,
    ask,
    echo,
    fault,
    hang_up,
    opened,
    reply,
    rows_of,
    send,
    serving,
    wait,
)

KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


# One row.

# what the server does, why the row has no answer, how often it was asked
FAILURES = [
    (fault(500, {"error": {"message": "out of memory"}}), "the server answers 500: out of memory", 3),
    (fault(502, HTML), "the server answers 502: an HTML page, 502 Bad Gateway", 3),
    (fault(503), "the server answers 503", 3),
    (fault(429, {"message": "slow down"}), "the server answers 429: slow down", 3),
    # a page in place of an answer, with the status of success
    (reply(HTML), "found an HTML page, 502 Bad Gateway, expected JSON", 3),
    (reply(b"{'choices': []}"), "found {'choices': []}, expected JSON", 3),
    (reply([1]), "found [1], expected an answer", 3),
    (reply({"choices": []}), "found no answer in the reply", 3),
    (reply({"id": 1}), "found {'id': 1}, expected choices", 3),
    (reply({"choices": ["네"]}), "found 네, expected a choice", 3),
    (reply({"error": {"message": "no slot", "code": 503}}), "the server answers 503: no slot", 3),
    (answer(None), "found no text in the reply, which ended in stop", 3),
    (answer([{"text": "네"}]), "found [{'text': '네'}], expected a text", 3),
    (answer("네", None), "the answer broke off", 3),
    (answer("네", "abort"), "the server broke the answer off (abort)", 3),
    (hang_up, "the answer broke off (", 3),
    # the row's own matter: another try is the same
    (answer("네", "content_filter"), "the server withheld the answer: content_filter", 1),
    (answer(None, refusal="도울 수 없습니다."), "the server withheld the answer: 도울 수 없습니다.", 1),
    (
        fault(400, {"error": {"message": "This model's maximum context length is 4096 tokens."}}),
        "the prompt is too long: This model's maximum context length is 4096 tokens.",
        1,
    ),
    (fault(413), "the prompt is too long: the server answers 413", 1),
    (fault(400, {"error": {"message": "odd"}}), "the server answers 400: odd", 1),
]


@pytest.mark.parametrize(("act", "why", "num_tries"), FAILURES)
def test_a_row_without_an_answer_says_why_and_the_others_go_on(act, why, num_tries):
    acts = [answer("네"), *[act] * num_tries, answer("네")]
    with serving(*acts) as server, opened(server, "server.concurrency=1") as engine:
        answers = engine.generate(rows_of(3))
    assert [answered.text for answered in answers] == ["네", "", "네"]
    assert answers[1].failure.startswith(why)
    assert answers[1].num_tries == num_tries
    assert not answers[1].finished


def test_a_fault_that_passes_is_waited_for():
    with serving(fault(500), fault(429), answer("네")) as server, opened(server) as engine:
        (answered,) = engine.generate([ask("방은?")])
        assert (answered.text, answered.num_tries) == ("네", 3)
        assert engine.spent.num_retries == 2


def test_nobody_asks_before_the_server_wants_to_be_asked_again():
    begun = []

    def act(handler, body):
        begun.append(time.monotonic())
        if len(begun) == 2:
            send(handler, 429, b"", Retry_After="0.3")
        else:
            echo(handler, body)

    with serving(act) as server, opened(server, "server.max_wait_seconds=1,server.concurrency=1") as engine:
        assert all(answered.text for answered in engine.generate(rows_of(4)))
    assert begun[2] - begun[1] >= 0.29


def test_a_pause_that_is_too_long_ends_the_asking():
    with serving(answer("네"), fault(429, b"tomorrow", Retry_After="86400")) as server, opened(server) as engine:
        answers = engine.generate(rows_of(20))
    why = "the server answers 429: tomorrow; it asks to wait 86,400 seconds"
    assert answers[0].text == "네"
    assert answers[-1].failure == why
    assert len(server.asked) < 12


def test_a_server_that_is_slow_is_not_waited_for_for_ever():
    with serving(wait) as server, opened(server, "server.timeout_seconds=1,server.max_tries=2") as engine:
        (answered,) = engine.generate([ask("방은?")])
    assert answered == Answer.failed("no answer within 1 seconds", 2)


def test_a_server_that_went_down_is_left_alone_and_asked_again_when_it_is_back():
    with serving(*[answer("네")] * 5, fault(500)) as server, opened(server, "server.max_lost=4") as engine:
        answers = engine.generate(rows_of(1000))
        num_asked = len(server.asked)
        assert sum(not answered.failure for answered in answers) == 5
        assert num_asked < 5 + 3 * 12  # not three thousand
        assert answers[-1].failure == "given up: 4 rows in a row got no answer, the last: the server answers 500"

        server.models = fault(500)
        assert all(
            answered.num_tries == 0 for answered in engine.generate(rows_of(1000))
        )  # still down: nothing is asked
        assert len(server.asked) == num_asked

        server.models, server.acts = [{"id": "tiny"}], [answer("네")]
        assert [answered.text for answered in engine.generate(rows_of(3))] == ["네"] * 3


# What is wrong with all rows.


@pytest.fixture
def port_of_nobody():
    with serving() as server:
        return server.address


# what the server does when it is looked at, options, what is said
AT_THE_START = [
    (
        fault(401, {"error": {"message": "wrong key"}}),
        "",
        "the server answers 401: wrong key; put a key that it takes into the environment variable OPENAI_API_KEY",
    ),
    (
        fault(403),
        "server.api_key=OUR_KEY",
        "the server answers 403; put a key that it takes into the environment variable OUR_KEY",
    ),
    (
        fault(404, b"not here"),
        "",
        "the server answers 404: not here; check the address, which mostly ends in /v1, and the name of the model",
    ),
    (fault(500), "", "the server answers 500; see what the server says of it"),
    (reply(HTML), "", "found an HTML page, 502 Bad Gateway, expected JSON; start the server, or check the address"),
    (reply({"id": 1}), "", "found no list of models; start the server, or check the address"),
]


@pytest.mark.parametrize(("act", "options", "said"), AT_THE_START)
def test_what_is_wrong_with_the_server_is_known_before_the_first_row(act, options, said):
    with serving(models=act) as server:
        with pytest.raises(EngineError) as error, opened(server, options):
            pass
        assert str(error.value) == f"openai:{server.address}#tiny: {said}"
    assert not server.asked


def test_a_server_that_is_not_there_is_known_at_once(port_of_nobody, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE_SECONDS", 60)
    started = time.monotonic()
    with pytest.raises(EngineError) as error, open_engine(parse_engine(f"openai:{port_of_nobody}")):
        pass
    assert str(error.value) == (
        f"openai:{port_of_nobody}: nothing answers at {port_of_nobody}; start the server, or check the address"
    )
    assert time.monotonic() - started < 20


THREE = [{"id": "tiny-ko"}, {"id": "base-ko"}, {"id": "models/large:latest"}]
# what is served, what is asked for, what is said
CHOICES = [
    (THREE, "", "{} serves 3 models, expected one: tiny-ko, base-ko, models/large:latest; name it: {}#MODEL"),
    ([], "", "{} serves 0 models, expected one: none; name it: {}#MODEL"),
    (
        THREE,
        "#tiny-k",
        "{} serves no model tiny-k; it has tiny-ko, base-ko, models/large:latest; did you mean {}#tiny-ko?",
    ),
    (
        THREE,
        "#qwen",
        "{} serves no model qwen; it has tiny-ko, base-ko, models/large:latest; name one of them: {}#MODEL",
    ),
]


@pytest.mark.parametrize(("models", "model", "said"), CHOICES)
def test_a_model_that_is_not_served_is_named_with_the_nearest(models, model, said):
    with serving(models=models) as server:
        with pytest.raises(EngineError) as error, opened(server, model=model):
            pass
        assert str(error.value) == said.format(server.address, server.address)


# with a list of its own, as most do, or as a bare one
@pytest.mark.parametrize("models", [MODELS, lambda handler, _: send(handler, 200, MODELS)])
def test_the_only_model_needs_no_name(models):
    with serving(models=models) as server, opened(server, model="") as engine:
        assert engine.served.model == "tiny"


# what is written, what is said
ADDRESSES = [
    (
        "127.0.0.1:8000/v1",
        "found the address '127.0.0.1:8000/v1', expected http://…; write e.g. http://127.0.0.1:8000/v1",
    ),
    (
        "http://me:secret@host/v1",
        "the address of host holds a user and a password; put the key into an environment variable",
    ),
    (
        "http://127.0.0.1:1/v1,server.api_key=sk-0123",
        "server.api_key is no name of an environment variable; put the key into one, and give its name here",
    ),
    (
        "http://127.0.0.1:1/v1,server.tokenizer=runs/faq",
        "the engine 'openai:http://127.0.0.1:1/v1,server.tokenizer=runs/faq': server: a tokenizer was given, and"
        " messages are sent as text: write way=completions too; write it as NAME:MODEL,key=value, see docs/engines.md",
    ),
    (
        "http://127.0.0.1:1/v1,server.way=completions",
        "server.way is completions, which needs a template of ours; add template=NAME, or server.tokenizer=FOLDER,"
        " the folder of the model",
    ),
]


@pytest.mark.parametrize(("told", "said"), ADDRESSES)
def test_a_wrong_setting_is_known_without_a_server(told, said):
    with pytest.raises(HanpuriError) as error, open_engine(parse_engine(f"openai:{told}")):
        pass
    assert str(error.value) == said


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(EngineError) as error, open_engine(parse_engine("openai:http://127.0.0.1:1/v1")):
        pass
    assert str(error.value) == (
        'asking a server needs the library httpx2, which is not installed; install it: pip install "hanpuri[openai]"'
    )


def test_a_setting_that_the_server_refuses_is_one_error_and_not_left_out():
    with serving(fault(400, {"error": {"message": "Unknown parameter: 'top_k'"}})) as server, opened(server) as engine:
        with pytest.raises(EngineError) as error:
            engine.generate(rows_of(50), Decoding(temperature=1, top_k=5))
        assert str(error.value) == f"{engine.name}: the server answers 400: Unknown parameter: 'top_k'; leave out top_k"
    assert len(server.asked) == 2  # the first row, and another to see whether it is the row


def test_a_first_row_that_is_refused_alone_is_a_row_without_an_answer():
    with serving(fault(400, b"odd"), answer("네")) as server, opened(server) as engine:
        answers = engine.generate(rows_of(3))
    assert [answered.failure for answered in answers] == ["the server answers 400: odd", "", ""]


def test_money_that_ran_out_is_not_waited_for():
    told = {"error": {"type": "insufficient_quota", "message": "You exceeded your current quota"}}
    with serving(answer("네"), fault(429, told)) as server, opened(server) as engine:
        answers = engine.generate(rows_of(100))
    assert answers[-1].failure == "the server answers 429: You exceeded your current quota"
    assert len(server.asked) < 20


# A row that cannot be asked: what it is, what is said
NO_QUESTIONS = [
    (
        {"stars": 5},
        "row 1: found the fields stars, expected those of one form: text; noisy, clean; instruction, input, output;"
        " messages; prompt, input, chosen, rejected; rename the fields",
    ),
    (ask("방은 \ud83d"), "row 1: found half a surrogate pair, expected text; clean the text first"),
]


@pytest.mark.parametrize(("row", "said"), NO_QUESTIONS)
def test_a_row_without_a_question_is_known_before_anything_is_asked(row, said):
    with serving() as server, opened(server) as engine:
        with pytest.raises(DataError) as error:
            engine.generate([row])
        assert str(error.value) == said
    assert not server.asked


# The key.


def test_the_key_is_sent_and_told_to_nobody(monkeypatch, capfd):
    monkeypatch.setenv("OUR_KEY", f" {KEY}\n")
    told = fault(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    with serving(answer("네"), fault(500, f"key {KEY}".encode()), told) as server:
        with opened(server, "server.api_key=OUR_KEY,server.concurrency=1") as engine:
            answers = engine.generate(rows_of(3))
            seen = [repr(vars(thing)) for thing in (engine, engine._connection)]
            seen += [repr(engine), engine.name, engine.identity, repr(answers), engine.prompt(rows_of(1)[0], "row 1")]
        server.models = told
        with pytest.raises(EngineError) as error, opened(server, "server.api_key=OUR_KEY"):
            pass
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert "Incorrect API key provided: …" in answers[2].failure
    seen += [str(error.value), repr(error.value), *capfd.readouterr()]
    hidden = [text.replace(f"'_key': '{KEY}'", "") for text in seen]
    assert not any(KEY in text for text in hidden)


def test_a_key_with_signs_in_it_is_not_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nand more")
    with serving() as server, pytest.raises(EngineError) as error, opened(server):
        pass
    assert str(error.value) == "what stands in OPENAI_API_KEY is no key: it holds spaces or signs; copy the key again"
