"""
A restored text with what is known of it, and how a part of it is replaced.

In: noisy text, restored text and the model's confidence in each character. Out: the same with other words in it:

    Restored("죠식 빵니", "조식 방이", (…, 0.58, 0.99))  ─►  Restored("죠식 빵니", "조식 빵이", (…, 0.58, 0.99))
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from hanpuri.engines.base import Answer

WORD = re.compile(r"\S+")
SURE = 1.0


@dataclass(frozen=True)
class Restored:
    """One text behind a model and the steps so far."""

    noisy: str
    text: str
    confidence: tuple[float, ...]
    """Of each character of `text`; 1.0 where nothing is known."""

    @classmethod
    def of(cls, noisy: str, answer: Answer) -> Self:
        """Take an engine's answer to a noisy text."""
        told = answer.confidence if len(answer.confidence) == len(answer.text) else (SURE,) * len(answer.text)
        return cls(noisy, answer.text, told)

    def with_text(self, text: str) -> Self:
        """
        Put another text in place; each character that stays keeps its confidence if length and places stay.

            >>> Restored("빵니", "방이", (0.5, 0.9)).with_text("빵이").confidence
            (1.0, 0.9)
        """
        if len(text) != len(self.text):
            return replace(self, text=text, confidence=(SURE,) * len(text))
        both = zip(text, self.text, self.confidence, strict=True)
        return replace(self, text=text, confidence=tuple(sure if new == old else SURE for new, old, sure in both))

    def least_sure(self, start: int, end: int) -> float:
        """Give the confidence in the least sure of some characters."""
        return min(self.confidence[start:end], default=SURE)


def correct_words(restored: Restored, correct: Callable[[str], str], below: float) -> Restored:
    """
    Correct each word in which the model is less sure of a syllable than `below`; above 1 that is every word.

        >>> correct_words(Restored("빵니 죠아", "방이 좋아", (0.5, 0.9, 1, 1, 1)), lambda word: "빵이", 0.6).text
        '빵이 좋아'
    """
    parts: list[str] = []
    end = 0
    for match in WORD.finditer(restored.text):
        unsure = restored.least_sure(*match.span()) < below
        parts += [restored.text[end : match.start()], correct(match.group()) if unsure else match.group()]
        end = match.end()
    return restored.with_text("".join([*parts, restored.text[end:]]))
