"""
One corpus ─► its tokens on disk.

In: the documents of a corpus, a tokenizer. Out: a folder with

    tokens.bin   all documents, one behind the other: [5 6 7 0] [8 0] …
    ends.bin     where each of them ends: 4, 6, …
    facts.json   {"documents": 934454, "held_out": 4686, "tokens": 159331359, "left_out": {}}

A large corpus that is read to its end is encoded in parts, by as many processes as there are processors; the parts are
laid together in their order, so that the bytes are those of one process.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, count, islice
from multiprocessing import parent_process
from pathlib import Path
from sys import byteorder, maxsize
from typing import Any

import numpy as np

from hanpuri.data.examples import Counts, iterate_examples
from hanpuri.data.preparation.workers import Call, Workers
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import load_template
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.runs import write_json
from hanpuri.training.feeding.corpora import Corpora, Corpus, Document

MANY = 200_000  # documents; for fewer, processes take longer to start than to work
PART = 20_000  # documents that a process encodes at a time
# The only rows left out: those that spell out a special token, and half surrogate pairs.
WHOLE = ExampleSettings(template="plain", max_length=maxsize, faults="drop")
TOKENS, ENDS, FACTS = "tokens.bin", "ends.bin", "facts.json"


def encode_corpus(corpora: Corpora, corpus: Corpus, tokenizer: Tokenizer, wanted: int | None, folder: Path) -> None:
    """
    Write a corpus' tokens, where its documents end, and what else is to be known of it.

    Args:
        corpora: says which documents are held out.
        corpus: the corpus.
        tokenizer: of the model.
        wanted: tokens that are enough; None encodes all.
        folder: which is there, and empty.

    Raises:
        DataError: if it cannot be read, or a process was ended from outside.
    """
    held_out = _Count()
    kept = _kept(corpora, corpus, held_out)
    first = list(islice(kept, MANY)) if wanted is None else []
    if len(first) < MANY:
        _encode(chain(first, kept), tokenizer, wanted, folder)
    else:
        _encode_in_parts(chain(first, kept), tokenizer, folder)
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    write_json(folder / FACTS, {**facts, "held_out": held_out.value})


def token_type(tokenizer: Tokenizer) -> Any:
    """Give the smallest type of numbers that a tokenizer's ids fit in."""
    return np.uint16 if max(tokenizer.fast.get_vocab().values()) < 1 << 16 else np.int32


class _Count:
    """How many documents were passed over, known once all are read."""

    value = 0


def _kept(corpora: Corpora, corpus: Corpus, held_out: _Count) -> Iterator[Document]:
    for document in corpus.documents(corpus.train):
        if corpora.holds_out(document):
            held_out.value += 1
        else:
            yield document


def _encode_in_parts(documents: Iterator[Document], tokenizer: Tokenizer, folder: Path) -> None:
    """Encode parts side by side, each in a folder of its own, and lay them together."""
    parts = folder / "parts"
    tokenizer.fast.save_pretrained(parts / "tokenizer")
    with Workers() as workers:
        workers.run(_calls(documents, parts))
    there = sorted(path for path in parts.iterdir() if path.name != "tokenizer")
    facts, left_out = Counter[str](), Counter[str]()
    with (folder / TOKENS).open("wb") as tokens, (folder / ENDS).open("wb") as ends:
        for part in there:
            with (part / TOKENS).open("rb") as file:
                shutil.copyfileobj(file, tokens, 1 << 24)
            (np.fromfile(part / ENDS, np.int64) + facts["tokens"]).tofile(ends)
            told = json.loads((part / FACTS).read_text(encoding="utf-8"))
            left_out.update(told.pop("left_out"))
            facts.update(told)
    shutil.rmtree(parts)
    numbers = {name: facts[name] for name in ("documents", "tokens")}
    write_json(folder / FACTS, {**numbers, "left_out": dict(left_out)})


def _calls(documents: Iterator[Document], parts: Path) -> Iterator[Call]:
    for number in count():
        rows = [(one.text, one.where) for one in islice(documents, PART)]
        if not rows:
            return
        yield _encode_part, (rows, str(parts / "tokenizer"), parts / f"{number:08}")


def _encode_part(rows: Sequence[tuple[str, str]], tokenizer: str, folder: Path) -> None:
    """Encode some documents; the call of a process."""
    if parent_process():
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there are as many processes as processors
    folder.mkdir()
    documents = (Document(text, where, 0.0) for text, where in rows)
    _encode(documents, _load_once(tokenizer), None, folder)


@lru_cache(maxsize=1)
def _load_once(path: str) -> Tokenizer:
    return load_tokenizer(path)


def _encode(documents: Iterable[Document], tokenizer: Tokenizer, wanted: int | None, folder: Path) -> None:
    counts, dtype, plain = Counts(), token_type(tokenizer), load_template("plain")
    rendereds = (plain.render({"text": one.text}, one.where) for one in documents)
    num_tokens, num_documents = 0, 0
    with (folder / TOKENS).open("wb") as tokens, (folder / ENDS).open("wb") as ends:
        for example in iterate_examples(rendereds, tokenizer, WHOLE, counts):
            num_tokens, num_documents = num_tokens + len(example), num_documents + 1
            tokens.write(example.input_ids.astype(dtype).tobytes())
            ends.write(num_tokens.to_bytes(8, byteorder))
            if wanted is not None and num_tokens >= wanted:
                break
    facts = {"documents": num_documents, "tokens": num_tokens, "left_out": dict(counts.dropped)}
    write_json(folder / FACTS, facts)
