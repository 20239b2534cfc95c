"""
How long a training set takes and how much memory: `hanpuri prepare` as a whole process with its children.

In:  a recipe, such as open-corpus (1.7 million texts). Out: seconds, the most memory that all processes held together:

    python benchmarks/preparation.py [open-corpus restoration-pairs chatbot-answers] [--write]

The memory is what the processes hold alone and their share of what they hold in common (PSS), looked at ten times a
second; Linux only. The training set goes to a folder that is removed at the end. --write puts the figures into
preparation.json beside this file, where `write_tables.py` finds them.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("preparation.json")


def memory_of(group: int) -> int:
    """Sum up the memory of all processes of a group, in KiB."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                rollup = (folder / "smaps_rollup").read_text(encoding="ascii")
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, StopIteration):  # it has just ended
            continue
    return total


def measure(recipe: str, processes: int) -> dict[str, Any]:
    """Prepare, and watch."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hanpuri", "prepare", recipe, "--out", folder, "--json"]
        command += ["--processes", str(processes)]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, encoding="utf-8")
        most = 0
        while process.poll() is None:
            most = max(most, memory_of(process.pid))
            time.sleep(0.1)
        seconds = time.perf_counter() - started
        if process.returncode or process.stdout is None:
            raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}")
        facts = json.loads(process.stdout.read())
    return {
        "rows_read": sum(source["rows"] for source in facts["sources"]),
        "left_out": {step["step"]: step["dropped"] for step in facts["steps"] if step["dropped"]},
        "rows": {split["name"]: split["rows"] for split in facts["splits"]},
        "seconds": round(seconds, 1),
        "memory_mib": round(most / 1024),
        "processes": processes,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    """Measure each recipe, print, and write if told so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=["open-corpus", "restoration-pairs", "chatbot-answers"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    results = {recipe: measure(recipe, options.processes) for recipe in options.recipes}
    print(json.dumps(results, indent=2))
    if options.write:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
