"""Our prompt templates as chat templates: the same tokens in both, or none is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.examples import prompt_ids
from hanpuri.data.templates import Template, load_template
from hanpuri.training.publishing.chat_template import ask_as_chat, make_chat_template

# What the rows of a template are, and the field that is asked.
ASKED = [
    ("alpaca-en", "instruction", "instruction"),
    ("alpaca-ko", "instruction", "instruction"),
    ("koalpaca", "instruction", "instruction"),
    ("plain", "instruction", "instruction"),
    # pairs with the templates that have no prompt of their own for them: the instruction is that of `restoration`
    ("alpaca-en", "pairs", "noisy"),
    ("alpaca-ko", "pairs", "noisy"),
    ("koalpaca", "pairs", "noisy"),
    ("plain", "pairs", "noisy"),
    ("restoration", "pairs", "noisy"),
    ("restoration-en", "pairs", "noisy"),
    ("koalpaca", "preference", "prompt"),
]
TEXTS = ("비행기는 어떻게 나나요?", " 칸이 앞에", "{{ 중괄호 }} '따옴표' \"둘\" \\n", "줄\n\n줄\n", "ᄀᆞ 😀 Ünïcode", "")


@pytest.mark.parametrize("kind", ["bytes", "unigram", "legacy", "characters"])
@pytest.mark.parametrize(("name", "form", "field"), ASKED)
def test_a_chat_asks_in_the_same_tokens_as_training(tokenizer_of, kind, name, form, field):
    tokenizer, template = tokenizer_of(kind), load_template(name)
    made = make_chat_template(template, form, tokenizer)
    assert made.template is not None, made.reason
    for text in TEXTS:
        ours = prompt_ids(template.prompt({field: text}, "1"), tokenizer)
        assert ask_as_chat(tokenizer, made.template, text) == ours


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_asked_as_it_stands(tokenizer_of, text):
    tokenizer, template = tokenizer_of("bytes"), load_template("koalpaca")
    made = make_chat_template(template, "instruction", tokenizer)
    assert ask_as_chat(tokenizer, made.template, text) == prompt_ids(
        template.prompt({"instruction": text}, "1"), tokenizer
    )


def written(tokenizer, template, messages, form="instruction", **options):
    made = make_chat_template(template, form, tokenizer).template
    return tokenizer.fast.apply_chat_template(messages, chat_template=made, tokenize=False, **options)


def test_a_system_message_stands_before_the_prompt(tokenizer_of):
    messages = [{"role": "system", "content": "짧게"}, {"role": "user", "content": "누구?"}]
    template = load_template("koalpaca")
    expected = template.prompt({"messages": messages}, "1").text
    assert written(tokenizer_of("bytes"), template, messages) == expected == "짧게\n\n### 질문: 누구?\n\n### 답변:"


def test_the_template_s_own_system_text_is_kept(tokenizer_of):
    template = Template(name="mine", prompt_no_input="Q: {instruction}\nA:", system="친절한 {비서}")
    asked = [{"role": "user", "content": "누구?"}]
    assert written(tokenizer_of("bytes"), template, asked) == template.prompt({"instruction": "누구?"}, "1").text


def test_an_answer_is_written_with_its_stop_and_the_eos_token(tokenizer_of):
    template = Template(name="mine", prompt_no_input="Q: {instruction}\nA:", response=" {output}", stop="\n{끝}")
    asked = [{"role": "user", "content": "누구?"}, {"role": "assistant", "content": "저요"}]
    row = {"instruction": "누구?", "input": "", "output": "저요"}
    assert written(tokenizer_of("bytes"), template, asked) == template.render(row, "1").text + "</s>"


def test_of_a_conversation_the_last_question_alone_is_asked(tokenizer_of):
    turns = [("user", "하나?"), ("assistant", "예"), ("user", "둘?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    text = written(tokenizer_of("bytes"), load_template("koalpaca"), messages, add_generation_prompt=True)
    assert text == "### 질문: 둘?\n\n### 답변:"


@pytest.mark.parametrize(
    ("template", "form", "reason"),
    [
        (load_template("plain"), "text", "the model was trained on running text and answers no questions"),
        # a template without a prompt for a question alone
        (
            Template(name="with-input", prompt_input="{instruction} {input}"),
            "instruction",
            "a question: found a row with no input, the template with-input has no prompt_no_input",
        ),
    ],
)
def test_what_answers_no_question_gets_no_chat_template(tokenizer_of, template, form, reason):
    made = make_chat_template(template, form, tokenizer_of("bytes"))
    assert (made.template, made.reason) == (None, reason)


def test_where_the_tokens_would_differ_there_is_none(tokenizer_of):
    # This prompt begins with a space, which the tokenizer's own first space and bos swallow otherwise in a chat.
    tokenizer = tokenizer_of("stripping")
    template = Template(name="spaced", prompt_no_input="<s>{instruction}")
    made = make_chat_template(template, "instruction", tokenizer)
    assert made.template is None or ask_as_chat(tokenizer, made.template, "가") == prompt_ids(
        template.prompt({"instruction": "가"}, "1"), tokenizer
    )
