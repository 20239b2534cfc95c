"""
How a model is asked: the template that it was trained with, kept beside its weights, and where its answers end.

In: a template and a tokenizer. Out: `prompt_template.yaml` in the model's folder, and a Prompting when it is read back.
Of a model that was trained with `koalpaca`:

    prompt_template.yaml                                     Prompting
    template: {prompt_no_input: "### 질문: {instruction}…"}   stop_ids (2,)   the token behind each answer: eos
    sha256: 71ab…                                     ─►     before " "      what stands between prompt and answer
    train_on: all                                            note ""         nothing had to be guessed

Who answers with another prompt than the one that was trained gets a worse model without a word about it; so the file
holds the whole template, and a change of it is found by its hash.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError

from hanpuri.data.chats import ChatTemplate, TrainOn, choose_template
from hanpuri.data.recipe import ExampleSettings, Form
from hanpuri.data.templates import (
    CHAT,
    Fields,
    Rendered,
    Segment,
    Template,
    parse_placeholders,
    restoration_instruction,
)
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError, RecipeError
from hanpuri.recipe import Settings

FILE = "prompt_template.yaml"
GUESS = "plain"
PROBE = "가나다라"
"""An answer that no template writes by itself."""
NOT_PROMPT = ("name", "description", "response_split")
"""Fields of a template that change no text."""


@dataclass(frozen=True)
class Prompting:
    """A template with what has to be known of it when a model answers."""

    template: Template | ChatTemplate
    stop_ids: tuple[int, ...]
    """Tokens that end an answer: the one behind each trained answer, and eos."""
    stop_text: str
    """Text that ends an answer too, where the template has one that is no token of its own."""
    before: str
    """What the model writes between prompt and answer, such as the space of koalpaca."""
    after: str
    """What it writes between the answer and its end."""
    end: str
    """The end in a trained text: the template's stop, or the token that ends a turn, spelled out."""
    hash: str
    form: Form | None = None
    """The form of the rows that it was trained on, where this is known."""
    system: str = ""
    """What stands before each question, in place of the template's own."""
    note: str = ""
    """What the user should hear: that the template was guessed."""
    longest_prompt: int | None = None
    """Tokens of the longest prompt that it was trained on, where this is known."""

    def answer_of(self, text: str) -> str:
        """
        Take off what the template has the model write around an answer; of a text that is only that, nothing is left.

            >>> asked = Prompting(Template(prompt_input="{input}", response=" {output}."), (0,), "", " ", ".", "", "")
            >>> asked.answer_of(" 서해로 흐릅니다."), asked.answer_of(" ")
            ('서해로 흐릅니다', '')
        """
        if len(text) < len(self.before) and self.before.startswith(text):
            return ""
        return text.removeprefix(self.before).removesuffix(self.after)

    @property
    def keeps_turns(self) -> bool:
        """Whether a question may stand behind others: with a chat template, unless pairs are restored with it."""
        return isinstance(self.template, ChatTemplate) and self.form in (None, "messages", "instruction")

    def with_system(self, system: str) -> Self:
        """
        Put another system text before each question; "" is the template's own again.

        Raises:
            DataError: if the model was trained on rows that cannot have one.
        """
        if system and isinstance(self.template, ChatTemplate) and not self.keeps_turns:
            raise DataError(f"the model was trained on {self.form}, which have no system message", "leave it out")
        return replace(self, system=system)

    @property
    def asking(self) -> Template | ChatTemplate:
        """The template with the system text that stands before each question now."""
        if not self.system:
            return self.template
        if isinstance(self.template, ChatTemplate):
            return replace(self.template, system=self.system)
        return self.template.model_copy(update={"system": self.system})

    def question(self, text: str, context: str = "") -> Fields:
        """
        Give the row that asks a text of this template: a noisy text where it restores, an instruction elsewhere.

            >>> Prompting(Template(prompt_pairs="{noisy}"), (0,), "", "", "", "", "").question("쨰밌어요")
            {'noisy': '쨰밌어요'}

        Args:
            text: what is asked.
            context: what it is asked about, where the template has room for it.
        """
        if self.form == "text":
            return {"text": text}
        if self.form == "preference":
            return {"prompt": text, "input": context}
        if self.form == "pairs":
            return {"noisy": text}
        if isinstance(self.template, ChatTemplate) and self.system:
            asked = "\n\n".join(part for part in (text, context) if part)
            return {"messages": [{"role": "system", "content": self.system}, {"role": "user", "content": asked}]}
        if isinstance(self.template, Template) and self.template.prompt_no_input is None:
            return {"noisy": text}
        return {"instruction": text, "input": context}

    def prompt(self, fields: Fields, name: str) -> Rendered:
        """
        Write what the model is asked. A model that was trained on running text is given a text to go on with.

        Raises:
            DataError: if the row does not fit the template.
        """
        prompt = self.asking.prompt(fields, name)
        if self.form != "text" or "text" not in fields:
            return prompt
        text = str(fields["text"] or "")
        return replace(prompt, segments=(*prompt.segments, Segment(text, False)), row_texts=(*prompt.row_texts, text))


