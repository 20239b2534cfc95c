"""`hanpuri evaluate`: scores of a model on files of pairs, as a table or as one JSON object a file."""

import json
from collections.abc import Sequence
from pathlib import Path

from hanpuri.compact.runtime import Restorer
from hanpuri.errors import DataError
from hanpuri.evaluation.evaluate import Scores, read_pairs
from hanpuri.evaluation.evaluate import evaluate as score
from hanpuri.noise.rules import LETTER_TABLES

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri evaluate pairs.jsonl

  hanpuri evaluate pairs.jsonl --model small --json
"""


def evaluate(
    files: Sequence[Path], *, model: str, threads: int | None, feasible: str | None, encoding: str, as_json: bool
) -> None:
    """Score `model` on every file."""
    if feasible is not None and feasible not in LETTER_TABLES:
        raise DataError(f"no noise profile is called {feasible!r}", f"write one of {', '.join(LETTER_TABLES)}")
    pairs = {path: read_pairs(path, encoding) for path in files}
    restorer = Restorer(model, threads=threads, feasible=feasible)

    def restore(texts: Sequence[str]) -> list[str]:
        return [one.text for one in restorer.restore_stream(texts)]

    for path, both in pairs.items():
        scores = score(restore, both, restorer.model)
        if as_json:
            print(json.dumps(scores.as_dict(), ensure_ascii=False))
        else:
            _print_table(path, scores)


def _print_table(path: Path, scores: Scores) -> None:
    print(path)
    for name, value in scores.as_dict().items():
        print(f"  {name:<18} {value}")
