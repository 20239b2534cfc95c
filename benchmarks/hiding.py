"""
Text hidden in every way: how far engines bring it back, by level and by rule, and what they leave of clean text.

In:  eval/kotox_dev.jsonl, of which only rows are measured that no table, rule or training was made by: those whose
SHA-256 of the clean text, modulo 10, is below 3.   Out: CER a level and a rule for each engine, as Markdown:

    |              | rows | echo   | compact:base | compact:base,reach=wide |
    | level easy   |  …   | …      | …            | …                       |

    python benchmarks/hiding.py [--part held|learnt] [--rows 500] [ENGINE …]

`--part learnt` prints the same of the other rows, which rules and tables were made by. The last line is the share of
the characters of clean text that each engine keeps.
"""

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import parse_engine
from hanpuri.evaluation.evaluate import Evaluation, evaluate
from hanpuri.evaluation.metrics import cer
from hanpuri.evaluation.metrics.tallies import pooled
from hanpuri.evaluation.rows import EvalRow, RowSet, read_rows

ROWS = Path("eval/kotox_dev.jsonl")
ENGINES = ("echo", "compact:base", "compact:base,reach=wide", "compact:small,reach=wide")
HELD = 3
"""Of ten rows, about, that are kept for measuring."""
SLICES = ("level", "rule")


def is_held(row: EvalRow) -> bool:
    """Say whether a row is kept for measuring."""
    return int(hashlib.sha256((row.reference or "").encode()).hexdigest(), 16) % 10 < HELD


def read_part(*, held: bool, most: int | None) -> RowSet:
    """Take the rows of a part."""
    whole = read_rows(ROWS)
    return replace(whole, rows=tuple(row for row in whole.rows if is_held(row) == held)[:most])


def measure(spec: str, rows: RowSet) -> tuple[Evaluation, float]:
    """Let one engine restore all rows, and their clean texts: what it makes of the ones, and keeps of the others."""
    clean = sorted({row.reference or "" for row in rows.rows})
    with open_engine(parse_engine(spec)) as engine:
        found = evaluate(engine, rows, measures=("cer",), unchanged_clean=False)
        # Not by position: behind a character that is gone all others would count.
        kept = 1 - cer([answer.text for answer in engine.generate([{"noisy": text} for text in clean])], clean)
    return found, kept


def places(rows: RowSet) -> dict[str, list[int]]:
    """Give the rows of each line of the table: all, each level, each rule by its number."""
    found: dict[str, list[int]] = {"all": list(range(len(rows.rows)))}
    for kind in SLICES:
        names = sorted({name for row in rows.rows for name in row.slices.get(kind, ())}, key=_by_number)
        for name in names:
            members = [at for at, row in enumerate(rows.rows) if name in row.slices.get(kind, ())]
            found[f"{kind} {name}"] = members
    return found


def _by_number(name: str) -> tuple[object, ...]:
    return tuple(f"{int(part):03}" if part.isdecimal() else part for part in name.split("-"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engines", nargs="*", default=ENGINES)
    parser.add_argument("--part", choices=("held", "learnt"), default="held")
    parser.add_argument("--rows", type=int)
    options = parser.parse_args()
    rows = read_part(held=options.part == "held", most=options.rows)
    measured = [measure(spec, rows) for spec in options.engines]
    found = [one for one, _ in measured]
    print(f"| cer | rows | {' | '.join(options.engines)} |")
    print(f"|---|---:|{'---:|' * len(found)}")
    for name, members in places(rows).items():
        scores = [pooled(one.tallies["cer"][np.array(members)]) for one in found]
        print(f"| {name} | {len(members):,} | {' | '.join(f'{score:.4f}' for score in scores)} |")
    print(f"| clean characters kept | | {' | '.join(f'{kept:.4f}' for _, kept in measured)} |")


if __name__ == "__main__":
    main()
