"""
Template files: those shipped, those of others, and broken ones.

In: files and rows. Out: the text that a model reads, or one line that names the file or the row.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanpuri.data.templates import PROMPTS, SHIPPED, Rendered, Segment, load_template, restoration_instruction
from hanpuri.errors import DataError, RecipeError

QUESTION = {"instruction": "바다는 왜 짠가요?", "input": "", "output": "소금이 녹아 있어서요."}
TASK = {"instruction": "다음 글을 줄이세요.", "input": "비가 오래 내렸다.", "output": "긴 비."}
PAIR = {"noisy": "쨘뜩 쨔증", "clean": "잔뜩 짜증"}
SYSTEM = {"role": "system", "content": "짧게 답해."}
PREFERENCE = {"prompt": "인사해 줘.", "chosen": "안녕하세요!", "rejected": "싫어."}
TALK = [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "네."}]
texts = st.text(st.sampled_from("가나 {}%$\\\ninputostrc_!:0[].")) | st.text()


def write(folder, name: str, template) -> str:
    path = folder / name
    path.write_text(template if isinstance(template, str) else json.dumps(template), encoding="utf-8")
    return str(path)


def told(name) -> str:
    """What a person is told about a template that cannot be loaded."""
    with pytest.raises(RecipeError) as caught:
        load_template(name)
    return str(caught.value)


def refused(name, row, id="row-1") -> str:
    """What a person is told about a row that does not fit a template."""
    with pytest.raises(DataError) as caught:
        load_template(name).render(row, id)
    return str(caught.value)


def parts(name, row) -> list[str]:
    """The prompt and the response of a row."""
    return [segment.text for segment in load_template(name).render(row, "row-1").segments]


# --- what is shipped


def test_these_are_shipped():
    names = sorted(path.stem for path in SHIPPED.iterdir())
    assert names == ["alpaca-en", "alpaca-ko", "koalpaca", "plain", "restoration", "restoration-en"]


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.yaml")))
def test_a_shipped_prompt_ends_on_a_line_end_or_a_colon(name):
    template = load_template(name)
    prompts = [getattr(template, key) for key in PROMPTS]
    assert all(prompt[-1] in "\n:" for prompt in prompts if prompt)
    assert template.notes == ()
    assert template.description
    assert template.response_split in "".join(prompt or "" for prompt in prompts)


@pytest.mark.parametrize(
    ("name", "row", "prompt", "response"),
    [
        ("koalpaca", QUESTION, "### 질문: 바다는 왜 짠가요?\n\n### 답변:", " 소금이 녹아 있어서요."),
        ("koalpaca", TASK, "### 질문: 다음 글을 줄이세요.\n\n### 맥락: 비가 오래 내렸다.\n\n### 답변:", " 긴 비."),
        ("plain", QUESTION, "바다는 왜 짠가요?\n", "소금이 녹아 있어서요."),
        ("plain", TASK, "다음 글을 줄이세요.\n비가 오래 내렸다.\n", "긴 비."),
        ("plain", PAIR, "쨘뜩 쨔증\n", "잔뜩 짜증"),
        ("plain", PREFERENCE, "인사해 줘.\n", "안녕하세요!"),
        # what is asked may have an input, or be one message, also behind a system message
        ("plain", {**PREFERENCE, "input": "바다"}, "인사해 줘.\n바다\n", "안녕하세요!"),
        ("plain", {**PREFERENCE, "prompt": TALK[:1]}, "안녕\n", "안녕하세요!"),
        ("plain", {**PREFERENCE, "prompt": [SYSTEM, TALK[0]]}, "짧게 답해.\n\n안녕\n", "안녕하세요!"),
        ("plain", {"messages": TALK}, "안녕\n", "네."),
        # a row's system message stands before the prompt
        ("plain", {"messages": [SYSTEM, *TALK]}, "짧게 답해.\n\n안녕\n", "네."),
        # a row may have more than the fields of its form, and its input may be missing or null
        ("plain", {"id": "1", "instruction": "안녕", "output": "네."}, "안녕\n", "네."),
        ("plain", {"instruction": "안녕", "input": None, "output": "네."}, "안녕\n", "네."),
    ],
)
def test_a_row_is_written_as_prompt_and_response(name, row, prompt, response):
    rendered = load_template(name).render(row, "row-1")
    assert (rendered.id, rendered.segments) == ("row-1", (Segment(prompt, False), Segment(response, True)))
    assert load_template(name).prompt(row, "row-1").text == prompt


def test_alpaca_has_its_headings_with_and_without_input():
    prompt, response = parts("alpaca-en", TASK)
    assert prompt.startswith("Below is an instruction that describes a task, paired with an input")
    assert prompt.endswith("### Instruction:\n다음 글을 줄이세요.\n\n### Input:\n비가 오래 내렸다.\n\n### Response:\n")
    assert response == "긴 비."
    assert "### Input:" not in parts("alpaca-en", QUESTION)[0]
    assert parts("alpaca-ko", TASK)[0].endswith("### 입력:\n비가 오래 내렸다.\n\n### 응답:")
    assert parts("alpaca-ko", QUESTION)[0].endswith("### 명령어:\n바다는 왜 짠가요?\n\n### 응답:")


@pytest.mark.parametrize("name", ["restoration", "restoration-en"])
def test_restoration_asks_with_its_instruction(name):
    prompt, response = parts(name, PAIR)
    assert prompt.startswith(load_template(name).instruction + "\n\n")
    assert "\n쨘뜩 쨔증\n" in prompt
    assert response == "잔뜩 짜증"


def test_pairs_bring_the_instruction_of_restoration_to_a_template_that_has_none():
    prompt, response = parts("alpaca-ko", PAIR)
    assert f"### 명령어:\n{restoration_instruction()}\n\n### 입력:\n쨘뜩 쨔증\n" in prompt
    assert response == "잔뜩 짜증"


def test_a_text_alone_is_all_response():
    assert load_template("plain").render({"text": "물이 맑다."}, "1") == Rendered(
        "1", (Segment("물이 맑다.", True),), ("물이 맑다.",)
    )


@pytest.mark.parametrize("output", ["", " \n"])
def test_an_empty_answer_is_no_response_even_where_the_template_puts_a_space(output):
    assert parts("koalpaca", {**QUESTION, "output": output}) == ["### 질문: 바다는 왜 짠가요?\n\n### 답변:"]


# --- any text


@given(instruction=texts, context=texts, output=texts.filter(str.strip))
def test_no_text_of_a_row_is_ever_interpreted(instruction, context, output):
    prompt, response = parts("koalpaca", {"instruction": instruction, "input": context, "output": output})
    middle = f"\n\n### 맥락: {context}" if context else ""
    assert (prompt, response) == (f"### 질문: {instruction}{middle}\n\n### 답변:", f" {output}")


@given(noisy=texts, clean=texts.filter(str.strip))
def test_what_is_asked_later_is_what_stood_before_the_response(noisy, clean):
    template = load_template("restoration")
    asked = template.prompt({"noisy": noisy}, "1").text
    assert template.render({"noisy": noisy, "clean": clean}, "1").text == asked + clean


# --- files of others


def test_an_alpaca_style_json_file_loads_as_it_is(tmp_path):
    file = {
        "description": "A short one.",
        "prompt_input": "### Task:\n{instruction}\n\n### Given:\n{input}\n\n### Answer:\n",
        "prompt_no_input": "### Task:\n{instruction}\n\n### Answer:\n",
        "response_split": "### Answer:",
    }
    template = load_template(write(tmp_path, "short.json", file))
    assert (template.name, template.description, template.response_split) == ("short", "A short one.", "### Answer:")
    assert template.fields == ("instruction", "input", "output")
    assert template.render(TASK, "1").text == (
        "### Task:\n다음 글을 줄이세요.\n\n### Given:\n비가 오래 내렸다.\n\n### Answer:\n긴 비."
    )


def test_our_own_fields_may_be_added(tmp_path):
    path = write(
        tmp_path,
        "mine.yaml",
        'prompt_no_input: "{{{instruction}}}\\n"\nresponse: "<{output}>"\nstop: "\\n###"\nsystem: 짧게.\n',
    )
    rendered = load_template(path).render(QUESTION, "1")
    assert rendered.segments == (
        Segment("짧게.\n\n{바다는 왜 짠가요?}\n", False),
        Segment("<소금이 녹아 있어서요.>", True),
        Segment("\n###", True),
    )


def test_a_system_message_of_a_row_takes_the_place_of_the_templates(tmp_path):
    path = write(tmp_path, "mine.yaml", 'prompt_no_input: "{instruction}\\n"\nsystem: 짧게.\n')
    messages = [{"role": "system", "content": "길게."}, *TALK]
    assert parts(path, {"messages": messages}) == ["길게.\n\n안녕\n", "네."]


def test_a_prompt_that_ends_in_a_space_is_noted(tmp_path):
    path = write(tmp_path, "mine.yaml", 'prompt_no_input: "질문: {instruction} 답변: "\n')
    assert load_template(path).notes == (
        "prompt_no_input ends in a space, which many tokenizers join with the next word: begin the response with it "
        "instead",
    )


# --- what cannot be loaded


def test_a_template_that_is_not_there_is_named_with_the_nearest():
    names = "there are alpaca-en, alpaca-ko, koalpaca, plain, restoration-en, restoration, chat"
    assert told("koalpacca") == f"no template is called 'koalpacca'; {names}; did you mean koalpaca?"
    assert told("xyz") == f"no template is called 'xyz'; {names}; give one of these, or a .yaml or .json file"
    assert told("mine.yaml") == "mine.yaml cannot be read: No such file or directory; give the path of a template file"


def test_chat_needs_a_tokenizer():
    assert told("chat") == "the template chat is a tokenizer's own, and no tokenizer is given; name a tokenizer too"


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        (
            "a.yaml",
            {"prompt_input": "{instuction}\n{inptu}\n"},
            "prompt_input: found no placeholder {instuction}, did you mean {instruction}?; "
            "prompt_input: found no placeholder {inptu}, did you mean {input}?; mend these fields",
        ),
        (
            "a.json",
            {"prompt_no_input": "{instruction} {output}", "response": "{x}"},
            "prompt_no_input: found {output}, which is the answer, expected it in `response`; "
            "response: found no placeholder {x}, there are instruction, input, noisy, prompt, output, clean, chosen, "
            "text; mend these fields",
        ),
        (
            "a.json",
            {"prompt_input": "{", "prompt_no_input": "{instruction!r}"},
            "prompt_input: found a single brace, expected two around a name, and {{ for a brace that stays; "
            "prompt_no_input: found {instruction}, expected a plain name in braces, and {{ for a brace that stays; "
            "mend these fields",
        ),
        (
            "a.json",
            {"prompt_inputs": "{input}", "response": 5},
            "response: Input should be a valid string (found 5); "
            "prompt_inputs: no such field, did you mean prompt_input?; mend these fields",
        ),
        (
            "a.yaml",
            {"description": "nothing else"},
            "found no prompt, expected one of prompt_input, prompt_no_input, prompt_pairs, prompt_text; "
            "mend these fields",
        ),
    ],
)
def test_all_faults_of_a_file_are_told_at_once(tmp_path, name, file, message):
    path = write(tmp_path, name, file)
    assert told(path) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "{}: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1); "),
        ("a.yaml", "a: [", "{}: not YAML: expected the node content, but found '<stream end>'; "),
        ("a.yaml", "- a\n", "{} holds list, expected keys and values; "),
        ("a.yaml", "", "{} holds NoneType, expected keys and values; "),
    ],
)
def test_a_file_that_is_no_template_is_named(tmp_path, name, text, message):
    path = write(tmp_path, name, text)
    assert told(path).startswith(message.replace("{}", path, 1))


# --- rows that do not fit


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        (
            "alpaca-ko",
            {"text": "물이 맑다."},
            "row-1: found a row with a text alone, the template alpaca-ko has no prompt_text; "
            "give it one, or take another template: hanpuri templates",
        ),
        (
            "restoration",
            QUESTION,
            "row-1: found a row with no input, the template restoration has no prompt_no_input; "
            "give it one, or take another template: hanpuri templates",
        ),
        (
            "plain",
            {"question": "안녕", "answer": "네."},
            "row-1: found the fields question, answer, expected those of one form: text; noisy, clean; "
            "instruction, input, output; messages; prompt, input, chosen, rejected; rename the fields",
        ),
        (
            "koalpaca",
            {"messages": [*TALK, *TALK]},
            "row-1: found messages of user, assistant, user, assistant, expected one of a user and its answer; "
            "take the template chat, which writes whole conversations",
        ),
        (
            "koalpaca",
            {**PREFERENCE, "prompt": [*TALK, TALK[0]]},
            "row-1: found messages of user, assistant, user, assistant, expected one of a user and its answer; "
            "take the template chat, which writes whole conversations",
        ),
        (
            "koalpaca",
            {"messages": []},
            "row-1: found messages of nobody, expected one of a user and its answer; "
            "take the template chat, which writes whole conversations",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_named(name, row, message):
    assert refused(name, row) == message


def test_a_template_that_names_a_field_the_row_lacks_is_named_with_the_row(tmp_path):
    path = write(tmp_path, "mine.yaml", 'prompt_input: "{noisy}\\n"\nprompt_no_input: "{noisy}\\n"\n')
    assert refused(path, QUESTION, "faq.jsonl:3") == (
        "faq.jsonl:3: the template mine names {noisy} in prompt_no_input, the row has output, instruction, input; "
        "take it out of the template, or give the row this field"
    )
