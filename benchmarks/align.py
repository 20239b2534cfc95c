"""
What alignment adds to fine-tuning: DPO on a model's own mistakes, GRPO and RLOO with a reward, on two processors.

In:  runs/cpu-tiny-restoration (`hanpuri train cpu-tiny`, `cpu-tiny-restoration`), the prepared pairs, the recipes
`dpo-tiny` and `grpo-tiny`. Out: a table, each way beside the fine-tuned model on the same rows:

    python benchmarks/align.py --ways dpo                  one way
    python benchmarks/align.py --seeds 0 1 2 --write       all of them, three times; fills docs/align.md
    python benchmarks/align.py --ways --write              trains nothing, writes what is known

`more` goes on fine-tuning on the right answers of the pairs that DPO gets, for as many steps: what is gained by that is
no merit of preferences. `rloo` has the settings of `grpo-tiny`. Scored are greedy answers to held-out rows: `test`,
which nothing was chosen by, `held-out`, the test rows with the validation rows that chose the best checkpoint, and,
where the folder eval/ is there, the first rows of two of its sets, which are only scored. What was cut off goes on:
trainings from their checkpoints, answers from runs/.answers/align. Figures (no texts) are kept in align.json, of which
`write_tables.py` makes the table of docs/align.md.
"""

import argparse
import json
import lzma
import os
import platform
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))  # for `python benchmarks/align.py`

from benchmarks.write_tables import main as write_all_tables  # noqa: E402
from benchmarks.write_tables import proof_of_alignment  # noqa: E402
from hanpuri import obfuscate  # noqa: E402
from hanpuri.engines.base import GREEDY  # noqa: E402
from hanpuri.engines.cache import AnswerCache  # noqa: E402
from hanpuri.engines.opening import open_engine  # noqa: E402
from hanpuri.engines.settings import parse_engine  # noqa: E402
from hanpuri.evaluation import metrics  # noqa: E402
from hanpuri.evaluation.evaluate import evaluate  # noqa: E402
from hanpuri.evaluation.rows import RowSet, read_rows  # noqa: E402
from hanpuri.evaluation.significance import difference  # noqa: E402
from hanpuri.preferences.mistakes import mine_mistakes  # noqa: E402
from hanpuri.preferences.rewards import open_rewards  # noqa: E402
from hanpuri.recipe import check_settings, read_recipe  # noqa: E402
from hanpuri.runs.files import sha256_of, write_json, write_whole  # noqa: E402
from hanpuri.training.feeding.sides import draw  # noqa: E402
from hanpuri.training.recipe import KINDS, GrpoRecipe, RlooRecipe, TrainRecipe  # noqa: E402
from hanpuri.training.train import train  # noqa: E402

RESULTS = Path(__file__).with_name("align.json")
RECIPES = REPOSITORY / "hanpuri" / "recipes"
START = "sft"
WAYS = ("more", "dpo", "grpo", "rloo")
MEASURES = {name: getattr(metrics, name) for name in ("char_accuracy", "exact_match", "token_f1")}
MEASURE = "char_accuracy"
ANSWERS = Path("runs/.answers/align")
OUTSIDE = ("prose_gold", "reviews_gold")
OUTSIDE_ROWS = 200
AS_PAIRS = {"form": "pairs", "fields": {"noisy": "prompt", "clean": "chosen"}}
"""How rows of preferences are read to fine-tune on what was chosen."""
LONGEST = 120
"""Characters of a row that is mined: what the small model answers in a moment."""
CORPUS = Path("corpus/open/nsmc.txt.xz")
FRESH_FROM, FRESH_ROWS, FRESH_SHORT = 60_000, 1_600, 32
"""The line behind which fresh reviews begin, how many there are, and up to how many characters one is short."""


