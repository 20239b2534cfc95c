"""
A run's folder: the resolved recipe, the data's hashes, the environment and metrics.jsonl.

In:  settings and data files.   Out: `runs/base/` with recipe.yaml, environment.json and a growing metrics.jsonl.

What stands in the folder is enough to say later what a number came from. Nothing here knows a stage.
"""

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hanpuri.errors import DataError, RecipeError
from hanpuri.recipe import Settings, dump_recipe

LIBRARIES = ("hanpuri", "numpy", "torch", "onnx", "onnxruntime", "pydantic")
BLOCK = 1 << 20


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    folder: Path

    @classmethod
    def start(cls, folder: Path, settings: Settings, data_files: Iterable[Path]) -> "Run":
        """
        Make the folder, or come back to it: recipe and data have to be the ones that it began with.

        Raises:
            RecipeError: if the folder holds a run of another recipe.
            DataError: if a data file is not the one that the run began with.
        """
        data = {str(path): sha256_of(path) for path in data_files}
        recipe, kept = dump_recipe(settings), folder / "recipe.yaml"
        if kept.exists() and kept.read_text(encoding="utf-8") != recipe:
            raise RecipeError(
                f"{folder} holds a run of another recipe", "give the run another name, or remove that folder"
            )
        if changed := _changed_files(folder / "environment.json", data):
            raise DataError(
                f"{folder} holds a run on other data: {', '.join(changed)} changed since",
                "give the run another name, or remove that folder",
            )
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(recipe, encoding="utf-8")
        write_json(folder / "environment.json", {**describe_environment(), "data": data})
        return cls(folder)

    def log(self, **metrics: float | int | str) -> None:
        """Add one line to metrics.jsonl, with the time."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 1), **metrics}, ensure_ascii=False) + "\n")

    def metrics(self) -> Iterator[dict[str, float | int | str]]:
        """Read metrics.jsonl back; nothing if the run has logged nothing yet."""
        path = self.folder / "metrics.jsonl"
        if path.exists():
            with path.open(
                encoding="utf-8"
            ) as file:  # str.splitlines would also cut at U+2028, which JSON leaves as it is
                yield from map(json.loads, file)


def _changed_files(environment: Path, data: dict[str, str]) -> list[str]:
    """Name the data files whose hash is not the one that the run's environment.json holds."""
    if not environment.exists():
        return []
    before = json.loads(environment.read_text(encoding="utf-8"))["data"]
    return [path for path, digest in data.items() if before.get(path, digest) != digest]


def describe_environment() -> dict[str, object]:
    """Name the versions, the machine and the command that a run depends on."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "num_cpus": os.cpu_count(),
        "libraries": versions,
        "command": sys.argv[1:],
    }


def sha256_of(path: Path) -> str:
    """Hash a file without loading it whole."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, content: object) -> None:
    """Write JSON beside the target and rename it, so that nobody reads half a file."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)
