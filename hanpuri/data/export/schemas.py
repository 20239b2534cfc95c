"""
What a line and a file must be for each format, as its provider has published it.

In: a line as JSON text, the number of lines, the size of a file. Out: nothing, or what is wrong, such as

    messages: found the last message from user, expected it from assistant

Read in 2026-11:

- OpenAI: "Supervised fine-tuning" (at least 10 examples), "Direct preference optimization", API reference "Upload
  file" (512 MB a file, .jsonl only), "Fine-tuning best practices" (65,536 tokens an example with gpt-4o). Which message
  may follow which is from "Customize a model with fine-tuning" of Azure OpenAI, which takes the same files.
- Gemini: "Prepare supervised fine-tuning data for Gemini models", "Prepare preference tuning data for Gemini models",
  "About supervised fine-tuning for Gemini models" (limits of Gemini 2.5 Flash).
- Alpaca: the data release of Stanford Alpaca (`alpaca_data.json`). KoAlpaca: `beomi/KoAlpaca-v1.1a`.
- messages: TRL, "Dataset formats and types", the conversational ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hanpuri.data.files.formats import nearest
from hanpuri.data.files.tables import kind_of
from hanpuri.data.recipe import Form
from hanpuri.errors import DataError

ExportFormat = Literal["openai", "gemini", "alpaca", "messages", "koalpaca"]


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("found half a surrogate pair, expected whole characters") from None
    return text


def _some(text: str) -> str:
    if not text.strip():
        raise ValueError("found no text, expected some")
    return text


MaybeText = Annotated[str, AfterValidator(_whole)]
Text = Annotated[MaybeText, AfterValidator(_some)]


class Strict(BaseModel):
    """The base of all schemas: no key too many, no value turned into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Message(Strict):
    """A turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class Answer(Strict):
    """A turn that is trained."""

    role: Literal["assistant"]
    content: Text


def _check_order(roles: Sequence[str], last: str) -> None:
    if "system" in roles[1:]:
        raise ValueError(f"found message {roles.index('system', 1)} from system, expected that only first")
    if not roles or roles[-1] != last:
        found = f"the last message from {roles[-1]}" if roles else "no message"
        raise ValueError(f"found {found}, expected it from {last}")


def _check_prompt(messages: list[Message]) -> list[Message]:
    _check_order([message.role for message in messages], "user")
    return messages


def _check_conversation(messages: list[Message]) -> list[Message]:
    roles = [message.role for message in messages]
    _check_order(roles, "assistant")
    if "user" not in roles:
        raise ValueError("found no message from user, expected one at least")
    return messages


Prompt = Annotated[list[Message], AfterValidator(_check_prompt)]
Conversation = Annotated[list[Message], AfterValidator(_check_conversation)]
OneAnswer = Annotated[list[Answer], Field(min_length=1, max_length=1)]


class OpenAiChat(Strict):
    """A line for OpenAI's supervised fine-tuning."""

    messages: Conversation


class OpenAiInput(Strict):
    """What both answers of a preference line answer."""

    messages: Prompt


class OpenAiPreference(Strict):
    """A line for OpenAI's direct preference optimization."""

    input: OpenAiInput
    preferred_output: OneAnswer
    non_preferred_output: OneAnswer


class Part(Strict):
    """The text of a content; we write one each."""

    text: Text


Parts = Annotated[list[Part], Field(min_length=1, max_length=1)]


class SystemContent(Strict):
    """Gemini's place for the system text."""

    role: Literal["system"]
    parts: Parts


class Content(Strict):
    """A turn of a conversation with Gemini."""

    role: Literal["user", "model"]
    parts: Parts


class ModelContent(Strict):
    """An answer of Gemini."""

    role: Literal["model"]
    parts: Parts


def _check_contents(contents: list[Content], last: str) -> list[Content]:
    for number, content in enumerate(contents):
        expected = "model" if number % 2 else "user"
        if content.role != expected:
            raise ValueError(f"found message {number} from {content.role}, expected user and model by turns")
    _check_order([content.role for content in contents], last)
    return contents


Contents = Annotated[list[Content], AfterValidator(lambda contents: _check_contents(contents, "model"))]
Question = Annotated[list[Content], AfterValidator(lambda contents: _check_contents(contents, "user"))]


class GeminiChat(Strict):
    """A line for Gemini's supervised fine-tuning."""

    systemInstruction: SystemContent | None = None
    contents: Contents


class Completion(Strict):
    """One of the two answers of a preference line: score 1 is the preferred one."""

    score: Literal[0, 1]
    completion: ModelContent


def _check_scores(completions: list[Completion]) -> list[Completion]:
    if sorted(completion.score for completion in completions) != [0, 1]:
        raise ValueError("found other scores, expected one of 1 and one of 0")
    return completions


class GeminiPreference(Strict):
    """A line for Gemini's preference tuning; its page writes the system text's key in this other way."""

    system_instruction: SystemContent | None = None
    contents: Question
    completions: Annotated[list[Completion], AfterValidator(_check_scores)]


