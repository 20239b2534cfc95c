"""
The loss mask, in the one place where it is made: rendered row + tokenizer ─► token ids and labels.

In: the segments of a row. Out: an example; a label is the token's own id where the model learns to write it, else -100.
With `koalpaca` and a tokenizer whose eos token is 0:

    "### 질문: 안녕?\\n\\n### 답변:", " 네."   ─►   input_ids  5  41  9  77   8  31  12   0
                                              labels     -100 -100 … -100  31  12   0

Prompt and response are turned into tokens apart and joined, so that what the model is asked later is token for token
what it was trained behind. Trained are the response and the token that ends it; never the prompt, never the padding,
which is told by its place and not by its id. Every row is turned back into text and compared.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

import numpy as np
import numpy.typing as npt

from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.templates import Rendered
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.data.unsound import Unsound, Unsounds
from hanpuri.errors import DataError

IGNORE = -100
"""The label of a token that the model does not learn to write, in every training library."""
BATCH_ROWS = 1024

# Why rows are left out, as the counts name it.
UNREAD = "cannot be read"
NO_TEXT = "cannot be rendered"
SPECIAL = "special token in the text"
UNTRAINED = "no trained token"
NO_STOP = "stop token not trained"
MOVED = "moved boundary"
TOO_LONG = "over max_length"
PROMPT_TOO_LONG = "the prompt alone fills max_length"
LENGTH_MEND = "raise examples.max_length, or say too_long: drop or truncate"

Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One row as tokens."""

    id: str
    input_ids: Ids
    """(T,) token ids."""
    labels: Ids
    """(T,) the same ids where the model learns to write them, else -100."""

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def num_trained(self) -> int:
        """Tokens that the model learns to write."""
        return int((self.labels != IGNORE).sum())


@dataclass(slots=True)
class Counts:
    """What became of the rows."""

    rows: int = 0
    examples: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    truncated: int = 0
    """Rows whose response was cut; they train no stop token."""
    lossy: int = 0
    """Rows that the tokenizer itself does not give back letter by letter: unknown characters, normalisation."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Rows left out, by cause."""

    def leave_out(self, unread: int) -> None:
        """Count rows that could not even be read."""
        if unread:
            self.rows += unread
            self.dropped[UNREAD] += unread


