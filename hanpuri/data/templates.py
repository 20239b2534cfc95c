"""
Prompt templates: a row's fields ─► the text that a model reads, and which of it the model learns to write.

In: a template (a YAML or JSON file) and a row. Out: segments of text, each marked as trained or not. With `koalpaca`:

    {"instruction": "한강은 어디로 흐르나요?", "input": "", "output": "서해로 흐릅니다."}
      ─►  Segment("### 질문: 한강은 어디로 흐르나요?\\n\\n### 답변:", trained=False),
          Segment(" 서해로 흐릅니다.", trained=True)

A file has the fields of Alpaca-style template files, so that existing ones load as they are, and a few more. What a row
holds is put in as it is: braces in it mean nothing. Tokens come later, in `examples`; the template `chat`, the model's
own, is in `chats`.
"""

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, ValidationError

from hanpuri.data.files.formats import nearest
from hanpuri.data.rows import row_of
from hanpuri.errors import DataError, RecipeError
from hanpuri.recipe import Settings

SHIPPED = Path(__file__).parents[1] / "templates"
CHAT = "chat"
PROMPTS = ("prompt_input", "prompt_no_input", "prompt_pairs", "prompt_text")
PROMPT_NAMES = ("instruction", "input", "noisy", "prompt")
ANSWER_NAMES = ("output", "clean", "chosen", "text")

Fields = Mapping[str, Any]


class Segment(NamedTuple):
    """A stretch of a rendered row: its text, and whether the model learns to write it."""

    text: str
    trained: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """One row as text."""

    id: str
    segments: tuple[Segment, ...]
    row_texts: tuple[str, ...] = ()
    """What of it comes from the row: no special token may be spelled out in there."""
    is_chat: bool = False
    """Whether a chat template wrote it, with the bos token and the ends of turns in the text."""
    ends_at_once: bool = False
    """Whether the answer is none: the sign of its end alone is trained, which is sound for a rejected one."""

    @property
    def text(self) -> str:
        """All segments as one text."""
        return "".join(segment.text for segment in self.segments)


class Template(Settings):
    """
    A template file; each prompt has placeholders such as {instruction}, and {{ stands for a brace.

        >>> template = load_template("koalpaca")
        >>> row = {"instruction": "하늘은 왜 파란가요?", "input": "", "output": "빛이 흩어져서요."}
        >>> [segment.text for segment in template.render(row, "row-1").segments]
        ['### 질문: 하늘은 왜 파란가요?\\n\\n### 답변:', ' 빛이 흩어져서요.']
    """

    name: str = Field(default="", description="What the template is called; the file's name, if not given.")
    description: str = Field(default="", description="What it is for.")
    prompt_input: str | None = Field(default=None, description="The prompt of a row that has an input.")
    prompt_no_input: str | None = Field(default=None, description="The prompt of a row that has none.")
    prompt_pairs: str | None = Field(
        default=None, description="The prompt of a noisy text; `prompt_input`, if not given."
    )
    prompt_text: str | None = Field(default=None, description="What stands before a text without a question.")
    response: str = Field(default="{output}", description="What the model learns to write.")
    response_split: str = Field(default="", description="What stands right before the response; for other tools.")
    stop: str = Field(default="", description="Text that ends a response, before the eos token.")
    system: str = Field(default="", description="Stands before each prompt; a row's own system message replaces it.")
    instruction: str = Field(default="", description="The instruction of rows that have none, which pairs are.")

    def render(self, fields: Fields, id: str) -> Rendered:
        """
        Write a row as a prompt, which is not trained, and a response, which is.

        A row of `text` is all response. Of messages, one question with its answer can be written, and a system message
        stands before the prompt. Of a preference it is the chosen answer; give the rejected one as an `output`.

        Raises:
            DataError: if the row does not fit the template; it names the row.
        """
        row = row_of(fields, id, self.instruction or restoration_instruction())
        prompt, texts = self._prompt(row, id)
        # A space that the template puts before an empty answer is nothing to learn: such a row has no response.
        response = self._fill("response", row, id) if row["output"].strip() else ""
        parts = [Segment(prompt, False), Segment(response, True), Segment(self.stop if response else "", True)]
        return Rendered(id, tuple(part for part in parts if part.text), (*texts, row["output"]))

    def prompt(self, fields: Fields, id: str) -> Rendered:
        """
        Write the prompt alone, as a model is asked: the same text that `render` puts before the response.

            >>> load_template("plain").prompt({"noisy": "쨰밌어요"}, "1").text
            '쨰밌어요\\n'

        Raises:
            DataError: if the row does not fit the template.
        """
        row = row_of(fields, id, self.instruction or restoration_instruction(), asked=True)
        prompt, texts = self._prompt(row, id)
        return Rendered(id, (Segment(prompt, False),) if prompt else (), texts)

    @property
    def fields(self) -> tuple[str, ...]:
        """The placeholders of the prompts and the response, each once."""
        parts = (part for key in (*PROMPTS, "response") for part in self._parts.get(key, ()))
        return tuple(dict.fromkeys(name for _, name in parts if name))

    @property
    def notes(self) -> tuple[str, ...]:
        """What may be meant, but costs something: a prompt that ends in a space."""
        why = "ends in a space, which many tokenizers join with the next word: begin the response with it instead"
        filled = {key: getattr(self, key) for key in PROMPTS}
        return tuple(f"{key} {why}" for key, prompt in filled.items() if prompt and prompt[-1] in " \t\u3000")

    @cached_property
    def _parts(self) -> dict[str, tuple[tuple[str, str | None], ...]]:
        texts = {key: getattr(self, key) for key in (*PROMPTS, "response")}
        return {key: parse_placeholders(text) for key, text in texts.items() if text is not None}

    def _prompt(self, row: dict[str, str], id: str) -> tuple[str, tuple[str, ...]]:
        key = self._prompt_key(row)
        if key not in self._parts:
            having = {"prompt_pairs": "a noisy text", "prompt_text": "a text alone", "prompt_input": "an input"}
            raise DataError(
                f"{id}: found a row with {having.get(key, 'no input')}, the template {self.name} has no {key}",
                "give it one, or take another template: hanpuri templates",
            )
        prompt = self._fill(key, row, id)
        system = row.get("system") or self.system
        texts = tuple(row[name] for name in ("instruction", "input", "noisy", "prompt", "system") if name in row)
        return (f"{system}\n\n{prompt}" if system else prompt), texts

    def _prompt_key(self, row: dict[str, str]) -> str:
        if "noisy" in row:
            return "prompt_pairs" if self.prompt_pairs is not None else "prompt_input"
        if "text" in row:
            return "prompt_text"
        return "prompt_input" if row.get("input") else "prompt_no_input"

    def _fill(self, key: str, row: dict[str, str], id: str) -> str:
        filled = []
        for literal, name in self._parts[key]:
            filled.append(literal)
            if name is not None and name not in row:
                raise DataError(
                    f"{id}: the template {self.name} names {{{name}}} in {key}, the row has {', '.join(row)}",
                    "take it out of the template, or give the row this field",
                )
            filled.append(row[name] if name is not None else "")
        return "".join(filled)


