"""
Whether a step of the rounds has to be done: by what it depends on, and by what was made of that.

In: a step's settings, and hashes of what it reads. Out: done, begun, changed (and what), or new. Kept, a file a step:

    round-1/steps/sft.json
    {"settings": {"training": {"steps": 300, …}}, "reads": {"prompts": "9f2c…", "model": "71ab…"}, "finished": true,
     "made": {"adapter": "03de…"}, "seconds": 94.2, "facts": {"rows": 570}}

Paths are not compared, contents are: a folder that was moved is not worked through again, and a step whose inputs were
made anew, the same to the byte, stands. What was made of other inputs is not removed but set aside, into `replaced/`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hanpuri.errors import DataError
from hanpuri.runs.files import sha256_of, write_json
from hanpuri.runs.recipes import differences, say_difference

REPLACED = "replaced"
MAX_NAMED = 3
ADAPTER_FILES = ("adapter_model.*", "prompt_template.yaml")
State = Literal["done", "begun", "changed", "new"]


@dataclass(frozen=True)
class Inputs:
    """What a step's result depends on."""

    settings: Mapping[str, Any]
    """As JSON has them."""
    reads: Mapping[str, str]
    """Hashes of the files and models that it reads, by name."""


@dataclass(frozen=True)
class Entry:
    """What stands in a step's file."""

    settings: Mapping[str, Any]
    reads: Mapping[str, str]
    finished: bool = False
    made: Mapping[str, str] = field(default_factory=dict)
    """Hashes of what was made, by path in the folder of the rounds."""
    seconds: float = 0.0
    """Of all starts together."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the table says of it."""


@dataclass(frozen=True)
class Look:
    """How a step stands."""

    state: State
    entry: Entry | None = None
    why: str = ""
    """What changed."""


class Ledger:
    """The steps of one folder of rounds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, step: str) -> Path:
        """Say where a step such as round-1/sft is kept."""
        return self.folder / Path(step).parent / "steps" / f"{Path(step).name}.json"

    def look(self, step: str, inputs: Inputs) -> Look:
        """
        Say how a step stands.

        Raises:
            DataError: if its file cannot be read.
        """
        entry = self.read(step)
        if entry is None:
            return Look("new")
        if why := _changes(entry, inputs):
            return Look("changed", entry, why)
        if not entry.finished:
            return Look("begun", entry)
        if gone := [name for name, digest in entry.made.items() if hash_of(self.folder / name) != digest]:
            return Look("changed", entry, f"{gone[0]} is not what was made")
        return Look("done", entry)

    def read(self, step: str) -> Entry | None:
        """
        Read a step's file; None if there is none.

        Raises:
            DataError: if it is no such file.
        """
        path = self.path(step)
        try:
            return Entry(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            raise DataError(f"{path} cannot be read as a step of rounds", "remove it; the step is done anew") from None

    def begin(self, step: str, inputs: Inputs, seconds: float = 0.0) -> None:
        """Say that a step is being done, and of what."""
        self._write(step, Entry(inputs.settings, inputs.reads, seconds=seconds))

    def finish(
        self, step: str, inputs: Inputs, made: tuple[Path, ...], seconds: float, facts: Mapping[str, Any]
    ) -> Entry:
        """Say that it is done, and what was made."""
        hashes = {str(path.relative_to(self.folder)): hash_of(path) or "" for path in made}
        entry = Entry(inputs.settings, inputs.reads, True, hashes, round(seconds, 2), dict(facts))
        self._write(step, entry)
        return entry

    def set_aside(self, step: str, *keep: str) -> Path | None:
        """
        Move what a step has made out of the way, and forget it; says where to, None if there was nothing.

        Args:
            step: which.
            keep: files that stay, such as answers, which are looked up by all that they depend on.
        """
        kept = self.folder / step
        self.path(step).unlink(missing_ok=True)
        if not kept.exists():
            return None
        stem = step.replace("/", "-")
        number = 1
        while (target := self.folder / REPLACED / f"{stem}-{number}").exists():
            number += 1
        target.parent.mkdir(parents=True, exist_ok=True)
        kept.rename(target)
        for name in keep:
            if (target / name).is_file():
                kept.mkdir(exist_ok=True)
                (target / name).rename(kept / name)
        return target

    def _write(self, step: str, entry: Entry) -> None:
        path = self.path(step)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, {name: getattr(entry, name) for name in Entry.__dataclass_fields__})
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}", "make room for it") from None


def hash_of(path: Path) -> str | None:
    """
    Hash a file, an adapter or a model by what it holds; None if it is not there.

    Of an adapter its weights and how it is asked; of a whole model also its configuration, and samples of its weights.
    """
    if path.is_file():
        return sha256_of(path)
    if not path.is_dir():
        return None
    files = sorted(file for pattern in ADAPTER_FILES for file in path.glob(pattern))
    parts = [sha256_of(file) for file in files]
    if (path / "config.json").is_file():
        from hanpuri.training.publishing.origin import fingerprint

        parts.append(fingerprint(path))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest() if parts else None


def _changes(entry: Entry, inputs: Inputs) -> str:
    """Say in a few words what is not as it was."""
    told = [say_difference(*one) for one in differences(entry.settings, inputs.settings)]
    names = dict.fromkeys([*entry.reads, *inputs.reads])
    told += [f"{name} changed" for name in names if entry.reads.get(name) != inputs.reads.get(name)]
    more = f", and {len(told) - MAX_NAMED} more" if len(told) > MAX_NAMED else ""
    return ", ".join(told[:MAX_NAMED]) + more
