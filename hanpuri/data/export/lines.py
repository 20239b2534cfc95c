"""
A row as a line of a format, and the line as the row again.

In: the fields of a row, its form, a format. Out: the line, and the note that is needed to undo it:

    {"noisy": "념뭄 좋핬써욘", "clean": "너무 좋았어요"}, "pairs", "openai"

    {"messages": [{"role": "user", "content": "다음 문장은 …\\n\\n념뭄 좋핬써욘"},
                  {"role": "assistant", "content": "너무 좋았어요"}]}
    Note(form="pairs", input_at=58, system_added=False)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self
from unicodedata import normalize

from pydantic import model_validator

from hanpuri.data.export.schemas import ExportFormat, MaybeText, Message, Prompt, Strict, Text
from hanpuri.data.recipe import Form
from hanpuri.data.records.preferences import as_prompt

Line = dict[str, Any]
Turn = dict[str, str]

# JSON allows these in a string as they are, but readers that split lines as str.splitlines does would end a line there.
LINE_BREAKS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}
GAP = "\n\n"  # between an instruction and its input, where a format has one text for both


class PairsRow(Strict):
    """The fields of a row of pairs."""

    noisy: Text
    clean: Text


class InstructionRow(Strict):
    """The fields of an instruction row."""

    instruction: Text
    input: MaybeText = ""
    output: Text


class MessagesRow(Strict):
    """The field of a messages row; who may follow whom is the format's to say."""

    messages: list[Message]


class TwoAnswers(Strict):
    """What all preference rows have; the prompt is a text or a conversation."""

    prompt: Any
    input: MaybeText = ""
    chosen: Text
    rejected: MaybeText

    @model_validator(mode="after")
    def _check_sides(self) -> Self:
        if normalize("NFC", self.chosen) == normalize("NFC", self.rejected):
            raise ValueError("found the same text in chosen and rejected, expected two answers")
        return self


class PreferenceRow(TwoAnswers):
    """The fields of a preference row."""

    prompt: Text


class ConversationRow(TwoAnswers):
    """The same, where the prompt is a conversation."""

    prompt: Prompt
    input: Literal[""] = ""


ROWS: Mapping[Form, type[Strict]] = {
    "pairs": PairsRow,
    "instruction": InstructionRow,
    "messages": MessagesRow,
    "preference": PreferenceRow,
}


def row_schema(fields: Mapping[str, Any], form: Form) -> type[Strict]:
    """
    Choose what a row is checked by.

        >>> row_schema({"prompt": [{"role": "user", "content": "안녕?"}]}, "preference").__name__
        'ConversationRow'
    """
    return ConversationRow if isinstance(fields.get("prompt"), list) else ROWS[form]


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of ours that a line gets: they are taken out again on reading."""

    instruction: str
    """What is asked of the model for a pair."""
    system: str | None = None
    """Put before conversations that have no system text of their own."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the line alone does not tell of its row."""

    form: Form
    input_at: int | None = None
    """Where in the user's text the input begins; None if there is none."""
    system_added: bool = False