@dataclass(frozen=True)
class Bench:
    """Where runs are, where rows come from, and how much of both."""

    start: str
    """The fine-tuned model."""
    prepared: Path
    runs: Path
    mined: int
    steps: int | None
    outside: bool = True

    def run_of(self, way: str, seed: int) -> Path:
        """Say where a way's run is; the fine-tuned model is there already."""
        return Path(self.start) if way == START else self.runs / f"{way}-{seed}"

    def sets(self) -> dict[str, RowSet]:
        """Read what is scored."""
        fresh = read_rows(self.fresh())
        short = tuple(row for row in fresh.rows if len(row.asked) <= FRESH_SHORT)
        found = {"fresh": fresh, "fresh, short": replace(fresh, rows=short)}
        found["test"] = read_rows(self.prepared / "test.parquet")
        for name in OUTSIDE if self.outside else ():
            path = Path("eval") / f"{name}_dev.jsonl"
            if path.is_file():
                whole = read_rows(path)
                found[f"{name}[:{OUTSIDE_ROWS}]"] = replace(whole, rows=whole.rows[:OUTSIDE_ROWS])
        return found

    def fresh(self) -> Path:
        """Make noisy pairs of reviews that stand in no prepared set: those of five to a hundred characters."""
        path = self.runs / "fresh.jsonl"
        if not path.is_file():
            self.runs.mkdir(parents=True, exist_ok=True)
            with lzma.open(CORPUS, "rt", encoding="utf-8") as lines:
                texts = (" ".join(line.split()) for line in islice(lines, FRESH_FROM, None))
                some = list(islice((text for text in texts if _is_korean(text)), FRESH_ROWS))
            pairs = ({"noisy": obfuscate(text, seed=place).noisy, "clean": text} for place, text in enumerate(some))
            write_whole(path, "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs))
        return path

    def mine(self, seed: int) -> Path:
        """Ask the fine-tuned model rows that it was trained on, and keep its mistakes as pairs."""
        path = self.runs / f"mistakes-{seed}-of-{self.mined}.jsonl"
        if path.is_file():
            return path
        row_set = read_rows(self.prepared / "train.parquet")
        short = [row for row in row_set.rows if len(row.asked) <= LONGEST]
        rows = sorted(short, key=lambda row: draw(row.where, seed))[: self.mined]
        told = replace(GREEDY, max_new_tokens=LONGEST + 40, batch_size=64)
        with open_engine(parse_engine(f"transformers:{self.start}")) as engine:
            cache = AnswerCache(ANSWERS / "mined.jsonl")
            found = mine_mistakes(engine, rows, decoding=told, cache=cache, on_progress=_counter("mistakes"))
        self.runs.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in found.rows)
        write_whole(path, "".join(lines))
        print(f"{path}: {json.dumps(found.as_dict(), ensure_ascii=False)}")
        return path

    def recipe(self, way: str, seed: int) -> TrainRecipe:
        """Read a way's recipe, and say in it what is the benchmark's to say."""
        changes = [f"name={way}-{seed}", f"seed={seed}"]
        if way in ("dpo", "more"):
            pairs = self.mine(seed)
            changes.append(f"data.path={pairs}")
        if self.steps:
            changes += [f"training.steps={self.steps}", "training.epochs=null"]
        if way == "rloo":
            return self._rloo(seed)
        if way != "more":
            recipe = read_recipe(RECIPES / f"{way}-tiny.yaml", KINDS, changes)
            assert isinstance(recipe, TrainRecipe)
            return recipe
        return self._more(changes, seed)

    def _rloo(self, seed: int) -> TrainRecipe:
        """Take the settings of `grpo-tiny`, and the other rule."""
        grpo = self.recipe("grpo", seed)
        assert isinstance(grpo, GrpoRecipe)
        fields = grpo.model_dump(mode="json", exclude={"grpo"})
        changed = {"kind": "rloo", "name": f"rloo-{seed}", "rloo": {"beta": grpo.grpo.beta}}
        return check_settings("grpo-tiny as rloo", RlooRecipe, {**fields, **changed})

    def _more(self, changes: list[str], seed: int) -> TrainRecipe:
        """Go on fine-tuning as `dpo-tiny` goes on: the same rows, steps and adapter, and the right answers alone."""
        dpo = self.recipe("dpo", seed)
        kept = dpo.training.model_dump(mode="json")
        length = {"steps": kept["steps"], "epochs": kept["epochs"]}
        assert dpo.adapter is not None
        changes += [
            f"adapter={json.dumps(dpo.adapter.model_dump(mode='json', exclude_defaults=True))}",
            f"data={json.dumps({**_plain_data(dpo), **AS_PAIRS})}",
            *(f"training.{key}={json.dumps(value)}" for key, value in length.items()),
            *(f"training.{key}={json.dumps(kept[key])}" for key in ("batch_size", "accumulation")),
            "training.learning_rate=3.0e-4",
            "packing=false",
        ]
        changes += [f"watch.{key}={json.dumps(getattr(dpo.watch, key))}" for key in ("log_every", "evaluate_every")]
        recipe = read_recipe(RECIPES / "cpu-tiny-restoration.yaml", KINDS, changes)
        assert isinstance(recipe, TrainRecipe)
        return recipe


