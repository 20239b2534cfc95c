"""
The template `chat`, with chat templates of the known kinds.

In: rows and a tokenizer with a chat template. Out: the conversation with its trained stretches, or one line that names
the row.
"""

from dataclasses import replace

import pytest

from hanpuri.data.chats import choose_template
from hanpuri.data.templates import Segment, restoration_instruction
from hanpuri.errors import DataError, ModelError, RecipeError

TALK = [
    {"role": "user", "content": "안녕"},
    {"role": "assistant", "content": "네."},
    {"role": "user", "content": "몇 살?"},
    {"role": "assistant", "content": "한 살."},
]


def marked(template, row) -> str:
    """A rendered row with its trained stretches in brackets."""
    segments = template.render(row, "row-1").segments
    return "".join(f"[{segment.text}]" if segment.trained else segment.text for segment in segments)


def refused(template, row) -> str:
    """What a person is told about a row that the template refuses."""
    with pytest.raises(DataError) as caught:
        template.render(row, "row-1")
    return str(caught.value)


@pytest.mark.parametrize(
    ("chat", "train_on", "expected"),
    [
        (
            "chatml",
            "all",
            "<|im_start|>user\n안녕<|im_end|>\n<|im_start|>assistant\n[네.<|im_end|>]\n"
            "<|im_start|>user\n몇 살?<|im_end|>\n<|im_start|>assistant\n[한 살.<|im_end|>]",
        ),
        (
            "chatml",
            "last",
            "<|im_start|>user\n안녕<|im_end|>\n<|im_start|>assistant\n네.<|im_end|>\n"
            "<|im_start|>user\n몇 살?<|im_end|>\n<|im_start|>assistant\n[한 살.<|im_end|>]",
        ),
        (
            "llama",
            "all",
            "<s><|start_header_id|>user<|end_header_id|>\n\n안녕<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n[네.<|eot_id|>]"
            "<|start_header_id|>user<|end_header_id|>\n\n몇 살?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n[한 살.<|eot_id|>]",
        ),
        (
            "gemma",
            "last",
            "<s><start_of_turn>user\n안녕<end_of_turn>\n<start_of_turn>model\n네.<end_of_turn>\n"
            "<start_of_turn>user\n몇 살?<end_of_turn>\n<start_of_turn>model\n[한 살.<end_of_turn>]",
        ),
        (
            # what the template puts before the last answer is written by the model too
            "qwen3",
            "last",
            "<|im_start|>user\n안녕<|im_end|>\n<|im_start|>assistant\n네.<|im_end|>\n"
            "<|im_start|>user\n몇 살?<|im_end|>\n<|im_start|>assistant\n[<think>\n\n</think>\n\n한 살.<|im_end|>]",
        ),
    ],
)
def test_answers_are_trained_up_to_the_end_of_their_turn(tokenizer_of, chat, train_on, expected):
    template = choose_template("chat", tokenizer_of("bytes", chat), train_on)
    assert marked(template, {"messages": TALK}) == expected
    prompt, _, _ = expected.rpartition("[")
    asked = template.prompt({"messages": TALK[:-1]}, "row-1")
    assert asked.text == prompt.replace("[", "").replace("]", "")
    assert template.prompt({"messages": TALK}, "row-1") == asked


def test_marks_of_generation_change_nothing(tokenizer_of):
    with_marks, without = (choose_template("chat", tokenizer_of("bytes", chat)) for chat in ("generation", "chatml"))
    assert with_marks.render({"messages": TALK}, "1") == without.render({"messages": TALK}, "1")


def test_pairs_ask_for_restoration(tokenizer_of):
    template = choose_template("chat", tokenizer_of("bytes", "chatml"))
    expected = (
        f"<|im_start|>user\n{restoration_instruction()}\n\n쨘뜩<|im_end|>\n<|im_start|>assistant\n[잔뜩<|im_end|>]"
    )
    assert marked(template, {"noisy": "쨘뜩", "clean": "잔뜩"}) == expected
    assert template.prompt({"noisy": "쨘뜩"}, "1").text == expected.partition("[")[0]


