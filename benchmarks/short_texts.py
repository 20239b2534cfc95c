"""
How well a word alone is read, and two, and four: what is asked of a restorer where people write little.

In:  eval/*_dev.jsonl, of each row one run of so many words, at a place that its number decides.   Out: a line a case:

    model   set     words  rows  accuracy  clean kept  whole

    python benchmarks/short_texts.py [MODEL …]

"accuracy" is the share of right syllables of the noisy side, "clean kept" that of the clean side as input, "whole" the
share of clean sides of which no syllable was changed.
"""

import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.evaluation.metrics import char_accuracy
from hanpuri.evaluation.rows import read_rows
from hanpuri.hangul import is_syllable

SETS = {"reviews": ("reviews_gold", "reviews_silver"), "prose": ("prose_gold",)}
LENGTHS = (1, 2, 4)

Pair = tuple[str, str]


def main() -> None:
    """Print the table."""
    print(f"{'model':<12} {'set':<8} words   rows  accuracy  clean kept  whole")
    for model in sys.argv[1:] or ["base", "small"]:
        restorer = Restorer(model, threads=2)
        for name, files in SETS.items():
            for length in LENGTHS:
                pairs = list(cut(files, length))
                print(f"{model:<12} {name:<8} {length:>5}  {len(pairs):>5}  {measure(restorer, pairs)}", flush=True)


def cut(files: Iterable[str], length: int) -> Iterator[Pair]:
    """Take a run of words of every row that has more, with a syllable in it: noisy side and clean side."""
    for file in files:
        for number, row in enumerate(read_rows(Path("eval") / f"{file}_dev.jsonl").rows):
            noisy, clean = row.asked.split(" "), (row.reference or "").split(" ")
            if len(noisy) != len(clean) or len(clean) <= length:
                continue
            first = random.Random(number).randrange(len(clean) - length)
            pair = tuple(" ".join(words[first : first + length]) for words in (noisy, clean))
            if len(pair[0]) == len(pair[1]) and any(map(is_syllable, pair[1])):
                yield pair[0], pair[1]


def measure(restorer: Restorer, pairs: list[Pair]) -> str:
    """Restore both sides."""
    cleans = [clean for _, clean in pairs]
    read = [one.text for one in restorer.restore([noisy for noisy, _ in pairs])]
    kept = [one.text for one in restorer.restore(cleans)]
    whole = sum(one == clean for one, clean in zip(kept, cleans, strict=True)) / len(pairs)
    return f"{char_accuracy(read, cleans):>8.4f}  {char_accuracy(kept, cleans):>10.4f}  {whole:.4f}"


if __name__ == "__main__":
    main()
