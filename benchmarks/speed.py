"""
How fast the command line restores, as a user meets it: whole processes, from start to exit.

In:  eval/reviews_silver_dev.jsonl (844 reviews, 147,323 characters, 103,145 of them syllables).
Out: seconds and peak memory, a line a case.

    python benchmarks/speed.py [--copies 1 10 100] [--write]

Each case runs several times; the median is printed beside the fastest and the slowest. --copies makes the file longer,
to see that time grows in proportion and memory does not grow. --write puts chars_per_second and memory into the cards.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hanpuri.compact.model_files import ModelFiles
from hanpuri.hangul import is_syllable

REVIEWS = Path("eval/reviews_silver_dev.jsonl")
SENTENCE = "확잠실읾 념뭄 잙앙욤"
MEBIBYTE = 1024  # ru_maxrss counts KiB


def run(command: Sequence[str]) -> tuple[float, float]:
    """Run a process to its end: seconds and peak memory in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    return time.perf_counter() - started, usage.ru_maxrss / MEBIBYTE


def report(name: str, command: Sequence[str], runs: int) -> tuple[float, float]:
    """Print and return the median seconds and the peak memory of a command."""
    results = [run(command) for _ in range(runs)]
    seconds = sorted(result[0] for result in results)
    memory = max(result[1] for result in results)
    middle = statistics.median(seconds)
    print(
        f"{name:<34} {middle:>8.2f} s  ({seconds[0]:.2f} to {seconds[-1]:.2f}, n={runs})  {memory:>6.0f} MiB",
        flush=True,
    )
    return middle, memory


def restore_command(model: str, path: Path) -> list[str]:
    """The command of a user with a JSONL file."""
    file = ["--file", str(path), "--field", "noisy"]
    return [sys.executable, "-m", "hanpuri", "restore", *file, "--model", model, "--threads", "2"]


def main() -> None:
    """Print the table, and write the cards if told so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--copies", type=int, nargs="*", default=[1])
    parser.add_argument("--models", nargs="*", default=[files.name for files in ModelFiles.shipped()])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    report("import hanpuri", [sys.executable, "-c", "import hanpuri"], 5)
    text = REVIEWS.read_text(encoding="utf-8")
    noisy = "".join(json.loads(line)["noisy"] for line in text.splitlines())
    characters, syllables = len(noisy), sum(map(is_syllable, noisy))
    for model in options.models:
        report(
            f"{model}: one sentence, cold", [sys.executable, "-m", "hanpuri", "restore", SENTENCE, "--model", model], 5
        )
        for copies in options.copies:
            with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
                for _ in range(copies):
                    file.write(text)
                file.flush()
                name = f"{model}: {copies} × 844 reviews"
                seconds, memory = report(name, restore_command(model, Path(file.name)), 5 if copies == 1 else 1)
            rates = (f"{copies * one / seconds:,.0f}" for one in (characters, syllables))
            print(f"{'':<34} {' characters/s, '.join(rates)} syllables/s, start-up counted")
            if options.write and copies == 1:
                _write_card(model, round(characters / seconds), round(memory))


def _write_card(model: str, chars_per_second: int, memory: int) -> None:
    files = ModelFiles.find(model)
    card = {**files.card, "chars_per_second": chars_per_second, "peak_memory_mib": memory}
    path = files.folder / "card.json"
    path.write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
