"""
A user's files ─► the texts to learn from and those kept apart to measure by.

In:  files of clean sentences, read as `hanpuri restore --file` reads them.   Out: Texts(learnt, held_out, found), where

    found = Found(rows=35_210, learnt=33_101, held_out=412, twice=602, without_hangul=95, overlapping=1_000, …)

Texts are kept apart whole, by a hash of what they say: no window of a text that is measured by was ever learnt from.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from unicodedata import normalize

import numpy as np

from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.data.preparation.deduplicate import key_of, normalise
from hanpuri.data.preparation.windows import hash_windows, mix, syllables_of
from hanpuri.errors import DataError

FEWEST_TEXTS = 200
FEWEST_HELD_OUT, MOST_HELD_OUT = 20, 500
# Of those kept apart, what has to be left when the ones that are like others are taken away.
FEWEST_MEASURED = 10
HELD_OUT_SHARE = 0.1
# Two texts that share so many syllables in a row have one source: what the one teaches is no gain on the other.
OVERLAP = 15
NAMED_SYLLABLES = 8


@dataclass(frozen=True)
class Found:
    """
    What stood in the files, in texts.

    Attributes:
        rows: all of them.
        learnt: those to learn from; `syllables` is how many these hold.
        held_out: those to measure by.
        twice: said before, but for case, spaces and punctuation; left out.
        without_hangul: hold no syllable; left out.
        overlapping: were to be measured by, but share 15 syllables in a row with one to learn from; left out.
        unknown: syllables for which the model has no label, and how often each stands there, the most frequent first.
    """

    rows: int
    learnt: int
    syllables: int
    held_out: int
    twice: int
    without_hangul: int
    overlapping: int
    unknown: tuple[tuple[str, int], ...]

    def as_dict(self) -> dict[str, object]:
        """All counts by name."""
        return {**asdict(self), "unknown": dict(self.unknown)}


@dataclass(frozen=True)
class Texts:
    """The texts to learn from, those to measure by, and what stood in the files."""

    learnt: tuple[str, ...]
    held_out: tuple[str, ...]
    found: Found


def divide(rows: Iterable[str], vocabulary: Vocabulary, seed: int) -> Texts:
    """
    Leave out what says nothing new, and keep a tenth of the texts apart, 500 at most.

    Args:
        rows: the texts as they stand in the files.
        vocabulary: of the model to be adapted.
        seed: another seed, other texts kept apart.

    Raises:
        DataError: if there are too few texts, or too few differ enough to measure by.
    """
    once: dict[bytes, str] = {}
    num_rows = num_silent = 0
    for row in rows:
        num_rows += 1
        text = normalize("NFC", row).strip()
        if syllables_of(text):
            once.setdefault(key_of(normalise(text)), text)
        else:
            num_silent += 1
    _check_number(num_rows, len(once))
    texts = _shuffled(once, seed)
    num_held_out = min(MOST_HELD_OUT, max(FEWEST_HELD_OUT, round(HELD_OUT_SHARE * len(texts))))
    learnt, wanted = texts[num_held_out:], texts[:num_held_out]
    held_out = _apart(wanted, learnt)
    if len(held_out) < FEWEST_MEASURED:
        found = f"of {num_held_out} texts kept apart, {num_held_out - len(held_out)} share {OVERLAP} syllables in a row"
        raise DataError(f"{found} with others", "give texts that differ more: nothing can be measured by these")
    counts = Found(
        rows=num_rows,
        learnt=len(learnt),
        syllables=sum(len(syllables_of(text)) for text in learnt),
        held_out=len(held_out),
        twice=num_rows - num_silent - len(once),
        without_hangul=num_silent,
        overlapping=num_held_out - len(held_out),
        unknown=count_unknown(texts, vocabulary),
    )
    return Texts(tuple(learnt), tuple(held_out), counts)


def count_unknown(texts: Iterable[str], vocabulary: Vocabulary) -> tuple[tuple[str, int], ...]:
    """
    Count the syllables that the model can only leave as they are, the most frequent first.

    >>> count_unknown(["뷁 뷁 갃"], Vocabulary("가", "\\n"))
    (('뷁', 2), ('갃', 1))
    """
    counts = Counter(syllable for text in texts for syllable in syllables_of(text))
    known = set(vocabulary.syllables)
    return tuple((syllable, count) for syllable, count in counts.most_common() if syllable not in known)


def _check_number(num_rows: int, num_texts: int) -> None:
    if num_texts >= FEWEST_TEXTS:
        return
    told = f"found {num_texts:,} different texts with Hangul"
    if num_texts < num_rows:
        told += f" in {num_rows:,} rows"
    raise DataError(f"{told}, expected {FEWEST_TEXTS} or more", "give more sentences, a line or a cell each")


def _shuffled(once: dict[bytes, str], seed: int) -> list[str]:
    """Order texts by a hash of what they say: the same texts are kept apart in whatever order they come."""
    keys = np.array([int.from_bytes(key[:8], "little") for key in once], dtype=np.uint64)
    salt = mix(np.array([seed % 2**64], dtype=np.uint64))
    texts = list(once.values())
    return [texts[number] for number in np.argsort(mix(keys + salt), kind="stable")]


def _apart(wanted: Sequence[str], learnt: Sequence[str]) -> list[str]:
    """Keep the texts that share no long piece with one that is learnt from."""
    theirs, _ = hash_windows([syllables_of(text) for text in learnt], OVERLAP)
    hashes, offsets = hash_windows([syllables_of(text) for text in wanted], OVERLAP)
    is_shared = np.concatenate([[0], np.cumsum(np.isin(hashes, theirs))])
    shared = is_shared[offsets[1:]] - is_shared[offsets[:-1]]
    return [text for text, number in zip(wanted, shared, strict=True) if not number]