def dump_line(value: object) -> str:
    """
    Write a value as one line of JSON, by whatever rule a reader splits lines.

        >>> dump_line({"output": "첫째\\n둘째\u2028셋째"})
        '{"output": "첫째\\\\n둘째\\\\u2028셋째"}'

    Raises:
        TypeError, ValueError: if the value holds what JSON cannot: a date, bytes, a number that is none.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    for character, escape in LINE_BREAKS.items():
        text = text.replace(character, escape)
    return text


def to_line(fields: Mapping[str, Any], form: Form, format: ExportFormat, wording: Wording) -> tuple[Line, Note]:
    """
    Write a row, whose fields are those of its form and sound, as a line.

        >>> wording = Wording("고치세요")
        >>> line, note = to_line({"noisy": "념뭄", "clean": "너무"}, "pairs", "koalpaca", wording)
        >>> line
        {'instruction': '고치세요', 'input': '념뭄', 'output': '너무'}
        >>> from_line(line, "koalpaca", note)
        {'noisy': '념뭄', 'clean': '너무'}
    """
    if format in ("alpaca", "koalpaca"):
        instruction, input, output = _three(fields, form, wording)
        has_input = {"input": input} if input or format == "alpaca" else {}
        return {"instruction": instruction, **has_input, "output": output}, Note(form)
    prompt, answers, input_at = _turns(fields, form, wording)
    system_added = wording.system is not None and not (prompt and prompt[0]["role"] == "system")
    if system_added:
        prompt = [{"role": "system", "content": wording.system or ""}, *prompt]
    note = Note(form, input_at, system_added)
    if format == "gemini":
        return _gemini(prompt, answers, form), note
    return _openai(prompt, answers, form) if format == "openai" else _trl(prompt, answers, form), note


def from_line(line: Mapping[str, Any], format: ExportFormat, note: Note | None) -> dict[str, Any]:
    """
    Give the fields of the row that a line was made from; without its note, those of a row as the line stands.

        >>> from_line({"messages": [{"role": "user", "content": "안녕?"}]}, "openai", None)
        {'messages': [{'role': 'user', 'content': '안녕?'}]}
    """
    if format in ("alpaca", "koalpaca"):
        input = line.get("input", "")
        if note is not None and note.form == "pairs":
            return {"noisy": input, "clean": line["output"]}
        return {"instruction": line["instruction"], "input": input, "output": line["output"]}
    readers = {"openai": _from_openai, "gemini": _from_gemini, "messages": _from_trl}
    prompt, answers = readers[format](line)
    if note is not None and note.system_added:
        prompt = prompt[1:]
    if len(answers) == 2:
        chosen, rejected = (answer["content"] for answer in answers)
        asked, input = as_prompt(prompt), ""
        if isinstance(asked, str):
            asked, input = _parted(asked, note)
        return {"prompt": asked, "input": input, "chosen": chosen, "rejected": rejected}
    if note is None or note.form == "messages":
        return {"messages": [*prompt, *answers]}
    return _untangled(prompt[-1]["content"], answers[0]["content"], note)


def _three(fields: Mapping[str, Any], form: Form, wording: Wording) -> tuple[str, str, str]:
    if form == "pairs":
        return wording.instruction, fields["noisy"], fields["clean"]
    return fields["instruction"], fields.get("input", ""), fields["output"]


def _turns(fields: Mapping[str, Any], form: Form, wording: Wording) -> tuple[list[Turn], list[Turn], int | None]:
    if form == "messages":
        turns = [{"role": turn["role"], "content": turn["content"]} for turn in fields["messages"]]
        return turns[:-1], turns[-1:], None
    if form == "preference":
        answers = [_turn("assistant", fields[one]) for one in ("chosen", "rejected")]
        if not isinstance(fields["prompt"], str):
            return [_turn(turn["role"], turn["content"]) for turn in fields["prompt"]], answers, None
        instruction, input = fields["prompt"], fields.get("input", "")
    else:
        instruction, input, output = _three(fields, form, wording)
        answers = [_turn("assistant", output)]
    asked = f"{instruction}{GAP}{input}" if input else instruction
    return [_turn("user", asked)], answers, len(instruction) + len(GAP) if input else None


def _untangled(asked: str, output: str, note: Note) -> dict[str, Any]:
    instruction, input = _parted(asked, note)
    if note.form == "pairs":
        return {"noisy": input, "clean": output}
    return {"instruction": instruction, "input": input, "output": output}


def _parted(asked: str, note: Note | None) -> tuple[str, str]:
    """Part what a user asks into the instruction and its input, as the note says."""
    if note is None or note.input_at is None:
        return asked, ""
    return asked[: note.input_at - len(GAP)], asked[note.input_at :]


def _turn(role: str, content: str) -> Turn:
    return {"role": role, "content": content}


def _openai(prompt: list[Turn], answers: list[Turn], form: Form) -> Line:
    if form != "preference":
        return {"messages": [*prompt, *answers]}
    preferred, other = answers
    return {"input": {"messages": prompt}, "preferred_output": [preferred], "non_preferred_output": [other]}


def _from_openai(line: Mapping[str, Any]) -> tuple[list[Turn], list[Turn]]:
    if "messages" in line:
        return line["messages"][:-1], line["messages"][-1:]
    return line["input"]["messages"], [*line["preferred_output"], *line["non_preferred_output"]]


def _trl(prompt: list[Turn], answers: list[Turn], form: Form) -> Line:
    if form == "messages":
        return {"messages": [*prompt, *answers]}
    if form == "preference":
        return {"prompt": prompt, "chosen": answers[:1], "rejected": answers[1:]}
    return {"prompt": prompt, "completion": answers}


def _from_trl(line: Mapping[str, Any]) -> tuple[list[Turn], list[Turn]]:
    if "messages" in line:
        return line["messages"][:-1], line["messages"][-1:]
    return line["prompt"], line["completion"] if "completion" in line else [*line["chosen"], *line["rejected"]]


def _gemini(prompt: list[Turn], answers: list[Turn], form: Form) -> Line:
    system, turns = (prompt[:1], prompt[1:]) if prompt and prompt[0]["role"] == "system" else ([], prompt)
    if form != "preference":
        begin = {"systemInstruction": _content(system[0])} if system else {}
        return {**begin, "contents": [_content(turn) for turn in [*turns, *answers]]}
    begin = {"system_instruction": _content(system[0])} if system else {}
    scored = zip((1, 0), answers, strict=True)
    completions = [{"score": score, "completion": _content(answer)} for score, answer in scored]
    return {**begin, "contents": [_content(turn) for turn in turns], "completions": completions}


def _from_gemini(line: Mapping[str, Any]) -> tuple[list[Turn], list[Turn]]:
    system = line.get("systemInstruction") or line.get("system_instruction")
    turns = [_from_content(content) for content in [*([system] if system else []), *line["contents"]]]
    if "completions" not in line:
        return turns[:-1], turns[-1:]
    best_first = sorted(line["completions"], key=lambda completion: -completion["score"])
    return turns, [_from_content(completion["completion"]) for completion in best_first]


def _content(turn: Turn) -> Line:
    role = "model" if turn["role"] == "assistant" else turn["role"]
    return {"role": role, "parts": [{"text": turn["content"]}]}


def _from_content(content: Mapping[str, Any]) -> Turn:
    role = "assistant" if content["role"] == "model" else content["role"]
    return _turn(role, content["parts"][0]["text"])
