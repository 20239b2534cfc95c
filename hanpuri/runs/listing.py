"""
A folder of run folders ─► the runs in it, and the one that a name means.

In:  `runs/`.   Out: RunFacts, the youngest first, of everything in it that is a run:

    find_run("mine", Path("runs")), find_run("elsewhere/mine", Path("runs"))
"""

import difflib
from collections.abc import Iterator
from pathlib import Path

from hanpuri.errors import DataError
from hanpuri.runs.folder import ENVIRONMENT, METRICS, RECIPE, RESULT
from hanpuri.runs.reading import RunFacts, read_run
from hanpuri.runs.wording import printable


def list_runs(folder: Path) -> list[RunFacts]:
    """
    Read every run of a folder, the one that was last at work first; a folder that is missing has none.

    Raises:
        DataError: if the folder is a file.
    """
    runs = [read_run(path) for path in _run_folders(folder)]
    return sorted(runs, key=lambda run: (-(run.last_time or 0), run.name))


def find_run(run: str, folder: Path) -> RunFacts:
    """
    Read the run that a name in `folder`, or a path, means.

    Raises:
        DataError: if there is no such run; it names the nearest.
    """
    for path in (folder / run, Path(run)):
        if is_run(path):
            return read_run(path)
    names = [path.name for path in _run_folders(folder)]
    near = difflib.get_close_matches(run, names, n=1)
    if not names:
        raise DataError(
            f"{printable(run)}: found no such run, and none in {folder}",
            "name a run's folder, or where they are with --runs",
        )
    mend = f"did you mean {near[0]}?" if near else f"{folder} has {', '.join(names[:8])}{', …' if names[8:] else ''}"
    raise DataError(f"{printable(run)}: found no such run in {folder}", mend)


def is_run(folder: Path) -> bool:
    """Say whether a folder is that of a run: a recipe, and what `Run` writes beside it."""
    try:
        return (folder / RECIPE).is_file() and any((folder / name).is_file() for name in (METRICS, ENVIRONMENT, RESULT))
    except (OSError, ValueError):  # a name that is too long, or holds a null character
        return False


def _run_folders(folder: Path) -> Iterator[Path]:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, expected the folder that holds the runs", "name it with --runs")
    yield from (path for path in sorted(folder.iterdir()) if is_run(path))
