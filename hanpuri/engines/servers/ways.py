"""
In what words a server is asked: as messages, which its own template renders, or as the prompt that ours makes.

In: {"noisy": "념뭄"}. Out: the part of a request that says what is asked; prompts in their very tokens where the
tokenizer is known, so that a model is asked as it was trained:

    Messages    ─►   {"messages": [{"role": "user", "content": "다음 문장은 …\\n\\n념뭄"}]}
    Prompts     ─►   {"prompt": [13, 13, 13, 366, 665, …]}
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.chats import choose_template
from hanpuri.data.rows import form_of, row_of
from hanpuri.data.templates import (
    CHAT,
    Fields,
    Template,
    load_template,
    parse_placeholders,
    restoration_instruction,
)
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.engines.settings import EngineSettings
from hanpuri.errors import RecipeError
from hanpuri.training.generation import checked_ids
from hanpuri.training.prompting import Prompting, hash_template, load_prompting, make_prompting

Body = dict[str, Any]


@dataclass
class Messages:
    """Rows become messages."""

    system: str = ""
    template: Template | None = None
    """Write the question with it, and not as it is."""
    path: str = "/chat/completions"
    prompting: Prompting | None = None
    tokenizer: Tokenizer | None = None

    def body(self, row: Fields, name: str) -> Body:
        """
        Write what is asked.

            >>> asked = Messages(system="짧게.").body({"instruction": "한강은 어디로 흐르나요?", "input": ""}, "row 1")
            >>> asked["messages"]
            [{'role': 'system', 'content': '짧게.'}, {'role': 'user', 'content': '한강은 어디로 흐르나요?'}]

        Raises:
            DataError: if the row has no question.
        """
        if self.template is not None:
            messages = [{"role": "user", "content": self.template.prompt(row, name).text}]
        else:
            messages = messages_of(row, name)
        return {"messages": with_system(messages, self.system)}

    def text(self, row: Fields, name: str) -> str:
        """
        Write the same as one text.

        Raises:
            DataError: as `body`.
        """
        return json.dumps(self.body(row, name)["messages"], ensure_ascii=False)


@dataclass
class Prompts:
    """Rows become prompts of our template."""

    prompting: Prompting
    tokenizer: Tokenizer | None = None
    """Prompts are sent as its tokens, if there is one."""
    path: str = "/completions"

    def body(self, row: Fields, name: str) -> Body:
        """
        Write what is asked.

        Raises:
            DataError: if the row does not fit the template, or spells out a special token.
        """
        rendered = self.prompting.prompt(row, name)
        if self.tokenizer is None:
            return {"prompt": rendered.text}
        return {"prompt": checked_ids(rendered, self.tokenizer, None)}

    def text(self, row: Fields, name: str) -> str:
        """
        Write the prompt.

        Raises:
            DataError: if the row does not fit the template.
        """
        return self.prompting.prompt(row, name).text


Way = Messages | Prompts


def messages_of(row: Fields, name: str) -> list[dict[str, str]]:
    """
    Write a row as messages, up to where the assistant speaks.

    Args:
        row: of any form; messages stay as they are.
        name: how errors name it.

    Raises:
        DataError: if the row has no question.
    """
    form = form_of(row, name, asked=True)
    if form == "messages":
        messages = [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in row["messages"]]
        return messages[:-1] if messages and messages[-1]["role"] == "assistant" else messages
    fields = row_of(row, name, restoration_instruction(), asked=True)
    parts = [fields["text"]] if form == "text" else [fields["instruction"], fields.get("input", "")]
    return [{"role": "user", "content": "\n\n".join(part for part in parts if part)}]


def with_system(messages: list[dict[str, str]], system: str) -> list[dict[str, str]]:
    """Put a system message before messages that have none."""
    if not system or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def choose_way(settings: EngineSettings) -> Way:
    """
    Say in what words a server is asked.

    Raises:
        ModelError: if the tokenizer's folder is none.
        RecipeError: if there is no such template, or none at all where one is needed.
    """
    server, template = settings.server, settings.template
    if server.way == "chat":
        return Messages(settings.system, load_template(template) if template not in (None, CHAT) else None)
    if server.tokenizer is not None:
        return prompts_of(Path(server.tokenizer), template, settings.system)
    if template is None or template == CHAT:
        found = "server.way is completions, which needs a template of ours"
        raise RecipeError(found, "add template=NAME, or server.tokenizer=FOLDER, the folder of the model")
    return Prompts(_without_tokenizer(load_template(template)).with_system(settings.system))


def prompts_of(folder: Path, template: str | None, system: str) -> Prompts:
    """
    Ask in the very tokens of the training, as a model's folder says.

    Raises:
        DataError: if it gets a system text, and was trained on rows that cannot have one.
        ModelError: if there is no tokenizer.
        RecipeError: if there is no such template, or what the folder says of it is broken.
    """
    tokenizer = load_tokenizer(folder)
    if template is None:
        prompting = load_prompting(folder, tokenizer)
    else:
        prompting = make_prompting(choose_template(template, tokenizer), tokenizer)
    return Prompts(prompting.with_system(system), tokenizer)


def _without_tokenizer(template: Template) -> Prompting:
    """Know of a template what can be known without its tokens."""
    before, after = "", ""
    match parse_placeholders(template.response):
        case [(before, str())]:
            pass
        case [(before, str()), (after, None)]:
            pass
    return Prompting(template, (), template.stop, before, after, template.stop, hash_template(template))
