"""
What comes back of one text: the restored one, what changed in it, how sure the model is, what else it could be.

In:  what a model said of "확잠실읾 념뭄 잙앙욤".
Out: Restoration(text="화장실이 너무 작아요", edits=…, confidence=…).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from hanpuri.compact.restoring.alternatives import Alternative


class Edit(NamedTuple):
    """One syllable that was restored: where it stands, what was read, what it became, how sure the model is."""

    position: int
    noisy: str
    restored: str
    confidence: float


class PartEdit(NamedTuple):
    """
    With reach="wide": a part of the text that was restored, and how it was hidden.

    It may be longer than what it became, or shorter; one of both may be empty.
    """

    position: int
    noisy: str
    restored: str
    confidence: float
    kind: str


@dataclass(frozen=True)
class Restoration:
    """
    One restored text.

    Attributes:
        noisy: the input, in NFC.
        text: the restored text, of the same length but with reach="wide".
        confidence: the model's probability for each character of `text`; 1.0 where it has no say.
        alternatives: if they were asked for: where in `noisy` the model is unsure, what it holds likeliest there, from
            the syllable of `text` downwards.
        parts: with reach="wide" what changed; else nothing, for it is what differs.
    """

    noisy: str
    text: str
    confidence: tuple[float, ...] = field(repr=False)
    alternatives: Mapping[int, tuple[Alternative, ...]] = field(default_factory=dict, repr=False, hash=False)
    parts: tuple[PartEdit, ...] | None = field(default=None, repr=False)

    @cached_property
    def edits(self) -> tuple[Edit, ...] | tuple[PartEdit, ...]:
        """What changed, from left to right; put in place of what stood there, edits give the text."""
        if self.parts is not None:
            return self.parts
        characters = zip(self.noisy, self.text, self.confidence, strict=True)
        return tuple(
            Edit(position, noisy, restored, confidence)
            for position, (noisy, restored, confidence) in enumerate(characters)
            if noisy != restored
        )
