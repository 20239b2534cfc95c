"""
What each kind of training takes at once: one text a row, both answers of a pair, or prompts that will be answered.

In: a recipe and its rows. Out: the rows as the other modules look at them, and the shape of the largest batch. With
`batch_size: 8`, rows of 200 tokens at most, and 256 tokens for an answer:

    sft            Batch(rows=8, length=200)      a row is a text
    dpo, reward    Batch(rows=16, length=200)     a row is a pair, whose answers lie side by side
    grpo, rloo     Batch(rows=8, length=456)      a row is a prompt, and its answer is still to be written
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from hanpuri.data.examples import IGNORE
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.training.feeding.datasets import in_memory
from hanpuri.training.preflight.rehearsal import Batch
from hanpuri.training.preflight.rows import Ids, ShownRow, Table, choose_rows, shortened
from hanpuri.training.recipe import DpoRecipe, ReinforcementRecipe, RewardRecipe, TrainRecipe

SIDES = ("chosen_ids", "rejected_ids")


def texts_of(recipe: TrainRecipe) -> int:
    """Say how many texts one row stands for in a batch."""
    return len(SIDES) if isinstance(recipe, DpoRecipe | RewardRecipe) else 1


def is_paired(dataset: Any) -> bool:
    """Tell whether rows are pairs of answers."""
    return SIDES[0] in dataset.column_names


def as_texts(dataset: Any) -> Table:
    """Give rows as texts with what is trained of them; of a pair both, first the chosen one, then the other."""
    if not is_paired(dataset):
        return Table(dataset)
    texts = [(prompt, side) for prompt, *sides in _pairs(dataset) for side in sides]
    return Table(
        in_memory(
            {
                "input_ids": [np.concatenate([prompt, side]) for prompt, side in texts],
                "labels": [np.concatenate([np.full_like(prompt, IGNORE), side]) for prompt, side in texts],
            }
        )
    )


def as_asked(dataset: Any) -> Table:
    """Give what tells rows apart: of pairs their prompts, else the whole rows."""
    if not is_paired(dataset):
        return Table(dataset)
    return Table(dataset.select_columns(["prompt_ids"]).rename_column("prompt_ids", "input_ids"))


def _pairs(dataset: Any) -> Iterator[tuple[Ids, Ids, Ids]]:
    columns = [dataset.with_format("numpy")[name] for name in ("prompt_ids", *SIDES)]
    for prompt, chosen, rejected in zip(*columns, strict=True):
        yield np.asarray(prompt), np.asarray(chosen), np.asarray(rejected)


def largest_batch(recipe: TrainRecipe, table: Table) -> list[int]:
    """Choose the texts of the worst batch that can come: the longest ones."""
    wanted = recipe.training.batch_size * texts_of(recipe)
    return [int(place) for place in np.argsort(-table.lengths, kind="stable")[:wanted]]


def shape_of(recipe: TrainRecipe, table: Table, places: list[int]) -> Batch:
    """Give the shape of a batch of texts."""
    if isinstance(recipe, ReinforcementRecipe):
        rows, room = recipe.training.batch_size, recipe.sampling.max_new_tokens
        return Batch(rows, longest_prompt(table) + room, rows * room)
    lengths = table.lengths[places]
    trained = sum(int((table.row(place, "labels")[1:] >= 0).sum()) for place in places)
    masked = table.packed or len(set(lengths.tolist())) > 1
    return Batch(len(places), int(lengths.max()), max(1, trained), masked)


def longest_prompt(table: Table) -> int:
    """Find the longest stretch that stands before an answer; a row without an answer is a prompt as a whole."""
    longest = 0
    for start, stop in table.blocks():
        lengths = table.lengths[start:stop]
        begins = np.cumsum(lengths) - lengths
        before = np.add.reduceat(table.flat("labels", start, stop) == IGNORE, begins)
        longest = max(longest, int(np.where(before == 0, lengths, before).max()))
    return longest


def longest_learnt_prompt(table: Table) -> int | None:
    """
    Find the longest stretch that stands before an answer which is learnt; None if none is.

    Rows may be packed: each text in them has a prompt of its own. Of a conversation it is what stands between answers.
    """
    longest = 0
    for start, stop in table.blocks(sys.maxsize):
        asked = table.flat("labels", start, stop) == IGNORE
        ends = np.cumsum(table.lengths[start:stop])
        bounds = np.union1d(np.flatnonzero(np.diff(asked)) + 1, np.append(ends, 0))
        runs = np.diff(bounds)
        before_answers = asked[bounds[:-1]] & ~np.isin(bounds[1:], ends)
        longest = max(longest, int(runs[before_answers].max(initial=0)))
    return longest or None


def show_pairs(dataset: Any, table: Table, tokenizer: Tokenizer) -> tuple[ShownRow, ...]:
    """Write out pairs over all lengths, as the model reads them."""
    whole = table.lengths.reshape(-1, len(SIDES)).max(1)
    return tuple(_shown(dataset, place, tokenizer) for place in choose_rows(whole))


def _shown(dataset: Any, place: int, tokenizer: Tokenizer) -> ShownRow:
    row = dataset[place]
    prompt = np.asarray(row["prompt_ids"], np.int64)
    told = [f"prompt    {_written(prompt, tokenizer)}"]
    for name in SIDES:
        side = np.asarray(row[name], np.int64)
        told.append(f"{name.removesuffix('_ids'):<10}⟦{_written(side, tokenizer, continues=True)}⟧")
    trained = sum(len(row[name]) for name in SIDES)
    return ShownRow(place, "\n".join(told), len(SIDES) * len(prompt) + trained, trained)


def _written(ids: Ids, tokenizer: Tokenizer, *, continues: bool = False) -> str:
    return shortened(tokenizer.decode(ids.tolist(), continues=continues))
