"""Rows as a model is asked them, with answers in their place, of every form."""

import pytest

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.rows import form_of
from hanpuri.data.templates import Segment, load_template
from hanpuri.errors import DataError
from hanpuri.training.answering import answered, answered_row, asked_row
from hanpuri.training.prompting import make_prompting

ASKED = {"role": "user", "content": "몇 시에 열어요?"}
ANSWER, OTHER = ({"role": "assistant", "content": content} for content in ("아홉 시요.", "몰라요."))

# a row as it is asked, or with a right answer; the row with another one
ROWS = [
    ({"noisy": "념뭄"}, {"noisy": "념뭄", "clean": "몰라요."}),
    ({"noisy": "념뭄", "clean": "너무", "level": 3}, {"noisy": "념뭄", "clean": "몰라요.", "level": 3}),
    ({"instruction": "네?", "input": ""}, {"instruction": "네?", "input": "", "output": "몰라요."}),
    ({"messages": [ASKED]}, {"messages": [ASKED, OTHER]}),
    ({"messages": [ASKED, ANSWER]}, {"messages": [ASKED, OTHER]}),
    ({"messages": [ASKED, ANSWER, ASKED]}, {"messages": [ASKED, ANSWER, ASKED, OTHER]}),
    ({"prompt": "네?", "input": ""}, {"prompt": "네?", "input": "", "chosen": "몰라요.", "rejected": ""}),
    ({"text": "바다가"}, {"text": "몰라요."}),
]


@pytest.mark.parametrize(("row", "expected"), ROWS)
def test_an_answer_stands_in_the_place_of_the_right_one(row, expected):
    before = repr(row)
    found = answered_row(row, "몰라요.")
    assert found == expected
    assert form_of(found, "1") == form_of(row, "1", asked=True)
    assert repr(row) == before


def test_a_row_of_no_form_cannot_be_answered():
    with pytest.raises(DataError, match=r"^the row: found the fields question, expected those of one form"):
        answered_row({"question": "네?"}, "네.")


@pytest.mark.parametrize(
    ("name", "form", "row"),
    [
        ("restoration", None, {"noisy": "네?"}),
        ("koalpaca", None, {"instruction": "네?", "input": ""}),
        ("koalpaca", "preference", {"prompt": "네?", "input": ""}),
        ("plain", "text", {"text": "네?"}),
    ],
)
@pytest.mark.parametrize("prompt", ["네?", [{"role": "user", "content": "네?"}]])
def test_one_question_is_asked_alike_as_a_text_and_as_a_message(tokenizer_of, prompt, name, form, row):
    prompting = make_prompting(load_template(name), tokenizer_of("bytes"), form=form)
    assert asked_row(prompt, "", prompting) == row
    assert prompting.prompt(row, "1").text in answered(prompting, row, "그래요", "1").text


def test_running_text_is_answered_by_what_goes_on_with_it(tokenizer_of):
    prompting = make_prompting(load_template("plain"), tokenizer_of("bytes"), form="text")
    rendered = answered(prompting, {"text": "바다가 "}, "푸르다", "1")
    assert rendered.segments == (Segment("바다가 ", False), Segment("푸르다", True))
    silent = answered(prompting, {"text": "바다가 "}, "", "1", may_be_empty=True)
    assert (silent.segments, silent.ends_at_once) == ((Segment("바다가 ", False),), True)


def test_a_system_text_stands_before_what_is_asked_and_gives_way_to_that_of_the_row(tokenizer_of):
    tokenizer = tokenizer_of("bytes", "chatml")
    prompting = make_prompting(ChatTemplate(tokenizer), tokenizer, form="messages").with_system("짧게.")
    row = asked_row([ASKED, ANSWER, ASKED], "", prompting)
    assert prompting.prompt(row, "1").text.startswith("<|im_start|>system\n짧게.<|im_end|>\n")
    own = asked_row([{"role": "system", "content": "길게."}, ASKED], "", prompting)
    assert "짧게" not in prompting.prompt(own, "1").text


def test_a_conversation_is_not_asked_of_a_template_for_noisy_texts(tokenizer_of):
    prompting = make_prompting(load_template("restoration"), tokenizer_of("bytes"))
    with pytest.raises(DataError) as caught:
        asked_row([ASKED, ANSWER, ASKED], "", prompting)
    assert str(caught.value) == (
        "found a conversation, expected a text: the model was trained on single ones; give each prompt as a text"
    )
