"""
How fast noisy copies are made, 10,000 rows × 5 with one process and with two, and how fast their rules are counted.

In:  texts of corpus/open, spread over each file, repeated where it has fewer.   Out: seconds and copies/s of each case.

    python benchmarks/augmentation.py [--rows 10000] [--copies 5] [--files nsmc.txt.xz kowiki.txt.xz] [--seed 0]

The goal is 20 s with two processes. The start of the processes is counted, the reading of the texts is not. Beside the
seconds on the clock stand those of the processors, which other work on the machine lengthens less.
"""

import argparse
import datetime
import lzma
import os
import platform
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

from hanpuri.data.preparation.augmentation import NoisyCopy, noisy_copies
from hanpuri.data.recipe import AugmentSettings
from hanpuri.noise.attribution import rules_used

CORPUS = Path("corpus/open")
# Every so many lines one is taken, so that 10,000 come from the whole of a file.
STRIDES = {"nsmc.txt.xz": 60, "lodging_written.txt": 1, "kowiki.txt.xz": 90}
ROWS_A_TASK = 250

Row = tuple[str, str]


def read_rows(name: str, num_rows: int) -> list[Row]:
    """Take texts from the whole of a file, each with an id."""
    path = CORPUS / name
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        texts = [line.rstrip("\n") for line in islice(file, 0, None, STRIDES[name])]
    return [(f"{name}-{number}", text) for number, text in enumerate(islice(cycle(texts), num_rows))]


def make_copies(rows: list[Row], settings: AugmentSettings, seed: int) -> list[list[NoisyCopy]]:
    """Make the copies of one task; a process of the pool does this."""
    return [noisy_copies(clean, id, settings, seed) for id, clean in rows]


def measure(rows: list[Row], settings: AugmentSettings, seed: int, processes: int) -> tuple[float, float, int]:
    """Make all copies: seconds on the clock and of the processors, and how many copies there are."""
    tasks = [rows[start : start + ROWS_A_TASK] for start in range(0, len(rows), ROWS_A_TASK)]
    work = partial(make_copies, settings=settings, seed=seed)
    started, used = time.perf_counter(), _processor_seconds()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        copies = sum(len(made) for batch in pool.map(work, tasks) for made in batch)
    return time.perf_counter() - started, _processor_seconds() - used, copies


def _processor_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def attribute(rows: list[Row], seed: int) -> float:
    """Count the rules of one copy of each row: characters/s."""
    pairs = [(clean, copy.noisy) for id, clean in rows for copy in noisy_copies(clean, id, AugmentSettings(), seed, 1)]
    started = time.perf_counter()
    for clean, noisy in pairs:
        rules_used(clean, noisy)
    return sum(len(clean) for clean, _ in pairs) / (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--copies", type=int, default=5)
    parser.add_argument("--files", nargs="*", choices=STRIDES, default=list(STRIDES))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cpus)
    print(
        f"{datetime.date.today()}, {platform.machine()}, {len(cpus)} CPUs, Python {platform.python_version()}; "
        f"{options.rows:,} rows × {options.copies}, seed {options.seed}"
    )
    titles = f"{'file':<20} {'characters':>10} {'processes':>9} {'seconds':>8} {'CPU':>6} {'copies/s':>8}"
    print(f"{titles} {'characters/s':>12} {'missing':>7}")
    for name in options.files:
        rows = read_rows(name, options.rows)
        length = sum(len(text) for _, text in rows) / len(rows)
        for processes in (1, 2):
            seconds, processor, copies = measure(rows, AugmentSettings(copies=options.copies), options.seed, processes)
            missing = options.copies * len(rows) - copies
            print(
                f"{name:<20} {length:>10.1f} {processes:>9} {seconds:>8.1f} {processor:>6.1f} "
                f"{copies / seconds:>8,.0f} {copies * length / seconds:>12,.0f} {missing:>7}",
                flush=True,
            )
        print(f"{name:<20} rules counted: {attribute(rows[:2_000], options.seed):,.0f} characters/s", flush=True)


if __name__ == "__main__":
    main()
