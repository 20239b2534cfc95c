"""
The engines that need no language model: echo and the compact restorer, opened as the command line opens them.

In: rows. Out: answers; and one line for what cannot be asked.
"""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.engines.base import Engine, StreamingEngine
from hanpuri.engines.opening import open_engine
from hanpuri.engines.questions import question_of
from hanpuri.engines.restoring import restore, room_for
from hanpuri.engines.settings import parse_engine
from hanpuri.errors import DataError, ModelError

QUESTIONS = [
    ({"noisy": "념뭄", "clean": "너무"}, "념뭄"),
    ({"instruction": "요약해 줘", "input": ""}, "요약해 줘"),
    ({"instruction": "요약해 줘", "input": "긴 글", "output": "글"}, "요약해 줘\n\n긴 글"),
    ({"prompt": "안녕?", "chosen": "네", "rejected": "아니오"}, "안녕?"),
    ({"text": "옛날에"}, "옛날에"),
    # of a conversation, the last question
    (
        {
            "messages": [
                {"role": "user", "content": "하나"},
                {"role": "assistant", "content": "둘"},
                {"role": "user", "content": "셋"},
            ]
        },
        "셋",
    ),
]


@pytest.mark.parametrize(("row", "question"), QUESTIONS)
def test_a_row_of_any_form_has_one_question(row, question):
    assert question_of(row, "row 1") == question
    with open_engine(parse_engine("echo")) as engine:
        assert [answer.text for answer in engine.generate([row])] == [question]


def test_a_row_that_asks_nothing_is_named():
    with pytest.raises(DataError) as error:
        question_of({"output": "네"}, "a.jsonl:3")

    assert str(error.value) == (
        "a.jsonl:3: found the fields output, expected a question; give noisy, instruction, messages, prompt or text"
    )


def test_echo_streams_its_one_piece():
    pieces: list[str] = []
    with open_engine(parse_engine("echo")) as engine:
        assert isinstance(engine, StreamingEngine)
        answer = engine.stream({"noisy": "념뭄"}, pieces.append)

    assert (pieces, answer.text) == (["념뭄"], "념뭄")


def test_the_compact_engine_answers_as_the_restorer_does_with_its_confidence():
    with open_engine(parse_engine("compact:small")) as engine:
        (answer,) = restore(engine, ["확잠실읾 념뭄 잙앙욤"])

    assert answer.text == "화장실이 너무 작아요"
    assert len(answer.confidence) == len(answer.text)
    assert answer.finished


def test_the_compact_engine_refuses_what_it_cannot_answer():
    with open_engine(parse_engine("compact:small")) as engine, pytest.raises(DataError) as error:
        engine.generate([{"instruction": "안녕?"}], names=["a.jsonl:1"])

    assert str(error.value) == (
        "a.jsonl:1: found the fields instruction, expected noisy: the compact model restores, no more;"
        " ask a language model"
    )


def test_aligned_compact_has_another_identity_and_name():
    with (
        open_engine(parse_engine("compact:small")) as free,
        open_engine(parse_engine("compact:small,aligned=airbnb")) as held,
    ):
        assert free.identity != held.identity
        assert held.name == "compact:small,aligned=airbnb"


def test_a_model_that_is_not_there_is_an_error_before_any_row(tmp_path):
    with pytest.raises(ModelError), open_engine(parse_engine(f"compact:{tmp_path / 'nothing'}")):
        pass


@given(texts=st.lists(st.text(st.characters()), max_size=5))
def test_no_text_needs_more_room_than_it_is_given(texts):
    assert room_for(texts) >= max((len(text.encode(errors="surrogatepass")) for text in texts), default=0)


def test_restoring_normalises_what_it_is_given():
    with open_engine(parse_engine("echo")) as engine:
        (answer,) = restore(engine, ["\u1112\u1161\u11ab"])

    assert answer.text == "한"


def test_the_small_engines_load_neither_torch_nor_transformers():
    code = (
        "import sys; from hanpuri.engines.opening import open_engine;"
        "from hanpuri.engines.settings import parse_engine\n"
        "with open_engine(parse_engine('compact:small')) as engine: engine.generate([{'noisy': '념뭄'}])\n"
        "print(sorted({'torch', 'transformers', 'openai', 'sacrebleu'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def keeps_the_contract(engine: Engine) -> bool:
    """For mypy, too: what is opened is an Engine."""
    return bool(engine.name and engine.identity)


@pytest.mark.parametrize("spec", ["echo", "compact:small"])
def test_an_engine_has_a_name_and_an_identity(spec):
    with open_engine(parse_engine(spec)) as engine:
        assert keeps_the_contract(engine)
