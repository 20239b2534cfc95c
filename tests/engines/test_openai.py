"""
What a server of others is asked, word for word, and what is made of its answers.

In: a server on this machine that answers, or echoes. Out: bodies as they were sent, answers in the order of the rows.
"""

import asyncio
import json
import os
import signal
import threading
import time

import pytest

from hanpuri.data.examples import prompt_ids
from hanpuri.data.templates import load_template, restoration_instruction
from hanpuri.data.tokenizers import load_tokenizer
from hanpuri.engines.base import Answer, Decoding, StreamingEngine
from hanpuri.errors import DataError, EngineError
from tests.engines.servers import answer, ask, echo, fault, opened, reply, rows_of, send, serving, slow, wait

# What is asked.

NOISY = {"noisy": "녀뮤 좋핬써욘"}
TALK = [
    {"role": "user", "content": "안녕?"},
    {"role": "assistant", "content": "네."},
    {"role": "user", "content": "방은?"},
]
SHORT = {"role": "system", "content": "짧게."}
# settings, a row, the messages that are sent
MESSAGES = [
    ("", ask("방은?"), [{"role": "user", "content": "방은?"}]),
    ("", {"instruction": "줄여 줘", "input": "긴 글"}, [{"role": "user", "content": "줄여 줘\n\n긴 글"}]),
    # noisy text gets the instruction that training gives it
    ("", NOISY, [{"role": "user", "content": f"{restoration_instruction()}\n\n녀뮤 좋핬써욘"}]),
    # a conversation, such as examples before the question, stays as it is
    ("", {"messages": TALK}, TALK),
    # the answer of an evaluation row is not sent
    ("", {"messages": [*TALK, {"role": "assistant", "content": "좋아요."}]}, TALK),
    ("system=짧게.", ask("방은?"), [SHORT, {"role": "user", "content": "방은?"}]),
    # a row's own system message goes before that of the settings
    ("system=길게.", {"messages": [SHORT, *TALK]}, [SHORT, *TALK]),
    ("template=plain", NOISY, [{"role": "user", "content": "녀뮤 좋핬써욘\n"}]),
    ("", {"text": "옛날에"}, [{"role": "user", "content": "옛날에"}]),
    ("", {"prompt": "방은?"}, [{"role": "user", "content": "방은?"}]),
]


@pytest.mark.parametrize(("options", "row", "messages"), MESSAGES)
def test_a_row_becomes_these_messages(options, row, messages):
    with serving() as server, opened(server, options) as engine:
        engine.generate([row])
        shown = json.loads(engine.prompt(row, "row 1"))
    assert server.asked[0]["messages"] == messages == shown
    assert server.asked[0]["model"] == "tiny"


def test_a_template_of_ours_is_sent_as_text_with_what_ends_its_answers():
    with (
        serving(answer(" 서해로 흐릅니다.")) as server,
        opened(server, "server.way=completions,template=koalpaca") as engine,
    ):
        (answered,) = engine.generate([ask("한강은?")], Decoding(stop=("\n",)))
        assert engine.prompting.template.name == "koalpaca"
    assert server.asked[0]["prompt"] == "### 질문: 한강은?\n\n### 답변:" == engine.prompt(ask("한강은?"), "row 1")
    assert server.asked[0]["stop"] == ["\n"]
    assert answered.text == "서해로 흐릅니다."


# Asked what it reads in our tokens, a server says the same; or something that stands before it hides the question.
@pytest.mark.parametrize("hides", [False, True])
def test_the_tokens_of_the_training_are_sent_as_they_are(hides, tokenizer_folder):
    folder = tokenizer_folder("characters")
    tokenizer = load_tokenizer(folder)

    def read(handler, body):
        assert not tokenizer.special_ids & set(body["tokens"])  # what it does not know it may spell anyhow
        send(handler, 200, {"content": tokenizer.decode(body["tokens"])})

    act = fault(404) if hides else read
    models = [{"id": "tiny", "owned_by": "llamacpp"}]
    options = f"server.way=completions,server.tokenizer={folder},template=koalpaca"
    with serving(act, answer(" 네"), models=models) as server, opened(server, options) as engine:
        (answered,) = engine.generate([ask("방은?")])
    prompt = load_template("koalpaca").prompt(ask("방은?"), "row 1")
    assert server.asked[1]["prompt"] == prompt_ids(prompt, tokenizer)
    # llama.cpp ends an answer at a token whose name it is told
    assert server.asked[1]["stop"] == server.asked[1]["preserved_tokens"] == ["</s>"]
    assert answered.text == "네"


