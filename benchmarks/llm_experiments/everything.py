"""
All experiments, one behind the other and side by side where they do not wait for each other, on one GPU or several.

In: the corpora and the prepared pairs. Out: what pretraining, restoring and answering write:

    python -m benchmarks.llm_experiments.everything --runs runs --gpus 0 1 --at-once 4

    law ─► foretell ─► large ─► figures
                        └────► base ─► sampled, …, dpo, grpo, rounds     ways that ask or begin from the base
                        ├────► lora, x1, …                               ways of their own, the long ones first
                        └────► answering

What is done is left as it is, so that the same command goes on where it was cut off. Each part has a log,
`<runs>/logs/<part>.log`, and one line when it ends. A part that fails ends those that wait for it, and no other.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.llm_experiments.pretraining import last_line
from benchmarks.llm_experiments.ways import WAYS, Way

PACKAGE = "benchmarks.llm_experiments"
LAW, FORETELL, LARGE, FIGURES, ANSWERING = "law", "foretell", "large", "figures", "answering"


class Part(NamedTuple):
    """One process, and what has to have ended before it."""

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    alone: bool = False
    """Whether nothing of ours runs beside it on its GPU."""
    minutes: float = 0.0


def main() -> None:
    """Run all parts that are asked for."""
    parser = argparse.ArgumentParser(prog=f"python -m {PACKAGE}.everything")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--gpus", nargs="+", default=["0"], help="GPUs by number")
    parser.add_argument("--at-once", type=int, default=3, help="parts side by side on each GPU")
    parser.add_argument(
        "--without", nargs="*", default=[], help="parts that are left out; what waits for them does not wait"
    )
    options = parser.parse_args()
    (options.runs / "logs").mkdir(parents=True, exist_ok=True)
    parts = make_parts(options.runs, WAYS, len(options.gpus))
    sys.exit(1 if run_all(parts, options) else 0)


def make_parts(runs: Path, ways: Sequence[Way], num_gpus: int) -> list[Part]:
    """
    Write down all parts.

    >>> parts = {part.name: part for part in make_parts(Path("runs"), WAYS, 2)}
    >>> parts["lora"].after, parts["dpo"].after
    (('large',), ('large', 'base'))
    """
    place = ("--runs", str(runs))

    def pretraining(name: str, *more: str, after: tuple[str, ...] = (), minutes: float = 0.0) -> Part:
        return Part(name, (f"{PACKAGE}.pretraining", name, *place, *more), after, minutes > 0, minutes)

    parts = [
        pretraining(LAW, "--gpus", str(num_gpus), minutes=4.0),
        pretraining(FORETELL, after=(LAW,)),
        pretraining(LARGE, "--gpus", str(num_gpus), after=(FORETELL,), minutes=11.0 / num_gpus),
        pretraining(FIGURES, after=(LARGE,)),
        Part(ANSWERING, (f"{PACKAGE}.answering", *place), (LARGE,), minutes=3.0),
    ]
    for way in ways:
        first = way.of or way.begins
        command = (f"{PACKAGE}.restoring", *place, "--only", way.name)
        parts.append(Part(way.name, command, (LARGE, first) if first else (LARGE,), minutes=way.minutes))
    return parts


def waits_behind(parts: Sequence[Part]) -> dict[str, float]:
    """Say of each part how long it and the longest chain that waits for it take: the longest goes first."""
    found: dict[str, float] = {}
    for part in reversed(parts):
        chain = max((found[one.name] for one in parts if part.name in one.after and one.name in found), default=0.0)
        found[part.name] = part.minutes + chain
    return found


def run_all(parts: Sequence[Part], options: argparse.Namespace) -> list[str]:
    """Start what may start, until all has ended; give the names of what failed or waited for what failed."""
    order = waits_behind(parts)
    waiting = sorted((one for one in parts if one.name not in options.without), key=lambda one: -order[one.name])
    ended: dict[str, bool] = dict.fromkeys(options.without, True)
    running: dict[str, tuple[Part, str, float, subprocess.Popen[bytes]]] = {}
    while waiting or running:
        for name, (part, _, began, process) in list(running.items()):
            if process.poll() is not None:
                ended[name] = process.returncode == 0 and not failed_inside(part, options.runs)
                told = "done" if ended[name] else f"failed: {last_line(log_of(name, options.runs))}"
                print(f"{name}: {told}, {time.monotonic() - began:.0f} s", flush=True)
                del running[name]
        for part in list(waiting):
            if any(ended.get(one) is False for one in part.after):
                ended[part.name] = False
                waiting.remove(part)
                print(f"{part.name}: not begun, it waits for what failed", flush=True)
            elif all(ended.get(one) for one in part.after):
                gpu = free_gpu(part, running, options)
                if gpu is not None:
                    running[part.name] = (part, gpu, time.monotonic(), start(part, gpu, options))
                    waiting.remove(part)
        time.sleep(0.5)
    return [name for name, good in ended.items() if not good]


def free_gpu(
    part: Part, running: Mapping[str, tuple[Part, str, float, object]], options: argparse.Namespace
) -> str | None:
    """Find the GPU with the fewest parts on it, if there is room."""
    on = {gpu: [one for one, place, _, _ in running.values() if place == gpu] for gpu in options.gpus}
    room = [gpu for gpu, there in on.items() if not any(one.alone for one in there) and len(there) < options.at_once]
    if part.alone:
        room = [gpu for gpu in room if not on[gpu]]
    return min(room, key=lambda gpu: len(on[gpu])) if room else None


def start(part: Part, gpu: str, options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """Start a part on a GPU; the law deals its runs to all of them, and the large run takes all."""
    seen = ",".join(options.gpus) if part.name in (LAW, LARGE) else gpu
    with log_of(part.name, options.runs).open("ab") as log:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": seen}
        return subprocess.Popen([sys.executable, "-m", *part.command], stdout=log, stderr=log, env=environment)


def log_of(name: str, runs: Path) -> Path:
    """Where a part writes what it says."""
    return runs / "logs" / f"{name}.log"


def failed_inside(part: Part, runs: Path) -> bool:
    """Whether a way failed: it says so in its last line, and ends well, for the others."""
    return f"{part.name}: failed" in last_line(log_of(part.name, runs))


if __name__ == "__main__":
    main()
