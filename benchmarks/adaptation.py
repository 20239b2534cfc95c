"""
What `hanpuri adapt` gains on the evaluation sets, and what it costs elsewhere.

In:  a user's texts, here lodging reviews that nobody may ship.   Out: a row a share of the way, the base's own first.

    python benchmarks/adaptation.py corpus/reviews/lodging.txt.xz [--base small] [--device cuda] [--passes 10]
        [--minutes 25] [--share 0.6 --share 1] [--rows 300] [--write]

One training serves all shares: what was learnt is mixed with the old weights, quantised and measured anew. With --write
the figures go into adaptation.json, from which the tables of docs/adapt.md are made. No weights are kept.
"""

import argparse
import datetime
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))  # for `python benchmarks/adaptation.py`

from benchmarks.adaptation_table import RESULTS, SETS  # noqa: E402
from hanpuri.compact.adapting.finishing import write_model  # noqa: E402
from hanpuri.compact.adapting.learning import count_items, learn, plan  # noqa: E402
from hanpuri.compact.adapting.settings import MINUTES_ON_CPU, MINUTES_ON_GPU, AdaptSettings  # noqa: E402
from hanpuri.compact.adapting.texts import Texts, divide  # noqa: E402
from hanpuri.compact.model_files import ModelFiles  # noqa: E402
from hanpuri.compact.restoring.phrases import Phrases  # noqa: E402
from hanpuri.compact.shipped_weights import load_shipped  # noqa: E402
from hanpuri.compact.weights import load_network  # noqa: E402
from hanpuri.data.files.sources import open_source  # noqa: E402
from hanpuri.engines.opening import open_engine  # noqa: E402
from hanpuri.engines.settings import EngineSettings  # noqa: E402
from hanpuri.errors import HanpuriError  # noqa: E402
from hanpuri.evaluation.evaluate import evaluate  # noqa: E402
from hanpuri.evaluation.rows import read_rows  # noqa: E402

Scores = dict[str, float]


def measure(model: Path, evaluation: Path, rows: int | None, threads: int) -> Scores:
    """Score a model's files: `char_accuracy` by the set's name, the share left alone by the name and " clean"."""
    settings = EngineSettings.model_validate({"engine": "compact", "model": str(model), "threads": threads})
    scores = {}
    with open_engine(settings) as engine:
        for name in SETS:
            row_set = read_rows(evaluation / f"{name}_dev.jsonl")
            every = 1 if rows is None else max(1, len(row_set.rows) // rows)
            found = evaluate(engine, replace(row_set, rows=row_set.rows[::every]), measures=("char_accuracy",))
            scores[name] = round(found.scores["char_accuracy"].value, 4)
            scores[f"{name} clean"] = round(found.scores["unchanged_clean"].value, 5)
    return scores


def adapt(base: str, texts: Texts, options: argparse.Namespace) -> Iterator[tuple[float, Scores, dict[str, Any]]]:
    """Learn once, and score each share of the way; share 0 is the base."""
    device = torch.device(options.device)
    files = ModelFiles.find(base)
    network, vocabulary, _ = load_shipped(files)
    yield 0.0, measure(files.folder, options.eval, options.rows, options.threads), {}
    settings = AdaptSettings(passes=options.passes, pull=options.pull, learning_rate=options.rate, seed=options.seed)
    minutes = options.minutes or (MINUTES_ON_CPU if device.type == "cpu" else MINUTES_ON_GPU)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.txt").write_text("\n".join(texts.learnt) + "\n", encoding="utf-8")
        path, items = folder / "texts.txt", count_items(texts.learnt)
        recipe = plan(folder, path, settings, network, num_items=items, seconds=60 * minutes, device=device)
        print(f"  {recipe.training.model_dump(include={'steps', 'seconds', 'batch_tokens'})}", flush=True)
        started = time.monotonic()
        learnt = learn(recipe, folder, (network, vocabulary), pull=settings.pull, device=device, report=_say)
        items = learnt.step * recipe.training.batch_tokens
        seconds = json.loads((folder / "result.json").read_text(encoding="utf-8"))["seconds"]
        about = {"steps": learnt.step, "items": items, "seconds": seconds, "wall": round(time.monotonic() - started, 1)}
        new, _ = load_network(folder)
        phrases = Phrases.count(texts.learnt)
        for share in options.share:
            made = write_model(folder / "made", new, vocabulary, recipe, network, share, phrases)
            yield share, measure(made.folder, options.eval, options.rows, options.threads), about


def _say(step: int, metrics: dict[str, float]) -> None:
    if step % 100 == 0 and "loss" in metrics:
        told = f"{metrics['progress']:.0%} loss {metrics['loss']:.4f} {metrics['items_per_second']:,.0f} items/s"
        print(f"  step {step}: {told}", flush=True)


def main() -> None:
    """Measure, print, and write if told so."""
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", type=Path)
    parser.add_argument("--base", action="append", default=[])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--share", action="append", type=float, default=[])
    parser.add_argument("--passes", type=float, default=AdaptSettings().passes)
    parser.add_argument("--pull", type=float, default=AdaptSettings().pull)
    parser.add_argument("--rate", type=float, default=AdaptSettings().learning_rate)
    parser.add_argument("--minutes", type=float, help="for the steps alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, help="about so many rows of each set, for a look")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eval", type=Path, default=Path("eval"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)  # else it takes what the environment says
    options.share = options.share or [AdaptSettings().share]
    rows = [row.text for row in open_source(options.texts).rows()]
    results = {}
    for base in options.base or ["base"]:
        texts = divide(rows, load_shipped(ModelFiles.find(base))[1], options.seed)
        scores: dict[str, Scores] = {}
        about: dict[str, Any] = {}
        for share, found, about in adapt(base, texts, options):
            scores[f"{share:g}"] = found
            print(f"{base} {options.device} share {share:g} {json.dumps(found)} {json.dumps(about)}", flush=True)
        called = f"{Path(base).name}, {'GPU' if options.device.startswith('cuda') else 'CPU'}"
        results[called] = {**about, "scores": scores, "date": datetime.date.today().isoformat()}
    if options.write:
        before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
        results = {**before, **results}
        RESULTS.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except HanpuriError as error:
        sys.exit(str(error))
