"""
Noisy text ─► restored text, with a confidence for every syllable; onnxruntime and numpy alone.

In:  "확잠실읾 념뭄 잙앙욤".   Out: Restoration(text="화장실이 너무 작아요", edits=…, confidence=…).

A text is cut into windows that overlap, windows of one length make a batch, and what the model says of each syllable is
put back in its place. Every activation is quantised with fixed scales, so a row's result does not depend on the rows
beside it: batch, threads and order change nothing.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np

from hanpuri.compact.model_files import JOIN, ModelFiles
from hanpuri.compact.restoring.alternatives import UNSURE, Alternative, find_alternatives
from hanpuri.compact.restoring.predictor import Confidences, PackedPredictor, Predictor
from hanpuri.compact.restoring.windows import (
    CHUNK_CHARACTERS,
    WINDOW,
    Window,
    cut_windows,
    make_batches,
    pack_windows,
    take_chunks,
)
from hanpuri.compact.vocabulary import KEEP, Encoded
from hanpuri.errors import ModelError
from hanpuri.hangul import Indices, code_points, from_code_points, syllable_mask
from hanpuri.noise.channel import feasible_letters
from hanpuri.runs import count_usable_cpus

if TYPE_CHECKING:
    from hanpuri.compact.editing.wide import Wide

Item = TypeVar("Item")
Reach = Literal["syllables", "wide"]
"""How far restoring goes: syllables for syllables in their places, or whatever people hide by."""
REACHES: tuple[str, ...] = ("syllables", "wide")
WIDE = "wide"
"""The shipped model that edits."""
SOUND = "sound"
"""The kind of hiding that keeps a syllable a syllable, one that sounds alike: what the model undoes."""

# So many batches of text are read at a time where the predictor packs them: few, for another chunk is read meanwhile.
PACKED_BATCHES = 4


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


class Restorer:
    """
    A loaded model that restores texts.

    >>> Restorer("base").restore(["확잠실읾 념뭄 잙앙욤"])[0].text
    '화장실이 너무 작아요'
    """

    def __init__(
        self,
        model: str | Path = "base",
        *,
        threads: int | None = None,
        feasible: str | None = None,
        reach: Reach = "syllables",
        spacing: bool = False,
        device: str | None = None,
    ) -> None:
        """
        Load a model.

        Args:
            model: the name of a shipped model, or the folder of one that was trained; or several, joined by "+": the
                mean of what "base+small" hold probable is right more often than each, and takes the time of both.
            threads: processor threads to use; all that this process may use, if not given.
            feasible: a noise profile; then only syllables that its rules can have turned into the noisy one are taken.
            reach: "wide" reads other scripts, signs, loose letters and what is put in, too; lengths may change then.
            spacing: with a wide reach, whether spaces are moved to where they belong.
            device: where torch labels syllables, such as "cuda", for files of millions; without it, onnxruntime does
                on the processor.

        Raises:
            ModelError: if a model is unknown, incomplete or damaged, models that are to answer together label with
                other syllables, or torch or the device is not there.
            ValueError: if `threads` is not positive, the profile or the reach is unknown.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; it has to be at least 1")
        if reach not in REACHES:
            raise ValueError(f"reach is {reach!r}; it has to be one of {', '.join(REACHES)}")
        if spacing and reach != "wide":
            raise ValueError("spacing was asked for; it needs reach='wide'")
        self.reach, self.spacing = reach, spacing
        self.members = ModelFiles.find_all(model)
        self.threads = threads or count_usable_cpus()
        # Torch has threads of its own, and a GPU is slowed by several that launch: each waits for Python's lock.
        callers = self.threads if device is None else 1
        self.restoring = Restoring(load_predictors(self.members, device), callers, feasible)

    @cached_property
    def _wide(self) -> "Wide":
        from hanpuri.compact.editing.reader import EditReader
        from hanpuri.compact.editing.wide import Wide

        return Wide(EditReader.load(WIDE, self.threads), self.restoring, self.spacing)

    @property
    def model(self) -> str:
        """The model's name, or the names of those that answer together."""
        return JOIN.join(files.name for files in self.members)

    def restore(self, texts: Sequence[str], *, alternatives: int = 0) -> list[Restoration]:
        """
        Restore texts; the result has their order and does not depend on what stands beside what.

        Args:
            texts: any texts. Each is brought to NFC; of that form, length, spacing and all but 가–힣 are kept, but
                with a wide reach.
            alternatives: how many syllables to name where the model is unsure, the one that is taken among them.

        Raises:
            ValueError: if `alternatives` is negative.
        """
        return list(self.restore_stream(texts, alternatives=alternatives))

    def restore_stream(self, texts: Iterable[str], *, alternatives: int = 0) -> Iterator[Restoration]:
        """Restore texts as they come, holding few of them in memory; see `restore`."""
        if alternatives < 0:
            raise ValueError(f"alternatives is {alternatives}; it has to be at least 0")
        if self.reach == "wide":
            return self._wide.restore_stream(texts, alternatives)
        return self.restoring.restore_stream(texts, alternatives)


