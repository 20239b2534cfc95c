"""
How varied texts are: distinct n-grams, nearest neighbours, common openings.

In:  texts, as many as there are.   Out: measures of a sample that hangs on the texts and not on their order:

    ["정말 좋은 곳", "정말 좋은 날"]  ─►  TextMeasures(distinct_words=(0.67, 0.75, 1.0), first_words=…)

A part of the texts is looked at: those with the smallest hash of their id, at most 100,000 of them and 10 million
characters. distinct-n (Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models") is
the number of different n-grams over that of all. It falls as texts grow, so compare it among equal numbers of rows.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hanpuri.data.quality.facts import Opening, ResponseMeasures, TextMeasures
from hanpuri.hangul import FIRST_SYLLABLE, code_points, syllable_mask

MAX_ROWS = 100_000
MAX_CHARACTERS = 10_000_000
MAX_COMPARED = 2_000
COMPARED_CHARACTERS = 1_000  # of each text: the nearest neighbour of a book is seen on its first page
SHINGLE = 3
NUM_OPENINGS = 10
OPENING_CHARACTERS = 10
MUCH_LONGER = (1.5, 20)  # a response is that many times as long as its prompt, and so many characters more

DIGEST = 8  # bytes
Codes = npt.NDArray[np.uint64]
# Joins two numbers to one for both, modulo 2**64 (the odd number of splitmix64): that two n-grams fall together is as
# good as excluded below some hundred million of them.
MIX = np.uint64(0x9E3779B97F4A7C15)


def text_measures(texts: Iterable[str], ids: Iterable[str] | None = None) -> TextMeasures:
    """
    Measure how varied texts are.

    Args:
        texts: the texts; they are read once, and only those of the sample are held.
        ids: an id of each row, by which the sample is drawn. Where texts repeat it is needed: without it, either all
            copies of a text are in the sample or none.

        >>> measures = text_measures(["정말 좋은 곳", "정말 좋은 날"])
        >>> measures.looked_at, measures.distinct_words, measures.first_words
        (2, (0.6666666666666666, 0.75, 1.0), (Opening(text='정말 좋은', rows=2),))
    """
    num_rows, empty, sample = _draw_sample(texts, ids)
    compared = [text[:COMPARED_CHARACTERS] for text in sample[:MAX_COMPARED]]
    return TextMeasures(
        rows=num_rows,
        looked_at=len(sample),
        characters=sum(map(len, sample)),
        empty=empty,
        distinct_words=distinct(_word_codes(sample)),
        distinct_syllables=distinct(_syllable_codes(sample)),
        compared=len(compared),
        self_similarity=self_similarity(compared),
        first_words=_openings(" ".join(text.split(maxsplit=2)[:2]) for text in sample),
        first_characters=_openings(text[:OPENING_CHARACTERS] for text in sample),
    )


def response_measures(pairs: Iterable[tuple[str, str]], rejected: Iterable[str] | None = None) -> ResponseMeasures:
    """
    Compare responses with what they answer; with `rejected`, also the preferred responses with the rejected ones.

    >>> response_measures([("쨰밌어요", "재밌어요"), ("안녕", "")])
    ResponseMeasures(rows=2, empty=1, much_longer=0, preferred_longer=None, known={})
    """
    rows = empty = much_longer = 0
    preferred: list[int] = []
    others = iter(rejected) if rejected is not None else None
    for prompt, response in pairs:
        rows += 1
        empty += not response.strip()
        times, more = MUCH_LONGER
        much_longer += len(response) > max(times * len(prompt), more + len(prompt))
        if others is not None:
            preferred.append(len(response) > len(next(others)))
    return ResponseMeasures(rows, empty, much_longer, sum(preferred) if others is not None else None)


def known_responses(training: Iterable[str], others: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """
    Count, for each split beside training, the responses that stand in training word for word.

    >>> known_responses(["네.", "아니요."], {"test": ["네.", "글쎄요.", "네."]})
    {'test': 2}
    """
    known = {_digest(text) for text in training}
    return {split: sum(_digest(text) in known for text in texts) for split, texts in others.items()}


def distinct(codes: tuple[Codes, npt.NDArray[np.int64]]) -> tuple[float, float, float]:
    """Count the shares of different 1-, 2- and 3-grams of numbers, each within one text."""
    numbers, owners = codes
    grams, shares = numbers.copy(), []
    for n in (1, 2, 3):
        if n > 1:
            grams = grams[:-1] * MIX + numbers[n - 1 :]
        inside = owners[: len(grams)] == owners[n - 1 :]
        whole = grams[inside]
        shares.append(len(np.unique(whole)) / len(whole) if len(whole) else 0.0)
    return shares[0], shares[1], shares[2]


def self_similarity(texts: Sequence[str]) -> float | None:
    """
    Give the mean over the texts of the likeness with their nearest neighbour: Jaccard, on pieces of three characters.

        >>> self_similarity(["가나다라", "가나다라", "마바사아"])
        0.6666666666666666
    """
    if len(texts) < 2:
        return None
    pieces = [_shingles(text) for text in texts]
    owners: dict[str, list[int]] = {}
    for index, own in enumerate(pieces):
        for piece in own:
            owners.setdefault(piece, []).append(index)
    places = {piece: np.array(indices) for piece, indices in owners.items()}
    sizes = np.array([len(own) for own in pieces])
    total = 0.0
    for index, own in enumerate(pieces):
        shared = np.bincount(np.concatenate([places[piece] for piece in own]), minlength=len(texts))
        likeness = shared / np.maximum(sizes + sizes[index] - shared, 1)
        likeness[index] = 0.0
        total += float(likeness.max())
    return total / len(texts)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()


def _shingles(text: str) -> set[str]:
    return {text[begin : begin + SHINGLE] for begin in range(max(1, len(text) - SHINGLE + 1))}


def _draw_sample(texts: Iterable[str], ids: Iterable[str] | None) -> tuple[int, int, list[str]]:
    """Count rows and empty ones, and take those with the smallest hashes, in the order of their hashes."""
    num_rows = empty = held = 0
    drawn: list[tuple[bytes, str]] = []
    bound = b"\xff" * DIGEST
    for key, text in zip(ids, texts, strict=True) if ids is not None else ((text, text) for text in texts):
        num_rows += 1
        empty += not text.strip()
        digest = _digest(key)
        if digest > bound:
            continue
        drawn.append((digest, text))
        held += len(text)
        if len(drawn) > 2 * MAX_ROWS or held > 2 * MAX_CHARACTERS:
            drawn = _smallest(drawn)
            held, bound = sum(len(text) for _, text in drawn), drawn[-1][0]
    drawn = _smallest(drawn)
    over = len(drawn) > MAX_ROWS or sum(len(text) for _, text in drawn) > MAX_CHARACTERS
    return num_rows, empty, [text for _, text in (drawn[:-1] if over else drawn)]


def _smallest(drawn: list[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
    """Keep the smallest up to the first that is too many: without that one, smaller texts behind it would slip in."""
    drawn.sort()
    held = 0
    for index, (_, text) in enumerate(drawn):
        held += len(text)
        if index >= MAX_ROWS or held > MAX_CHARACTERS:
            return drawn[: index + 1]
    return drawn


def _word_codes(texts: Sequence[str]) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Number the words of all texts, and say which text each stands in."""
    known: dict[str, int] = {}
    numbers, lengths = [], []
    for text in texts:
        words = text.split()
        numbers += [known.setdefault(word, len(known)) for word in words]
        lengths.append(len(words))
    return np.array(numbers, dtype=np.uint64), np.repeat(np.arange(len(texts)), lengths)


def _syllable_codes(texts: Sequence[str]) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Number the Hangul syllables of all texts, all else left out, and say which text each stands in."""
    points = code_points("".join(texts))
    syllables = syllable_mask(points)
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    return (points[syllables] - FIRST_SYLLABLE).astype(np.uint64), owners[syllables]


def _openings(begins: Iterator[str]) -> tuple[Opening, ...]:
    """Take the most frequent begins, those that stand there once left out."""
    shared = [(text, rows) for text, rows in Counter(begins).items() if rows > 1 and text.strip()]
    return tuple(Opening(*one) for one in sorted(shared, key=lambda one: (-one[1], one[0]))[:NUM_OPENINGS])
