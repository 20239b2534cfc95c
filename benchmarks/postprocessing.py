"""
What corrections behind a model do to its score: spelling, spacing, dictionary, feasibility, a language model's say.

In: eval/*_dev.jsonl, all of it held out; thresholds are chosen on the validation rows of prepared/restoration-pairs
(`hanpuri prepare restoration-pairs`), whose training rows give the dictionary. Out: a table for each model and set.

    python benchmarks/postprocessing.py [--lm transformers:runs/cpu-tiny] [--rows 300]
"""

import argparse
import datetime
import platform
from pathlib import Path

from hanpuri.cli.postprocessing import lines
from hanpuri.engines.opening import open_engine
from hanpuri.engines.restoring import restore
from hanpuri.engines.settings import parse_engine
from hanpuri.evaluation.postprocessing.recipe import STEPS, StepSettings
from hanpuri.evaluation.postprocessing.selection import Rows, select
from hanpuri.evaluation.postprocessing.steps import Workshop
from hanpuri.evaluation.postprocessing.texts import Restored
from hanpuri.evaluation.rows import read_rows

PAIRS = Path("prepared/restoration-pairs")
SETS = ("reviews_gold", "prose_gold")
ENGINES = ("compact:base", "compact:small")


def restored(spec: str, path: Path, num_rows: int) -> Rows:
    """Restore the first rows of a file."""
    rows = read_rows(path, form="pairs").rows[:num_rows]
    with open_engine(parse_engine(spec)) as engine:
        answers = restore(engine, [row.asked for row in rows])
        texts = tuple(Restored.of(row.asked, answer) for row, answer in zip(rows, answers, strict=True))
    return Rows(texts, tuple(row.reference or "" for row in rows))


def main(lm: str, num_rows: int) -> None:
    """Print the tables."""
    train = PAIRS / "train.parquet"
    steps = [StepSettings(step=step, texts=train, engine=lm) for step in STEPS if lm or step != "rescoring"]
    print(f"{datetime.date.today()}, {platform.machine()}, seed 0, the first {num_rows} rows of each set")
    for spec in ENGINES:
        choose_on = restored(spec, PAIRS / "validation.parquet", num_rows)
        for name in SETS:
            rows = restored(spec, Path(f"eval/{name}_dev.jsonl"), num_rows)
            with Workshop() as workshop:
                selection = select(rows, steps, workshop, choose_on=choose_on)
            print(f"\n{spec}, {name}: ", *lines(selection), sep="\n", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lm", default="", help="a language model for rescoring, such as transformers:runs/cpu-tiny")
    parser.add_argument("--rows", type=int, default=300, help="rows of each set")
    asked = parser.parse_args()
    main(asked.lm, asked.rows)
