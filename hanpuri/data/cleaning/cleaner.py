"""
What is done to the texts of a row, in a fixed order, and why a row is left out.

In: the fields of one row. Out: the cleaned fields and each change, by the step's name in the recipe:

    {"text": " 좋아요 010-1234-5678\\u200b"}  ─►  {"text": "좋아요 [전화번호]"}
        control_characters   " 좋아요 010-1234-5678\\u200b"  ─►  " 좋아요 010-1234-5678"
        white_space          " 좋아요 010-1234-5678"       ─►  "좋아요 010-1234-5678"
        mask.phone           "좋아요 010-1234-5678"        ─►  "좋아요 [전화번호]"

Lost characters and mojibake are looked for in the text as it came: mojibake is full of control characters, and is hard
to see without them. Then come the steps, then the filters. `hanpuri prepare` and its `--explain` both run this.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from unicodedata import normalize

from hanpuri.data.cleaning.characters import collapse, control_characters, lower_case, nfc, replacement, trim
from hanpuri.data.cleaning.mojibake import mojibake
from hanpuri.data.cleaning.personal import KINDS, mask_kind
from hanpuri.data.recipe import FORMS, CleanSettings, Form

Step = tuple[str, Callable[[str], str]]

_LOST = re.compile(r"[\ufffd\ud800-\udfff]")
_HANGUL = re.compile("[가-힣ㄱ-ㅣㅥ-ㆎ\u1100-\u115e\u1161-\u11ff\ua960-\ua97c\ud7b0-\ud7fb\uffa1-\uffdc]")


@dataclass(frozen=True, slots=True)
class Change:
    """One step that changed one text."""

    step: str
    """Its name in the recipe; for personal data with the kind, "mask.phone"."""
    field: str
    """Which text of the row; a message by its number from 0, "messages.2" or "prompt.0"."""
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What cleaning made of one row."""

    fields: Mapping[str, Any]
    """The row's fields, cleaned, dropped or not."""
    changes: tuple[Change, ...]
    """In the order in which they were made."""
    findings: tuple[str, ...]
    """"replacement" (U+FFFD or half a surrogate pair) and "mojibake", if the row holds them, dropped or not."""
    dropped: str | None
    """The filter that leaves the row out, by its name in the recipe, "lengths_part" or "same_answers"; else None."""


class Cleaner:
    """
    The cleaning that a recipe asks for, of rows of one form.

        >>> cleaner = Cleaner(CleanSettings(lower_case=True, min_characters=3), "text")
        >>> cleaning = cleaner.clean({"text": "LG 좋아요 "})
        >>> cleaning.fields, [change.step for change in cleaning.changes]
        ({'text': 'lg 좋아요'}, ['white_space', 'lower_case'])
        >>> cleaner.clean({"text": "ㅎㅎ "}).dropped
        'min_characters'
    """

    def __init__(self, settings: CleanSettings, form: Form) -> None:
        self._settings = settings
        self._form = form
        self._steps = tuple(_steps(settings))

    def clean(self, fields: Mapping[str, Any]) -> Cleaning:
        """
        Clean the texts of one row, and say whether it stays.

        `fields` are those of the form, as `recipe.FORMS` lists them: strings, or messages with `role` and `content`.
        They are not changed; the result holds new ones where a text changed.
        """
        came = _texts(fields)
        findings = tuple(_find(came.values()))
        changes: list[Change] = []
        texts = {field: self._clean_text(field, text, changes) for field, text in came.items()}
        if changes:
            fields = _put_back(fields, texts)
        dropped = self._unwanted(findings) or self._filter(came, texts)
        return Cleaning(fields, tuple(changes), findings, dropped)

    def _clean_text(self, field: str, text: str, changes: list[Change]) -> str:
        for step, function in self._steps:
            after = function(text)
            if after != text:
                changes.append(Change(step, field, text, after))
                text = after
        return text

    def _unwanted(self, findings: tuple[str, ...]) -> str | None:
        return next((finding for finding in findings if getattr(self._settings, finding) == "drop"), None)

    def _filter(self, came: Mapping[str, str], texts: Mapping[str, str]) -> str | None:
        """
        Name the first filter that leaves a row out.

        A pair whose two sides were of one length and no longer are, such as after a mask or a trimmed space on one
        side alone, would teach a model to drop or to invent characters: its `lengths_part`, and it goes. So does a
        preference whose answers have become the same.
        """
        settings = self._settings
        lengths = _lengths(texts, self._form)
        if any(length < settings.min_characters for field, length in lengths.items() if _may_not_miss(field, length)):
            return "min_characters"
        if settings.max_characters is not None and max(lengths.values()) > settings.max_characters:
            return "max_characters"
        if settings.min_hangul and _hangul_share(texts) < settings.min_hangul:
            return "min_hangul"
        if self._form == "pairs" and _is_aligned(came) and not _is_aligned(texts):
            return "lengths_part"
        if self._form == "preference" and _same_answers(texts):
            return "same_answers"
        return None


