"""
Hidden text ─► readable text, with the stretches that changed; onnxruntime and numpy alone.

In:  "화♡장♡실 ㄱㅏ자".   Out: "화장실 가자", and its edits (1, 2, ""), (3, 4, ""), (6, 8, "가").

Texts are cut into windows and batches as in `runtime`; here what the network says of an item may change the length of
the text. Spaces stay as they stand, but where something was deleted or put in; with `spacing` they go where the network
says.
"""

import bisect
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hanpuri.compact.editing.edits import EditItems, EditVocabulary
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.predictor import Confidences, Features
from hanpuri.compact.restoring.sessions import Session, open_files
from hanpuri.compact.restoring.windows import Window, cut_windows, make_batches, take_chunks
from hanpuri.errors import ModelError
from hanpuri.hangul import Indices, is_syllable
from hanpuri.runs import count_usable_cpus

# What the network says of an item: the action, what is put in behind, the spaces.
NUM_ANSWERS = 3
# A line is read as hidden only if the probability that all of its edits are wrong is below this: clean lines in which
# the network doubts a syllable or two stay as they are.
LEAST_DOUBT = 0.002
SMALLEST_DOUBT = 1e-7
# One before a text, one behind it: items that nobody edits.
NUM_LINE_BREAKS = 2


class TextEdit(NamedTuple):
    """A stretch [start, end) of the text that was read, what it becomes, and how sure the model is."""

    start: int
    end: int
    restored: str
    confidence: float


@dataclass(frozen=True)
class EditReading:
    """
    A text that was read (in NFC), the readable text, and the stretches that differ, from left to right.

    Attributes:
        confidence: the model's probability for each character of `text`; 1.0 for spaces.
    """

    noisy: str
    text: str
    edits: tuple[TextEdit, ...]
    confidence: tuple[float, ...] = ()


@dataclass(frozen=True)
class TextsBegun:
    """Texts on their way: what the network is to be asked of them, and what it has said so far."""

    texts: list[str]
    """In NFC."""
    encoded: list[EditItems]
    labels: list[npt.NDArray[np.int64]]
    """(3, T) for each text."""
    sure: list[Confidences]

    def windows(self) -> Iterator[Window]:
        """Cut the texts into what the network is asked; where nothing but spaces stands there is nothing to ask."""
        for number, one in enumerate(self.encoded):
            if len(one.positions) > NUM_LINE_BREAKS:
                yield from cut_windows(number, 0, len(one.positions))


EditPiece = tuple[TextsBegun, Window]


class EditPredictor(Protocol):
    """A network that edits: features (B, T, 6) ─► labels (3, B, T) and their probabilities (3, B, T)."""

    vocabulary: EditVocabulary
    batch_items: int

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable action, insertion and spacing of each item."""


class OnnxEditPredictor:
    """The quantised network on the CPU; may be called from many threads."""

    # More items in a batch do not fit the processor's cache.
    batch_items = 256

    def __init__(self, session: Session, vocabulary: EditVocabulary) -> None:
        self.session, self.vocabulary = session, vocabulary

    @classmethod
    def load(cls, files: ModelFiles) -> "OnnxEditPredictor":
        """
        Load a model's network and vocabulary.

        Raises:
            ModelError: if one of the two cannot be read, or the model is none that edits.
        """
        session, vocabulary = open_files(files, EditVocabulary.load)
        if len(session.get_outputs()) != 2 * NUM_ANSWERS:
            raise ModelError(f"{files.folder} holds a model that does not edit", "name one that was trained to edit")
        return cls(session, vocabulary)

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable action, insertion and spacing of each item."""
        answers = self.session.run(None, {"features": features})
        return np.stack(answers[:NUM_ANSWERS]), np.stack(answers[NUM_ANSWERS:])


