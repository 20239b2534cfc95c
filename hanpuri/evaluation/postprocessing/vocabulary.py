"""
The words of clean texts, and the nearest of them to a word that is none.

In: texts such as "조식 빵이 맛있어요". Out: counts of words and syllables, and a correction by letters:

    "뺭이"  ─►  "빵이"      뺭이 is no word of the texts; 빵이 is one, and a single letter away
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hanpuri.data.records.forms import open_rows
from hanpuri.errors import EngineError
from hanpuri.hangul import decompose

MIN_COUNT = 2
"""A word that was seen once may be a slip itself."""
MIN_SYLLABLES = 2
"""Of one syllable nearly all are words."""
HANGUL = re.compile(r"[가-힣]+")
CLEAN_SIDE = ("clean", "output", "text")


@dataclass(frozen=True)
class Vocabulary:
    """Words and syllables of clean texts, with how often they stand there."""

    words: Mapping[str, int]
    syllables: Mapping[str, int]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """
        Count the words of texts: runs of Hangul syllables.

            >>> Vocabulary.of(["빵이 맛있어요!", "빵이"]).words
            {'빵이': 2}
        """
        words = Counter(word for text in texts for word in HANGUL.findall(text))
        syllables = Counter(syllable for word in words for syllable in word)
        kept = {word: count for word, count in words.items() if count >= MIN_COUNT}
        return cls(kept, dict(syllables))

    @classmethod
    def load(cls, path: Path) -> Self:
        """
        Count the words of a file: the clean side of pairs, the answers of instructions, texts.

        Raises:
            DataError: if it cannot be read.
        """
        records = open_rows(path).records()
        return cls.of(str(next((r.fields[name] for name in CLEAN_SIDE if name in r.fields), "")) for r in records)

    def correct(self, word: str) -> str:
        """
        Give the commonest known word that is one letter away from an unknown one; any other word stays.

            >>> vocabulary = Vocabulary.of(["조식 빵이", "조식 빵이"])
            >>> vocabulary.correct("뺭이"), vocabulary.correct("조식"), vocabulary.correct("라면")
            ('빵이', '조식', '라면')

        Raises:
            EngineError: if rapidfuzz is not installed.
        """
        core = HANGUL.fullmatch(word)
        if core is None or len(word) < MIN_SYLLABLES or word in self.words:
            return word
        process, hamming = _import_rapidfuzz()
        known = self._by_length.get(len(word), {})
        near = process.extract(_letters(word), known, scorer=hamming, score_cutoff=1, limit=None)
        return max((found for *_, found in near), key=lambda found: self.words[found], default=word)

    @cached_property
    def _by_length(self) -> dict[int, dict[str, str]]:
        """For each length, the words with their letters: three places a syllable, so that places can be compared."""
        grouped: dict[int, dict[str, str]] = {}
        for word in self.words:
            grouped.setdefault(len(word), {})[word] = _letters(word)
        return grouped


def _letters(word: str) -> str:
    """
    Spell a word in letters, three a syllable.

        >>> _letters("빵이")
        'ㅃㅏㅇㅇㅣ.'
    """
    return "".join(lead + vowel + (tail or ".") for lead, vowel, tail in map(decompose, word))


def _import_rapidfuzz() -> tuple[Any, Any]:
    try:
        from rapidfuzz import process
        from rapidfuzz.distance import Hamming
    except ImportError:
        found = "the dictionary needs the library rapidfuzz, which is not installed"
        raise EngineError(found, 'install it: pip install "hanpuri[postprocess]"') from None
    return process, Hamming.distance
