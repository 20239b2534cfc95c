"""
Preference rows ─► pairs of answers as tokens, for reward models and direct preference optimisation.

In: records of the form `preference`, and how the model is asked. Out: for each a prompt and two answers, token for
token as fine-tuning on that answer would have them. With `koalpaca` and a tokenizer whose eos token is 0:

    {"prompt": "안녕?", "chosen": "네.", "rejected": ""}
        ─►  prompt_ids    5 41 9 77 8    "### 질문: 안녕?\\n\\n### 답변:"
            chosen_ids    31 12 0        " 네." and its end
            rejected_ids  0              the end alone: the model was silent

A row that teaches nothing is a fault: answers that are the same, as texts or as tokens, no prompt, no chosen answer.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from hanpuri.data.examples import BATCH_ROWS, IGNORE, TOO_LONG, Counts, Example, Ids, make_each
from hanpuri.data.recipe import ExampleSettings
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Rendered
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.data.unsound import Unsound, Unsounds
from hanpuri.errors import DataError
from hanpuri.training.answering import Message, answered, asked_row
from hanpuri.training.feeding.datasets import in_memory
from hanpuri.training.prompting import Prompting
from hanpuri.training.recipe import AskSettings

# Why rows are left out, as the counts name it; the other causes are those of `data.examples`.
NO_PROMPT = "no prompt"
NO_CHOSEN = "no chosen answer"
SAME = "chosen and rejected are the same"
NOT_ASKED = "cannot be asked so"
PARTED = "another prompt on each side"
LENGTH_MEND = "raise examples.max_length, or say too_long: drop"

Sides = tuple[Rendered | DataError, Rendered | DataError]


@dataclass(frozen=True, slots=True, eq=False)
class PairExample:
    """One row as tokens."""

    id: str
    prompt_ids: Ids
    """(P,) what both answers stand behind."""
    chosen_ids: Ids
    """(C,) the better answer with the token that ends it."""
    rejected_ids: Ids
    """(R,) the worse one with the same; that token alone if the answer is empty."""

    @property
    def num_tokens(self) -> int:
        """Tokens of both sides, each with the prompt."""
        return 2 * len(self.prompt_ids) + len(self.chosen_ids) + len(self.rejected_ids)


def iterate_pairs(
    records: Iterable[Record], prompting: Prompting, tokenizer: Tokenizer, settings: AskSettings, counts: Counts
) -> Iterator[PairExample]:
    """
    Make pairs one after another, and count into `counts`; its tokens are those of both sides.

    Args:
        records: rows of the form preference.
        prompting: how the model is asked.
        tokenizer: the model's.
        settings: how long a prompt with its answer may be, and what is done about faulty rows.
        counts: what became of the rows; `dropped` by cause.

    Raises:
        DataError: at once for rows of another form; for faulty ones once all others were given, with the first few.
        ModelError: if the template needs an eos token and the tokenizer has none.
    """
    faults = Unsounds("rows that make no pair")
    for made in _make_each(records, prompting, tokenizer, settings, counts):
        if isinstance(made, PairExample):
            counts.examples += 1
            counts.tokens += made.num_tokens
            counts.trained_tokens += len(made.chosen_ids) + len(made.rejected_ids)
            yield made
        elif settings.faults == "drop" or (made.cause == TOO_LONG and settings.too_long == "drop"):
            counts.dropped[made.cause] += 1
        else:
            faults.add(made)
    faults.raise_any()


def from_pairs(pairs: Iterable[PairExample]) -> Any:
    """Give pairs as a Dataset in memory; columns prompt_ids, chosen_ids, rejected_ids."""
    rows = list(pairs)
    return in_memory(
        {name: [getattr(row, name) for row in rows] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}
    )


def chosen_examples(pairs: Iterable[PairExample]) -> Iterator[Example]:
    """Give the chosen side as fine-tuning has it: what a pre-flight looks at."""
    for pair in pairs:
        labels = _joined(np.full(len(pair.prompt_ids), IGNORE, np.int32), pair.chosen_ids)
        yield Example(pair.id, _joined(pair.prompt_ids, pair.chosen_ids), labels)


def _joined(prompt: Ids, answer: Ids) -> Ids:
    return np.concatenate([prompt, answer])


def _make_each(
    records: Iterable[Record], prompting: Prompting, tokenizer: Tokenizer, settings: AskSettings, counts: Counts
) -> Iterator[PairExample | Unsound]:
    """Give for each row its pair, or why it has none, in their order."""
    told = ExampleSettings(max_length=settings.max_length)
    rows = iter(records)
    while batch := list(islice(rows, BATCH_ROWS // 2)):
        sides = [_render(record, prompting) for record in batch]
        of_sides = Counts()
        rendered = chain.from_iterable(both for both in sides if not isinstance(both, Unsound))
        made = make_each(rendered, tokenizer, told, of_sides)
        for record, both in zip(batch, sides, strict=True):
            counts.rows += 1
            if isinstance(both, Unsound):
                yield both
                continue
            before = of_sides.lossy
            chosen, rejected = next(made), next(made)
            counts.lossy += of_sides.lossy > before
            yield _pair(record, chosen, rejected)


def _render(record: Record, prompting: Prompting) -> Sides | Unsound:
    """Write both sides, or say what is wrong with the row before there are tokens."""
    fields, name = record.fields, _name(record)
    if not {"prompt", "chosen", "rejected"} <= fields.keys():
        found = f"{name}: found the fields {', '.join(fields)}, expected prompt, chosen and rejected"
        raise DataError(found, "say `form: preference`, and name the columns under `fields`")
    prompt: Any = fields["prompt"]
    chosen, rejected = (str(fields[side] or "") for side in ("chosen", "rejected"))
    if not _asks(prompt):
        return Unsound(NO_PROMPT, f"{name}: found no prompt, expected one", "give the row its prompt, or leave it out")
    if not chosen.strip():
        found = f"{name}: found no text in chosen, expected an answer"
        return Unsound(NO_CHOSEN, found, "give the row its better answer, or leave it out")
    if unicodedata.normalize("NFC", chosen) == unicodedata.normalize("NFC", rejected):
        return _same(name, "the same text")
    try:
        row = asked_row(prompt, str(fields.get("input") or ""), prompting)
    except DataError as error:
        return Unsound(NOT_ASKED, f"{name}: {error.message}", error.mend)
    return _side(prompting, row, chosen, f"{name} (chosen)"), _side(prompting, row, rejected, f"{name} (rejected)")


def _asks(prompt: str | Sequence[Message]) -> bool:
    if isinstance(prompt, str):
        return bool(prompt.strip())
    return bool(prompt) and prompt[-1]["role"] == "user" and bool(str(prompt[-1]["content"]).strip())


def _side(prompting: Prompting, row: Any, answer: str, name: str) -> Rendered | DataError:
    try:
        return answered(prompting, row, answer, name, may_be_empty=True)
    except DataError as error:
        return error


def _pair(record: Record, chosen: Example | Unsound, rejected: Example | Unsound) -> PairExample | Unsound:
    """Part prompt and answer of both sides, which the model is asked alike."""
    if isinstance(chosen, Unsound):
        return _told(chosen)
    if isinstance(rejected, Unsound):
        return _told(rejected)
    prompt, better = _parted(chosen)
    asked, worse = _parted(rejected)
    name = _name(record)
    if not np.array_equal(prompt, asked):
        found = f"{name}: found prompts that are other tokens before each answer, expected the same"
        return Unsound(PARTED, found, "take a template that writes the prompt alike whatever the answer is")
    if np.array_equal(better, worse):
        return _same(name, "the same tokens")
    return PairExample(record.id or name, prompt, better, worse)


def _told(side: Unsound) -> Unsound:
    """Mend what fine-tuning could: half an answer is no better or worse one."""
    return side._replace(mend=LENGTH_MEND) if side.cause == TOO_LONG else side


def _parted(example: Example) -> tuple[Ids, Ids]:
    start = int(np.argmax(example.labels != IGNORE))
    return example.input_ids[:start], example.input_ids[start:]


def _same(name: str, what: str) -> Unsound:
    found = f"{name}: found {what} in chosen and rejected, expected two answers"
    return Unsound(SAME, found, "leave the row out: it says nothing on which is better")


def _name(record: Record) -> str:
    return record.where or record.id
