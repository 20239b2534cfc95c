"""
JSON files: a list of objects, or an object with one list inside, an element at a time.

In: pieces of text. Out: for each element the number of the line where it begins, and the element or its fault:

    {"version": "1.2", "data": [        ─►  (2, {"text": "쨰밌어요"})
      {"text": "쨰밌어요"},                   (3, Fault(3, "found a string, expected an object", ...))
      "별로"]}

The file is never held whole, whether it is written in one line or in many.
"""

import json
import re
from collections.abc import Iterator

from hanpuri.data.files.formats import Fault
from hanpuri.data.files.tables import kind_of
from hanpuri.errors import DataError

MAX_ELEMENT_LENGTH = 10_000_000  # in characters

ELEMENT_MEND = 'write the element as {"text": "..."}'
CLOSE_MEND = "look for a quote or bracket that is not closed"
LIST_MEND = "write the rows as a list of objects: [{...}, {...}]"

DECODER = json.JSONDecoder()
SPACE = re.compile(r"[ \t\r\n]*")
# A string (one that is not closed ends with its line, as JSON allows no line end in it), or a bracket.
STRING_OR_BRACKET = re.compile(r'"(?:[^"\\\n]++|\\.)*+(?:(?P<end>"|\\?\n)|\\?\Z)|[\[\]{}]')
CLOSING = {"{": "}", "[": "]"}
WORD = re.compile(r"[^,\]}\n]*(?=[,\]}\n])")


def read_json(pieces: Iterator[str], name: str) -> Iterator[tuple[int, dict[str, object] | Fault]]:
    """
    Read the elements of a JSON file, broken ones reported and passed over.

        >>> list(read_json(iter(['[{"text": "쨰밌', '어요"},\\n {"text": "별로"}]']), "reviews.json"))
        [(1, {'text': '쨰밌어요'}), (2, {'text': '별로'})]

    Raises:
        DataError: if the file is no list of rows and holds none, or two; if an element is beyond any measure; and where
            the list is broken in such a way that the next element cannot be told, so that all behind it would be lost.
    """
    text = _Text(pieces, name)
    opening = text.peek()
    _check_one_value(text)
    if opening == "[":
        yield from _elements(text)
    elif opening == "{":
        yield from _list_inside(text)
    else:
        raise text.broken(f"found {opening or 'nothing'}, expected a list of rows")
    if text.peek():
        raise text.broken("found more behind the end of the list, expected nothing")


class _Text:
    """The text that was read and not yet used; `at` is where the next value begins, in the line `line`."""

    def __init__(self, pieces: Iterator[str], name: str) -> None:
        self.pieces = pieces
        self.name = name
        self.text = ""
        self.at = 0
        self.line = 1

    def more(self) -> bool:
        """Read at least as much again as is held, so that a long element is not tried once a piece."""
        held = self.text[self.at :]
        added: list[str] = []
        while sum(map(len, added)) <= len(held) and (piece := next(self.pieces, "")):
            added.append(piece)
        if added:
            self.text, self.at = held + "".join(added), 0
        return bool(added)

    def broken(self, message: str, mend: str = LIST_MEND) -> DataError:
        return DataError(f"{self.name}:{self.line}: {message}", mend)

    def take(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def peek(self) -> str:
        """Pass over white space and give the next character; "" at the end."""
        while True:
            match = SPACE.match(self.text, self.at)
            self.take(match.end() if match else self.at)
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""


def _check_one_value(text: _Text) -> None:
    # Files called .json that hold an object a line are common, and would pass for one object and something behind it.
    first, _, behind = text.text[text.at :].partition("\n")
    if not (first.startswith("{") and behind.lstrip().startswith("{")):
        return
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return
    raise text.broken("found an object a line, expected a list of them", "say that it is JSONL: --format jsonl")


def _elements(text: _Text) -> Iterator[tuple[int, dict[str, object] | Fault]]:
    text.take(text.at + 1)
    while (character := text.peek()) != "]":
        line = text.line
        if not character:
            raise text.broken("found the end of the file, expected ] behind the last element")
        value = _value(text)
        if isinstance(value, dict | Fault):
            yield line, value
        else:
            yield line, Fault(line, f"found {kind_of(value)}, expected an object", ELEMENT_MEND)
        behind = text.peek()
        if behind == ",":
            text.take(text.at + 1)
        elif behind and behind != "]":
            raise text.broken(f"found {behind} behind an element, expected a comma")
    text.take(text.at + 1)


def _list_inside(text: _Text) -> Iterator[tuple[int, dict[str, object] | Fault]]:
    lists: list[str] = []
    text.take(text.at + 1)
    while (character := text.peek()) not in ("}", ""):
        if character == ",":
            text.take(text.at + 1)
            continue
        key = _value(text)
        if not isinstance(key, str) or text.peek() != ":":
            raise text.broken('found no "key": value in an object')
        text.take(text.at + 1)
        if text.peek() != "[":
            if isinstance(value := _value(text), Fault):
                raise text.broken(value.message)
            continue
        lists.append(key)
        if len(lists) == 2:
            raise text.broken(f'found two lists, "{lists[0]}" and "{key}", expected one with the rows')
        yield from _elements(text)
    if not character:
        raise text.broken("found the end of the file, expected } behind the last value")
    if not lists:
        raise text.broken("found an object without a list in it, expected a list of rows")
    text.take(text.at + 1)


def _value(text: _Text) -> object:
    """Read the value that begins here: it, or its fault, behind which reading goes on."""
    while True:
        try:
            value, end = DECODER.raw_decode(text.text, text.at)
        except json.JSONDecodeError as error:
            line = text.line + text.text.count("\n", text.at, error.pos)
            told = error.msg if line == text.line else f"{error.msg} in line {line}"
        except (ValueError, RecursionError) as error:  # a number of 5,000 digits, brackets 1,000 deep
            told = str(error)
        else:
            if end < len(text.text) or not text.more():  # the number 12 may go on as 123 in the next piece
                _check_length(text, end)
                text.take(end)
                return value
            continue
        found = f"found an element that is no JSON ({told}), expected an object"
        if (broken_end := _end_of_broken(text)) is not None:
            fault = Fault(text.line, found, ELEMENT_MEND)
            text.take(broken_end)
            return fault
        _check_length(text, len(text.text))
        if not text.more():
            raise text.broken(found, CLOSE_MEND)


def _check_length(text: _Text, end: int) -> None:
    if end - text.at > MAX_ELEMENT_LENGTH:
        found = f"found an element of more than {MAX_ELEMENT_LENGTH:,} characters, expected less"
        raise text.broken(found, CLOSE_MEND)


def _end_of_broken(text: _Text) -> int | None:
    """Find where a broken value ends: at the bracket that closes it, its quote, or the next comma."""
    if text.text[text.at] not in '[{"':
        match = WORD.match(text.text, text.at)
        return match.end() if match else None
    closing: list[str] = []
    for match in STRING_OR_BRACKET.finditer(text.text, text.at):
        token = match[0]
        if token in CLOSING:
            closing.append(CLOSING[token])
        elif token in ("}", "]"):
            if closing.pop() != token:
                return match.start()  # it closes something further out
        elif match["end"] is None:
            return None
        if not closing:
            return match.end()
    return None
