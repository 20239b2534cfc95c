"""
Corpora, mixed by weight ─► blocks of tokens on disk, to be read without loading them.

In: the documents of `corpora`, a tokenizer. Out: Blocks. Of two corpora with the weights 3 and 1, in blocks of four:

    held-out-52d1…/  texts of one corpus that are never trained on
    tokens-1f0c…/    one corpus, encoded once       [5 6 7 0] [8 0] [9 9 9 0] …
    blocks-77ab…/    the order of a training        [5 6 7 0] [8 0 31 0] [9 9 9 0] …       31 is of the second corpus

Weights are shares of the tokens: wherever one stops, the mix is what was asked for, to within a document. A corpus that
is used up begins anew in another order; one that is too large is not encoded to its end, unless `whole` asks for it.
One epoch is as many tokens as all corpora have together.

What is made is kept under a hash of all that it comes from: the bytes of the files, the tokenizer, the settings. Any
change makes a new one, and a folder gets its name only when it is complete.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hanpuri.data.examples import Counts, Ids, iterate_examples
from hanpuri.data.packing import pack_documents
from hanpuri.data.templates import load_template
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError
from hanpuri.runs import sha256_of, write_json
from hanpuri.training.feeding.corpora import Corpora, Corpus, Document, read_corpora
from hanpuri.training.feeding.encoding import WHOLE, encode_corpus, token_type
from hanpuri.training.recipe import CorporaSettings

FORMAT = 1  # of the folders; another one makes all of them anew
MANY_EPOCHS = 4  # up to here, repeated text teaches nearly as much as new text (Muennighoff et al. 2023)

Tokens = npt.NDArray[np.integer[Any]]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Share:
    """What became of one corpus."""

    path: str
    documents: int
    """Read to be trained on."""
    held_out: int
    left_out: dict[str, int]
    """Documents that make no example, by cause."""
    tokens: int
    """Of its documents, each once."""
    used: int
    """Of the training."""

    @property
    def epochs(self) -> float:
        """How many times the training goes through it."""
        return self.used / self.tokens


@dataclass(frozen=True)
class Blocks:
    """The tokens of a training, and those to measure by."""

    folder: Path
    """Where they are; its name tells what they came from, so that more may be kept in it."""
    train: Tokens
    """(N, T), mapped from disk: the whole training, all epochs of it, to be gone through once."""
    validation: tuple[Ids, ...]
    """Each at most T long. A block begins with the last token of the one before, so that each token but the very first
    is foretold once."""
    validation_bytes: int
    """Of the held-out texts in UTF-8: all that `validation` foretells."""
    shares: tuple[Share, ...]
    """One a corpus."""

    @property
    def tokens(self) -> int:
        """Tokens of the training."""
        return int(self.train.size)


@dataclass(frozen=True)
class _Store:
    """A corpus as tokens, mapped from disk."""

    tokens: Tokens
    ends: npt.NDArray[np.int64]
    facts: dict[str, Any]

    def document(self, number: int) -> Ids:
        return np.array(self.tokens[self.ends[number - 1] if number else 0 : self.ends[number]], np.int32)


def make_training_blocks(
    settings: CorporaSettings,
    tokenizer: Tokenizer,
    *,
    max_length: int,
    seed: int,
    cache: Path,
    num_blocks: int | None = None,
    epochs: float | None = None,
    report: Report = lambda line: None,
) -> Blocks:
    """
    Encode corpora, mix them and cut them in blocks; or take what an earlier call has left in `cache`.

    Args:
        settings: the corpora.
        tokenizer: of the model.
        max_length: tokens in a block.
        seed: decides the order of the documents.
        cache: a folder; what is in it may be deleted at any time.
        num_blocks: blocks of the training; or else
        epochs: how many times as many tokens as the corpora have together.
        report: is told, a line each, what goes on and what is unusual.

    Raises:
        DataError: if a corpus cannot be read or holds no text, nothing is held out though it should be, the text
            does not fill one block, or the disk is full.
        ModelError: if the tokenizer has no eos token.
        ValueError: if not exactly one of `num_blocks` and `epochs` is given.
    """
    if (num_blocks is None) == (epochs is None):
        raise ValueError("give either num_blocks or epochs")
    tokenizer.need_eos()
    corpora = read_corpora(settings)
    wanted = None if num_blocks is None else num_blocks * max_length
    needed = None if settings.whole else wanted
    stores = [
        _open_store(corpora, corpus, tokenizer, needed and math.ceil(needed * share), cache, report)
        for corpus, share in zip(corpora.corpora, corpora.shares, strict=True)
    ]
    if num_blocks is None:
        num_blocks = int((epochs or 0) * sum(store.facts["tokens"] for store in stores)) // max_length
    if not num_blocks:
        total = sum(store.facts["tokens"] for store in stores)
        raise DataError(
            f"the corpora hold {total:,} tokens, expected {max_length:,} for a block at least",
            "give more text, or lower max_length",
        )
    folder, train, used = _lay_blocks(corpora, stores, num_blocks, max_length, seed, cache)
    validation, num_bytes = _validation(corpora, stores, tokenizer, max_length, cache)
    shares = tuple(Share(**store.facts, used=count) for store, count in zip(stores, used, strict=True))
    for share in shares:
        _tell(share, train.size, report)
    return Blocks(folder, train, validation, num_bytes, shares)


def _tell(share: Share, total: int, report: Report) -> None:
    report(
        f"{share.path}: {share.tokens:,} tokens in {share.documents:,} documents, {share.used / total:.0%} of the"
        f" training, {share.epochs:.2f} times through"
    )
    if share.epochs > MANY_EPOCHS:
        report(
            f"{share.path} is read {share.epochs:.1f} times, and beyond {MANY_EPOCHS} times text teaches little more:"
            " lower its weight, give more of its kind, or train for fewer steps"
        )
    for cause, count in share.left_out.items():
        report(f"{share.path}: {count:,} documents are left out: {cause}")


def _open_store(
    corpora: Corpora, corpus: Corpus, tokenizer: Tokenizer, wanted: int | None, cache: Path, report: Report
) -> _Store:
    # Up to the next power of two, so that a few steps more find what is there.
    wanted = wanted and 1 << wanted.bit_length()
    others = [sha256_of(one.validation) for one in corpora.corpora if one.validation]
    key = _key(
        [sha256_of(file) for file in corpus.files],
        *(corpus.settings.field, corpus.settings.rows, wanted),
        *(corpora.share, sorted(others)),
        *(tokenizer.fast.backend_tokenizer.to_str(), tokenizer.bos_id, tokenizer.need_eos()),
    )
    folder = cache / f"tokens-{key}"
    dtype = token_type(tokenizer)
    if not folder.is_dir():
        report(f"{corpus.settings.path}: encoding")
        with _complete(folder) as beside:
            encode_corpus(corpora, corpus, tokenizer, wanted, beside)
    facts = {**json.loads((folder / "facts.json").read_text(encoding="utf-8")), "path": str(corpus.settings.path)}
    if not facts["tokens"]:
        told = "; ".join(f"{count:,} documents: {cause}" for cause, count in facts["left_out"].items())
        raise DataError(
            f"{corpus.settings.path} holds no text to train on" + (f" ({told})" if told else ""),
            "give a file with a text a line, or take the corpus out",
        )
    ends = np.fromfile(folder / "ends.bin", np.int64)
    return _Store(np.memmap(folder / "tokens.bin", dtype, "r"), ends, facts)


def _lay_blocks(
    corpora: Corpora, stores: Sequence[_Store], num_blocks: int, max_length: int, seed: int, cache: Path
) -> tuple[Path, Tokens, list[int]]:
    """Write blocks in the order of a training, and count the tokens that each corpus has in them."""
    dtype = stores[0].tokens.dtype
    names = [Path(str(store.tokens.filename)).parent.name for store in stores]  # type: ignore[attr-defined]
    folder = cache / f"blocks-{_key(names, corpora.shares, num_blocks, max_length, seed)}"
    if not folder.is_dir():
        used = [0] * len(stores)
        documents = _deal(stores, corpora.shares, num_blocks * max_length, seed, used)
        with _complete(folder) as beside, (beside / "blocks.bin").open("wb") as file:
            for block in islice(pack_documents(documents, max_length), num_blocks):
                file.write(block.astype(dtype).tobytes())
            write_json(beside / "used.json", used)
    used = json.loads((folder / "used.json").read_text(encoding="utf-8"))
    return folder, np.memmap(folder / "blocks.bin", dtype, "r", shape=(num_blocks, max_length)), used


def _deal(
    stores: Sequence[_Store], shares: Sequence[float], num_tokens: int, seed: int, used: list[int]
) -> Iterator[Ids]:
    """Draw documents: always from the corpus that is furthest behind its share."""
    orders = [_order(len(store.ends), seed, number) for number, store in enumerate(stores)]
    while sum(used) < num_tokens:
        number = min(range(len(stores)), key=lambda number: used[number] / shares[number])
        document = stores[number].document(next(orders[number]))
        used[number] += min(len(document), num_tokens - sum(used))
        yield document


def _order(num_documents: int, seed: int, corpus: int) -> Iterator[int]:
    """Give the numbers of documents without end: all of them, then all of them again in another order."""
    epoch = 0
    while True:
        yield from np.random.default_rng([seed, corpus, epoch]).permutation(num_documents).tolist()
        epoch += 1


def _validation(
    corpora: Corpora, stores: Sequence[_Store], tokenizer: Tokenizer, max_length: int, cache: Path
) -> tuple[tuple[Ids, ...], int]:
    """Encode the held-out documents of all corpora: those with the lowest draws, each text once."""
    found = {one.draw: one for corpus in corpora.corpora for one in _held_out(corpora, corpus, cache)}
    if not found:
        if corpora.share == 0:
            return (), 0
        total = sum(store.facts["documents"] for store in stores)
        raise DataError(
            f"data.validation {corpora.share:g} holds out none of {total:,} documents, expected some to measure by",
            "raise it, or set it to 0 to measure nothing",
        )
    plain, num_bytes, sound = load_template("plain"), 0, []
    for document in (found[draw] for draw in sorted(found)[: corpora.at_most]):
        rendered = plain.render({"text": document.text}, document.where)
        # One by one: the bytes of those that make no example must not count.
        for example in iterate_examples([rendered], tokenizer, WHOLE, Counts()):
            sound.append(example.input_ids)
            num_bytes += len(document.text.encode())
    # What a model sees before a first word: the bos token, or else the end of the text before.
    begin = [] if tokenizer.starts_with_bos else [np.array([tokenizer.need_eos()], np.int32)]
    ids = np.concatenate([*begin, *sound, np.empty(0, np.int32)])
    return tuple(ids[start : start + max_length] for start in range(0, len(ids) - 1, max_length - 1)), num_bytes


def _held_out(corpora: Corpora, corpus: Corpus, cache: Path) -> list[Document]:
    """
    Give a corpus' documents to measure by, found in the whole of it.

    They hang neither on the tokenizer nor on how much is trained, so that runs which differ in these can be compared.
    """
    key = _key([sha256_of(file) for file in corpus.files], *(corpus.settings.field, corpus.settings.rows))
    folder = cache / f"held-out-{key}-{_key(corpora.share, corpora.at_most)}"
    if not folder.is_dir():
        with _complete(folder) as beside:
            write_json(beside / "documents.json", [asdict(one) for one in corpora.held_out(corpus)])
    return [Document(**one) for one in json.loads((folder / "documents.json").read_text(encoding="utf-8"))]


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()[:20]


@contextmanager
def _complete(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, which gets its name once all is written; another process may be first."""
    beside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True)
        yield beside
        if not folder.is_dir():
            beside.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise DataError(
                f"{folder.parent}: tokens cannot be written there ({error.strerror or error})",
                "make room on the disk, or see who may write there",
            ) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
