"""
What the model that edits reads by itself, with no rules around it: the figures of hanpuri/models/wide/README.md.

In:  eval/kotox_dev.jsonl (of which the rows of `hiding.py` are measured), the review and prose sets.   Out: Markdown,

    |            | rows | as it is | read   | read, with its spaces |
    | level easy |  …   | …        | …      | …                     |

    python benchmarks/edit_reading.py [--model wide] [--rows 500]

and for the sets of the web generator's noise their CER, and the share of the characters of clean text that stay.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hanpuri.compact.editing.reader import EditReader
from hanpuri.evaluation.metrics.edits import character_edits
from hanpuri.evaluation.rows import RowSet, read_rows

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `python benchmarks/edit_reading.py`

from benchmarks.hiding import places, read_part

SETS = ("reviews_gold", "prose_gold", "reviews_silver")
HEAD = ("as it is", "read", "read, with its spaces")

Tallies = list[tuple[float, float]]


def tally(hypotheses: Sequence[str], rows: RowSet) -> Tallies:
    """Count edits and characters a row."""
    return [character_edits(text, row.reference or "") for text, row in zip(hypotheses, rows.rows, strict=True)]


def cer(tallies: Tallies) -> float:
    """Divide all edits by all characters."""
    return sum(edits for edits, _ in tallies) / sum(characters for _, characters in tallies)


def read(reader: EditReader, texts: Sequence[str], *, spacing: bool) -> list[str]:
    """Read texts."""
    return [reading.text for reading in reader.read(texts, spacing=spacing)]


def print_hidden(reader: EditReader, rows: RowSet) -> None:
    """Print the table of hidden text."""
    asked = [row.asked for row in rows.rows]
    columns = [asked, *(read(reader, asked, spacing=spacing) for spacing in (False, True))]
    tallies = [tally(column, rows) for column in columns]
    print(f"| cer | rows | {' | '.join(HEAD)} |\n|---|---:|---:|---:|---:|")
    for name, members in places(rows).items():
        scores = (f"{cer([column[member] for member in members]):.4f}" for column in tallies)
        print(f"| {name} | {len(members):,} | {' | '.join(scores)} |")


def print_kept(reader: EditReader, name: str, rows: RowSet) -> None:
    """Print what stays of clean texts."""
    clean = sorted({row.reference or "" for row in rows.rows})
    kept = []
    for spacing in (False, True):
        pairs = zip(read(reader, clean, spacing=spacing), clean, strict=True)
        kept.append(f"{1 - cer([character_edits(text, own) for text, own in pairs]):.5f}")
    print(f"| {name} | {len(clean):,} | {' | '.join(kept)} |")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="wide", help="a shipped model, or the folder of one that edits")
    parser.add_argument("--rows", type=int, help="of each file, no more than so many")
    options = parser.parse_args()
    reader, hidden = EditReader.load(options.model), read_part(held=True, most=options.rows)
    print_hidden(reader, hidden)
    found = {name: read_rows(Path(f"eval/{name}_dev.jsonl")) for name in SETS}
    whole = {name: replace(rows, rows=rows.rows[: options.rows]) for name, rows in found.items()}
    print("\n| cer, web generator | rows | read |\n|---|---:|---:|")
    for name, rows in whole.items():
        read_texts = read(reader, [row.asked for row in rows.rows], spacing=False)
        print(f"| {name} | {len(rows.rows):,} | {cer(tally(read_texts, rows)):.4f} |")
    print("\n| clean characters kept | texts | read | read, with its spaces |\n|---|---:|---:|---:|")
    for name, rows in (("kotox", hidden), *whole.items()):
        print_kept(reader, name, rows)


if __name__ == "__main__":
    main()