def load_template(name: str | Path) -> Template:
    """
    Load a shipped template by name, or a template file by path.

        >>> load_template("alpaca-en").response_split
        '### Response:'

    Raises:
        RecipeError: if there is none of that name, or with every fault of the file.
    """
    path = Path(name)
    if str(name) == CHAT:
        raise RecipeError("the template chat is a tokenizer's own, and no tokenizer is given", "name a tokenizer too")
    shipped = {file.stem: file for file in sorted(SHIPPED.glob("*.yaml"))}
    if str(name) in shipped:
        path = shipped[str(name)]
    elif path.suffix not in (".yaml", ".yml", ".json"):
        guess = nearest(str(name), [*shipped, CHAT])
        mend = f"did you mean {guess}?" if guess else "give one of these, or a .yaml or .json file"
        raise RecipeError(f"no template is called {str(name)!r}; there are {', '.join([*shipped, CHAT])}", mend)
    values = _read(path)
    try:
        template = Template.model_validate({"name": path.stem, **values})
    except ValidationError as error:
        faults = [_describe(fault) for fault in error.errors()]
        raise RecipeError(f"{path}: {'; '.join(faults)}", "mend these fields") from None
    if faults := list(_faults(template)):
        raise RecipeError(f"{path}: {'; '.join(faults)}", "mend these fields")
    return template


@cache
def restoration_instruction() -> str:
    """Give the instruction of the template `restoration`: what pairs ask for in templates without one of their own."""
    return load_template("restoration").instruction


def parse_placeholders(text: str) -> tuple[tuple[str, str | None], ...]:
    """
    Cut a template's text at its placeholders: pairs of the text before one and its name, None at the end.

        >>> parse_placeholders("질문: {instruction}\\n{{}}")
        (('질문: ', 'instruction'), ('\\n{', None), ('}', None))

    Raises:
        ValueError: if a brace is single, or a placeholder is more than a name.
    """
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError:  # Python's own words for it are another in each version
        raise ValueError("found a single brace, expected two around a name") from None
    parts = []
    for literal, name, format, conversion in parsed:
        if name is not None and (format or conversion or not name.isidentifier()):
            raise ValueError(f"found {{{name}}}, expected a plain name in braces")
        parts.append((literal, name))
    return tuple(parts)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}", "give the path of a template file") from None
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is bad UTF-8 or bad JSON
        told = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"{path}: not {path.suffix[1:].upper()}: {told}", "mend the file there") from None
    if not isinstance(values, dict):
        raise RecipeError(
            f"{path} holds {type(values).__name__}, expected keys and values", "begin with `prompt_input:`"
        )
    return values


def _describe(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        guess = nearest(key, Template.model_fields)
        return f"{key}: no such field" + (f", did you mean {guess}?" if guess else "")
    return f"{key}: {fault['msg']} (found {fault['input']!r})"


def _faults(template: Template) -> list[str]:
    """List what is wrong with the placeholders of a template."""
    found = []
    if all(getattr(template, key) is None for key in PROMPTS):
        found.append(f"found no prompt, expected one of {', '.join(PROMPTS)}")
    for key in (*PROMPTS, "response"):
        try:
            names = [name for _, name in parse_placeholders(getattr(template, key) or "") if name]
        except ValueError as error:
            found.append(f"{key}: {error}, and {{{{ for a brace that stays")
            continue
        known = (*PROMPT_NAMES, *ANSWER_NAMES) if key == "response" else PROMPT_NAMES
        found += [f"{key}: {_unknown(name, known)}" for name in names if name not in known]
    return found


def _unknown(name: str, known: Sequence[str]) -> str:
    if name in ANSWER_NAMES:
        return f"found {{{name}}}, which is the answer, expected it in `response`"
    guess = nearest(name, known)
    return f"found no placeholder {{{name}}}" + (
        f", did you mean {{{guess}}}?" if guess else f", there are {', '.join(known)}"
    )