class _Kept(Settings):
    """What stands in prompt_template.yaml."""

    template: Template | None = Field(default=None, description="A template file, whole.")
    chat_template: Any = Field(default=None, description="Or the tokenizer's own, in jinja.")
    instruction: str = Field(default="", description="Stands before the noisy text of pairs, with a chat template.")
    train_on: TrainOn = Field(default="all", description="Turns of a conversation that were trained.")
    form: Form | None = Field(default=None, description="The form of the rows.")
    longest_prompt: int | None = Field(default=None, description="Tokens of the longest one that was trained on.")
    sha256: str | None = Field(default=None, description="Of the template; without this line nothing is compared.")


def hash_template(template: Template | ChatTemplate) -> str:
    """
    Hash what a template puts around rows; its name and its description do not count.

        >>> first, second = Template(name="a", prompt_input="{input}"), Template(name="b", prompt_input="{input}")
        >>> hash_template(first) == hash_template(second) != hash_template(Template(prompt_input="{input}\\n"))
        True
    """
    if isinstance(template, ChatTemplate):
        parts = {"chat_template": template.tokenizer.fast.chat_template, "instruction": template.instruction}
    else:
        parts = _resolved(template).model_dump(exclude=set(NOT_PROMPT))
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def save_prompting(
    folder: Path,
    template: Template | ChatTemplate,
    settings: ExampleSettings,
    form: Form | None = None,
    longest_prompt: int | None = None,
) -> None:
    """Write the whole template into a model's folder, so that it is asked as it was trained."""
    kept: dict[str, Any]
    if isinstance(template, ChatTemplate):
        kept = {"chat_template": template.tokenizer.fast.chat_template, "instruction": template.instruction}
    else:
        kept = {"template": _resolved(template).model_dump(exclude_none=True)}
    kept |= {"train_on": settings.train_on, "form": form}
    kept |= {"longest_prompt": longest_prompt} if longest_prompt else {}
    kept |= {"sha256": hash_template(template)}
    text = yaml.safe_dump(kept, allow_unicode=True, sort_keys=False, width=120)
    head = "# How this model was asked in training. Whoever asks otherwise gets worse answers.\n"
    (folder / FILE).write_text(head + text, encoding="utf-8")