def _steps(settings: CleanSettings) -> Iterator[Step]:
    yield "replacement", replacement
    if settings.control_characters:
        yield "control_characters", control_characters
    if settings.nfc:
        yield "nfc", nfc
    if settings.white_space != "keep":
        yield "white_space", trim if settings.white_space == "trim" else collapse
    if settings.lower_case:
        # A small letter and its mark may be one character where the capital and its mark are two: J̌, ǰ.
        yield "lower_case", _lower_case_nfc if settings.nfc else lower_case
    for kind in KINDS:
        if kind in settings.mask:
            yield f"mask.{kind}", partial(mask_kind, kind=kind)


def _lower_case_nfc(text: str) -> str:
    return nfc(lower_case(text))


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Name each text of a row: {"messages.0": …, "messages.1": …} or the fields as they are."""
    if not (conversation := _conversation(fields)):
        return dict(fields)
    texts = {f"{conversation}.{number}": message["content"] for number, message in enumerate(fields[conversation])}
    return texts | {field: text for field, text in fields.items() if field != conversation}


def _put_back(fields: Mapping[str, Any], texts: Mapping[str, str]) -> Mapping[str, Any]:
    if not (conversation := _conversation(fields)):
        return texts
    messages = [
        {**message, "content": texts[f"{conversation}.{number}"]} for number, message in enumerate(fields[conversation])
    ]
    return {field: messages if field == conversation else texts[field] for field in fields}


def _conversation(fields: Mapping[str, Any]) -> str | None:
    """Name the field that holds messages, if one does."""
    return next((field for field in ("messages", "prompt") if isinstance(fields.get(field), list)), None)


def _find(texts: Iterable[str]) -> Iterator[str]:
    suspects = [text for text in texts if not text.isascii()]
    if any(map(_LOST.search, suspects)):
        yield "replacement"
    if any(map(mojibake, suspects)):
        yield "mojibake"


def _is_aligned(texts: Mapping[str, str]) -> bool:
    noisy, clean = (len(normalize("NFC", texts[field])) for field in FORMS["pairs"])
    return noisy == clean


def _same_answers(texts: Mapping[str, str]) -> bool:
    return normalize("NFC", texts["chosen"]) == normalize("NFC", texts["rejected"])


def _may_not_miss(field: str, length: int) -> bool:
    """Tell whether a text may not be too short: an input may be, and a rejected answer may be none at all."""
    return field != "input" and (field != "rejected" or length > 0)


def _lengths(texts: Mapping[str, str], form: Form) -> dict[str, int]:
    """Give the length of each text; a conversation has one, that of all its messages."""
    if form not in ("messages", "preference"):
        return {field: len(text) for field, text in texts.items()}
    lengths: dict[str, int] = {}
    for name, text in texts.items():
        field = name.partition(".")[0]
        lengths[field] = lengths.get(field, 0) + len(text)
    return lengths


def _hangul_share(texts: Mapping[str, str]) -> float:
    """
    Give the share of Hangul, syllables and letters, among the letters of a row; 0 if it has no letter.

    The noisy side of a pair does not count: noise may write Hangul with letters that are none.
    """
    counted = [text for field, text in texts.items() if field != "noisy"]
    num_letters = sum(sum(map(str.isalpha, text)) for text in counted)
    num_hangul = sum(len(_HANGUL.findall(text)) for text in counted)
    return num_hangul / num_letters if num_letters else 0.0