class Alpaca(Strict):
    """A row of Alpaca: `input` is "" where there is none."""

    instruction: Text
    input: MaybeText
    output: Text


class KoAlpaca(Strict):
    """A row of KoAlpaca: no `input` where there is none, and the `url` where the text comes from."""

    instruction: Text
    input: MaybeText = ""
    output: Text
    url: str | None = None


class TrlMessages(Strict):
    """TRL's conversational language modelling."""

    messages: Conversation


class TrlPromptCompletion(Strict):
    """TRL's conversational prompt and completion: the loss is on the completion alone."""

    prompt: Prompt
    completion: OneAnswer


class MaybeAnswer(Answer):
    """A turn that may hold nothing."""

    content: MaybeText


class TrlPreference(Strict):
    """TRL's conversational preference with an explicit prompt; what is rejected may be an answer of nothing."""

    prompt: Prompt
    chosen: OneAnswer
    rejected: Annotated[list[MaybeAnswer], Field(min_length=1, max_length=1)]


EXPECTED = {"string_type": "text", "list_type": "a list", "model_type": "an object"}

# A form that a format does not list cannot be carried by it.
SCHEMAS: Mapping[ExportFormat, Mapping[Form, type[Strict]]] = {
    "openai": {
        "pairs": OpenAiChat,
        "instruction": OpenAiChat,
        "messages": OpenAiChat,
        "preference": OpenAiPreference,
    },
    "gemini": {
        "pairs": GeminiChat,
        "instruction": GeminiChat,
        "messages": GeminiChat,
        "preference": GeminiPreference,
    },
    "alpaca": {"pairs": Alpaca, "instruction": Alpaca},
    "messages": {
        "pairs": TrlPromptCompletion,
        "instruction": TrlPromptCompletion,
        "messages": TrlMessages,
        "preference": TrlPreference,
    },
    "koalpaca": {"pairs": KoAlpaca, "instruction": KoAlpaca},
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider takes in one file; None where nothing is published."""

    min_rows: int = 1
    """Of the file that is trained on."""
    max_rows: int | None = None
    max_validation_rows: int | None = None
    max_bytes: int | None = None
    max_tokens: int | None = None
    """Of one line. Tokens are not counted here; but a text never has more of them than bytes."""


LIMITS: Mapping[ExportFormat, Limits] = {
    "openai": Limits(min_rows=10, max_bytes=512_000_000, max_tokens=65_536),
    "gemini": Limits(max_rows=1_000_000, max_validation_rows=5_000, max_bytes=1_000_000_000, max_tokens=131_072),
    "alpaca": Limits(),
    "messages": Limits(),
    "koalpaca": Limits(),
}


def check_export_format(format: str) -> ExportFormat:
    """
    Check the name of a format.

        >>> check_export_format("gemini")
        'gemini'

    Raises:
        DataError: if there is no such format; it names the nearest.
    """
    for known in SCHEMAS:
        if format == known:
            return known
    guess = nearest(format, SCHEMAS)
    mend = f"did you mean {guess}?" if guess else "write one of these"
    raise DataError(f'found the format "{format}", expected one of {", ".join(SCHEMAS)}', mend)


def schema_of(line: Mapping[str, object], format: ExportFormat) -> type[Strict]:
    """
    Tell which schema of a format a line is meant to follow, by its keys.

        >>> schema_of({"prompt": [], "completion": []}, "messages").__name__
        'TrlPromptCompletion'
    """

    def num_required(schema: type[Strict]) -> int:
        required = [name for name, field in schema.model_fields.items() if field.is_required()]
        return len(required) if all(name in line for name in required) else 0

    return max(SCHEMAS[format].values(), key=num_required)


def faults_of(schema: type[BaseModel], line: str | Mapping[str, object]) -> list[str]:
    """
    Say all that is wrong with a line, given as JSON text or as an object.

        >>> faults_of(Alpaca, '{"instruction": "요약하세요", "input": "", "output": " "}')
        ['output: found no text, expected some']
    """
    try:
        if isinstance(line, str):
            schema.model_validate_json(line)
        else:
            schema.model_validate(line)
    except ValidationError as error:
        return list(_describe(error))
    return []


def _describe(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        yield f"{where}: {_told(fault)}" if where else _told(fault)


def _told(fault: Any) -> str:
    found = fault["input"]
    match fault["type"]:
        case "missing":
            return "found nothing, expected it"
        case "extra_forbidden":
            return "found a key that the format does not know"
        case "string_type" | "list_type" | "model_type" as expected:
            return f"found {kind_of(found)}, expected {EXPECTED[expected]}"
        case "string_unicode":
            return "found half a surrogate pair, expected whole characters"
        case "literal_error":
            return f"found {found!r:.40}, expected {fault['ctx']['expected']}"
    return str(fault["msg"]).removeprefix("Value error, ")