@pytest.mark.parametrize(
    ("row", "question", "answer"),
    [
        ({"instruction": "줄여 줘.", "input": "긴 글", "output": "글"}, "줄여 줘.\n\n긴 글", "글"),
        ({"instruction": "안녕", "input": "", "output": "네."}, "안녕", "네."),
        ({"prompt": "안녕", "chosen": "네.", "rejected": "왜."}, "안녕", "네."),
    ],
)
def test_other_rows_are_one_question_and_its_answer(tokenizer_of, row, question, answer):
    rendered = choose_template("chat", tokenizer_of("bytes", "chatml")).render(row, "1")
    assert rendered.segments == (
        Segment(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n", False),
        Segment(f"{answer}<|im_end|>", True),
    )
    assert rendered.is_chat
    assert rendered.row_texts == (question, answer)


def test_a_preference_about_a_conversation_is_written_whole_and_its_chosen_answer_trained(tokenizer_of):
    template = choose_template("chat", tokenizer_of("bytes", "chatml"), "last")
    row = {"prompt": TALK[:3], "input": "", "chosen": "한 살.", "rejected": "몰라."}
    assert marked(template, row) == marked(template, {"messages": TALK})
    assert template.prompt({"prompt": TALK[:3]}, "1") == template.prompt({"messages": TALK[:3]}, "1")
    with_system = replace(template, system="짧게.")
    assert with_system.prompt(row, "1").text.startswith("<|im_start|>system\n짧게.<|im_end|>\n")


def test_a_system_message_is_handed_to_the_chat_template(tokenizer_of):
    row = {"messages": [{"role": "system", "content": "짧게."}, *TALK[:2]]}
    text = choose_template("chat", tokenizer_of("bytes", "chatml")).render(row, "1").text
    assert text.startswith("<|im_start|>system\n짧게.<|im_end|>\n<|im_start|>user\n")


def test_a_chat_template_that_knows_no_system_says_so(tokenizer_of):
    row = {"messages": [{"role": "system", "content": "짧게."}, *TALK[:2]]}
    assert refused(choose_template("chat", tokenizer_of("bytes", "gemma")), row) == (
        "row-1: the chat template of tiny-bytes refuses system, user (System role not supported); "
        "give it the roles that it knows, in its order"
    )


def test_a_chat_template_that_writes_earlier_turns_otherwise_is_for_the_last_turn(tokenizer_of):
    template = choose_template("chat", tokenizer_of("bytes", "qwen3"))
    assert refused(template, {"messages": TALK}) == (
        "row-1: the chat template writes an earlier turn otherwise once another follows, expected one text; "
        "train on the last turn alone: train_on: last"
    )
    assert marked(template, {"messages": TALK[:2]}).endswith("[<think>\n\n</think>\n\n네.<|im_end|>]")


def test_a_chat_template_that_asks_otherwise_than_it_answers_is_named(tokenizer_of):
    assert refused(choose_template("chat", tokenizer_of("bytes", "thinking")), {"messages": TALK}) == (
        "row-1: the chat template ends what it asks in '|>assistant\\n<think>\\n', and begins the answer otherwise; "
        "take a chat template that writes an answer behind the words that ask for it"
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"messages": TALK[:3]},
            "row-1: found a last message of user, expected one of assistant; leave the row out",
        ),
        ({"messages": []}, "row-1: found a last message of nobody, expected one of assistant; leave the row out"),
        ({"text": "물"}, "row-1: found a row with a text alone, expected a question and its answer; take plain"),
    ],
)
def test_a_row_without_an_answer_is_named(tokenizer_of, row, message):
    assert refused(choose_template("chat", tokenizer_of("bytes", "chatml")), row) == message


def test_an_empty_answer_is_not_trained(tokenizer_of):
    row = {"messages": [TALK[0], {"role": "assistant", "content": " "}]}
    assert "[" not in marked(choose_template("chat", tokenizer_of("bytes", "chatml")), row)


def test_chat_needs_a_tokenizer_that_has_a_chat_template(tokenizer_of):
    with pytest.raises(RecipeError, match=r"^the template chat is a tokenizer's own, and no tokenizer is given; "):
        choose_template("chat")
    with pytest.raises(ModelError, match=r"^the tokenizer tiny-bytes has no chat template, expected one; "):
        choose_template("chat", tokenizer_of("bytes"))
