"""
What answering took, and what became of rows that have no proper answer.

In:  evaluations.   Out: tables of rows, characters and tokens a second, of memory, and of failures by their kind:

    engine                     file     what became of it              rows   first
    openai:http://…#qwen3      reviews  no answer: 503 after # tries     12   reviews.jsonl:40
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.pages.page import Block, Cell, Notices, Paragraph, Share, Table
from hanpuri.runs.wording import duration, memory, printable

MAX_KINDS = 10
MAX_REASON = 120

COST_HEAD = ("engine", "file", "rows", "time", "rows/s", "characters/s", "tokens/s", "peak memory")


def cost_blocks(evaluations: Sequence[Evaluation]) -> Iterator[Block]:
    """Show time and memory; rows whose answers were kept from an earlier call took none."""
    yield Table(COST_HEAD, tuple(_costs(one) for one in evaluations), "Speed and memory")
    if kept := [one for one in evaluations if one.num_kept]:
        named = ", ".join(f"{printable(one.engine)} {one.num_kept:,}" for one in kept)
        yield Paragraph(f"Answers that were kept from an earlier call, and took no time: {named}.")
    yield Paragraph(
        "Peak memory is that of the process that evaluated, so it counts what earlier engines left behind;"
        " on a GPU it is what torch held there. A server's own memory is not in it."
    )


def failure_blocks(evaluations: Sequence[Evaluation]) -> Iterator[Block]:
    """Show how many rows have no proper answer, by kind and by engine."""
    notices = tuple(
        (
            f"{printable(one.engine)} gave no answer to {one.num_failed:,} of {len(one.answers):,} rows of {name}.",
            "They are scored as wrong; the same command asks them again.",
        )
        for one in evaluations
        if one.num_failed
        for name in (printable(one.row_set.name),)
    )
    yield Notices(notices, "Every row was answered.")
    rows = [(printable(one.engine), printable(one.row_set.name), *row) for one in evaluations for row in _kinds(one)]
    head = ("engine", "file", "what became of it", "rows", "share", "first")
    yield Table(head, tuple(rows), "Rows without a proper answer", "none")


def kind_of(reason: str) -> str:
    """
    Reduce a reason to its kind: numbers tell one row from the other.

        >>> kind_of("the server said 503 after 5 tries"), len(kind_of("가" * 500))
        ('the server said 503 after # tries', 120)
    """
    short = re.sub(r"\b(?!\d{3}\b)\d[\d.,]*", "#", reason)  # three figures are a status of HTTP
    return printable(short if len(short) <= MAX_REASON else short[: MAX_REASON - 1] + "…")


def _costs(one: Evaluation) -> tuple[Cell, ...]:
    return (
        printable(one.engine),
        printable(one.row_set.name),
        len(one.answers),
        duration(one.seconds) if one.num_kept < len(one.answers) else None,
        *(one.per_second.get(name) for name in ("rows", "chars", "tokens")),
        None if one.peak_memory_bytes is None else memory(one.peak_memory_bytes),
    )


def _kinds(one: Evaluation) -> Iterator[tuple[Cell, ...]]:
    """Count what went wrong in the answers of an evaluation, the most frequent first."""
    found: Counter[str] = Counter()
    first: dict[str, str] = {}
    for row, answer in zip(one.row_set.rows, one.answers, strict=True):
        # A reason often begins with the row, which would make each a kind of its own.
        reason = answer.failure.replace(row.where, "the row")
        kinds = [f"no answer: {kind_of(reason)}"] if answer.failure else []
        if not answer.failure and not answer.text.strip():
            kinds.append("an empty text")
        if not answer.failure and not answer.finished:
            kinds.append("cut off: it had not ended at max_new_tokens")
        for kind in kinds:
            found[kind] += 1
            first.setdefault(kind, printable(PurePath(row.where).name))
    for kind, count in found.most_common(MAX_KINDS):
        yield kind, count, Share(count / len(one.answers)), first[kind]