DRAWN = Decoding(max_new_tokens=9, temperature=0.7, top_p=0.9, top_k=5, stop=("끝",), seed=3)
OURS = {"max_tokens": 9, "temperature": 0.7, "top_p": 0.9, "top_k": 5, "seed": 3, "stop": ["끝"]}
LLAMA_CPP = {"repeat_penalty": 1.0, "samplers": ["temperature", "top_k", "top_p"]}
# who serves, how tokens are chosen, what is sent of it
SAMPLING = [
    ("somebody", DRAWN, OURS),
    ("vllm", DRAWN, OURS | {"repetition_penalty": 1.0, "min_p": 0.0}),
    # the order in which they are applied is another one there
    ("llamacpp", DRAWN, OURS | LLAMA_CPP),
    # greedy: a stranger gets nothing that it may not know
    ("somebody", Decoding(max_new_tokens=9), {"max_tokens": 9, "temperature": 0.0}),
    # whom we know would else go by its own habits
    ("llamacpp", Decoding(max_new_tokens=9), {"max_tokens": 9, "temperature": 0.0, "top_k": 0, **LLAMA_CPP}),
]


@pytest.mark.parametrize(("owner", "decoding", "sent"), SAMPLING)
def test_tokens_are_chosen_as_everywhere(owner, decoding, sent):
    models = [{"id": "tiny", "owned_by": owner}]
    with serving(models=models) as server, opened(server) as engine:
        engine.generate([ask("방은?")], decoding)
    assert {key: value for key, value in server.asked[0].items() if key not in ("model", "messages")} == sent


def test_no_more_is_asked_for_than_the_server_has():
    models = [{"id": "tiny", "owned_by": "vllm", "max_model_len": 64}]
    with serving(models=models) as server, opened(server) as engine:
        engine.generate([ask("방은?")], Decoding(max_new_tokens=100))
    assert server.asked[0]["max_tokens"] == 64


def test_the_name_of_the_length_can_be_told():
    with serving() as server, opened(server, "server.max_tokens_name=max_completion_tokens") as engine:
        engine.generate([ask("방은?")])
    assert server.asked[0]["max_completion_tokens"] == 256


def test_ollama_is_not_asked_for_what_it_would_leave_out():
    models = [{"id": "tiny:latest", "owned_by": "library"}]
    with serving(models=models) as server, opened(server) as engine, pytest.raises(EngineError) as error:
        engine.generate([ask("방은?")], Decoding(temperature=1, top_k=5))
    assert str(error.value) == "ollama takes no top_k in this protocol; leave it out, or set it in the Modelfile"


# What comes back.


def test_answers_come_in_the_order_of_their_rows_and_are_counted():
    def act(handler, body):
        time.sleep(0.02 if "1번" in body["messages"][0]["content"] else 0)
        echo(handler, body)

    rows = rows_of(30)
    with serving(act) as server, opened(server, "server.price_input=1000000,server.price_output=2000000") as engine:
        answers = engine.generate(rows)
        assert [answered.text for answered in answers] == [row["instruction"] for row in rows]
        assert answers[0] == Answer(rows[0]["instruction"], 3, True, num_prompt_tokens=7)
        spent = engine.spent
    assert (spent.num_requests, spent.num_retries, spent.num_prompt_tokens, spent.num_tokens) == (30, 0, 210, 90)
    assert spent.price == 210 + 2 * 90
    assert isinstance(engine, StreamingEngine)


# what the server does, the text that comes of it, whether the model ended it
ANSWERS = [
    # another language is an answer; that it is wrong, its score says
    (answer("The view was great"), "The view was great", True),
    (answer(""), "", True),
    (answer("뷰가", "length"), "뷰가", False),
    # nothing but thoughts until the end of its room
    (answer(None, "length"), "", False),
    # a character that was cut in the middle of its bytes
    (answer("뷰가 \ufffd", "length"), "뷰가 ", False),
    # what the model itself got wrong is seen
    (answer("뷰\ufffd가"), "뷰\ufffd가", True),
    # half of a surrogate pair would be no text
    (reply(b'{"choices": [{"message": {"content": "\\ud83d"}, "finish_reason": "stop"}]}'), "\ufffd", True),
]


