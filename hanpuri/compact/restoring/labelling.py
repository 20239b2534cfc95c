"""
Noisy texts ─► windows ─► labels, whatever network gives them ─► restorations; onnxruntime or torch, and numpy.

In:  "확잠실읾 념뭄 잙앙욤", a predictor.   Out: Restoration(text="화장실이 너무 작아요", edits=…, confidence=…).

A text is cut into windows that overlap, windows of one length make a batch, and what the model says of each syllable is
put back in its place. Where the model is in doubt, a user's phrases may decide. Every activation is quantised with
fixed scales, so a row's result does not depend on the rows beside it: batch, threads and order change nothing.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import TypeVar

import numpy as np

from hanpuri.compact.restoring.alternatives import UNSURE, Alternative
from hanpuri.compact.restoring.doubts import CONSIDERED, DOUBTFUL, Doubts, name_unsure, settle
from hanpuri.compact.restoring.phrases import Phrases, Probabilities
from hanpuri.compact.restoring.predictor import Confidences, PackedPredictor, Predictor
from hanpuri.compact.restoring.restoration import Restoration
from hanpuri.compact.restoring.windows import (
    CHUNK_CHARACTERS,
    WINDOW,
    Window,
    cut_windows,
    make_batches,
    pack_windows,
    ranges,
    take_chunks,
)
from hanpuri.compact.vocabulary import KEEP, Encoded
from hanpuri.hangul import Indices, code_points, from_code_points, syllable_mask
from hanpuri.noise.channel import feasible_letters

Item = TypeVar("Item")

# So many batches of text are read at a time where the predictor packs them: few, for another chunk waits meanwhile.
PACKED_BATCHES = 4
# Every confidence that is ever told: to point at one of these is faster than to make a number for each character.
DECIMALS = 4
TOLD_CONFIDENCES = (np.arange(10**DECIMALS + 1) / 10**DECIMALS).astype(object)


def rounded(shares: Probabilities) -> tuple[float, ...]:
    """
    Round probabilities, as `numpy.round` does, to numbers that are shared by all who have the same.

    >>> rounded(np.array([0.99996, 0.12345, 0.0]))
    (1.0, 0.1234, 0.0)
    """
    return tuple(TOLD_CONFIDENCES.take(np.rint(shares * 10**DECIMALS).astype(np.int64)).tolist())


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """
    Have the next item made before the caller gets the one before it; a fault comes in its turn.

    >>> list(one_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    before: list[Item] = []
    try:
        for item in items:
            yield from before
            before = [item]
    except Exception:
        yield from before
        raise
    yield from before


@dataclass(frozen=True)
class Reading:
    """
    Texts on their way: what the model is to be asked of them, and what it has said so far.

    Their items lie one text behind the other, N in all: an array for all of them costs what one for each text would.
    """

    texts: list[str]
    """In NFC."""
    encoded: Encoded
    starts: list[int]
    """Where the items of each text begin, and the end of the last."""
    labels: Indices
    """(N,)"""
    confidences: Confidences
    """(N,)"""
    doubts: list[Doubts]
    """Of what windows had any."""

    def windows(self) -> Iterator[Window]:
        """Cut the texts into what the model is asked; where no syllable stands there is nothing to restore."""
        syllables_before = np.concatenate([[0], np.cumsum(self.encoded.is_syllable)])
        syllables = np.diff(syllables_before[self.starts]).tolist()
        for number, (start, end) in enumerate(pairwise(self.starts)):
            if not syllables[number]:
                continue
            if end - start <= WINDOW:
                yield Window(number, start, end, start, end)
                continue
            for window in cut_windows(number, start, end):
                if syllables_before[window.keep_start] < syllables_before[window.keep_end]:
                    yield window


Piece = tuple[Reading, Window]


class Restoring:
    """The way from texts to restorations, whatever network labels the syllables."""

    def __init__(
        self, predictor: Predictor, threads: int = 1, feasible: str | None = None, phrases: Phrases | None = None
    ) -> None:
        self.predictor, self.threads, self.phrases = predictor, threads, phrases
        self.feasible = None if feasible is None else feasible_letters(feasible)

    def restore_stream(self, texts: Iterable[str], alternatives: int = 0) -> Iterator[Restoration]:
        """Restore texts chunk by chunk; on one thread, that is the caller's own."""
        if isinstance(self.predictor, PackedPredictor) and not self._needs_scores(alternatives):
            yield from self._restore_packed(self.predictor, texts)
            return
        chunks = take_chunks(texts, max(CHUNK_CHARACTERS, self.predictor.batch_items))
        if self.threads == 1:
            readings = (self._read_chunk(chunk, alternatives, None) for chunk in chunks)
            yield from chain.from_iterable(self.finish(reading, alternatives) for reading in readings)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            readings = (self._read_chunk(chunk, alternatives, pool) for chunk in chunks)
            yield from chain.from_iterable(self.finish(reading, alternatives) for reading in readings)

    def _needs_scores(self, alternatives: int) -> bool:
        return self.feasible is not None or self.phrases is not None or bool(alternatives)

    def _restore_packed(self, predictor: PackedPredictor, texts: Iterable[str]) -> Iterator[Restoration]:
        """
        Restore chunk by chunk, on one thread: while the network is at one, the one before is written, the next read.

        Two threads were slower than one: that which asks a GPU goes through Python's lock some hundred times a batch.
        """
        chunks = take_chunks(texts, PACKED_BATCHES * predictor.batch_items)
        asked = (self._ask_packed(predictor, self.begin(chunk)) for chunk in chunks)
        yield from chain.from_iterable(self.finish(labelled()) for labelled in one_ahead(asked))

    def _ask_packed(self, predictor: PackedPredictor, reading: Reading) -> Callable[[], Reading]:
        """Ask about all windows of a reading, whatever their lengths; what comes back waits for the answers."""
        asked = []
        for windows in pack_windows(reading.windows(), predictor.batch_items):
            _, starts, ends, kept_starts, kept_ends = np.array(windows).T
            items, lengths = ranges(starts, ends), ends - starts
            firsts = np.cumsum(lengths) - lengths - starts
            kept = ranges(firsts + kept_starts, firsts + kept_ends)
            features = reading.encoded.features.take(items, axis=0)
            asked.append((items[kept], kept, predictor.begin_packed(features, lengths.tolist())))

        def labelled() -> Reading:
            for items, kept, answer in asked:
                labels, confidences = answer()
                reading.labels[items], reading.confidences[items] = labels[kept], confidences[kept]
            return reading

        return labelled

    def _read_chunk(self, texts: Sequence[str], alternatives: int, pool: ThreadPoolExecutor | None) -> Reading:
        """Have all windows of some texts labelled."""
        reading = self.begin(texts)
        batches = make_batches(reading.windows(), self.predictor.batch_items)
        pieces = ([(reading, window) for window in batch] for batch in batches)
        label = partial(self.label, alternatives=alternatives)
        for _ in map(label, pieces) if pool is None else pool.map(label, pieces):
            pass
        return reading

    def begin(self, texts: Sequence[str]) -> Reading:
        """Read texts; whoever has had every one of the windows labelled may `finish`."""
        normal = [unicodedata.normalize("NFC", text) for text in texts]
        encoded, starts = self.predictor.vocabulary.encode_all(normal)
        labels = np.zeros(starts[-1], dtype=np.int64)
        confidences = np.ones(starts[-1], dtype=np.float32)
        return Reading(normal, encoded, starts, labels, confidences, [])

    def label(self, pieces: Sequence[Piece], alternatives: int = 0) -> None:
        """Ask the model about windows of one length, of one or more readings, and note there what it says."""
        features = np.stack([reading.encoded.features[w.start : w.end] for reading, w in pieces])
        scores = None
        if self.feasible is not None:
            scores = self.predictor.score(features)
            labels, confidences = self._choose(scores, pieces)
        elif self._needs_scores(alternatives):
            labels, confidences, scores = self.predictor.predict_scored(features)
        else:
            labels, confidences = self.predictor.predict(features)
        for row, (reading, window) in enumerate(pieces):
            kept = slice(window.keep_start - window.start, window.keep_end - window.start)
            reading.labels[window.keep_start : window.keep_end] = labels[row, kept]
            reading.confidences[window.keep_start : window.keep_end] = confidences[row, kept]
            if (alternatives or self.phrases) and scores is not None:
                self._note_doubts(scores[row, kept], reading, window, alternatives)

    def finish(self, reading: Reading, alternatives: int = 0) -> list[Restoration]:
        """Write the texts of a reading whose windows are all labelled; in one go, as they were read."""
        if not reading.texts:
            return []
        ends = np.cumsum([len(text) for text in reading.texts]).tolist()
        starts = [0, *ends]
        own = code_points("".join(reading.texts))
        points, sure = own.copy(), np.ones(len(own), dtype=np.float64)
        places = reading.encoded.positions + np.repeat(starts[:-1], np.diff(reading.starts))
        items = np.flatnonzero(reading.encoded.is_syllable)
        chosen, there = reading.labels[items], places[items]
        points[there] = np.where(chosen == KEEP, own[there], self.predictor.vocabulary.point_of_label[chosen])
        sure[there] = reading.confidences[items]
        named: list[dict[int, tuple[Alternative, ...]]] = [{} for _ in reading.texts]
        if reading.doubts:
            doubts = Doubts.join(reading.doubts)
            settled = self._settle(doubts, own, points, sure, places[doubts.items], ends, alternatives)
            for place, choices in settled.items():
                number = bisect_right(ends, place)
                named[number][place - starts[number]] = choices
        restored, confidence = from_code_points(points), rounded(sure)
        parts = zip(reading.texts, pairwise(starts), named, strict=True)
        return [
            Restoration(text, restored[start:end], confidence[start:end], choices)
            for text, (start, end), choices in parts
        ]

    def _settle(
        self,
        doubts: Doubts,
        own: Indices,
        points: Indices,
        sure: Probabilities,
        places: Indices,
        ends: Sequence[int],
        alternatives: int,
    ) -> dict[int, tuple[Alternative, ...]]:
        """Ask phrases where the model is in doubt, changing `points` and `sure` there; name what else it could be."""
        candidates, shares = doubts.points(own[places], self.predictor.vocabulary.point_of_label), doubts.shares
        if self.phrases is not None:
            candidates, shares = settle(candidates, shares, points, places, ends, self.phrases)
            points[places], sure[places] = candidates[:, 0], shares[:, 0]
        if not alternatives:
            return {}
        return {int(places[number]): told for number, told in name_unsure(candidates, shares, alternatives).items()}

    def _choose(self, scores: Confidences, pieces: Sequence[Piece]) -> tuple[Indices, Confidences]:
        """Take the most probable labels of those that are feasible; the scores of the others are set to −∞."""
        for row, (reading, window) in enumerate(pieces):
            self._forbid_infeasible(scores[row], window, reading.texts[window.text_number], reading.encoded)
        labels = scores.argmax(-1)
        best = np.take_along_axis(scores, labels[..., None], -1)
        return labels, (1.0 / np.exp(scores - best).sum(-1)).astype(np.float32)

    def _note_doubts(self, scores: Confidences, reading: Reading, window: Window, alternatives: int) -> None:
        """Note what else the syllables could be of which the model is unsure; `scores` are those of the kept items."""
        place = slice(window.keep_start, window.keep_end)
        sure = reading.confidences[place]
        below, most = (DOUBTFUL, CONSIDERED) if self.phrases else (UNSURE, 0)
        wanted = np.flatnonzero(reading.encoded.is_syllable[place] & (sure.round(4) < below))
        if len(wanted):
            # One more: a syllable may be found twice, as the label KEEP and as its own.
            most = max(most, alternatives + 1)
            reading.doubts.append(Doubts.find(window.keep_start, scores, sure, wanted, most))

    def _forbid_infeasible(self, scores: Confidences, window: Window, text: str, encoded: Encoded) -> None:
        """Set the scores of labels that the noise cannot have turned into the noisy syllable to −∞, in place."""
        assert self.feasible is not None
        is_syllable = encoded.is_syllable[window.start : window.end]
        items = np.flatnonzero(is_syllable)
        positions = encoded.positions[window.start : window.end][items]
        first, last = positions[0], positions[-1] + 1
        # One more character on each side: a syllable's originals depend on its neighbours.
        left = max(0, first - 1)
        points = code_points(text[left : last + 1])
        order = np.cumsum(syllable_mask(points)) - 1
        leads, vowels, tails = (mask[order[positions - left]] for mask in self.feasible.masks(points))
        label_lead, label_vowel, label_tail = self.predictor.vocabulary.letters_of_label
        allowed = leads[:, label_lead] & vowels[:, label_vowel] & tails[:, label_tail]
        scores[items, 1:] = np.where(allowed, scores[items, 1:], -np.inf)
