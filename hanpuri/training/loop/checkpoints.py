"""
Checkpoints that outlive a kill and a full disk: written beside, made sure of, renamed.

In: a function that writes a checkpoint into a folder. Out: `checkpoints/checkpoint-200/`, whole or not there at all:

    checkpoints/saving/checkpoint-200/   while it is written; what a kill leaves there is thrown away at the next start
    checkpoints/checkpoint-200/          whole: on disk to the last byte before it got this name

A step's folder holds all that the next step depends on (weights, optimiser, schedule, random numbers, progress).
"""

import os
import re
import shutil
from pathlib import Path

SAVING = "saving"
NAME = re.compile(r"checkpoint-(\d+)")


def list_checkpoints(folder: Path) -> dict[int, Path]:
    """Give the whole checkpoints by step, in order."""
    found = ((NAME.fullmatch(path.name), path) for path in folder.glob("checkpoint-*"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def clear_halves(folder: Path) -> None:
    """Remove what a save that was cut off has left."""
    shutil.rmtree(folder / SAVING, ignore_errors=True)


def make_whole(saved: Path) -> Path:
    """
    Give a checkpoint that was written its final name, once all of it is on disk.

    Args:
        saved: `<folder>/saving/checkpoint-<step>`.

    Raises:
        OSError: if the disk does not take it.
    """
    for path in [*saved.rglob("*"), saved]:
        _sync(path)
    final = saved.parents[1] / saved.name
    if final.exists():  # the step was saved before, and gone through again
        remove(final)
    saved.rename(final)
    _sync(final.parent)
    return final


def rotate(folder: Path, keep: int, best: int | None) -> None:
    """Remove all but the newest `keep` checkpoints and the best one."""
    whole = list_checkpoints(folder)
    for step in [*whole][:-keep]:
        if step != best:
            remove(whole[step])


def remove(checkpoint: Path) -> None:
    """Remove a checkpoint, so that a kill in between leaves no broken one under a whole one's name."""
    halves = checkpoint.parent / SAVING
    halves.mkdir(exist_ok=True)
    away = halves / f"old-{checkpoint.name}"
    checkpoint.rename(away)
    shutil.rmtree(away, ignore_errors=True)


def size_of(checkpoint: Path) -> int:
    """Give its bytes."""
    return sum(path.stat().st_size for path in checkpoint.rglob("*") if path.is_file())


def lacking_bytes(folder: Path, needed: int) -> int:
    """Say how many bytes the disk of a folder lacks for `needed` ones; 0 if it has them."""
    return max(0, needed - shutil.disk_usage(folder).free)


def _sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on disk: a machine may be lost, not only a process."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