@pytest.mark.parametrize(("act", "text", "finished"), ANSWERS)
def test_an_answer_is_taken_as_it_is(act, text, finished):
    with serving(act) as server, opened(server) as engine:
        (answered,) = engine.generate([ask("방은?")])
    assert (answered.text, answered.finished, answered.failure, answered.num_tries) == (text, finished, "", 1)


def test_so_many_requests_are_on_their_way_and_no_more():
    with serving(slow(0.05, echo)) as server, opened(server, "server.concurrency=4") as engine:
        engine.generate(rows_of(24))
    assert server.most_at_once == 4


def test_so_many_requests_are_begun_in_a_minute_and_no_more():
    with serving(echo) as server, opened(server, "server.requests_per_minute=1200") as engine:
        started = time.monotonic()
        engine.generate(rows_of(7))
    assert time.monotonic() - started >= 6 * 0.05


def test_a_notebook_can_ask_too():
    async def cell():
        with serving() as server, opened(server) as engine:
            return engine.generate([ask("방은?")])

    assert asyncio.run(cell())[0].text == "네"


def test_ctrl_c_takes_back_what_is_on_its_way():
    with serving(answer("네"), wait) as server, opened(server) as engine:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            engine.generate(rows_of(20))
    assert time.monotonic() - started < 20


# Grammars.


def test_a_server_that_ignores_the_grammar_is_found_out():
    models = [{"id": "tiny", "owned_by": "vllm"}]
    with (
        serving(echo, models=models) as server,
        pytest.raises(EngineError) as error,
        opened(server, "aligned=syllables"),
    ):
        pass
    assert str(error.value).startswith(f"{server.address} does not keep to a grammar: held to '?7-7?', it wrote '")
    assert server.asked[0]["structured_outputs"] == {"regex": r"\?7-7\?"}


def test_a_server_that_takes_no_grammar_is_not_asked():
    with serving() as server, pytest.raises(EngineError) as error, opened(server, "aligned=airbnb"):
        pass
    assert str(error.value) == (
        f"{server.address} does not say that it is vLLM or llama.cpp, which take a grammar;"
        " set server.grammar if it is one of them, or leave out aligned"
    )


def test_an_answer_that_does_not_fit_the_grammar_is_none():
    acts = answer("?7-7?"), answer("너무 좋아"), answer("너무 좋아요!")
    options = "aligned=syllables,server.grammar=llamacpp,server.concurrency=1"
    with serving(*acts) as server, opened(server, options) as engine:
        first, second = engine.generate([{"noisy": "녀뮤 좋핬"}, {"noisy": "녀뮤 좋핬"}])
    assert (first.text, first.failure) == ("너무 좋아", "")
    assert second == Answer.failed("the server did not keep to the grammar: it wrote '너무 좋아요!'")
    assert server.asked[1]["grammar"] == 'root ::= [가-힣] [가-힣] " " [가-힣] [가-힣]'


def test_aligned_decoding_restores_and_answers_nothing_else():
    options = "aligned=syllables,server.grammar=vllm"
    with serving(answer("?7-7?")) as server, opened(server, options) as engine, pytest.raises(DataError) as error:
        engine.generate([ask("방은?")])
    assert str(error.value) == (
        "row 1: found the fields instruction, input, expected noisy: aligned decoding restores, no more;"
        " ask without aligned"
    )


# Each of them makes other answers.
IDENTITIES = [
    "",
    "server.way=completions,template=koalpaca",
    "server.way=completions,template=plain",
    "aligned=syllables,server.grammar=vllm",
    "aligned=airbnb,server.grammar=vllm",
]


def test_what_an_answer_depends_on_is_in_the_identity():
    seen = set()
    with serving(answer("?7-7?")) as server:
        for options in IDENTITIES:
            with opened(server, options) as engine:
                seen.add(engine.identity)
    assert len(seen) == len(IDENTITIES)