@dataclass(frozen=True)
class Examples:
    """The examples of a set of rows, and what was left out."""

    examples: tuple[Example, ...]
    counts: Counts


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples side by side, each (B, T) of int64."""

    input_ids: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    attention_mask: npt.NDArray[np.int64]


def make_example(rendered: Rendered, tokenizer: Tokenizer, settings: ExampleSettings) -> Example:
    """
    Make the example of one row; what `make_examples` would leave out is an error here.

    Raises:
        DataError: as `make_examples`.
        ModelError: as `make_examples`.
    """
    too_long = "error" if settings.too_long == "drop" else settings.too_long
    strict = settings.model_copy(update={"too_long": too_long, "faults": "error"})
    examples = make_examples([rendered], tokenizer, strict).examples
    if not examples:
        raise DataError(f"{rendered.id}: {PROMPT_TOO_LONG} of {settings.max_length:,} tokens", LENGTH_MEND)
    return examples[0]


def make_examples(
    rendereds: Iterable[Rendered | DataError], tokenizer: Tokenizer, settings: ExampleSettings
) -> Examples:
    """
    Make the examples of rows, all in memory.

    Raises:
        DataError: at the end of the rows, with the first few that make no sound example: the response is empty, a
            special token is spelled out in a row, the tokens do not read as the text, a chat template closes no turn,
            a row is over `max_length`. `too_long` and `faults` may say to leave them out and count them instead.
        ModelError: if a template file needs an eos token and the tokenizer has none.
    """
    counts = Counts()
    return Examples(tuple(iterate_examples(rendereds, tokenizer, settings, counts)), counts)


def iterate_examples(
    rendereds: Iterable[Rendered | DataError], tokenizer: Tokenizer, settings: ExampleSettings, counts: Counts
) -> Iterator[Example]:
    """
    Make examples one after another, and count into `counts`; for sets that do not fit in memory.

    Args:
        rendereds: rows as templates wrote them; a row that its template refused may stand there as its error.

    Raises:
        DataError, ModelError: as `make_examples`; faulty rows once all others were given.
    """
    faults = Unsounds()
    for made in make_each(rendereds, tokenizer, settings, counts):
        if isinstance(made, Example):
            counts.examples += 1
            counts.tokens += len(made)
            counts.trained_tokens += made.num_trained
            yield made
        elif settings.faults == "drop" or made.cause == PROMPT_TOO_LONG or _may_drop(made, settings):
            counts.dropped[made.cause] += 1
        else:
            faults.add(made)
    faults.raise_any()


def make_each(
    rendereds: Iterable[Rendered | DataError], tokenizer: Tokenizer, settings: ExampleSettings, counts: Counts
) -> Iterator[Example | Unsound]:
    """
    Give for each row its example, or why it has none, in their order; nothing is left out yet.

    Args:
        counts: in it rows, lossy and truncated are counted.

    Raises:
        ModelError: as `make_examples`.
    """
    rows = iter(rendereds)
    while batch := list(islice(rows, BATCH_ROWS)):
        yield from _make_batch(batch, tokenizer, settings, counts)


def prompt_ids(rendered: Rendered, tokenizer: Tokenizer) -> list[int]:
    """
    Turn a prompt into what a model is fed: token for token what stands before the response in training.

    Args:
        rendered: of a template's `prompt`.
    """
    (parts,) = _tokenize([rendered], tokenizer)
    return _begin(rendered, parts, tokenizer) + [id for part in parts for id in part]


def collate(examples: Sequence[Example], pad_id: int) -> Batch:
    """
    Lay examples side by side, padded on the right to the longest.

    Padding is told by its place: an eos token that ends a response stays trained where the padding has the same id.

        >>> long = Example("1", np.array([7, 8, 0]), np.array([-100, 8, 0]))
        >>> batch = collate([long, Example("2", np.array([0]), np.array([0]))], pad_id=0)
        >>> batch.labels.tolist(), batch.attention_mask.tolist()
        ([[-100, 8, 0], [0, -100, -100]], [[1, 1, 1], [1, 0, 0]])

    Raises:
        ValueError: if there is no example.
    """
    if not examples:
        raise ValueError("found no example, expected at least one")
    shape = len(examples), max(len(example) for example in examples)
    batch = Batch(np.full(shape, pad_id, np.int64), np.full(shape, IGNORE, np.int64), np.zeros(shape, np.int64))
    for row, example in enumerate(examples):
        batch.input_ids[row, : len(example)] = example.input_ids
        batch.labels[row, : len(example)] = example.labels
        batch.attention_mask[row, : len(example)] = 1
    return batch


def _may_drop(fault: Unsound, settings: ExampleSettings) -> bool:
    return fault.cause == TOO_LONG and settings.too_long == "drop"


def _make_batch(
    batch: Sequence[Rendered | DataError], tokenizer: Tokenizer, settings: ExampleSettings, counts: Counts
) -> Iterator[Example | Unsound]:
    checked = [_check_text(row) for row in batch]
    rows = [row for row in checked if isinstance(row, Rendered)]
    tokens = _tokenize(rows, tokenizer)
    joined = [[id for part in parts for id in part] for parts in tokens]
    read = iter(zip(tokens, tokenizer.decode_batch(joined), strict=True))
    for row in checked:
        counts.rows += 1
        if isinstance(row, DataError):
            yield Unsound(NO_TEXT, row.message, row.mend)
            continue
        parts, text = next(read)
        fault = _find_fault(row, parts, tokenizer) or _compare(row, text, tokenizer, counts)
        yield fault or _fit(_join(row, parts, tokenizer), settings, counts)


def _check_text(row: Rendered | DataError) -> Rendered | DataError:
    """Half a surrogate pair is no text to a tokenizer; found here, it does not fail the rows beside it."""
    if isinstance(row, Rendered):
        try:
            row.text.encode()
        except UnicodeEncodeError:
            return DataError(f"{row.id}: found half a surrogate pair, expected text", "clean the text first")
    return row


def _tokenize(rows: Sequence[Rendered], tokenizer: Tokenizer) -> list[list[list[int]]]:
    """Turn the segments of many rows into tokens, each apart; all but a row's first one go on where one has ended."""
    firsts = iter(tokenizer.encode_batch([row.segments[0].text for row in rows if row.segments]))
    later = [(one.text, before.text) for row in rows for before, one in pairwise(row.segments)]
    texts, after = [text for text, _ in later], [before for _, before in later]
    laters = iter(tokenizer.encode_batch(texts, after=after))
    return [[*islice(firsts, bool(row.segments)), *islice(laters, len(row.segments[1:]))] for row in rows]


