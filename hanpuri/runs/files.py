"""
Files of a run, written so that nobody ever reads half of one, and known again by their hash.

In: {"steps": 2000} and a path. Out: that path holds the old content or the new one, whatever happens in between.
"""

import hashlib
import json
import os
from pathlib import Path

BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """Hash a file without loading it whole."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, content: object) -> None:
    """Write JSON beside the target and rename it, so that nobody reads half a file."""
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a text beside the target and rename it; half a surrogate pair is written out, as JSON also reads it."""
    put_in_place(path, text.encode("utf-8", "backslashreplace"))


def put_in_place(path: Path, content: bytes) -> None:
    """Write beside the target and rename it; beside by a name of its own, as several processes of a run may do it."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)  # on a full disk every byte counts
        raise
