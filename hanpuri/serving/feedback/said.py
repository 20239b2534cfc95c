"""
What a person said: a correction of a restored text, or a vote between two of them.

In:  what a client sent, checked and in NFC.   Out: a Correction or a Vote, one row of a table each:

    Correction(noisy="확잠실읾", restored="확장실이", corrected="화장실이", consent=True, …)
    Vote(noisy="확잠실읾", left="화장실이", right="확장실이", choice="left", left_model="base", …)
"""

import hashlib
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID, uuid4

from hanpuri import __version__

Choice = Literal["left", "right", "both", "neither"]
NUL = "\0"
"""PostgreSQL keeps no text with it."""


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What corrections and votes both have."""

    id: UUID = field(default_factory=uuid4)
    """Drawn by the client, so that it can send the same again, or by us; who knows it may delete the row."""
    noisy: str
    """The text that was given."""
    consent: bool
    """Whether models may learn from it: without it no export has the row."""
    visitor: str | None = None
    """Who it was, as `hide_visitor` writes it."""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was kept, by the clock of this machine."""
    version: str = __version__
    """The hanpuri that kept it."""


@dataclass(frozen=True, kw_only=True)
class Correction(_Said):
    """What a person made of a restored text."""

    restored: str
    corrected: str | None = None
    """The right text; None if only `accepted` was said."""
    accepted: bool | None = None
    """Whether `restored` is right as it is; None if that was not said."""
    model: str | None = None
    """What restored it, as the client says."""


@dataclass(frozen=True, kw_only=True)
class Vote(_Said):
    """Which of two restored texts a person found better."""

    left: str
    right: str
    left_model: str
    """What restored the left text, as this service had signed it."""
    right_model: str
    choice: Choice


Said = Correction | Vote


def is_sound(text: str) -> bool:
    """
    Say whether every database can keep a text.

        >>> is_sound("화장실이"), is_sound("화\\0"), is_sound("화\\ud800")
        (True, False, False)
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return NUL not in text


def normal(text: str) -> str:
    """Join letters that are typed apart (NFC), as all texts are kept."""
    return unicodedata.normalize("NFC", text)


def utc(time: datetime) -> str:
    """
    Write a time.

        >>> utc(datetime(2026, 11, 22, 10, tzinfo=UTC))
        '2026-11-22T10:00:00Z'
    """
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def hide_visitor(told: str) -> str:
    """
    Hash what a client calls its visitor, so that no name or address stands in the database.

    It stays possible to tell that two rows are of one visitor, and to try whether they are of a given one.

        >>> hide_visitor("a1")
        'f55ff16f66f43360266b95db6f8fec01'
    """
    return hashlib.sha256(told.encode("utf-8")).hexdigest()[:32]


def same_content(one: Said, other: Said) -> bool:
    """
    Say whether two rows hold the same, whenever they came and whatever kept them.

        >>> same_content(Correction(id=UUID(int=1), noisy="쟉", restored="작", consent=True, accepted=True),
        ...              Correction(id=UUID(int=1), noisy="쟉", restored="작", consent=False, accepted=True))
        False
    """
    return type(one) is type(other) and replace(one, time=other.time, version=other.version) == other