def _begin(row: Rendered, parts: Sequence[Sequence[int]], tokenizer: Tokenizer) -> list[int]:
    """Give the bos token if the tokenizer puts one and it is not in the text; a chat template writes its own."""
    if row.is_chat or not tokenizer.starts_with_bos or tokenizer.bos_id is None:
        return []
    return [] if parts and list(parts[0][:1]) == [tokenizer.bos_id] else [tokenizer.bos_id]


def _join(row: Rendered, parts: Sequence[Sequence[int]], tokenizer: Tokenizer) -> Example:
    ids = _begin(row, parts, tokenizer)
    labels = [IGNORE] * len(ids)
    for segment, part in zip(row.segments, parts, strict=True):
        ids += part
        labels += part if segment.trained else [IGNORE] * len(part)
    if not row.is_chat:
        ids.append(tokenizer.need_eos())
        labels.append(ids[-1])
    return Example(row.id, np.array(ids, np.int32), np.array(labels, np.int32))


def _find_fault(row: Rendered, parts: Sequence[Sequence[int]], tokenizer: Tokenizer) -> Unsound | None:
    for text in row.row_texts:
        if special := tokenizer.find_special(text):
            return Unsound(
                SPECIAL,
                f"{row.id}: found the special token {special} spelled out in the text, which a model reads as a sign",
                "take it out of the text, or leave the row out",
            )
    trained = [part for segment, part in zip(row.segments, parts, strict=True) if segment.trained and part]
    if not trained and not row.ends_at_once:
        found = f"{row.id}: found no token to train, expected a response"
        return Unsound(UNTRAINED, found, "give the row a response, or leave it out")
    for part in trained if row.is_chat else ():
        if part[-1] not in tokenizer.special_ids:
            return Unsound(
                NO_STOP,
                f"{row.id}: found a response that ends in {tokenizer.decode(part[-1:])!r}, expected a special token"
                " that ends the turn: a model trained so never stops",
                f"mend the chat template of {tokenizer.name}, or take a template file",
            )
    return None


def _compare(row: Rendered, read: str, tokenizer: Tokenizer, counts: Counts) -> Unsound | None:
    """Compare what the joined tokens read as with the text; what the tokenizer loses in any text is counted alone."""
    text = row.text
    if read == text:
        return None
    own = tokenizer.decode(tokenizer.encode(text))
    if _one_unknown(read, tokenizer) == _one_unknown(own, tokenizer):
        counts.lossy += 1
        return None
    start = next(
        (place for place, (a, b) in enumerate(zip(read, own, strict=False)) if a != b), min(len(read), len(own))
    )
    near = slice(max(0, start - 10), start + 10)
    return Unsound(
        MOVED,
        f"{row.id}: found a boundary that moves: prompt and response apart read {read[near]!r}, in one {own[near]!r}",
        "end the prompt on a line end or a colon, and begin the response with no space",
    )


def _one_unknown(text: str, tokenizer: Tokenizer) -> str:
    """Write a run of unknown tokens as one: some tokenizers join them, which two segments apart cannot be."""
    if tokenizer.unk_id is None:
        return text
    unknown = tokenizer.piece(tokenizer.unk_id)
    return re.sub(f"(?:{re.escape(unknown)})+", lambda _: unknown, text)


def _fit(example: Example, settings: ExampleSettings, counts: Counts) -> Example | Unsound:
    if len(example) <= settings.max_length:
        return example
    found = f"{example.id}: found {len(example):,} tokens, expected at most {settings.max_length:,}"
    if settings.too_long != "truncate":
        return Unsound(TOO_LONG, found, LENGTH_MEND)
    # No stop token behind the cut: it would teach the model to end in the middle of a sentence.
    cut = replace(
        example, input_ids=example.input_ids[: settings.max_length], labels=example.labels[: settings.max_length]
    )
    if not cut.num_trained:
        return Unsound(PROMPT_TOO_LONG, found, LENGTH_MEND)
    counts.truncated += 1
    return cut
