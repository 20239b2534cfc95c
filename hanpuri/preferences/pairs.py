"""
Pairs of a better and a worse answer as rows to learn from, and why other rows gave none.

In: what was asked, and two answers to it. Out: a row of the form `preference`, a line of JSONL:

    {"noisy": "확잠실읾"}, "화장실이", "확장실이"   ─►
    {"prompt": "확잠실읾", "chosen": "화장실이", "rejected": "확장실이", "source": "mistakes", "rejected_score": 0.75}

What was asked is a text, with its `input` beside it if there is one; of a conversation, the messages so far.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hanpuri.data.files.folders import row_format
from hanpuri.data.files.targets import Target
from hanpuri.data.templates import Fields
from hanpuri.engines.questions import question_of
from hanpuri.errors import DataError

Line = Mapping[str, object]
"""A row as it is written into a file."""
LENGTH_BIAS = 0.1
"""Share by which the lengths of the two sides may differ before it is said."""


@dataclass(frozen=True)
class LeftOut:
    """A row that gave nothing."""

    where: str
    """The file and the line."""
    why: str
    """In a few words, the same for all rows with this reason."""
    detail: str = ""
    """What is known besides, such as what a server said."""


@dataclass(frozen=True)
class Gathered:
    """Rows to learn from, and what became of those that gave none."""

    num_rows: int
    """Rows that were looked at."""
    rows: tuple[Line, ...]
    """What is to be written, in its order."""
    left_out: tuple[LeftOut, ...] = ()
    kinds: Mapping[str, int] | None = None
    """How many of the rows are of which kind, where there are kinds."""

    @property
    def counts(self) -> dict[str, int]:
        """
        Count the reasons, the most frequent first.

            >>> Gathered(2, (), (LeftOut("a.jsonl:1", "right"), LeftOut("a.jsonl:2", "right"))).counts
            {'right': 2}
        """
        return dict(Counter(one.why for one in self.left_out).most_common())

    def as_dict(self) -> dict[str, object]:
        """Give all but the rows, for JSON."""
        kinds = {} if self.kinds is None else {"kinds": dict(self.kinds)}
        return {"rows": self.num_rows, "written": len(self.rows), **kinds, "left_out": self.counts}


def make_pair(asked: Fields, chosen: str, rejected: str, **about: object) -> Line:
    """
    Make a row of two answers; what else is known of it stands behind them.

        >>> make_pair({"instruction": "요약해 줘", "input": "긴 글"}, "짧은 글", "글", source="scores")["input"]
        '긴 글'

    Args:
        asked: the question, of any form.
        chosen: the better answer.
        rejected: the worse one; "" where the model said nothing.
        about: where it came from; what is None is left out.

    Raises:
        ValueError: if the better answer is empty, or both are the same.
    """
    if not chosen.strip() or same_text(chosen, rejected):
        raise ValueError(f"found the answers {chosen!r} and {rejected!r}, expected two that differ")
    told = {key: value for key, value in about.items() if value is not None}
    return {**prompt_of(asked), "chosen": chosen, "rejected": rejected, **told}


def prompt_of(asked: Fields) -> dict[str, object]:
    """
    Write what was asked as a pair's file has it: a text, or the messages of a conversation; and its input.

        >>> prompt_of({"noisy": "쨰밌어요"}), prompt_of({"instruction": "몇 시예요?", "input": ""})
        ({'prompt': '쨰밌어요'}, {'prompt': '몇 시예요?'})
    """
    if messages := asked.get("messages"):
        return {"prompt": [dict(message) for message in messages]}
    if "instruction" not in asked:
        return {"prompt": question_of(asked, "the row")}
    context = asked.get("input")
    return {"prompt": asked["instruction"]} | ({"input": context} if context else {})


def without_twins(pairs: Iterable[tuple[str, Line]]) -> tuple[list[tuple[str, Line]], list[LeftOut]]:
    """
    Take each pair once, the first of them; beside each stands the name of its row.

        >>> pair = make_pair({"noisy": "쨰밌"}, "재밌", "째밌")
        >>> kept, out = without_twins([("a.jsonl:1", pair), ("a.jsonl:2", pair)])
        >>> len(kept), out
        (1, [LeftOut(where='a.jsonl:2', why='the same pair as another row', detail='')])
    """
    kept: dict[str, tuple[str, Line]] = {}
    out: list[LeftOut] = []
    for where, pair in pairs:
        said = json.dumps([pair.get(key) for key in ("prompt", "input", "chosen", "rejected")])
        if said in kept:
            out.append(LeftOut(where, "the same pair as another row"))
        else:
            kept[said] = where, pair
    return list(kept.values()), out


def same_text(one: str, other: str) -> bool:
    """
    Say whether two texts are the same to who reads them: in NFC, and but for white space around them.

        >>> same_text("재밌어요", "재밌어요\\n"), same_text("재밌어요", "재밌 어요")
        (True, False)
    """
    return normal(one).strip() == normal(other).strip()


def normal(text: str) -> str:
    """Join letters that are typed apart (NFC)."""
    return unicodedata.normalize("NFC", text)


def length_note(pairs: Sequence[Line]) -> str:
    """
    Say it where one side is longer on average: who learns from such pairs may learn the length alone; else "".

        >>> length_note([make_pair({"noisy": "쨰밌"}, "재밌어요", "째밌")])
        'chosen answers have 4.0 characters on average, rejected ones 2.0: what is learnt may be the length'
    """
    if not pairs:
        return ""
    chosen, rejected = (sum(len(str(pair[side])) for pair in pairs) / len(pairs) for side in ("chosen", "rejected"))
    if abs(chosen - rejected) <= LENGTH_BIAS * max(chosen, rejected):
        return ""
    lengths = f"chosen answers have {chosen:.1f} characters on average, rejected ones {rejected:.1f}"
    return f"{lengths}: what is learnt may be the length"


def check_lines_path(path: Path) -> None:
    """
    See that rows can be written there, before the long part starts.

    Raises:
        DataError: if the name is not that of a JSONL file, or nothing can be written there.
    """
    if row_format(path) != "jsonl":
        raise DataError(f"{path}: found no name of a JSONL file", "let it end in .jsonl, also .jsonl.gz and .jsonl.xz")
    Target(path).discard()


def check_apart(sources: Sequence[Path], outs: Sequence[Path]) -> None:
    """
    See that no output is put in the place of what is read, or of another output.

        >>> check_apart([Path("a.jsonl")], [Path("b.jsonl"), Path("./a.jsonl")])
        Traceback (most recent call last):
        ...
        hanpuri.errors.DataError: a.jsonl: found one place for two files, expected a place each; name another file

    Raises:
        DataError: if one is.
    """
    taken = {path.resolve() for path in sources}
    for path in outs:
        if path.resolve() in taken:
            raise DataError(f"{path}: found one place for two files, expected a place each", "name another file")
        if path.exists() and not path.is_file():
            continue  # /dev/null takes as much as is written
        taken.add(path.resolve())


def write_lines(path: Path, rows: Iterable[Line]) -> None:
    """
    Write rows as JSONL; the file is there whole or not at all.

    Raises:
        DataError: if it cannot be written.
    """
    target = Target(path)
    try:
        for row in rows:
            # Half a surrogate pair, which an answer may hold, becomes the escape that JSON has for it.
            target.stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))
        target.commit()
    except OSError as error:
        target.discard()
        raise target.fault(error) from None
    except BaseException:
        target.discard()
        raise
