"""
Kills `hanpuri prepare` at random moments, again and again, and holds what comes of it against an undisturbed run.

In:  a recipe.   Out: one line a round; the first difference in a byte ends the program with an error.

    python benchmarks/soak_preparation.py [--recipe restoration-pairs] [--seconds 600] [--seed 0]

Each round prepares the set in a folder of its own. The process and its children are killed after a time drawn anew,
and started again, until one run comes to its end.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ENVIRONMENT = "environment.json"  # says with which command the run was started, and is not held against the other


def digests(folder: Path) -> dict[str, str]:
    """Hash every file of a prepared set."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ENVIRONMENT)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def prepare(recipe: str, out: Path, seconds: float | None) -> bool:
    """Start the command; kill it after `seconds`. True if it came to its end."""
    command = [sys.executable, "-m", "hanpuri", "prepare", recipe, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return True


def main() -> None:
    """Kill and compare until the time is up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", default="restoration-pairs")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    deadline = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        prepare(options.recipe, Path(folder, "whole"), None)
        whole_seconds = time.monotonic() - started
        expected = digests(Path(folder, "whole"))
        round_number = 0
        while time.monotonic() < deadline:
            round_number += 1
            out, num_kills = Path(folder, str(round_number)), 0
            while not prepare(options.recipe, out, rng.uniform(0.2, 1.0) * whole_seconds):
                num_kills += 1
            if digests(out) != expected:
                raise SystemExit(f"round {round_number}: other bytes after {num_kills} kills")
            print(f"round {round_number}: the same {len(expected)} files after {num_kills} kills", flush=True)


if __name__ == "__main__":
    main()
