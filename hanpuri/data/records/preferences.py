"""
Preference rows in the ways people write them, as one prompt and two texts.

In: the cells of a row. A side may be a text, or the messages that TRL and others write, with the prompt or without it:

    {"chosen": [{"role": "user", "content": "몇 시에 열어요?"}, {"role": "assistant", "content": "아홉 시요."}],
     "rejected": [{"role": "user", "content": "몇 시에 열어요?"}, {"role": "assistant", "content": "몰라요."}]}

Out: the same row in our manner, or what is wrong with it:

    {"prompt": "몇 시에 열어요?", "input": "", "chosen": "아홉 시요.", "rejected": "몰라요."}

A prompt of one question is its text; one of more messages stays a list of them, which ends with the user. Faulty are an
empty chosen answer, two answers that are the same, prompts that differ. An empty rejected answer is none: so a model
may well have answered.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import normalize

from hanpuri.data.files.formats import nearest
from hanpuri.data.files.tables import kind_of
from hanpuri.data.records.columns import listed
from hanpuri.data.records.conversations import Message, Problem, read_messages

Prompt = str | list[Message]


class _Side(NamedTuple):
    """One answer, and the messages that stood before it in the same cell."""

    before: list[Message]
    answer: str


def read_preference(values: Mapping[str, object], columns: Mapping[str, str]) -> dict[str, object] | Problem:
    """
    Read the fields of one row.

        >>> row = {"question": "몇 시에 열어요?", "chosen": "아홉 시요.", "rejected": ""}
        >>> columns = {"prompt": "question", "chosen": "chosen", "rejected": "rejected"}
        >>> read_preference(row, columns)
        {'prompt': '몇 시에 열어요?', 'input': '', 'chosen': '아홉 시요.', 'rejected': ''}
        >>> read_preference({**row, "rejected": "아홉 시요."}, columns)[0]
        'found the same text in "chosen" and "rejected", expected two answers'

    Args:
        values: the row's cells, by column.
        columns: our field: its column; without `prompt` where the sides bring it.
    """
    sides: list[_Side] = []
    for field in ("chosen", "rejected"):
        side = _read_side(values, columns[field], may_be_empty=field == "rejected")
        if not isinstance(side, _Side):
            return side
        sides.append(side)
    chosen, rejected = sides
    if normalize("NFC", chosen.answer) == normalize("NFC", rejected.answer):
        found = f'found the same text in "{columns["chosen"]}" and "{columns["rejected"]}", expected two answers'
        return found, "leave the row out: it says nothing on which is better"
    if chosen.before and rejected.before and chosen.before != rejected.before:
        found = f'found another prompt in "{columns["rejected"]}" than in "{columns["chosen"]}", expected the same'
        return found, "give both answers the prompt that they answer"
    prompt = _read_prompt(values, columns, chosen.before or rejected.before)
    if isinstance(prompt, tuple):
        return prompt
    input = values.get(columns.get("input", ""))
    if input is not None and not isinstance(input, str):
        return f'found {kind_of(input)} in "{columns["input"]}", expected a text', "put it in quotes"
    if input and not isinstance(prompt, str):
        found = f'found an input in "{columns["input"]}" beside a conversation, expected messages alone'
        return found, "write it into the last message"
    return {"prompt": prompt, "input": input or "", "chosen": chosen.answer, "rejected": rejected.answer}


def as_messages(prompt: Prompt) -> Sequence[Message]:
    """
    Write a prompt as messages, whichever of the two it is.

        >>> as_messages("몇 시에 열어요?")
        [{'role': 'user', 'content': '몇 시에 열어요?'}]
    """
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt


def as_prompt(messages: Sequence[Message]) -> Prompt:
    """
    Write messages as a prompt: a question alone is its text.

        >>> as_prompt([{"role": "user", "content": "몇 시에 열어요?"}])
        '몇 시에 열어요?'
    """
    alone = len(messages) == 1 and messages[0]["role"] == "user"
    return messages[0]["content"] if alone else list(messages)


def has_messages(values: Mapping[str, object], columns: Sequence[str]) -> bool:
    """
    Tell whether one of some columns holds messages in this row.

        >>> has_messages({"chosen": [{"role": "user", "content": "안녕?"}]}, ["chosen"])
        True
    """
    cells = (values.get(column) for column in columns)
    return any(isinstance(item, Mapping) for cell in cells for item in (cell if isinstance(cell, list) else [cell]))


def _read_side(values: Mapping[str, object], column: str, *, may_be_empty: bool) -> _Side | Problem:
    value = values.get(column)
    if isinstance(value, str) and (value or may_be_empty):
        return _Side([], value)
    if not isinstance(value, list | Mapping):
        return missing_text(column, values)
    messages = read_messages([value] if isinstance(value, Mapping) else value, column, may_end_empty=may_be_empty)
    if isinstance(messages, tuple):
        return messages
    return _Side(messages[:-1], messages[-1]["content"])


def _read_prompt(values: Mapping[str, object], columns: Mapping[str, str], before: list[Message]) -> Prompt | Problem:
    column = columns.get("prompt")
    value = values.get(column) if column is not None else None
    if value in (None, "") and before:
        return _ending_with_user(before, columns["chosen"])
    if column is None:
        found = f'found no prompt before the answer in "{columns["chosen"]}", expected one'
        return found, 'write it into "prompt", or as messages before both answers'
    if isinstance(value, str) and value:
        told: list[Message] | Problem = [{"role": "user", "content": value}]
    elif isinstance(value, list | Mapping):
        told = read_messages([value] if isinstance(value, Mapping) else value, column, last="user")
    else:
        return missing_text(column, values)
    if isinstance(told, tuple):
        return told
    if before and before[-len(told) :] != told:
        found = f'found another prompt in "{columns["chosen"]}" than in "{column}", expected the same'
        return found, "give the row one prompt, in one of the two places"
    return _ending_with_user(before or told, column)


def _ending_with_user(messages: list[Message], column: str) -> Prompt | Problem:
    if (last := messages[-1]["role"]) != "user":
        return f'found a prompt in "{column}" that ends with {last}, expected user', "end it with what is asked"
    return as_prompt(messages)


def missing_text(column: str, values: Mapping[str, Any]) -> Problem:
    """
    Say what stands in a column, where a text is needed.

        >>> missing_text("text", {"text": None})
        ('found null in "text", expected a text', 'fill it in')
    """
    if column not in values:
        guess = nearest(column, values)
        found = f'found no "{column}" but {listed(list(values))}'
        return found, f'rename "{guess}" to "{column}"' if guess else f'give the row its "{column}"'
    value = values[column]
    if value is None or value == "":
        return f'found {"null" if value is None else "an empty text"} in "{column}", expected a text', "fill it in"
    return f'found {kind_of(value)} in "{column}", expected a text', "put it in quotes"
