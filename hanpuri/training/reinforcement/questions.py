"""
What a model is asked while it learns from its own answers, and how its answers are read.

In: rows of any form, and how the model is asked. Out: questions as tokens, with the row that rewards are given:

    {"noisy": "쨰밌어요", "clean": "재밌어요"}   ─►   Question("pairs.jsonl:1", {"noisy": …, "clean": …}, (5, 41, 9))

The tokens are those that the model is asked with after training too, and an answer is the text that our engines would
read of the same tokens.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hanpuri.data.records.records import Record
from hanpuri.data.templates import Fields
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import DataError, RecipeError
from hanpuri.training.answering import answered_row, asked_row
from hanpuri.training.decoding import Ends, read_answer
from hanpuri.training.generation import checked_ids
from hanpuri.training.prompting import Prompting
from hanpuri.training.recipe import AskSettings
from hanpuri.training.reinforcement.reward import Reward, right_answer

TOO_LONG = "no room for an answer"
UNASKABLE = "cannot be asked"
NO_ANSWER = "no right answer"
MAX_FAULTS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """One row as it is asked."""

    name: str
    """Its id, or file and line: how errors and samples name it."""
    row: Fields
    """With what it holds of a right answer."""
    ids: tuple[int, ...]
    """The prompt as tokens."""


@dataclass(frozen=True)
class Questions:
    """All that the steps ask, and what their answers are read and rewarded with."""

    asked: Sequence[Question]
    prompting: Prompting
    tokenizer: Tokenizer
    ends: Ends
    rewards: Sequence[Reward]

    def read(self, ids: Sequence[int]) -> str:
        """Give the text of an answer, without the token that ends it and what the template puts around it."""
        return self.prompting.answer_of(read_answer(ids, self.tokenizer, self.ends).text)


@dataclass(frozen=True)
class Room:
    """How long questions may be."""

    settings: AskSettings
    max_new_tokens: int
    positions: int | None
    """Of the model; None if it does not say."""

    @property
    def longest(self) -> int:
        """Tokens that a question may have."""
        most = min(self.settings.max_length, self.positions or self.settings.max_length)
        return most - self.max_new_tokens


def check_ends(prompting: Prompting) -> None:
    """
    See that a token ends the answers: a model that learns from them has to be able to stop.

    Raises:
        RecipeError: if it is a text, or nothing.
    """
    if prompting.stop_text or not prompting.stop_ids:
        what = f"the text {prompting.stop_text!r}" if prompting.stop_text else "nothing"
        found = f"the template ends an answer with {what}, expected a token that stands for its end alone"
        raise RecipeError(found, "take a template whose stop is a special token of the model, or that has none")


def make_questions(
    records: Iterable[Record],
    prompting: Prompting,
    tokenizer: Tokenizer,
    room: Room,
    rewards: Sequence[Reward],
    dropped: Counter[str],
) -> Iterator[Question]:
    """
    Turn rows into questions.

    Args:
        records: rows of any form; of a preference, the chosen answer is the right one.
        prompting: how the model is asked.
        tokenizer: the model's.
        room: how long they may be.
        rewards: what they will be rewarded with: some need a right answer.
        dropped: counts, by cause, the rows that the settings say to leave out.

    Raises:
        DataError: once all others were given: with the first few rows that cannot be asked, are too long, or lack the
            right answer that a reward needs.
    """
    faults: list[DataError] = []
    for record in records:
        made = _make(record, prompting, tokenizer, room, rewards)
        if isinstance(made, Question):
            yield made
            continue
        cause, fault = made
        if (room.settings.too_long if cause == TOO_LONG else room.settings.faults) == "drop":
            dropped[cause] += 1
        else:
            faults.append(fault)
    if faults:
        raise _gathered(faults)


def _make(
    record: Record, prompting: Prompting, tokenizer: Tokenizer, room: Room, rewards: Sequence[Reward]
) -> Question | tuple[str, DataError]:
    name = record.id or record.where
    try:
        row = _row_of(record.fields, prompting, name)
        ids = checked_ids(prompting.prompt(row, name), tokenizer, None)
    except DataError as error:
        return UNASKABLE, error
    if len(ids) > room.longest:
        return TOO_LONG, _too_long(name, len(ids), room)
    needing = next((reward for reward in rewards if reward.needs_answer), None)
    if needing and right_answer(row) is None:
        found = f"{name}: found no right answer, and the reward {needing.name} compares with one"
        return NO_ANSWER, DataError(found, "fill it in, or take the reward out")
    return Question(name, row, tuple(ids))


def _row_of(fields: Fields, prompting: Prompting, name: str) -> Fields:
    """Give the row as the model is asked it, whatever its form."""
    if "chosen" not in fields:
        return fields
    try:
        asked = asked_row(fields["prompt"], str(fields.get("input") or ""), prompting)
    except DataError as error:
        raise DataError(f"{name}: {error.message}", error.mend) from None
    return answered_row(asked, str(fields["chosen"]))


def _too_long(name: str, length: int, room: Room) -> DataError:
    limit = room.settings.max_length
    within = f"examples.max_length {limit:,}"
    if room.positions is not None and room.positions < limit:
        within = f"the model's {room.positions:,} positions"
    return DataError(
        f"{name}: found a prompt of {length:,} tokens, which with sampling.max_new_tokens {room.max_new_tokens:,} goes"
        f" over {within}",
        "shorten it, lower sampling.max_new_tokens, or say examples.too_long: drop",
    )


def _gathered(faults: Sequence[DataError]) -> DataError:
    if len(faults) == 1:
        return faults[0]
    told = "; ".join(fault.message for fault in faults[:MAX_FAULTS])
    more = f"; and {len(faults) - MAX_FAULTS:,} more" if len(faults) > MAX_FAULTS else ""
    return DataError(f"found {len(faults):,} rows that cannot be learnt from: {told}{more}", faults[0].mend)


def as_tables(questions: Sequence[Question], prompting: Prompting, tokenizer: Tokenizer) -> Any:
    """
    Give questions as a Dataset: the column `prompt` tells which question it is, and TRL sees nothing else.

    `input_ids` and `labels` are for the pre-flight alone: the question with its right answer, or else by itself.
    """
    from datasets import Dataset, Features, Value

    columns: dict[str, list[Any]] = {"prompt": [], "input_ids": [], "labels": []}
    for number, question in enumerate(questions):
        ids, right = list(question.ids), right_answer(question.row)
        answer = [] if right is None else _answer_ids(right, prompting, tokenizer)
        columns["prompt"].append(str(number))
        columns["input_ids"].append(ids + answer)
        columns["labels"].append(([-100] * len(ids) + answer) if answer else ids)
    ids_of = [Value("int64")]  # said, because without a row there is nothing to tell it by
    return Dataset.from_dict(columns, Features({"prompt": Value("string"), "input_ids": ids_of, "labels": ids_of}))


def _answer_ids(right: str, prompting: Prompting, tokenizer: Tokenizer) -> list[int]:
    try:
        ids = tokenizer.encode(f"{prompting.before}{right}{prompting.after}", after="가")
    except DataError:  # half a surrogate pair: nobody learns to write this answer, it is only compared with
        ids = []
    return [*ids, prompting.stop_ids[0]]