def _is_korean(text: str) -> bool:
    hangul = sum("가" <= letter <= "힣" for letter in text)
    return 5 <= len(text) <= 100 and hangul >= len(text) / 2 and unicodedata.is_normalized("NFC", text)


def _plain_data(recipe: Any) -> dict[str, Any]:
    told: dict[str, Any] = recipe.data.model_dump(mode="json", exclude_defaults=True)
    return {key: told[key] for key in ("path", "validation_share", "rows") if key in told}


def measure(bench: Bench, way: str, seed: int) -> dict[str, Any]:
    """Train one way with one seed, if that is not done, and score it; keep what each row added."""
    run = bench.run_of(way, seed)
    took = 0.0
    if way != START:
        recipe = bench.recipe(way, seed)
        done = train(
            recipe, run, measures=MEASURES, open_rewards=open_rewards, device="cpu", report_step=_step_counter(run)
        )
        took = float(done.result["seconds"])
    told: dict[str, Any] = {"way": way, "seed": seed, "seconds": took, "sets": {}}
    with open_engine(parse_engine(f"transformers:{run}")) as engine:
        cache = AnswerCache(ANSWERS / f"{way}-{seed}.jsonl")
        for name, row_set in bench.sets().items():
            found = evaluate(engine, row_set, cache=cache, measures=[MEASURE], unchanged_clean=False)
            score = found.scores[MEASURE]
            told["sets"][name] = {"rows": len(row_set.rows), MEASURE: [score.value, score.low, score.high]}
            np.save(_tally_of(way, seed, name), found.tallies[MEASURE])
    return told | {"measured": f"{date.today().isoformat()}, {machine()}"}


def compare(told: dict[str, Any]) -> None:
    """Add to a way's figures what it has more than the fine-tuned model on the same rows."""
    for name, one in told["sets"].items():
        first, second = np.load(_tally_of(START, 0, name)), np.load(_tally_of(told["way"], told["seed"], name))
        one["to_sft"] = list(asdict(difference(first, second)).values())[:4]


def machine() -> str:
    """Name what the figures were measured on."""
    import torch

    return f"{platform.machine()}, {os.cpu_count()} processors, torch {torch.__version__.partition('+')[0]}"


def _tally_of(way: str, seed: int, name: str) -> Path:
    return ANSWERS / f"{way}-{seed}.{''.join(one if one.isalnum() else '-' for one in name)}.npy"


def _counter(what: str) -> Any:
    return lambda done, total: print(f"\r{what}: {done:,} of {total:,}", end="", file=sys.stderr)


def _step_counter(run: Path) -> Any:
    return lambda step, steps, line: print(f"\r{run.name}: step {step:,} of {steps:,}", end="", file=sys.stderr)


def read_results() -> dict[str, dict[str, Any]]:
    """Read what was measured so far, by way and seed."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.is_file() else {}


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print, and write if told so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--start", default="runs/cpu-tiny-restoration", help="the fine-tuned model")
    parser.add_argument("--prepared", type=Path, default=Path("prepared/restoration-pairs"))
    parser.add_argument("--runs", type=Path, default=Path("runs/align"), help="where the new runs go")
    parser.add_argument("--mined", type=int, default=4000, help="training rows in which mistakes are looked for")
    parser.add_argument("--steps", type=int, help="of each training, in the place of the recipe's")
    parser.add_argument("--no-outside", dest="outside", action="store_false", help="leave out the sets of eval/")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", action="store_true", help="keep the figures in align.json, and fill the docs")
    told = parser.parse_args(given)
    bench = Bench(told.start, told.prepared, told.runs, told.mined, told.steps, told.outside)
    figures = read_results()
    ANSWERS.mkdir(parents=True, exist_ok=True)
    asked = [(way, seed) for way in told.ways for seed in told.seeds]
    for way, seed in [(START, 0), *asked] if asked else []:
        found = measure(bench, way, seed)
        if way != START:
            compare(found)
        figures[f"{way}-{seed}"] = found | {"start": sha256_of(_weights(told.start))[:12]}
        if told.write:
            write_json(RESULTS, figures)
    print(json.dumps(figures, ensure_ascii=False) if told.json else "\n" + proof_of_alignment(figures))
    if told.write:
        write_all_tables(check=False)


def _weights(start: str) -> Path:
    found = next(iter(sorted(Path(start).glob("*/*.safetensors"))), None)
    if found is None:
        raise SystemExit(f"found no finished run {start}; make it: hanpuri train cpu-tiny-restoration")
    return found


if __name__ == "__main__":
    main()
