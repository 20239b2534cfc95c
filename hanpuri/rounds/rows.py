"""
Which rows a round gets, and that none of them is held out.

In: the recipe's `prompts` and `held_out`. Out: round-1/prompts/prompts.jsonl, held-out/rows.jsonl:

    {"noisy": "쨰밌어요", "clean": "재밌어요", "id": "17"}

Rows are the same if they ask the same, letter by letter, in NFC and whatever the white space; of pairs also if they
have the same clean side: another noise on a sentence that a model is scored by would give its answer away.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hanpuri.data.preparation.content import BORDER
from hanpuri.data.recipe import Form
from hanpuri.data.records.forms import open_rows
from hanpuri.data.records.records import Reading, Record
from hanpuri.data.templates import Fields
from hanpuri.errors import DataError
from hanpuri.evaluation.rows import EvalRow, RowSet, read_rows
from hanpuri.preferences.pairs import write_lines
from hanpuri.rounds.recipe import HeldOutSettings, PromptsSettings
from hanpuri.training.answering import answered_row

ANSWERED: tuple[Form, ...] = ("pairs", "instruction", "messages")
MEND = "take them out, or hold out other rows: held_out"


def write_held_out(
    settings: HeldOutSettings, path: Path, prompts: PromptsSettings, prompts_file: Path, seed: int, target: Path
) -> int:
    """
    Draw the rows that models are scored by, see that no prompt is among them, and write them; says how many.

    Args:
        settings: the recipe's `held_out`.
        path: the file that it means.
        prompts: the recipe's `prompts`.
        prompts_file: the file that they mean.
        seed: decides which rows, where `rows` wants fewer.
        target: where to.

    Raises:
        DataError: if a file cannot be read, has no right answers, or shares a row with the other.
    """
    row_set = read_held_out(settings, path, seed)
    reading = _open(prompts, prompts_file)
    check_apart(reading.records(), row_set)
    _fitting(prompts, prompts_file, reading)
    write_lines(target, (_line(row) for row in row_set.rows))
    return len(row_set.rows)


def read_held_out(settings: HeldOutSettings, path: Path, seed: int) -> RowSet:
    """
    Read the rows that models are scored by.

    Raises:
        DataError: if the file cannot be read, or has no right answers.
    """
    row_set = read_rows(path, form=settings.form, fields=settings.fields)
    if not row_set.has_references:
        raise DataError(f"{path}: found rows without answers, expected right answers to score by", "give another file")
    rows = tuple(row for row in row_set.rows if _fits(_line(row), settings.longest))
    if not rows:
        found = f"{path}: found no row of {settings.longest} characters at most"
        raise DataError(found, "raise held_out.longest, or leave it out")
    if settings.rows is not None and settings.rows < len(rows):
        places = sorted(range(len(rows)), key=lambda place: _draw(rows[place], seed))[: settings.rows]
        rows = tuple(rows[place] for place in sorted(places))
    return replace(row_set, rows=rows)


def check_apart(records: Iterable[Record], held_out: RowSet) -> None:
    """
    See that none of the rows is held out.

    Raises:
        DataError: with the first one that is.
    """
    there = {text: row.where for row in held_out.rows for text in texts_of(_line(row))}
    leaks = [(record.where, there[text]) for record in records for text in texts_of(record.fields) if text in there]
    if leaks:
        (where, held), number = leaks[0], len({where for where, _ in leaks})
        more = f", and {number - 1:,} more such rows" if number > 1 else ""
        raise DataError(f"{where}: found a row to learn from that is held out, as {held}{more}", MEND)


def texts_of(fields: Mapping[str, Any]) -> set[str]:
    """
    Give the texts of a row that must not stand on both sides.

        >>> sorted(texts_of({"noisy": "쨰밌어 요", "clean": "재밌어요"})), texts_of({"instruction": "몇 시예요?"})
        (['재밌어요', '쨰밌어 요'], {'몇 시예요?'})
    """
    if "noisy" in fields:
        found = [fields["noisy"], fields.get("clean")]
    elif messages := fields.get("messages"):
        found = [_turns(messages[:-1] or messages)]
    elif "prompt" in fields:
        prompt = fields["prompt"]
        asked = prompt if isinstance(prompt, str) else _turns(prompt)
        # Who is asked to restore a text answers with the clean side.
        found = [_joined(asked, fields.get("input")), fields.get("chosen")]
    elif "instruction" in fields:
        found = [_joined(fields["instruction"], fields.get("input"))]
    else:
        found = [fields.get("text")]
    return {_normal(str(text)) for text in found if text}


def write_prompts(settings: PromptsSettings, path: Path, seed: int, number: int, target: Path) -> int:
    """
    Write the rows of a round; says how many.

    Args:
        settings: the recipe's `prompts`.
        path: the file that they mean.
        seed: decides which rows.
        number: of the round, from 1.
        target: where to.

    Raises:
        DataError: if the file cannot be read, or has fewer rows than a round wants.
    """
    reading = _open(settings, path)
    fitting = _fitting(settings, path, reading)
    chosen = {fitting[place] for place in deal(len(fitting), settings.rows, number, seed)}
    records = (record for place, record in enumerate(reading.records()) if place in chosen)
    write_lines(target, ({**record.fields, **({"id": record.id} if record.id else {})} for record in records))
    return settings.rows


def deal(num_rows: int, each: int, number: int, seed: int) -> list[int]:
    """
    Deal rows out to rounds, in an order drawn by the seed; none comes again until all were dealt.

        >>> first, second = deal(4, 2, number=1, seed=0), deal(4, 2, number=2, seed=0)
        >>> sorted(first + second)
        [0, 1, 2, 3]

    Args:
        num_rows: how many there are.
        each: how many a round gets.
        number: which round, from 1.
        seed: decides the order.

    Raises:
        ValueError: if there are fewer rows than a round gets.
    """
    if not 0 < each <= num_rows:
        raise ValueError(f"a round gets {each} of {num_rows} rows, expected from 1 to all of them")
    chosen: list[int] = []
    left: list[int] = []
    passes = 0
    for _ in range(number):
        chosen, left = left[:each], left[each:]
        if len(chosen) < each:
            order = np.random.default_rng([seed, passes]).permutation(num_rows).tolist()
            taken = set(chosen)
            fresh = [place for place in order if place not in taken]
            passes += 1
            rest = each - len(chosen)
            # What this round took from the pass before is due again only at the end of the new one.
            chosen, left = chosen + fresh[:rest], fresh[rest:] + chosen
    return chosen


def _open(settings: PromptsSettings, path: Path) -> Reading:
    reading = open_rows(path, settings.form, settings.fields)
    if reading.form not in ANSWERED:
        found = f"{path}: found rows of the form {reading.form}, expected questions with right answers"
        raise DataError(found, f"give rows of the form {', '.join(ANSWERED)}")
    return reading


def _fitting(settings: PromptsSettings, path: Path, reading: Reading) -> list[int]:
    """Find the rows that are not too long, and see that there are enough of them for a round."""
    fitting = [place for place, record in enumerate(reading.records()) if _fits(record.fields, settings.longest)]
    if len(fitting) < settings.rows:
        limit = f" of {settings.longest} characters at most" if settings.longest else ""
        found = f"{path}: found {len(fitting):,} rows{limit}, and a round wants {settings.rows:,}"
        raise DataError(found, "give more rows, or lower prompts.rows")
    return fitting


def _fits(fields: Mapping[str, Any], longest: int | None) -> bool:
    """Say whether no text of a row is too long."""
    if longest is None:
        return True
    texts = [turn["content"] for turn in fields.get("messages", ())] or list(fields.values())
    return all(len(str(text)) <= longest for text in texts)


def _line(row: EvalRow) -> dict[str, Any]:
    fields: Fields = row.fields if row.reference is None else answered_row(row.fields, row.reference)
    return {**fields, "id": row.id}


def _turns(messages: Iterable[Mapping[str, Any]]) -> str:
    said = [f"{one['role']}{BORDER}{one['content']}" for one in messages]
    # One question alone is the same as an instruction; more of them are a conversation.
    return said[0].partition(BORDER)[2] if len(said) == 1 else BORDER.join(said)


def _joined(*texts: Any) -> str:
    return "\n\n".join(str(text) for text in texts if text)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _draw(row: EvalRow, seed: int) -> bytes:
    said = f"{row.id} {row.where.rpartition(':')[2]}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(said, digest_size=8, key=seed.to_bytes(8, "big")).digest()


def count_lines(path: Path) -> int:
    """Count the rows of a file of ours."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())
