"""
Noisy text ─► restored text, with a confidence for every syllable; onnxruntime and numpy alone.

In:  "확잠실읾 념뭄 잙앙욤".   Out: Restoration(text="화장실이 너무 작아요", edits=…, confidence=…).

A text is cut into windows that overlap, windows of one length make a batch, and what the model says of each syllable is
put back in its place. Every activation is quantised with fixed scales, so a row's result does not depend on the rows
beside it: batch, threads and order change nothing.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.predictor import Confidences, Predictor
from hanpuri.compact.vocabulary import KEEP, Encoded
from hanpuri.compact.windows import Window, cut_windows, make_batches
from hanpuri.hangul import Indices, code_points, from_code_points, syllable_mask
from hanpuri.noise.channel import feasible_letters

# Rows that are encoded at a time: memory stays flat however long the input.
CHUNK_CHARACTERS = 200_000


class Edit(NamedTuple):
    """One syllable that was restored: where it stands, what was read, what it became, how sure the model is."""

    position: int
    noisy: str
    restored: str
    confidence: float


@dataclass(frozen=True)
class Restoration:
    """
    One restored text.

    Attributes:
        noisy: the input, in NFC.
        text: the restored text, of the same length.
        confidence: the model's probability for each character of `text`; 1.0 where it has no say.
    """

    noisy: str
    text: str
    confidence: tuple[float, ...] = field(repr=False)

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """The syllables that changed, from left to right."""
        characters = zip(self.noisy, self.text, self.confidence, strict=True)
        return tuple(
            Edit(position, noisy, restored, confidence)
            for position, (noisy, restored, confidence) in enumerate(characters)
            if noisy != restored
        )


class Restorer:
    """
    A loaded model that restores texts.

    >>> Restorer("base").restore(["확잠실읾 념뭄 잙앙욤"])[0].text
    '화장실이 너무 작아요'
    """

    def __init__(self, model: str | Path = "base", *, threads: int | None = None, feasible: str | None = None) -> None:
        """
        Load a model.

        Args:
            model: the name of a shipped model, or the folder of one that was trained.
            threads: processor threads to use; all that this process may use, if not given.
            feasible: a noise profile; then only syllables that its rules can have turned into the noisy one are taken.

        Raises:
            ModelError: if the model is unknown, incomplete or damaged.
            ValueError: if `threads` is not positive or the profile is unknown.
        """
        from hanpuri.compact.onnx_predictor import OnnxPredictor, count_usable_cpus

        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; it has to be at least 1")
        self.files = ModelFiles.find(model)
        self.threads = threads or count_usable_cpus()
        self.restoring = Restoring(OnnxPredictor.load(self.files), self.threads, feasible)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.files.name

    def restore(self, texts: Sequence[str]) -> list[Restoration]:
        """
        Restore texts; the result has their order and does not depend on what stands beside what.

        Args:
            texts: any texts. Each is brought to NFC; of that form, length, spacing and all but 가–힣 are kept.
        """
        return list(self.restore_stream(texts))

    def restore_stream(self, texts: Iterable[str]) -> Iterator[Restoration]:
        """Restore texts as they come, holding few of them in memory."""
        return self.restoring.restore_stream(texts)


class Restoring:
    """The way from texts to restorations, whatever network labels the syllables."""

    def __init__(self, predictor: Predictor, threads: int = 1, feasible: str | None = None) -> None:
        self.predictor, self.threads = predictor, threads
        self.feasible = None if feasible is None else feasible_letters(feasible)

    def restore_stream(self, texts: Iterable[str]) -> Iterator[Restoration]:
        """Restore texts chunk by chunk."""
        with ThreadPoolExecutor(self.threads) as pool:
            for chunk in _chunks(texts):
                yield from self._restore_chunk(chunk, pool)

    def _restore_chunk(self, texts: Sequence[str], pool: ThreadPoolExecutor) -> list[Restoration]:
        normal = [unicodedata.normalize("NFC", text) for text in texts]
        encoded = [self.predictor.vocabulary.encode(text) for text in normal]
        labels = [np.zeros(len(one.positions), dtype=np.int64) for one in encoded]
        confidences = [np.ones(len(one.positions), dtype=np.float32) for one in encoded]
        windows = (w for number, one in enumerate(encoded) for w in cut_windows(number, len(one.positions)))
        # Where no syllable stands there is nothing to restore.
        worthwhile = (w for w in windows if encoded[w.text_number].is_syllable[w.keep_start : w.keep_end].any())
        batches = list(make_batches(worthwhile, self.predictor.batch_items))
        for batch, (found, sure) in zip(
            batches, pool.map(lambda b: self._label(b, normal, encoded), batches), strict=True
        ):
            for row, window in enumerate(batch):
                kept = slice(window.keep_start - window.start, window.keep_end - window.start)
                place = slice(window.keep_start, window.keep_end)
                labels[window.text_number][place] = found[row, kept]
                confidences[window.text_number][place] = sure[row, kept]
        return [self._decode(*parts) for parts in zip(normal, encoded, labels, confidences, strict=True)]

    def _label(
        self, batch: Sequence[Window], texts: Sequence[str], encoded: Sequence[Encoded]
    ) -> tuple[Indices, Confidences]:
        features = np.stack([encoded[window.text_number].features[window.start : window.end] for window in batch])
        if self.feasible is None:
            return self.predictor.predict(features)
        scores = self.predictor.score(features)
        for row, window in enumerate(batch):
            self._forbid_infeasible(scores[row], window, texts[window.text_number], encoded[window.text_number])
        labels = scores.argmax(-1)
        best = np.take_along_axis(scores, labels[..., None], -1)
        return labels, (1.0 / np.exp(scores - best).sum(-1)).astype(np.float32)

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

    def _decode(self, text: str, encoded: Encoded, labels: Indices, confidences: Confidences) -> Restoration:
        points, sure = code_points(text), np.ones(len(text), dtype=np.float64)
        items = np.flatnonzero(encoded.is_syllable)
        positions, chosen = encoded.positions[items], labels[items]
        replaced = self.predictor.vocabulary.point_of_label[chosen]
        points[positions] = np.where(chosen == KEEP, points[positions], replaced)
        sure[positions] = confidences[items]
        return Restoration(text, from_code_points(points), tuple(sure.round(4).tolist()))


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text) + 1
        if size >= CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
