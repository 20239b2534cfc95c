"""
Rows of every form, as templates need them: which form a row has, what it asks, what it answers.

In: the fields of a row. Out: its form, its messages if it is a conversation, or the texts that templates name:

    {"noisy": "쨰밌어요", "clean": "재밌어요"}  ─►  pairs
        {"noisy": "쨰밌어요", "clean": "재밌어요", "instruction": "…", "input": "쨰밌어요", "output": "재밌어요"}
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hanpuri.data.recipe import FORMS, OPTIONAL, Form
from hanpuri.errors import DataError

FORM_ORDER: tuple[Form, ...] = ("messages", "pairs", "instruction", "preference", "text")
"""A row with the fields of two forms is of the first of them."""


def row_of(fields: Mapping[str, Any], id: str, instruction: str = "", *, asked: bool = False) -> dict[str, str]:
    """
    Bring a row of any form to what templates name: an instruction, perhaps an input, and the output.

        >>> row_of({"noisy": "쨰밌어요", "clean": "재밌어요"}, "1", "복원하세요.")["output"]
        '재밌어요'

    Args:
        fields: the row; it may have more than the fields of its form.
        id: how an error names the row.
        instruction: that of pairs, which bring none.
        asked: whether the row has only a question yet, and no answer.

    Raises:
        DataError: if the row is of no known form, or its messages are more than one question and its answer.
    """
    form = form_of(fields, id, asked=asked)
    if (turns := conversation_of(fields, form)) is not None:
        row = _one_exchange(turns, id, asked)
        return {"prompt": row["instruction"], **row} if form == "preference" else row
    row = {name: str(fields[name] or "") for name in FORMS[form] if name in fields}
    if form == "pairs":
        row = {**row, "instruction": instruction, "input": row["noisy"], "output": row.get("clean", "")}
    elif form == "preference":
        row = {**row, "instruction": row["prompt"], "output": row.get("chosen", "")}
    elif form == "text":
        row = {**row, "output": row["text"]}
    return {"output": "", **row}


def conversation_of(fields: Mapping[str, Any], form: Form) -> list[Mapping[str, Any]] | None:
    """
    Give the messages of a row that is a conversation; None of any other row. A preference has the chosen answer last.

        >>> asked = [{"role": "user", "content": "안녕?"}]
        >>> conversation_of({"prompt": asked, "chosen": "네!", "rejected": ""}, "preference")[-1]
        {'role': 'assistant', 'content': '네!'}
    """
    if form == "messages":
        return list(fields["messages"])
    if form != "preference" or not isinstance(fields["prompt"], list | tuple):
        return None
    return [*fields["prompt"], {"role": "assistant", "content": str(fields.get("chosen") or "")}]


def form_of(fields: Mapping[str, Any], id: str, *, asked: bool = False) -> Form:
    """
    Tell the form of a row by its fields.

        >>> form_of({"noisy": "쨰밌어요", "clean": "재밌어요", "stars": 5}, "1")
        'pairs'

    Raises:
        DataError: if it has the fields of no form.
    """
    form = _form_with(tuple(fields), asked)
    if form is None:
        told = ", ".join(fields) or "none at all"
        expected = "; ".join(", ".join(FORMS[form]) for form in FORMS)
        raise DataError(f"{id}: found the fields {told}, expected those of one form: {expected}", "rename the fields")
    return form


@lru_cache(maxsize=64)  # rows of one file have the same fields
def _form_with(names: tuple[str, ...], asked: bool) -> Form | None:
    answers = {"output", "clean", "chosen", "rejected"} if asked else set()
    for form in FORM_ORDER:
        if not set(FORMS[form]) - {*OPTIONAL, *answers} - set(names):
            return form
    return None


def _one_exchange(messages: Sequence[Mapping[str, Any]], id: str, asked: bool) -> dict[str, str]:
    roles = [str(message["role"]) for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if turns != (["user"] if asked else ["user", "assistant"]) and turns != ["user", "assistant"]:
        raise DataError(
            f"{id}: found messages of {', '.join(roles) or 'nobody'}, expected one of a user and its answer",
            "take the template chat, which writes whole conversations",
        )
    by_role = {str(message["role"]): str(message["content"]) for message in messages}
    row = {"instruction": by_role["user"], "input": "", "output": by_role.get("assistant", "")}
    return row | ({"system": by_role["system"]} if "system" in by_role else {})
