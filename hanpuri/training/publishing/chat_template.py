"""
A prompt template of ours as the chat template of a tokenizer, so that other tools ask in the very same words.

In: `koalpaca`, and what the run's rows are. Out: a jinja template of one question, or why there is none:

    [{"role": "user", "content": "한강은 어디로 흐르나요?"}]  ─►  "### 질문: 한강은 어디로 흐르나요?\\n\\n### 답변:"

Of a conversation the last question alone is asked, as `hanpuri chat` does: the model has seen no other. A chat template
counts only if its tokens are those of `Template.prompt`, which is tried with a few questions before it is saved.
"""

import json
from dataclasses import dataclass

from hanpuri.data.examples import prompt_ids
from hanpuri.data.recipe import Form
from hanpuri.data.templates import Fields, Template, parse_placeholders, restoration_instruction
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError

ASKED_AS: dict[Form, str] = {
    "pairs": "noisy",
    "instruction": "instruction",
    "messages": "instruction",
    "preference": "prompt",
}
"""Which field of a row the user's message is."""
QUESTIONS = (
    "하늘은 왜 파란가요?",
    " 앞뒤에 칸이 있는 말 ",
    '첫째 줄\n\n둘째 줄: A/S는 3층 "고객 센터"에서 {무료} {{ 접수 }}',
    "\n",
    "쨮뭄 😀 뷁",
)

# Some tokenizers put a space before a text that has none, but not behind a bos token: there it is written out.
BEGINNINGS = {False: ("''",), True: ("bos_token", "bos_token + ('' if text.startswith(' ') else ' ')")}


@dataclass(frozen=True)
class ChatForm:
    """A chat template, or the reason why the prompt template cannot be written as one."""

    template: str | None
    reason: str = ""


def make_chat_template(template: Template, form: Form, tokenizer: Tokenizer) -> ChatForm:
    """
    Write a prompt template as the chat template of a tokenizer.

    Args:
        template: what the model was trained with.
        form: what the rows were: it decides which prompt is asked, and what the user's message is in it.
        tokenizer: the one that will bring the chat template; what it makes of the text decides.
    """
    if form == "text":
        return ChatForm(None, "the model was trained on running text and answers no questions")
    try:
        template.prompt(_row(QUESTIONS[0], form), "a question")
    except DataError as error:
        return ChatForm(None, error.message)
    for beginning in BEGINNINGS[tokenizer.starts_with_bos]:
        written = _write(template, form, beginning)
        if all(_asks_the_same(written, template, form, tokenizer, question) for question in QUESTIONS):
            return ChatForm(written)
    return ChatForm(None, f"as a chat, {tokenizer.name} makes other tokens of the prompt than it was trained with")


def ask_as_chat(tokenizer: Tokenizer, chat_template: str, question: str) -> list[int]:
    """Give the tokens that tools which know nothing of us make of a question."""
    asked = [{"role": "user", "content": question}]
    text = tokenizer.fast.apply_chat_template(
        asked, chat_template=chat_template, tokenize=False, add_generation_prompt=True
    )
    ids: list[int] = tokenizer.fast(text, add_special_tokens=False).input_ids
    return ids


def _asks_the_same(written: str, template: Template, form: Form, tokenizer: Tokenizer, question: str) -> bool:
    ours = prompt_ids(template.prompt(_row(question, form), "a question"), tokenizer)
    return ask_as_chat(tokenizer, written, question) == ours


def _row(question: str, form: Form) -> Fields:
    if form == "messages":
        return {"messages": [{"role": "user", "content": question}]}
    return {ASKED_AS[form]: question}


def _write(template: Template, form: Form, beginning: str) -> str:
    """
    Write the template; `beginning` may look at the prompt's `text`.

    All text stands in strings: outside them jinja takes line ends away.
    """
    prompt = _expression(_prompt(template, form), _values(template, form))
    answer = _expression(template.response + _escaped(template.stop), {"output": "message['content']"})
    system = json.dumps(template.system, ensure_ascii=False)
    return (
        f"{{%- set said = namespace(system={system}, question='', answer=none) -%}}"
        "{%- for message in messages -%}"
        "{%- if message['role'] == 'system' -%}{%- set said.system = message['content'] -%}"
        "{%- elif message['role'] == 'user' -%}"
        "{%- set said.question = message['content'] -%}{%- set said.answer = none -%}"
        f"{{%- elif message['role'] == 'assistant' -%}}{{%- set said.answer = {answer} + eos_token -%}}"
        "{%- endif -%}{%- endfor -%}"
        f"{{%- set text = (said.system + '\\n\\n' if said.system else '') + {prompt} -%}}"
        f"{{{{ {beginning} + text }}}}"
        "{%- if said.answer is not none -%}{{ said.answer }}{%- endif -%}"
    )


def _prompt(template: Template, form: Form) -> str:
    """Choose the prompt that a row of this form has; a question alone has no input."""
    if form == "pairs":
        return (template.prompt_pairs if template.prompt_pairs is not None else template.prompt_input) or ""
    return template.prompt_no_input or ""


def _values(template: Template, form: Form) -> dict[str, str]:
    """Say what stands in the place of each placeholder, as jinja."""
    question = "said.question"
    if form != "pairs":
        return {"instruction": question, "prompt": question, "input": "''"}
    instruction = json.dumps(template.instruction or restoration_instruction(), ensure_ascii=False)
    return {"instruction": instruction, "noisy": question, "input": question}


def _expression(text: str, values: dict[str, str]) -> str:
    parts = []
    for literal, name in parse_placeholders(text):
        parts += [json.dumps(literal, ensure_ascii=False)] * bool(literal) + ([values[name]] if name else [])
    return " + ".join(parts) or "''"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
