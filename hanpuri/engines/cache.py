"""
Answers that are kept: a batch of 10,000 that was killed goes on where it was.

In: an engine, rows and a file. Out: the answers in the rows' order; of each the file gets a line as it comes:

    {"key": "9f2c…", "text": "서해로 흐릅니다.", "num_tokens": 9, "finished": true, …}

The key is a hash of all that an answer depends on: the model with its template, the prompt, and how tokens are chosen.
Failures are not kept: the next call asks again.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding, Engine
from hanpuri.errors import DataError

AHEAD = 8
"""Batches that are answered together, at most: among so many, prompts of like length find each other."""
LONG = 10.0
"""Seconds: who takes so long over a group gets no larger one, for what is stopped in the middle of one is lost."""


class AnswerCache:
    """The answers of earlier calls and of this one, in a file of lines."""

    def __init__(self, path: Path) -> None:
        """
        Open the file, or begin one.

        Raises:
            DataError: if it is there and holds something else.
        """
        self.path = path
        self._answers = dict(self._read()) if path.is_file() else {}

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: str) -> Answer | None:
        """Give the answer that was kept, if there is one."""
        return self._answers.get(key)

    def add(self, key: str, answer: Answer) -> None:
        """
        Keep an answer; a failure is not.

        Raises:
            DataError: if the file cannot be written.
        """
        if answer.failure:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Half a surrogate pair, which an answer may hold, becomes the escape that JSON has for it.
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(json.dumps({"key": key, **asdict(answer)}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise DataError(f"{self.path} cannot be written: {error.strerror}", "make room for it") from None
        self._answers[key] = answer

    def _read(self) -> Iterator[tuple[str, Answer]]:
        whole = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    os.truncate(self.path, whole)  # what was cut off in the middle is asked again
                    return
                whole += len(line)
                yield self._parse(line, number)

    def _parse(self, line: bytes, number: int) -> tuple[str, Answer]:
        try:
            fields = json.loads(line)
            fields["confidence"] = tuple(fields.get("confidence", ()))
            return str(fields.pop("key")), Answer(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            found = f"{self.path}:{number}: found a line that is no kept answer"
            raise DataError(found, "give another file, or remove this one to ask anew") from None


def answer_rows(
    engine: Engine,
    rows: Sequence[Fields],
    decoding: Decoding = GREEDY,
    *,
    names: Sequence[str] = (),
    cache: AnswerCache | None = None,
) -> Iterator[Answer]:
    """
    Answer rows, some batches at a time, in their order; what is in the cache is not asked again.

        >>> from hanpuri.engines.echo import EchoEngine
        >>> [answer.text for answer in answer_rows(EchoEngine(), [{"noisy": "확잠실읾"}, {"noisy": "념뭄"}])]
        ['확잠실읾', '념뭄']

    Raises:
        DataError: if a row does not fit the engine's template, or the cache cannot be written.
        EngineError: if no row can be answered.
    """
    names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
    for places in _groups(len(rows), decoding.batch_size):
        if cache is None:
            yield from engine.generate([rows[at] for at in places], decoding, names=[names[at] for at in places])
            continue
        keys = {at: key_of(engine, rows[at], decoding, names[at]) for at in places}
        found = {at: answer for at, key in keys.items() if (answer := cache.find(key))}
        asked = [at for at in places if at not in found]
        new = engine.generate([rows[at] for at in asked], decoding, names=[names[at] for at in asked])
        for at, answer in zip(asked, new, strict=True):
            found[at] = answer
            cache.add(keys[at], answer)
        yield from (found[at] for at in places)


def _groups(num_rows: int, batch_size: int) -> Iterator[range]:
    """Part rows into groups: first a batch, then twice as many, as long as that is quick."""
    start, size = 0, batch_size
    while start < num_rows:
        began = time.monotonic()
        yield range(start, min(start + size, num_rows))
        start += size
        if time.monotonic() - began < LONG:
            size = min(2 * size, batch_size * AHEAD)


def key_of(engine: Engine, row: Fields, decoding: Decoding, name: str) -> str:
    """
    Name a row together with all that its answer depends on; how many rows are answered at a time is none of it.

    Raises:
        DataError: if the row does not fit the engine's template.
    """
    how = {key: value for key, value in asdict(decoding).items() if key != "batch_size"}
    said = json.dumps([engine.identity, engine.prompt(row, name), how], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
