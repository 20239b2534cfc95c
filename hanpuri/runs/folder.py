"""
One run's folder: made or come back to, told how it goes, closed with a result.

In:  settings, data files, hashes of what else the run depends on.   Out: a Run, whose folder holds all of this:

    Run.start(Path("runs/mine"), recipe, [Path("train.parquet")], {"template": "9f2c…"})

Coming back, recipe, data and hashes have to be those that the run began with.
"""

import errno
import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hanpuri.errors import DataError, RecipeError
from hanpuri.recipe import Settings, dump_recipe
from hanpuri.runs.environment import describe_environment
from hanpuri.runs.files import sha256_of, write_json, write_whole
from hanpuri.runs.metrics import Line, Value, append_line, cut_lines, read_lines
from hanpuri.runs.recipes import differences, is_below, say_difference

RECIPE, ENVIRONMENT, METRICS, RESULT = "recipe.yaml", "environment.json", "metrics.jsonl", "result.json"
MAX_NAMED = 4  # differences that a refusal names
MEND = "give the run another name, or remove that folder"

logger = logging.getLogger(__name__)
_told: set[Path] = set()  # folders that could not be written to, and whose owner was told


class _Hold:
    """
    A lock on a run's recipe, held as long as this object lives; shared, so that each process of a run can hold it.

    The system takes it back however the process ends, kill -9 too.
    """

    def __init__(self, folder: Path) -> None:
        self.descriptor: int | None = None
        try:
            import fcntl

            self.descriptor = os.open(folder / RECIPE, os.O_RDONLY)
            fcntl.flock(self.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (ImportError, OSError):
            logger.debug("%s cannot be locked: the run will not be listed as running", folder)

    def let_go(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    __del__ = let_go


@dataclass(frozen=True)
class Run:
    """One run's folder; a run that was started counts as running while this object lives, or until `finish`."""

    folder: Path
    _hold: _Hold | None = field(default=None, compare=False, repr=False)

    @classmethod
    def start(
        cls,
        folder: Path,
        settings: Settings,
        data_files: Iterable[Path],
        hashes: Mapping[str, str] = {},
        may_change: Collection[str] = (),
    ) -> "Run":
        """
        Make the folder, or come back to it: recipe, data and hashes have to be the ones that it began with.

        Args:
            folder: where.
            settings: the recipe.
            data_files: files whose content the result depends on.
            hashes: what else it depends on, by name, such as the template and the tokenizer.
            may_change: keys or sections of the recipe, such as "watch.trackers", that do not change the result. A
                change of them is kept in environment.json, beside the start that brought it.

        Raises:
            RecipeError: if the folder holds a run of another recipe.
            DataError: if a data file or a hash is not the one that the run began with, or the folder cannot be written.
        """
        data = {str(path): sha256_of(path) for path in data_files}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            changes = _changes_of_recipe(folder, settings, may_change)
            before = _read_environment(folder)
            _check_inputs(folder, before, data, hashes)
            if changes or not (folder / RECIPE).exists():
                write_whole(folder / RECIPE, dump_recipe(settings))
            inputs = {"data": {**before.get("data", {}), **data}, "hashes": {**before.get("hashes", {}), **hashes}}
            write_json(folder / ENVIRONMENT, {**inputs, "starts": _with_this_start(before, changes)})
        except OSError as error:
            raise DataError(f"{folder} cannot be written: {error.strerror}", "give another place for runs") from None
        return cls(folder, _Hold(folder))

    def log(self, **metrics: Value) -> bool:
        """Add one line to metrics.jsonl, with the time; False, and one warning, if the disk does not take it."""
        try:
            append_line(self.folder / METRICS, metrics)
        except OSError as error:
            if self.folder not in _told:
                _told.add(self.folder)
                logger.warning("%s cannot be written: %s; the run goes on", self.folder / METRICS, error.strerror)
            return False
        return True

    def metrics(self) -> Iterator[Line]:
        """Read metrics.jsonl back; nothing if the run has logged nothing yet."""
        return read_lines(self.folder / METRICS)

    def cut_metrics(self, step: int) -> int:
        """Drop the lines beyond a step, to which the run goes back; says how many they were."""
        return cut_lines(self.folder / METRICS, step)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write result.json, and let go of the folder: from here on it is not said to be running."""
        write_json(self.folder / RESULT, dict(result))
        self.let_go()

    def let_go(self) -> None:
        """Let go of the folder: it is not said to be running any more."""
        if self._hold:
            self._hold.let_go()


def is_running(folder: Path) -> bool:
    """
    Say whether a process of this machine is at work on the run, by the lock that it holds on the recipe.

    On a file system without locks, and on Windows, no run is ever said to be running.
    """
    try:
        import fcntl

        descriptor = os.open(folder / RECIPE, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EACCES)
    finally:
        os.close(descriptor)
    return False


def _changes_of_recipe(folder: Path, settings: Settings, may_change: Collection[str]) -> list[str]:
    """Say what differs from the recipe that the folder holds; what must not differ is refused."""
    path = folder / RECIPE
    if not path.exists():
        return []
    try:
        kept = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        kept = None
    if not isinstance(kept, dict):
        raise RecipeError(f"{path} cannot be read as the recipe of a run", MEND)
    found = differences(kept, yaml.safe_load(dump_recipe(settings)))
    if refused := [one for one in found if not is_below(one[0], may_change)]:
        more = f", and {len(refused) - MAX_NAMED} more" if len(refused) > MAX_NAMED else ""
        named = ", ".join(say_difference(*one) for one in refused[:MAX_NAMED])
        raise RecipeError(f"{folder} holds a run of another recipe: {named}{more}", MEND)
    return [say_difference(*one) for one in found]


def _read_environment(folder: Path) -> dict[str, Any]:
    """Read what the folder's run was started with; nothing of a folder that is new."""
    path = folder / ENVIRONMENT
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{path} cannot be read as the environment of a run", MEND)
    return found


def _check_inputs(folder: Path, before: dict[str, Any], data: Mapping[str, str], hashes: Mapping[str, str]) -> None:
    files = [path for path, digest in data.items() if before.get("data", {}).get(path, digest) != digest]
    names = [name for name, digest in hashes.items() if before.get("hashes", {}).get(name, digest) != digest]
    told = [f"on other data: {', '.join(files)} changed since"] if files else []
    told += [f"with another {', another '.join(names)}"] if names else []
    if told:
        raise DataError(f"{folder} holds a run {'; and '.join(told)}", MEND)


def starts_of(environment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the environments that a run was started in, the first one first; an older file holds one of them, bare."""
    if "starts" in environment:
        return list(environment["starts"])
    bare = {name: value for name, value in environment.items() if name not in ("data", "hashes")}
    return [bare] if bare else []


def _with_this_start(before: Mapping[str, Any], changes: list[str]) -> list[dict[str, Any]]:
    """Add this start to those before it, unless it is in nothing but its time another one than the last."""
    starts, now = starts_of(before), describe_environment()
    now |= {"recipe_changes": changes} if changes else {}
    last = {name: value for name, value in starts[-1].items() if name != "time"} if starts else None
    if last == now:
        return starts
    return [*starts, {"time": datetime.now(UTC).isoformat(timespec="seconds"), **now}]
