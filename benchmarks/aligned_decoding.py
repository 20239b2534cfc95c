"""
What aligned decoding gives and costs: the project's own small language model, with the grammar and without.

In:  runs, by default `cpu-tiny-restoration` (LoRA on pairs) and `cpu-tiny` (its base, which has never seen noise), and
rows that neither was trained on.   Out: a table; a line for each model, file and grammar:

    python benchmarks/aligned_decoding.py [RUN …] [--pairs FOLDER] [--rows 1000] [--repeat 3]

The two runs are made by `hanpuri train cpu-tiny` and `cpu-tiny-restoration`. Rows that with an answer of twice their
tokens do not fit into what the model reads are left out, and counted. A wrong length is one that is not the noisy
text's; wrong spacing, spaces in other places; a cut answer came to no end.

The time of a step is that of one token for all rows of a batch, on the clock and of the processors; tokens/s hang too
on how many rows run on beyond their end while the others wait. The grammars take turns, and the median of the repeats
is printed.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyarrow.parquet import read_table

from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.settings import Aligned, EngineSettings
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.evaluation.metrics import char_accuracy

GOLD = Path("eval/reviews_gold_dev.jsonl")
RUNS = (Path("runs/cpu-tiny-restoration"), Path("runs/cpu-tiny"))
GRAMMARS: tuple[Aligned, ...] = ("off", "syllables", "airbnb")
BATCH_SIZE = 16
HEAD = ("char_accuracy", "wrong length", "wrong spacing", "cut", "tokens/s", "ms/step", "CPU ms/step")

Row = dict[str, str]


@dataclass(frozen=True)
class Answered:
    """What came of the rows once."""

    answers: list[Answer]
    seconds: float
    processor_seconds: float
    steps: int


class Asked:
    """An engine whose steps are counted."""

    def __init__(self, run: Path, aligned: Aligned) -> None:
        settings = EngineSettings(engine="transformers", model=str(run), device="cpu", aligned=aligned)
        self.engine = TransformersEngine.open(settings)
        self._steps = 0
        model = self.engine._model
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        base.register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self._steps += 1

    def answer(self, rows: Sequence[Row]) -> Answered:
        """Answer rows, with room for twice the tokens of the longest."""
        longest = max(self.engine.count_tokens(row) for row in rows)
        decoding = Decoding(max_new_tokens=2 * longest, batch_size=BATCH_SIZE)
        self._steps, started, used = 0, time.perf_counter(), time.process_time()
        answers = self.engine.generate([{"noisy": row["noisy"]} for row in rows], decoding)
        return Answered(answers, time.perf_counter() - started, time.process_time() - used, self._steps)


def read_rows(path: Path) -> list[Row]:
    """Read pairs of JSONL or Parquet."""
    if path.suffix == ".parquet":
        return list(read_table(path, columns=["noisy", "clean"]).to_pylist())
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def spaces(text: str) -> list[int]:
    """Give the places of the spaces of a text."""
    return [place for place, character in enumerate(text) if character == " "]


def cells(rows: Sequence[Row], results: Sequence[Answered]) -> list[str]:
    """Write the cells of a line; answers are the same each time, seconds are not."""
    answers = results[0].answers
    pairs = [(answer.text, row["noisy"]) for answer, row in zip(answers, rows, strict=True)]
    seconds = statistics.median(one.seconds for one in results)
    processor = statistics.median(one.processor_seconds for one in results)
    return [
        f"{char_accuracy([text for text, _ in pairs], [row['clean'] for row in rows]):.4f}",
        str(sum(len(text) != len(noisy) for text, noisy in pairs)),
        str(sum(spaces(text) != spaces(noisy) for text, noisy in pairs)),
        str(sum(not answer.finished for answer in answers)),
        f"{sum(answer.num_tokens for answer in answers) / seconds:,.0f}",
        f"{1000 * seconds / results[0].steps:.2f}",
        f"{1000 * processor / results[0].steps:.2f}",
    ]


def measure(run: Path, path: Path, num_rows: int, repeat: int) -> None:
    """Print the lines of a model and a file."""
    asked = {aligned: Asked(run, aligned) for aligned in GRAMMARS}
    engine, every = asked["off"].engine, read_rows(path)
    limit = engine.positions or 1 << 30
    rows = [row for row in every if 3 * engine.count_tokens(row) < limit][:num_rows]
    told: dict[Aligned, list[Answered]] = {aligned: [] for aligned in GRAMMARS}
    for _ in range(repeat):
        for aligned in GRAMMARS:
            told[aligned].append(asked[aligned].answer(rows))
    print(f"{run.name}, {path}: {len(rows)} of {len(every)} rows")
    for aligned in GRAMMARS:
        print(line(f"    {aligned}", cells(rows, told[aligned])), flush=True)
        asked[aligned].engine.close()


def line(title: str, told: Sequence[str]) -> str:
    """Lay out a line of the table."""
    return f"{title:<14}" + "".join(f"{cell:>{len(head) + 2}}" for cell, head in zip(told, HEAD, strict=True))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="*", default=RUNS, metavar="RUN")
    parser.add_argument("--pairs", type=Path, default=Path("prepared/restoration-pairs"))
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    told = parser.parse_args()
    if missing := [run for run in told.runs if not run.is_dir()]:
        raise SystemExit(f"{missing[0]}: found no such run; make it: hanpuri train {missing[0].name}")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} CPUs (load {load}),"
        f" Python {platform.python_version()}; batches of {BATCH_SIZE}, median of {told.repeat}"
    )
    print(line("", HEAD))
    for run in told.runs:
        for path in (told.pairs / "test.parquet", GOLD):
            measure(run, path, told.rows, told.repeat)


if __name__ == "__main__":
    main()
