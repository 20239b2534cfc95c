"""
A file ─► pairs of answers to be judged.

In: rows of the form `preference`, judged anew, or what `hanpuri sample` wrote. Out: pairs, each with its question:

    {"prompt": "쨰밌어요", "chosen": "재밌어요", "rejected": "째밌어요"}  ─►  Pair(first="재밌어요", second="째밌어요")
    {"asked": {"noisy": "쨰밌어요"}, "answers": [재밋어요, 재밌어요]}     ─►  the best answer beside each other one

Of samples, answers that never came, were cut off or are empty stand in no pair, and each text stands there once.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from pathlib import Path
from typing import Literal, get_args

from hanpuri.data.files.encodings import check_encoding
from hanpuri.data.files.folders import row_format
from hanpuri.data.files.formats import Fault, open_fault
from hanpuri.data.files.tables import read_jsonl
from hanpuri.data.files.textfiles import TextFile
from hanpuri.data.records.forms import open_rows
from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer
from hanpuri.errors import DataError
from hanpuri.preferences.pairs import LeftOut, normal, prompt_of
from hanpuri.preferences.sampling.drawing import Sampled
from hanpuri.preferences.sampling.samples import read_samples

Which = Literal["best", "all"]
WHICH: tuple[Which, ...] = get_args(Which)
Origin = Literal["preferences", "samples"]


@dataclass(frozen=True)
class Pair:
    """Two answers to one question."""

    where: str
    """The file and the line."""
    asked: Fields
    """The question, as a file of pairs has it: prompt, and input if there is one."""
    first: str
    second: str
    id: str = ""
    first_score: float | None = None
    second_score: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two pairs the same: question and answers, as they stand."""
        return repr(sorted(self.asked.items())), self.first, self.second


@dataclass(frozen=True)
class Material:
    """What a file holds to be judged."""

    path: Path
    origin: Origin
    pairs: tuple[Pair, ...]
    num_rows: int
    left_out: tuple[LeftOut, ...] = ()
    """Rows of samples that gave no pair."""


def read_material(path: Path, *, which: Which = "best", most: int | None = 4) -> Material:
    """
    Read the pairs of a file; which kind it is, its first row tells.

    Args:
        path: preference rows in any format, or samples in JSONL.
        which: of samples, the best answer against each other, or all against all.
        most: of samples, so many pairs of one question at most.

    Raises:
        DataError: if the file cannot be read, or its rows are neither.
        ValueError: if there is no such `which`.
    """
    if which not in WHICH:
        raise ValueError(f"found which {which!r}, expected one of {', '.join(WHICH)}")
    if not path.is_file():
        raise open_fault(path, IsADirectoryError() if path.is_dir() else FileNotFoundError())
    if _holds_samples(path):
        return _of_samples(path, read_samples(path), which, most)
    pairs = []
    for record in open_rows(path, "preference").records():
        fields = record.fields
        asked = {key: fields[key] for key in ("prompt", "input") if fields.get(key)}
        pairs.append(Pair(record.where, asked, str(fields["chosen"]), str(fields["rejected"]), record.id))
    return Material(path, "preferences", tuple(pairs), len(pairs))


def choose_pairs(answers: Sequence[tuple[Answer, float]], which: Which, most: int | None) -> list[tuple[int, int]]:
    """
    Choose which answers stand in pairs, by their places; the better scored one first.

        >>> told = [(Answer(text, 2, True), score) for text, score in (("째밌", 0.5), ("재밌", 1.0), ("재밋", 0.5))]
        >>> choose_pairs(told, "best", None), choose_pairs(told, "all", None)
        ([(1, 0), (1, 2)], [(1, 0), (1, 2), (0, 2)])

    Args:
        answers: with their scores; NaN stands behind all others.
        which: see `read_material`.
        most: see `read_material`.
    """
    by_text: dict[str, int] = {}
    for place, (answer, _) in enumerate(answers):
        if answer.finished and answer.text.strip() and not answer.failure:
            by_text.setdefault(normal(answer.text), place)
    scores = [-math.inf if math.isnan(score) else score for _, score in answers]
    ranked = sorted(by_text.values(), key=lambda place: -scores[place])
    pairs: Iterator[tuple[int, int]] = combinations(ranked, 2)
    if which == "best":
        pairs = ((ranked[0], other) for other in ranked[1:])
    return list(islice(pairs, most))


def _of_samples(path: Path, samples: Sequence[Sampled], which: Which, most: int | None) -> Material:
    pairs: list[Pair] = []
    out: list[LeftOut] = []
    for number, one in enumerate(samples, 1):
        where = one.row.where or f"{path}:{number}"
        chosen = choose_pairs(list(zip(one.answers, one.scores, strict=True)), which, most)
        if not chosen:
            out.append(LeftOut(where, "fewer than two answers differ"))
        pairs += [_pair(one, where, *places) for places in chosen]
    return Material(path, "samples", tuple(pairs), len(samples), tuple(out))


def _pair(one: Sampled, where: str, first: int, second: int) -> Pair:
    scores = [None if math.isnan(score) else score for score in (one.scores[first], one.scores[second])]
    texts = one.answers[first].text, one.answers[second].text
    return Pair(where, prompt_of(one.row.fields), *texts, one.row.id, *scores)


def _holds_samples(path: Path) -> bool:
    """Say whether the first sound row of a file is of samples; what is wrong with it, its reader says."""
    if row_format(path) != "jsonl":
        return False
    try:
        rows = read_jsonl(TextFile(path, check_encoding("utf-8")).lines())
        first = next((values for _, values, _ in rows if not isinstance(values, Fault)), {})
    except DataError:
        return False
    return isinstance(first, dict) and "answers" in first and "asked" in first


def pairs_once(*several: Sequence[Pair]) -> list[Pair]:
    """
    Give each pair once, the first of them.

        >>> pair = Pair("a.jsonl:1", {"prompt": "쨰밌"}, "재밌", "째밌")
        >>> len(pairs_once([pair, pair], [pair]))
        1
    """
    return list({pair.key: pair for pair in reversed(list(chain(*several)))}.values())[::-1]
