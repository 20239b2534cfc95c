"""
What restoring gives, whichever model did it.

In:  what a compact model or a language model made of "확잠실읾".   Out:

    Restored("확잠실읾", "화장실이", (0.99, …), (Edit(0, "확", "화", 0.99), Edit(1, "잠", "장", 0.98), …), {})

Every edit put in place of what stood there gives the restored text. A compact model keeps each character's place, but
with reach="wide"; a language model may not, and then an edit may be longer or shorter on one side.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from hanpuri.compact.restoring.alternatives import Alternative
from hanpuri.compact.restoring.restoration import Restoration

__all__ = ["Alternative", "Edit", "Restored", "edits_between"]

WORDS = re.compile(r"\S+\s*|\s+")
MOST_COMPARED = 1_000_000
"""Pairs of words: what is longer on both sides is one edit, for comparing it would take seconds."""


class Edit(NamedTuple):
    """What changed: where it stands in the noisy text, what was read, what it became, how sure the model is."""

    position: int
    noisy: str
    restored: str
    confidence: float | None
    """None if the model does not tell."""
    kind: str | None = None
    """How it was hidden, if it was asked for more than syllables."""


@dataclass(frozen=True)
class Restored:
    """One restored text; positions count characters of `noisy`."""

    noisy: str
    """The text in NFC."""
    text: str
    confidences: tuple[float, ...] | None
    """The model's probability for each character of `text`; None if it does not tell."""
    edits: tuple[Edit, ...]
    alternatives: Mapping[int, tuple[Alternative, ...]]
    """Where the model is unsure: what it holds likeliest, the syllable of `text` first."""


def of_compact(one: Restoration) -> Restored:
    """Take over what a compact model restored."""
    edits = tuple(Edit(*edit) for edit in one.edits)
    return Restored(one.noisy, one.text, one.confidence, edits, dict(sorted(one.alternatives.items())))


def of_engine(noisy: str, text: str, confidences: tuple[float, ...]) -> Restored:
    """Take over what an engine answered; one that does not tell how sure it is gives no confidences."""
    sure = confidences if len(confidences) == len(text) else None
    return Restored(noisy, text, sure, tuple(edits_between(noisy, text, sure)), {})


def edits_between(noisy: str, text: str, sure: tuple[float, ...] | None = None) -> Iterator[Edit]:
    """
    Find what changed: character by character where the length is the same, else word by word.

        >>> [edit[:3] for edit in edits_between("넓뭄 좋타", "너무 좋다")]
        [(0, '넓', '너'), (1, '뭄', '무'), (4, '타', '다')]
        >>> [edit[:3] for edit in edits_between("방이 넓뭄 좋타", "방이 매우 좋습니다")]
        [(3, '넓', '매'), (4, '뭄', '우'), (6, '좋타', '좋습니다')]
    """
    for start, end, from_, to in _changed_parts(noisy, text):
        if end - start == to - from_:
            for before, after in zip(range(start, end), range(from_, to), strict=True):
                if noisy[before] != text[after]:
                    yield Edit(before, noisy[before], text[after], sure[after] if sure else None)
        else:
            yield Edit(start, noisy[start:end], text[from_:to], min(sure[from_:to], default=None) if sure else None)


def _changed_parts(noisy: str, text: str) -> Iterator[tuple[int, int, int, int]]:
    if len(noisy) == len(text):
        yield 0, len(noisy), 0, len(text)
        return
    before, after = WORDS.findall(noisy), WORDS.findall(text)
    if len(before) * len(after) > MOST_COMPARED:
        yield 0, len(noisy), 0, len(text)
        return
    at_before, at_after = _starts(before), _starts(after)
    for how, *ends in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if how == "equal":
            continue
        start, end, from_, to = ends
        if end - start == to - from_:
            for one, other in zip(range(start, end), range(from_, to), strict=True):
                yield at_before[one], at_before[one + 1], at_after[other], at_after[other + 1]
        else:
            yield at_before[start], at_before[end], at_after[from_], at_after[to]


def _starts(words: list[str]) -> list[int]:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    return starts
