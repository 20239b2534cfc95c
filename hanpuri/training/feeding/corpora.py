"""
The corpora of pre-training: their documents, and which of them are held out.

In: `data.corpora` of a recipe. Out: documents one at a time, each to train on or held out to measure by:

    nsmc.txt.xz   "아 더빙.. 진짜 짜증나네요 목소리"   0.6621…  ─►  to train on
                  "막 걸음마 뗀 3세부터 초등학생까지"  0.0014…  ─►  held out, at a share of 0.005

The number comes from a hash of the text alone. So a document stays on its side whatever is added, reordered or changed
in the recipe, and a text that stands in two corpora is on the same side in both.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hanpuri.data.files.sources import open_source
from hanpuri.errors import DataError
from hanpuri.training.recipe import CorporaSettings, CorpusSettings

TRAIN, VALIDATION = "train.parquet", "validation.parquet"  # of a folder that `prepare` made


@dataclass(frozen=True)
class Document:
    """One document."""

    text: str
    where: str
    """How an error names it, such as nsmc.txt.xz:2."""
    draw: float
    """From 0 to below 1, by its text."""


@dataclass(frozen=True)
class Corpus:
    """One corpus: the file to train on, and the one to measure by if it has one of its own."""

    settings: CorpusSettings
    train: Path
    validation: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read."""
        return (self.train, self.validation) if self.validation else (self.train,)

    def documents(self, file: Path) -> Iterator[Document]:
        """
        Read one of its files; blank rows are passed over.

        Raises:
            DataError: if it cannot be read, or has no such field.
        """
        for number, row in enumerate(open_source(file, field=self.settings.field).rows(), start=1):
            if self.settings.rows is not None and file == self.train and number > self.settings.rows:
                return
            if row.text.strip():
                yield Document(row.text, row.where, draw_of(row.text))


@dataclass(frozen=True)
class Corpora:
    """All corpora of a recipe. Made by `read_corpora`."""

    corpora: tuple[Corpus, ...]
    share: float
    """Share of the documents held out; 0 where every corpus has a validation file of its own."""
    at_most: int
    """Documents to measure by, of all corpora together."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that is read."""
        return tuple(file for corpus in self.corpora for file in corpus.files)

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """The share of the training tokens that each corpus has."""
        total = sum(corpus.settings.weight for corpus in self.corpora)
        return tuple(corpus.settings.weight / total for corpus in self.corpora)

    @cached_property
    def _own(self) -> frozenset[float]:
        """The draws of the documents of validation files; a corpus beside them may hold the same texts."""
        pairs = [(corpus, corpus.validation) for corpus in self.corpora]
        return frozenset(one.draw for corpus, file in pairs if file for one in corpus.documents(file))

    def holds_out(self, document: Document) -> bool:
        """Tell whether a document is never trained on."""
        return document.draw < self.share or document.draw in self._own

    def held_out(self, corpus: Corpus) -> list[Document]:
        """
        Give a corpus' documents to measure by, those with the lowest draws: at most `at_most`, each text once.

        Raises:
            DataError: as `Corpus.documents`.
        """
        file = corpus.validation or corpus.train
        found = (one for one in corpus.documents(file) if corpus.validation or one.draw < self.share)
        return lowest(found, self.at_most)

    def texts(self, characters: int) -> Iterator[str]:
        """
        Give texts to train on, dealt out by the corpora's shares: for a tokenizer.

        A corpus that ends leaves the others to go on, and none is read twice.

        Args:
            characters: how much text in all, to the document that goes beyond it.
        """
        streams = {number: self.training_documents(corpus) for number, corpus in enumerate(self.corpora)}
        given = [0] * len(self.corpora)
        while streams and sum(given) < characters:
            number = min(streams, key=lambda number: (given[number] / self.shares[number], number))
            document = next(streams[number], None)
            if document is None:
                del streams[number]
                continue
            given[number] += len(document.text)
            yield document.text

    def training_documents(self, corpus: Corpus) -> Iterator[Document]:
        """Read the documents of a corpus that are trained on."""
        return (one for one in corpus.documents(corpus.train) if not self.holds_out(one))


def lowest(documents: Iterable[Document], most: int) -> list[Document]:
    """Choose the documents with the lowest draws, the lowest first and each text once, holding no more than needed."""
    heap: list[tuple[float, str, str]] = []
    draws: set[float] = set()
    for one in documents:
        if one.draw in draws or (len(heap) == most and one.draw > -heap[0][0]):
            continue
        draws.add(one.draw)
        heapq.heappush(heap, (-one.draw, one.text, one.where))
        if len(heap) > most:
            draws.discard(-heapq.heappop(heap)[0])
    return [Document(text, where, -draw) for draw, text, where in sorted(heap, reverse=True)]


def read_corpora(settings: CorporaSettings) -> Corpora:
    """
    Find the files of all corpora, and look at the first row of each: faults come up before anything long begins.

    Raises:
        DataError: if a file is missing or has no such field, or a folder is none that `prepare` made.
    """
    corpora = tuple(_find(corpus) for corpus in settings.corpora)
    for corpus in corpora:
        for file in corpus.files:
            open_source(file, field=corpus.settings.field)
    share = settings.validation if any(corpus.validation is None for corpus in corpora) else 0.0
    return Corpora(corpora, share, settings.validation_documents)


def draw_of(text: str) -> float:
    """
    Give a text its number from 0 to below 1.

        >>> round(draw_of("목소리가 좋아요"), 4)
        0.703
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) * 2.0**-53


def _find(corpus: CorpusSettings) -> Corpus:
    if not corpus.path.is_dir():
        return Corpus(corpus, corpus.path, None)
    train, validation = corpus.path / TRAIN, corpus.path / VALIDATION
    if not train.is_file():
        raise DataError(
            f"{corpus.path}: found no {TRAIN} in this folder, expected one that `hanpuri prepare` made",
            "name a file, or prepare the folder's files first",
        )
    return Corpus(corpus, train, validation if validation.is_file() else None)
