"""
What of a row is compared, for each form of row.

In: the fields of a row. Out: everything it says, what makes it nearly the same as another, and what it asks:

    {"instruction": "체크인은 몇 시인가요?", "input": "", "output": "오후 세 시입니다."}
        said      "체크인은 몇 시인가요?", "", "오후 세 시입니다."
        compared  the same
        asked     "체크인은 몇 시인가요?", "": must not be asked in training and in the test

Noisy versions of one clean text are no repetitions of each other, but they ask for the same answer.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from hanpuri.data.recipe import FORMS, Form

ID_BYTES = 10
# Between texts that are hashed as one: "방이", "넓다" is not "방", "이 넓다".
BORDER = "\x1e"


def said(fields: Mapping[str, Any], form: Form) -> list[str]:
    """
    List all texts of a row.

    >>> said({"messages": [{"role": "user", "content": "안녕"}]}, "messages")
    ['안녕']
    """
    texts: list[str] = []
    for field in FORMS[form]:
        value = fields[field]
        texts += [value] if isinstance(value, str) else [message["content"] for message in value]
    return texts


def compared(texts: Sequence[str], form: Form) -> Sequence[str]:
    """
    Choose, from what a row says, the texts by which near-duplicates are found.

    >>> compared(["빵이 넓엎욘", "방이 넓어요"], "pairs")
    ['방이 넓어요']
    """
    return texts[1:] if form == "pairs" else texts


def asked(texts: Sequence[str], form: Form) -> Sequence[str]:
    """
    Choose, from what a row says, the texts that must not stand in two splits.

    >>> asked(["추천해 주세요", "", "네", "아니요"], "preference")
    ['추천해 주세요', '']
    """
    match form:
        case "instruction":
            return texts[:2]
        case "preference":
            return texts[:-2]
        case "messages":
            return texts[:-1] or texts  # where nobody asks, the answer stands for itself
    return compared(texts, form)


def content_id(fields: Mapping[str, Any], form: Form) -> str:
    """
    Make the id of a row that has none of its own: 20 hexadecimal digits of a hash of what it says.

    >>> content_id({"text": "방이 넓어요"}, "text")
    '61ee48a010194a08f8b3'
    """
    whole = BORDER.join(said(fields, form)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=ID_BYTES).hexdigest()
