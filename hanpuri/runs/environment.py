"""
What a run depends on besides its recipe and data: versions, the machine, the command, the state of the code.

In: this process.   Out: a record such as

    {"python": "3.12.3", "platform": "Linux-6.8-x86_64-with-glibc2.39", "num_cpus": 16,
     "libraries": {"hanpuri": "0.1.0", "torch": "2.13.0", …}, "command": ["train", "base"],
     "git": {"commit": "1f0c…", "dirty": false}}
"""

import os
import platform
import subprocess
import sys
from importlib import metadata

LIBRARIES = (
    *("hanpuri", "numpy", "pydantic", "torch", "onnx", "onnxruntime", "safetensors"),
    *("transformers", "tokenizers", "datasets", "trl", "peft", "accelerate", "bitsandbytes"),
)
GIT_SECONDS = 10  # a repository on a slow disk does not hold up a training


def describe_environment() -> dict[str, object]:
    """Name the versions, the machine, the command and the state of the code that a run depends on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "num_cpus": os.cpu_count(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "command": sys.argv[1:],
        "git": git_state(),
    }


def count_usable_cpus() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"


def git_state() -> dict[str, object] | None:
    """
    Name the commit of the folder that the command is run in, and whether a tracked file differs from it.

    None where there is no git, no repository, or no commit yet. Files that git does not know do not count: the folders
    of runs are such.
    """
    commit = _git("rev-parse", "--verify", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no")
    if not commit or changed is None:
        return None
    return {"commit": commit.strip(), "dirty": bool(changed.strip())}


def _git(*arguments: str) -> str | None:
    try:
        finished = subprocess.run(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # looking must not get into the way of somebody's commit
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.decode("utf-8", "replace")