class EditReader:
    """
    The way from hidden texts to readable ones, whatever network edits.

    >>> EditReader.load("wide").read(["화♡장♡실"])[0].text
    '화장실'
    """

    def __init__(self, predictor: EditPredictor, threads: int | None = None) -> None:
        """
        Take a network.

        Args:
            predictor: the network.
            threads: that work at a time; all that this process may use, if not given.
        """
        self.predictor, self.threads = predictor, threads or count_usable_cpus()

    @classmethod
    def load(cls, model: str | Path = "wide", threads: int | None = None) -> "EditReader":
        """
        Load a shipped model, or one that was trained.

        Raises:
            ModelError: if the model is unknown, incomplete, damaged, or none that edits.
        """
        return cls(OnnxEditPredictor.load(ModelFiles.find(model)), threads)

    def read(self, texts: Sequence[str], *, spacing: bool = False, careful: bool = True) -> list[EditReading]:
        """Read texts; see `read_stream`."""
        return list(self.read_stream(texts, spacing=spacing, careful=careful))

    def read_stream(
        self, texts: Iterable[str], *, spacing: bool = False, careful: bool = True
    ) -> Iterator[EditReading]:
        """
        Read texts as they come; the result has their order and does not depend on what stands beside what.

        Args:
            texts: any texts; each is brought to NFC.
            spacing: whether spaces go where the network says; else they stay but where the length changes.
            careful: whether lines stay as they are that are likely clean, see `leave_clean`.
        """
        with ThreadPoolExecutor(self.threads) as pool:
            for chunk in take_chunks(texts):
                readings = self._read_chunk(chunk, spacing, pool)
                yield from map(leave_clean, readings) if careful else readings

    def _read_chunk(self, texts: Sequence[str], spacing: bool, pool: ThreadPoolExecutor) -> list[EditReading]:
        begun = self.begin(texts)
        batches = make_batches(begun.windows(), self.predictor.batch_items)
        for _ in pool.map(self.label, ([(begun, window) for window in batch] for batch in batches)):
            pass
        return self.finish(begun, spacing=spacing)

    def begin(self, texts: Sequence[str]) -> TextsBegun:
        """Read texts; whoever has had every one of the windows labelled may `finish`."""
        normal = [unicodedata.normalize("NFC", text) for text in texts]
        encoded = [self.predictor.vocabulary.encode(text) for text in normal]
        labels = [np.zeros((NUM_ANSWERS, len(one.positions)), dtype=np.int64) for one in encoded]
        sure = [np.ones((NUM_ANSWERS, len(one.positions)), dtype=np.float32) for one in encoded]
        return TextsBegun(normal, encoded, labels, sure)

    def label(self, pieces: Sequence[EditPiece]) -> None:
        """Ask the network about windows of one length, of whatever texts, and note there what it says."""
        features = np.stack([begun.encoded[w.text_number].features[w.start : w.end] for begun, w in pieces])
        answers, confidences = self.predictor.predict(features)
        for row, (begun, window) in enumerate(pieces):
            kept = slice(window.keep_start - window.start, window.keep_end - window.start)
            place = slice(window.keep_start, window.keep_end)
            begun.labels[window.text_number][:, place] = answers[:, row, kept]
            begun.sure[window.text_number][:, place] = confidences[:, row, kept]

    def finish(self, begun: TextsBegun, *, spacing: bool = False) -> list[EditReading]:
        """Write the texts whose windows are all labelled, as the network says; see `read_stream`."""
        vocabulary = self.predictor.vocabulary
        return [
            write(vocabulary, text, one.positions, answers, confidences, spacing=spacing)
            for text, one, answers, confidences in zip(
                begun.texts, begun.encoded, begun.labels, begun.sure, strict=True
            )
        ]


def write(
    vocabulary: EditVocabulary,
    text: str,
    positions: Indices,
    labels: npt.NDArray[np.int64],
    sure: Confidences,
    *,
    spacing: bool,
) -> EditReading:
    """
    Write a text by what the network says of its items.

    Args:
        vocabulary: what the labels mean.
        text: what was read.
        positions: (T,) where in it the items stand, −1 for the line break at each end, which nobody edits.
        labels: (3, T) action, insertion and spacing.
        sure: (3, T) their probabilities.
        spacing: whether spaces go where the network says.
    """
    edits: list[TextEdit] = []
    after, begun, moved = 0, False, False
    for item in range(1, len(positions) - 1):
        position = int(positions[item])
        own, behind = vocabulary.write(text[position], int(labels[0, item]), int(labels[1, item]))
        gap, inner_gap = bool(labels[2, item] & 1), bool(labels[2, item] & 2)
        wanted = _gap(
            text[after:position], begun and bool(own) and gap, is_free=moved or not own or (spacing and begun)
        )
        edits.append(TextEdit(after, position, wanted, float(sure[2, item])))
        confidence = float(sure[:2, item].min()) if behind else float(sure[0, item])
        edits.append(TextEdit(position, position + 1, own + " " * (inner_gap and bool(behind)) + behind, confidence))
        # Behind what was deleted or put in, the text's own spaces say little.
        after, begun, moved = position + 1, begun or bool(own), not own or bool(behind)
    joined = tuple(join(text, edits))
    told = [1.0 if character == " " else round(edit.confidence, 4) for edit in edits for character in edit.restored]
    return EditReading(text, apply(text, joined), joined, (*told, *[1.0] * (len(text) - after)))


