"""
Examples before a question: which are drawn, and how each kind of template writes them.

In: a pool of solved rows. Out: earlier turns for a chat template, blocks of text for a plain one.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.templates import load_template, restoration_instruction
from hanpuri.engines.base import Decoding
from hanpuri.engines.echo import EchoEngine
from hanpuri.engines.settings import parse_engine
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.evaluation.verdict.material import Example
from hanpuri.evaluation.verdict.shots import (
    FewShotEngine,
    draw_shots,
    ending_with_block,
    plain_template,
    with_blocks,
    with_turns,
)

SHOTS = [
    Example({"noisy": "념뭄"}, "너무"),
    Example({"noisy": "잙앙욤"}, "작아요"),
]
ASKED = [
    Example({"instruction": "몇 시에 여나요?", "input": ""}, "아홉 시요."),
    Example({"instruction": "어디인가요?", "input": "부산점"}, "역 앞이요."),
]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60), st.integers(0, 8), st.integers(0, 99))
def test_examples_are_as_many_as_asked_each_from_another_row(lengths, count, seed):
    pool = [Example({"noisy": f"{number}{'가' * length}"}, "나") for number, length in enumerate(lengths)]
    count = min(count, len(pool))
    drawn = draw_shots(pool, count, seed)
    assert len({shot.fields["noisy"] for shot in drawn}) == count
    assert drawn == draw_shots(pool[::-1], count, seed)


def test_examples_are_short_and_long_ones():
    pool = [Example({"noisy": "가" * length}, "나") for length in range(1, 91)]
    lengths = sorted(len(shot.fields["noisy"]) for shot in draw_shots(pool, 3, seed=1))
    assert [(length - 1) // 30 for length in lengths] == [0, 1, 2]


def test_more_examples_than_rows_are_a_wrong_call():
    with pytest.raises(ValueError, match="found 2 rows to draw 3 examples from"):
        draw_shots(SHOTS, 3, seed=0)


def test_pairs_become_turns_each_with_the_instruction():
    turns = with_turns({"noisy": "확잠실읾"}, SHOTS[:1], "1")["messages"]
    asked = f"{restoration_instruction()}\n\n"
    assert turns == [
        {"role": "user", "content": f"{asked}념뭄"},
        {"role": "assistant", "content": "너무"},
        {"role": "user", "content": f"{asked}확잠실읾"},
    ]


def test_a_system_message_stays_before_the_examples_and_theirs_is_left_out():
    system = {"role": "system", "content": "짧게 답하세요."}
    shot = Example({"messages": [{"role": "system", "content": "길게."}, {"role": "user", "content": "하나?"}]}, "둘")
    row = {"messages": [system, {"role": "user", "content": "셋?"}]}
    assert [turn["content"] for turn in with_turns(row, [shot], "1")["messages"]] == [
        "짧게 답하세요.",
        "하나?",
        "둘",
        "셋?",
    ]


def test_without_examples_a_row_is_asked_as_it_is():
    engine = FewShotEngine(EchoEngine(), ())
    assert engine.prompt({"noisy": "념뭄"}, "1") == "념뭄"
    assert [answer.text for answer in engine.generate([{"noisy": "념뭄"}])] == ["념뭄"]


KOALPACA = """### 질문: 몇 시에 여나요?

### 답변: 아홉 시요.

### 질문: 어디인가요?

### 맥락: 부산점

### 답변: 역 앞이요."""
BLOCKS = [("koalpaca", ASKED, KOALPACA), ("plain", SHOTS, "념뭄\n너무\n\n잙앙욤\n작아요")]


@pytest.mark.parametrize(("name", "shots", "text"), BLOCKS)
def test_a_plain_template_writes_examples_as_blocks_of_its_own(name, shots, text):
    settings = with_blocks(parse_engine("transformers:m"), load_template(name), shots)
    assert settings.system == text


def test_a_text_before_every_question_stands_before_the_blocks():
    settings = with_blocks(parse_engine("transformers:m,system=복원하세요."), load_template("plain"), SHOTS[:1])
    assert settings.system == "복원하세요.\n\n념뭄\n너무"


STOPS = [
    ("plain", ("\n\n",)),  # the next block begins with its row
    ("koalpaca", ("\n\n### 질문:",)),
    ("restoration", ("\n\n",)),
]


@pytest.mark.parametrize(("name", "stop"), STOPS)
def test_an_answer_ends_where_the_next_block_would_begin(name, stop):
    assert ending_with_block(Decoding(), load_template(name)).stop == stop


def test_stops_of_the_recipe_are_kept_and_none_stands_twice():
    assert ending_with_block(Decoding(stop=("끝", "\n\n")), load_template("plain")).stop == ("끝", "\n\n")


@pytest.mark.parametrize(("chat", "name"), [(None, "plain"), ("chatml", None)])
def test_which_way_a_model_is_asked_is_told_by_its_template(tiny_model, chat, name):
    settings = parse_engine(f"transformers:{tiny_model(chat)}")
    found = plain_template(settings, TransformersEngine.open(settings))
    assert (found.name if found else None) == name


ASKED_FOR = [
    # what is asked for goes first
    ("transformers:m,template=koalpaca", "koalpaca"),
    ("transformers:m,template=chat", None),
    # a server gets messages, or the text of a template
    ("openai:http://127.0.0.1:1/v1#m", None),
    ("openai:http://127.0.0.1:1/v1#m,server.way=completions,template=plain", "plain"),
]


@pytest.mark.parametrize(("engine", "name"), ASKED_FOR)
def test_a_template_that_is_asked_for_goes_first(engine, name):
    found = plain_template(parse_engine(engine), EchoEngine())
    assert (found.name if found else None) == name


@pytest.mark.parametrize(("chat", "between"), [("chatml", "<|im_start|>"), ("gemma", "<start_of_turn>")])
def test_a_chat_template_writes_examples_as_turns(tiny_model, chat, between):
    engine = TransformersEngine.open(parse_engine(f"transformers:{tiny_model(chat)}"))
    prompt = FewShotEngine(engine, SHOTS).prompt({"noisy": "확잠실읾"}, "1")
    assert prompt.count(between) == 6  # two examples of two turns, the question, and who speaks next
    assert prompt.index("념뭄") < prompt.index("너무") < prompt.index("작아요") < prompt.index("확잠실읾")
