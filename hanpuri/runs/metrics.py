"""
metrics.jsonl: how a run goes, a line at a time; read and cut so that a lost machine costs one line at most.

In:  {"step": 10, "loss": 2.5}.   Out: one more line of the file:

    {"time": 1762000000.1, "step": 10, "loss": 2.5}

A process that is killed, or a disk that is full, leaves half a line. The next line begins anew, and the half is passed
over when the file is read.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from hanpuri.runs.files import put_in_place

Value = float | int | str | bool | None
Line = dict[str, Value]


def append_line(path: Path, metrics: Mapping[str, Value]) -> None:
    """
    Add one line, with the time.

    Raises:
        OSError: if it cannot be written; what was written of it is passed over by `read_lines`.
    """
    line = json.dumps({"time": round(time.time(), 1), **metrics}, ensure_ascii=False) + "\n"
    with path.open("a+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        left = line.encode("utf-8", "backslashreplace")
        while left:  # a disk that is nearly full takes a part, and refuses the rest
            left = left[file.write(left) :]


def read_lines(path: Path) -> Iterator[Line]:
    """Read the lines back in their order, none if there is no file; half a line is passed over."""
    for _, line in _read(path):
        yield line


def cut_lines(path: Path, step: int) -> int:
    """Drop the lines beyond a step, or leave the file as it is if there is none; says how many were dropped."""
    if not path.exists():
        return 0
    kept, dropped = [], 0
    for raw, line in _read(path):
        at = line.get("step")
        if isinstance(at, int | float) and at > step:
            dropped += 1
        else:
            kept.append(raw)
    if dropped:
        put_in_place(path, "".join(kept).encode("utf-8", "surrogateescape"))
    return dropped


def _read(path: Path) -> Iterator[tuple[str, Line]]:
    """Give each whole line as it stands in the file, and what it says."""
    try:
        file = path.open(encoding="utf-8", errors="surrogateescape", newline="\n")
    except FileNotFoundError:
        return
    with file:
        for raw in file:  # cut at "\n" alone: str.splitlines would also cut at U+2028, which JSON leaves as it is
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield (raw if raw.endswith("\n") else raw + "\n"), line