def leave_clean(reading: EditReading, least_doubt: float = LEAST_DOUBT) -> EditReading:
    """
    Take back the edits of each line of which it is too likely that all are wrong; spaces, who asks for them, stay.

    >>> edits = (TextEdit(0, 1, "뭐", 0.6), TextEdit(2, 3, "화", 0.999))
    >>> leave_clean(EditReading("머\\n확", "뭐\\n화", edits)).text
    '머\\n화'
    """
    breaks = [place for place, character in enumerate(reading.noisy) if character == "\n"]
    lines = [bisect.bisect(breaks, edit.start) for edit in reading.edits]
    spaces = _spaces(reading)
    doubts: dict[int, float] = defaultdict(float)
    for line, edit in zip(lines, reading.edits, strict=True):
        if edit not in spaces:
            doubts[line] += math.log(max(1 - edit.confidence, SMALLEST_DOUBT))
    edits = zip(lines, reading.edits, strict=True)
    kept = tuple(edit for line, edit in edits if edit in spaces or doubts[line] < math.log(least_doubt))
    return reading if len(kept) == len(reading.edits) else take_back(reading, kept)


def _spaces(reading: EditReading) -> set[TextEdit]:
    """Find the edits that move a space and touch no other: none of them, unless spaces were asked for."""
    places = Counter(place for edit in reading.edits for place in {edit.start, edit.end})
    return {
        edit
        for edit in reading.edits
        if not (reading.noisy[edit.start : edit.end] + edit.restored).strip(" ")
        and places[edit.start] == places[edit.end] == 1
    }


def take_back(reading: EditReading, kept: Sequence[TextEdit]) -> EditReading:
    """
    Leave out all edits but those that are `kept`; what stays as it was is as likely as the edit was not.

    >>> edits = (TextEdit(0, 1, "뭐", 0.6), TextEdit(1, 2, "화", 0.9))
    >>> take_back(EditReading("머확", "뭐화", edits, (0.6, 0.9)), edits[1:]).confidence
    (0.4, 0.9)
    """
    chosen, told = set(kept), list[float]()
    is_told = len(reading.confidence) == len(reading.text)  # of an empty text, too
    after = at = 0
    for edit in reading.edits:
        told += reading.confidence[at : at + edit.start - after]
        at += edit.start - after + len(edit.restored)
        if edit in chosen:
            told += reading.confidence[at - len(edit.restored) : at]
        else:
            told += [round(1 - edit.confidence, 4)] * (edit.end - edit.start)
        after = edit.end
    told += reading.confidence[at:]
    return EditReading(reading.noisy, apply(reading.noisy, kept), tuple(kept), tuple(told) if is_told else ())


def _gap(stands: str, wanted: bool, *, is_free: bool) -> str:
    """Give the spaces before an item: those that stand there, or, where it is free, one or none."""
    return stands if not is_free or wanted == bool(stands) else " " * wanted


def join(text: str, edits: Iterable[TextEdit]) -> Iterator[TextEdit]:
    """
    Leave out what changes nothing, and join what is one edit: ㅎㅏㄴ ─► 한, or a row of signs that goes.

    >>> list(join("ㅎㅏ♡♡", [TextEdit(0, 1, "하", 0.9), TextEdit(1, 2, "", 0.8), TextEdit(2, 3, "", 1.0)]))
    [TextEdit(start=0, end=2, restored='하', confidence=0.8), TextEdit(start=2, end=3, restored='', confidence=1.0)]
    """
    last: TextEdit | None = None
    for edit in edits:
        if text[edit.start : edit.end] == edit.restored:
            continue
        if last is not None and last.end == edit.start and _belong(text, last, edit):
            sure = min(last.confidence, edit.confidence)
            last = TextEdit(last.start, edit.end, last.restored + edit.restored, sure)
            continue
        if last is not None:
            yield last
        last = edit
    if last is not None:
        yield last


def _belong(text: str, left: TextEdit, right: TextEdit) -> bool:
    """Say whether two edits that touch are one: deletions, and letters that are a part of what the left became."""
    if right.restored.strip(" "):
        return False
    if not left.restored.strip(" "):
        return True
    return all(c.isalnum() and is_syllable(c) == is_syllable(text[left.start]) for c in text[right.start : right.end])


def apply(text: str, edits: Sequence[TextEdit]) -> str:
    """
    Put edits, from left to right, into a text.

    >>> apply("화♡장", [TextEdit(1, 2, "", 1.0)])
    '화장'
    """
    pieces, after = [], 0
    for start, end, restored, _ in edits:
        pieces += [text[after:start], restored]
        after = end
    return "".join([*pieces, text[after:]])
