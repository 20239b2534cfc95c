"""
What the shipped models reach on every evaluation set; with --write the figures go into their cards.

In:  eval/*_dev.jsonl.   Out: a table, a row a model and set, with and without the feasible-originals constraint.

    python benchmarks/accuracy.py [MODEL or FOLDER …] [--write]

`kotox_dev` holds kinds of hiding that change the length and that the models are not made for; its rows are kept apart:
what is measured there is the character error rate against leaving the text as it is.
"""

import datetime
import json
import platform
import sys
from pathlib import Path

from hanpuri.compact.model_files import ModelFiles
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import EngineSettings
from hanpuri.errors import ModelError
from hanpuri.evaluation.evaluate import evaluate
from hanpuri.evaluation.rows import read_rows

SETS = ("reviews_gold", "prose_gold", "reviews_silver")
MEASURES = ("char_accuracy", "char_f1", "exact_match", "cer")
FOLDER = Path("eval")

Scores = dict[str, float]


def measure(settings: EngineSettings, name: str, *, clean: bool = True) -> Scores:
    """Score one engine on one set."""
    with open_engine(settings) as engine:
        found = evaluate(engine, read_rows(FOLDER / f"{name}_dev.jsonl"), measures=MEASURES, unchanged_clean=clean)
    return {"rows": len(found.answers), **{measure: one.value for measure, one in found.scores.items()}}


def compact(model: str, feasible: str = "off") -> EngineSettings:
    """Choose a shipped model, with two threads."""
    return EngineSettings.model_validate({"engine": "compact", "model": model, "aligned": feasible, "threads": 2})


def measure_kotox(model: str) -> dict[str, float]:
    """The character error rate on all of kotox_dev: as it is, and restored."""
    engines = {"as it is": EngineSettings(engine="echo"), "restored": compact(model)}
    return {name: round(measure(engine, "kotox", clean=False)["cer"], 4) for name, engine in engines.items()}


def write_card(files: ModelFiles, scores: dict[str, Scores], kotox: dict[str, float]) -> None:
    """Put the figures into the model's card.json."""
    card = {
        **files.card,
        "char_accuracy": {name: round(one["char_accuracy"], 4) for name, one in scores.items()},
        "char_f1": {name: round(one["char_f1"], 4) for name, one in scores.items()},
        "exact_match": {name: round(one["exact_match"], 4) for name, one in scores.items()},
        "cer": {name: round(one["cer"], 4) for name, one in scores.items()},
        "unchanged_clean": {name: round(one["unchanged_clean"], 5) for name, one in scores.items()},
        "kotox_cer": kotox,
        "measured": {
            "command": "python benchmarks/accuracy.py --write",
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, 2 threads",
        },
    }
    path = files.folder / "card.json"
    path.write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def find_models(models: list[str]) -> list[ModelFiles]:
    """Find models by name or folder, the shipped ones if none is named; one that is not there ends the program."""
    try:
        return [ModelFiles.find(model) for model in models] or list(ModelFiles.shipped())
    except ModelError as error:
        raise SystemExit(str(error)) from None


def main(models: list[str], write: bool) -> None:
    """Print the table of the shipped models, or of others by name or folder, and write their cards if told so."""
    chosen = find_models(models)
    columns = ("set", 15), ("rows", 5), ("char_acc", 9), ("char_f1", 8), ("exact", 7), ("cer", 7), ("clean", 8)
    print("model  ", *(f"{name:>{width}}" for name, width in columns), " feasible")
    for files in chosen:
        model, scores = str(files.folder), {}
        for name in SETS:
            one = scores[name] = measure(compact(model), name)
            held = measure(compact(model, "airbnb"), name, clean=False)["char_accuracy"]
            print(
                f"{files.name:<7} {name:>15} {one['rows']:>5} {one['char_accuracy']:>9.4f} {one['char_f1']:>8.4f}"
                f" {one['exact_match']:>7.4f} {one['cer']:>7.4f} {one['unchanged_clean']:>8.5f} {held:>9.4f}",
                flush=True,
            )
        kotox = measure_kotox(model)
        print(f"{files.name:<7} kotox cer       {kotox}", flush=True)
        if write:
            write_card(files, scores, kotox)


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if name != "--write"], "--write" in sys.argv)