def load_predictors(members: Sequence[ModelFiles], device: str | None) -> Predictor:
    """Load what labels syllables: a model, or several that answer together; see `Restorer`."""
    predictors = [load_predictor(files, device) for files in members]
    if len(predictors) == 1:
        return predictors[0]
    from hanpuri.compact.restoring.mean_predictor import MeanPredictor

    try:
        return MeanPredictor(predictors)
    except ValueError as error:
        names = " and ".join(str(files.folder) for files in members)
        raise ModelError(f"{names} cannot answer together: {error}", "name models of one vocabulary") from None


def load_predictor(files: ModelFiles, device: str | None) -> Predictor:
    """Load what labels syllables; see `Restorer`. Only one of both libraries is loaded with it."""
    if device is None:
        from hanpuri.compact.restoring.onnx_predictor import OnnxPredictor

        return OnnxPredictor.load(files)
    try:
        from hanpuri.compact.restoring.torch_predictor import choose_predictor
    except ModuleNotFoundError as error:
        found = f"found no {error.name}, which device {device} needs"
        raise ModelError(found, 'pip install "hanpuri[train]", or leave the device out') from None
    return choose_predictor(device).load(files, device)


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """
    Make the next item on a thread of its own while the caller has the one before.

    >>> list(read_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item


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
    alternatives: list[dict[int, tuple[Alternative, ...]]]

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

    def __init__(self, predictor: Predictor, threads: int = 1, feasible: str | None = None) -> None:
        self.predictor, self.threads = predictor, threads
        self.feasible = None if feasible is None else feasible_letters(feasible)

    def restore_stream(self, texts: Iterable[str], alternatives: int = 0) -> Iterator[Restoration]:
        """Restore texts chunk by chunk; on one thread, that is the caller's own."""
        if isinstance(self.predictor, PackedPredictor) and self.feasible is None and not alternatives:
            yield from self._restore_packed(self.predictor, texts)
            return
        chunks = take_chunks(texts, max(CHUNK_CHARACTERS, self.predictor.batch_items))
        if self.threads == 1:
            readings = (self._read_chunk(chunk, alternatives, None) for chunk in chunks)
            yield from chain.from_iterable(map(self.finish, readings))
            return
        with ThreadPoolExecutor(self.threads) as pool:
            readings = (self._read_chunk(chunk, alternatives, pool) for chunk in chunks)
            yield from chain.from_iterable(map(self.finish, readings))

    def _restore_packed(self, predictor: PackedPredictor, texts: Iterable[str]) -> Iterator[Restoration]:
        """Restore chunk by chunk: while one is labelled, the next is read and the one before is written."""
        begun = read_ahead(map(self.begin, take_chunks(texts, PACKED_BATCHES * predictor.batch_items)))
        labelled = read_ahead(self._label_packed(predictor, reading) for reading in begun)
        yield from chain.from_iterable(map(self.finish, labelled))

    def _label_packed(self, predictor: PackedPredictor, reading: Reading) -> Reading:
        """Have all windows of a reading labelled, whatever their lengths."""
        for windows in pack_windows(reading.windows(), predictor.batch_items):
            features = np.concatenate([reading.encoded.features[w.start : w.end] for w in windows])
            lengths = [window.end - window.start for window in windows]
            labels, confidences = predictor.predict_packed(features, lengths)
            for window, first in zip(windows, accumulate(lengths, initial=0), strict=False):
                kept = slice(first + window.keep_start - window.start, first + window.keep_end - window.start)
                reading.labels[window.keep_start : window.keep_end] = labels[kept]
                reading.confidences[window.keep_start : window.keep_end] = confidences[kept]
        return reading

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
        return Reading(normal, encoded, starts, labels, confidences, [{} for _ in normal])

    def label(self, pieces: Sequence[Piece], alternatives: int = 0) -> None:
        """Ask the model about windows of one length, of one or more readings, and note there what it says."""
        features = np.stack([reading.encoded.features[w.start : w.end] for reading, w in pieces])
        if self.feasible is None and not alternatives:
            labels, confidences = self.predictor.predict(features)
            scores = None
        else:
            scores = self.predictor.score(features)
            labels, confidences = self._choose(scores, pieces)
        for row, (reading, window) in enumerate(pieces):
            kept = slice(window.keep_start - window.start, window.keep_end - window.start)
            reading.labels[window.keep_start : window.keep_end] = labels[row, kept]
            reading.confidences[window.keep_start : window.keep_end] = confidences[row, kept]
            if alternatives and scores is not None:
                self._note_alternatives(scores[row, kept], reading, window, alternatives)

    def finish(self, reading: Reading) -> list[Restoration]:
        """Write the texts of a reading whose windows are all labelled; in one go, as they were read."""
        if not reading.texts:
            return []
        ends = np.cumsum([len(text) for text in reading.texts])
        points = code_points("".join(reading.texts))
        sure = np.ones(len(points), dtype=np.float64)
        starts = [0, *ends.tolist()]
        items = np.flatnonzero(reading.encoded.is_syllable)
        places = (reading.encoded.positions + np.repeat(starts[:-1], np.diff(reading.starts)))[items]
        chosen = reading.labels[items]
        points[places] = np.where(chosen == KEEP, points[places], self.predictor.vocabulary.point_of_label[chosen])
        sure[places] = reading.confidences[items]
        restored, confidence = from_code_points(points), sure.round(4).tolist()
        parts = zip(reading.texts, pairwise(starts), reading.alternatives, strict=True)
        return [
            Restoration(text, restored[start:end], tuple(confidence[start:end]), alternatives)
            for text, (start, end), alternatives in parts
        ]

    def _choose(self, scores: Confidences, pieces: Sequence[Piece]) -> tuple[Indices, Confidences]:
        if self.feasible is not None:
            for row, (reading, window) in enumerate(pieces):
                self._forbid_infeasible(scores[row], window, reading.texts[window.text_number], reading.encoded)
        labels = scores.argmax(-1)
        best = np.take_along_axis(scores, labels[..., None], -1)
        return labels, (1.0 / np.exp(scores - best).sum(-1)).astype(np.float32)

    def _note_alternatives(self, scores: Confidences, reading: Reading, window: Window, most: int) -> None:
        """Note what else the syllables could be of which the model is unsure; `scores` are those of the kept items."""
        number, place = window.text_number, slice(window.keep_start, window.keep_end)
        encoded, sure = reading.encoded, reading.confidences[place]
        items = np.flatnonzero(encoded.is_syllable[place] & (sure.round(4) < UNSURE))
        if len(items):
            positions = encoded.positions[place][items]
            own = code_points(reading.texts[number])[positions]
            choices = find_alternatives(scores[items], sure[items], own, self.predictor.vocabulary.point_of_label, most)
            reading.alternatives[number].update(zip(positions.tolist(), choices, strict=True))

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
