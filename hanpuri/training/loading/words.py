"""
Which words of the corpora a tokenizer should have had a token for.

In: a tokenizer and texts. Out: the beginnings of Korean words that save the most tokens, the best first. Of reviews,
with a tokenizer that was made for English:

    " 영화" in 영화, 영화는, 영화입니다 …  4 tokens ─► 1      " 재밌" in 재밌어요, 재밌게, …  5 ─► 1

A token is a beginning because particles and endings follow the stem. Words are weighed whole: a token for 드라 would
save on 드라이브, and cost on 드라마 where that has a token already.
"""

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import numpy.typing as npt

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError
from hanpuri.training.recipe import ExtendTokenizerSettings

Integers = npt.NDArray[np.int64]

WORD = re.compile(r"(?<= )[가-힣]{2,}")
LONGEST = 8  # syllables of a token
BEFORE = "가"  # stands before a text that goes on


@dataclass(slots=True)
class _Beginning:
    """The words that begin so: their places, and how many tokens each would have."""

    words: list[int] = field(default_factory=list)
    rests: list[str] = field(default_factory=list)


def find_words(tokenizer: Tokenizer, texts: Iterable[str], settings: ExtendTokenizerSettings) -> list[str]:
    """
    Find `settings.count` beginnings of words, each with the space before it, as a model's own tokens have it.

    They are chosen one after another: what " 호텔" has saved, " 호텔에서" saves no more.

    Args:
        tokenizer: the one that is to be extended.
        texts: where words are counted.
        settings: how many, and how often one must occur; what its `tokens` name is not found again.

    Raises:
        DataError: if the texts hold fewer words that would save tokens.
    """
    words, often = _count_words(texts)
    beginnings = _find_beginnings(words, often, settings)
    chosen = _choose(tokenizer, words, often, beginnings, settings)
    if len(chosen) < settings.count:
        raise DataError(
            f"the corpora hold {len(chosen):,} words that would save tokens, expected {settings.count:,}",
            "lower tokenizer.extend.count or min_frequency, or give more text",
        )
    return [" " + word for word in chosen]


def _count_words(texts: Iterable[str]) -> tuple[list[str], Integers]:
    counts = Counter(word for text in texts for word in WORD.findall(text))
    words = sorted(counts)
    return words, np.array([counts[word] for word in words], np.int64)


def _find_beginnings(words: Sequence[str], often: Integers, settings: ExtendTokenizerSettings) -> dict[str, _Beginning]:
    """Find the beginnings that are frequent enough, with the words that have them."""
    counts: Counter[str] = Counter()
    for word, times in zip(words, often.tolist(), strict=True):
        for end in range(2, min(len(word), LONGEST) + 1):
            counts[word[:end]] += times
    given = {token.strip() for token in settings.tokens}
    found = {one: _Beginning() for one in counts if counts[one] >= settings.min_frequency and one not in given}
    for place, word in enumerate(words):
        for end in range(2, min(len(word), LONGEST) + 1):
            if beginning := found.get(word[:end]):
                beginning.words.append(place)
                beginning.rests.append(word[end:])
    return found


def _choose(
    tokenizer: Tokenizer,
    words: Sequence[str],
    often: Integers,
    beginnings: dict[str, _Beginning],
    settings: ExtendTokenizerSettings,
) -> list[str]:
    """Choose the beginning that saves most, over and over; each choice changes what the others would save."""
    rests = sorted({rest for one in beginnings.values() for rest in one.rests})
    lengths = dict(zip(rests, _lengths(tokenizer, rests), strict=True))
    places = {text: np.array(one.words) for text, one in beginnings.items()}
    behind = {text: np.array([lengths[rest] for rest in one.rests]) for text, one in beginnings.items()}
    used = np.unique(np.concatenate([*places.values(), []])).astype(np.int64)
    cost, longest = np.zeros(len(words), np.int64), np.zeros(len(words), np.int64)
    cost[used] = _lengths(tokenizer, [" " + words[place] for place in used])

    def saved(text: str) -> int:
        here = places[text]
        open_words = longest[here] < len(text)  # the longest token that fits is taken
        here = here[open_words]
        if often[here].sum() < settings.min_frequency:
            return 0
        return int((often[here] * (cost[here] - 1 - behind[text][open_words])).sum())

    chosen: list[str] = []
    heap = [(-saved(text), text) for text in sorted(places)]
    heapq.heapify(heap)
    while heap and len(chosen) < settings.count:
        _, text = heapq.heappop(heap)
        gain = saved(text)  # it falls as others are chosen: what still leads, leads
        if gain > 0 and heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, text))
        elif gain > 0:
            chosen.append(text)
            better = longest[places[text]] < len(text)
            here = places[text][better]
            cost[here], longest[here] = 1 + behind[text][better], len(text)
    return chosen


def _lengths(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """Count the tokens that texts have where they go on; none for an empty one."""
    some = [bool(text) for text in texts]
    encoded = iter(tokenizer.encode_batch(list(compress(texts, some)), after=[BEFORE] * sum(some)))
    return [len(next(encoded)) if one else 0 for one in some]
