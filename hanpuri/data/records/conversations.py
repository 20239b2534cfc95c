"""
Conversations in the ways people write them, as messages of one kind.

In: a list of messages, in our manner or ShareGPT's, or such a list as JSON in a cell. Out: messages, or what is wrong:

    [{"from": "human", "value": "안녕"}, {"from": "gpt", "value": "네, 안녕하세요"}]  ─►
    [{"role": "user", "content": "안녕"}, {"role": "assistant", "content": "네, 안녕하세요"}]

A conversation is faulty if it is empty, holds a message without a text or of an unknown role, or does not end with the
assistant, whose words are what is learnt; a prompt ends with the user. Other keys of a message are not kept.
"""

import json
from collections.abc import Mapping

from hanpuri.data.files.formats import nearest
from hanpuri.data.files.tables import kind_of

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}

Problem = tuple[str, str]  # what was found and expected, the mend
Message = dict[str, str]

SHAPE_MEND = 'write [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'


def read_messages(
    value: object, column: str, *, last: str = "assistant", may_end_empty: bool = False
) -> list[Message] | Problem:
    """
    Read a conversation from the cell of a column.

        >>> read_messages('[{"from": "gpt", "value": "네"}]', "conversations")
        [{'role': 'assistant', 'content': '네'}]
        >>> read_messages([], "messages")[0]
        'found no messages in "messages", expected at least one'

    Args:
        value: the cell.
        column: how a problem names it.
        last: whose message the last one must be.
        may_end_empty: whether the last one may hold no text, as a rejected answer may.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return f'found a text that is no JSON in "{column}", expected a list of messages', SHAPE_MEND
    if not isinstance(value, list):
        return f'found {kind_of(value)} in "{column}", expected a list of messages', SHAPE_MEND
    messages: list[Message] = []
    for number, item in enumerate(value, 1):
        may_be_empty = may_end_empty and number == len(value)
        message = _message(item, f'message {number} of "{column}"', may_be_empty=may_be_empty)
        if isinstance(message, tuple):
            return message
        messages.append(message)
    if not messages:
        return f'found no messages in "{column}", expected at least one', SHAPE_MEND
    if (found := messages[-1]["role"]) != last:
        mend = "end it with the assistant's answer" if last == "assistant" else "end it with what is asked"
        return f'found messages in "{column}" that end with {found}, expected {last}', mend
    return messages


def _message(item: object, where: str, *, may_be_empty: bool) -> Message | Problem:
    if not isinstance(item, Mapping):
        return f"found {kind_of(item)} as {where}, expected an object", SHAPE_MEND
    role = item.get("role", item.get("from"))
    content = item.get("content", item.get("value"))
    if not isinstance(role, str) or role not in ROLES:
        told = f'the role "{role}"' if isinstance(role, str) else "no role"
        guess = nearest(role, ROLES) if isinstance(role, str) else None
        mend = f'did you mean "{guess}"?' if guess else "name one of these roles"
        return f"found {told} in {where}, expected system, user or assistant", mend
    if not isinstance(content, str) or not (content or may_be_empty):
        told = '""' if content == "" else kind_of(content)
        return f"found {told} as the content of {where}, expected a text", "fill it in"
    return {"role": ROLES[role], "content": content}