def load_prompting(folder: Path, tokenizer: Tokenizer) -> Prompting:
    """
    Read how the model of a folder was asked; if the folder does not say it, guess, and say so.

    Raises:
        RecipeError: if the file is broken, or changed since the training.
    """
    path = folder / FILE
    if not path.is_file():
        name = CHAT if tokenizer.has_chat_template else GUESS
        told = "the chat template of its tokenizer" if name == CHAT else f"the template {GUESS}"
        return make_prompting(
            choose_template(name, tokenizer),
            tokenizer,
            note=f"{folder.name} does not say how it was trained: {told} is taken",
        )
    kept = _read(path)
    template, note = _template_of(kept, tokenizer, path)
    if kept.sha256 and kept.sha256 != hash_template(template):
        raise RecipeError(
            f"{path}: found another template than the model was trained with, by its sha256",
            "put the file back as it was; or take the line sha256 out, if you mean it",
        )
    prompting = make_prompting(template, tokenizer, form=kept.form, note=note)
    return replace(prompting, longest_prompt=kept.longest_prompt)


def make_prompting(
    template: Template | ChatTemplate, tokenizer: Tokenizer, *, form: Form | None = None, note: str = ""
) -> Prompting:
    """Find out where the answers to a template begin and end."""
    if isinstance(template, ChatTemplate):
        sign, end, before, after = _chat_ends(tokenizer)
    else:
        sign, end, before, after = _file_ends(template, tokenizer)
    stops = (sign, tokenizer.eos_id)
    return Prompting(
        template,
        stop_ids=tuple(dict.fromkeys(id for id in stops if id is not None)),
        stop_text=end if sign is None else "",
        before=before,
        after=after,
        end=end,
        hash=hash_template(template),
        form=form,
        note=note,
    )


def _file_ends(template: Template, tokenizer: Tokenizer) -> tuple[int | None, str, str, str]:
    """Give the special token that ends an answer, the end as text, and what stands before and behind an answer."""
    parts = parse_placeholders(template.response)
    names = [name for _, name in parts if name]
    before = parts[0][0] if len(names) == 1 else ""
    after = parts[-1][0] if len(names) == 1 and parts[-1][1] is None else ""
    if template.stop:
        first = tokenizer.encode(template.stop, after="가")[0]
        if first in tokenizer.special_ids:
            return first, template.stop, before, after
    return None, template.stop, before, after


def _chat_ends(tokenizer: Tokenizer) -> tuple[int | None, str, str, str]:
    """Find the same for a chat template, in a conversation that it writes."""
    asked = [{"role": "user", "content": "가"}]
    try:
        before = tokenizer.apply_chat_template(asked, "a probe", add_generation_prompt=True)
        whole = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": PROBE}], "a probe")
    except DataError:  # a template of other roles: its answers end in eos, as far as is known
        return None, "", "", ""
    upto, _, behind = whole.rpartition(PROBE)
    sign = tokenizer.find_special(behind)
    if sign is None:
        return None, "", "", ""
    framed = upto.startswith(before)
    return tokenizer.encode(sign)[0], sign, upto[len(before) :] if framed else "", behind[: behind.index(sign)]


def _resolved(template: Template) -> Template:
    """Spell out the instruction that pairs get where the template has none: another release may have another one."""
    return template.model_copy(update={"instruction": template.instruction or restoration_instruction()})


def _template_of(kept: _Kept, tokenizer: Tokenizer, path: Path) -> tuple[Template | ChatTemplate, str]:
    if kept.template is not None:
        return kept.template, ""
    if not kept.chat_template:
        raise RecipeError(f"{path}: found neither template nor chat_template", "copy it again from the run's folder")
    note = ""
    if tokenizer.fast.chat_template != kept.chat_template:
        note = f"the chat template of the tokenizer {tokenizer.name} is not that of the training, which is taken"
        tokenizer.fast.chat_template = kept.chat_template
    return ChatTemplate(tokenizer, kept.train_on, kept.instruction), note


def _read(path: Path) -> _Kept:
    try:
        return _Kept.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        told = _first_fault(error) if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise RecipeError(f"{path}: cannot be read ({told})", "copy it again from the run's folder") from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(str(part) for part in fault['loc']) or 'the file'}: {fault['msg']}"
