"""
How fast vLLM answers, with aligned decoding and without, and beside the engine transformers on the same rows.

In:  a model that restores, and pairs.   Out: a table; a line for each engine and grammar:

    hanpuri publish runs/cpu-tiny-restoration --to merged
    .venv-vllm/bin/python benchmarks/vllm_speed.py merged [--pairs prepared/restoration-pairs/test.parquet] [--repeat 3]

It needs vLLM, and so the environment that `make test-vllm` makes; `make bench` leaves it out. The start of vLLM is not
counted, nor its first answers: all rows are answered once before. The median of the repeats is printed, on the clock
and of the processors, which other work on the machine lengthens less.
"""

import argparse
import datetime
import os
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import EngineSettings, parse_engine
from hanpuri.evaluation.metrics import char_accuracy
from hanpuri.evaluation.rows import EvalRow, read_rows

ENGINES = ("transformers:{}", "vllm:{}", "vllm:{},aligned=syllables", "vllm:{},aligned=airbnb")
HEAD = ("char_accuracy", "wrong length", "cut", "seconds", "CPU seconds", "tokens/s", "CPU tokens/s")


def measure(settings: EngineSettings, rows: Sequence[EvalRow], decoding: Decoding, repeat: int) -> list[str]:
    """Answer all rows several times: the cells of a line."""
    asked: list[Fields] = [row.fields for row in rows]
    seconds, processor = [], []
    with open_engine(settings) as engine:
        answers = engine.generate(asked, decoding)
        for _ in range(repeat):
            started, used = time.perf_counter(), time.process_time()
            answers = engine.generate(asked, decoding)
            seconds.append(time.perf_counter() - started)
            processor.append(time.process_time() - used)
    return cells(rows, answers, statistics.median(seconds), statistics.median(processor))


def cells(rows: Sequence[EvalRow], answers: Sequence[Answer], seconds: float, processor: float) -> list[str]:
    """Write the cells of a line."""
    texts = [answer.text for answer in answers]
    num_tokens = sum(answer.num_tokens for answer in answers)
    return [
        f"{char_accuracy(texts, [row.reference or '' for row in rows]):.4f}",
        str(sum(len(text) != len(row.asked) for text, row in zip(texts, rows, strict=True))),
        str(sum(not answer.finished for answer in answers)),
        f"{seconds:.2f}",
        f"{processor:.2f}",
        f"{num_tokens / seconds:,.0f}",
        f"{num_tokens / processor:,.0f}",
    ]


def line(title: str, told: Sequence[str]) -> str:
    """Lay out a line of the table."""
    return f"{title:<26}" + "".join(f"{cell:>{len(head) + 2}}" for cell, head in zip(told, HEAD, strict=True))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder")
    parser.add_argument("--pairs", type=Path, default=Path("prepared/restoration-pairs/test.parquet"))
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--max-new-tokens", type=int, default=150)
    parser.add_argument("--at-a-time", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    told = parser.parse_args()
    rows = read_rows(told.pairs).rows[: told.rows]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} CPUs (load {load}), {len(rows)} rows,"
        f" {told.at_a_time} at a time, median of {told.repeat}"
    )
    print(line("", HEAD))
    decoding = Decoding(max_new_tokens=told.max_new_tokens, batch_size=told.at_a_time)
    for spec in ENGINES:
        settings = parse_engine(f"{spec.format(told.model)},vllm.max_num_seqs={told.at_a_time}")
        print(line(spec.replace(":{}", ""), measure(settings, rows, decoding, told.repeat)), flush=True)


if __name__ == "__main__":
    main()
