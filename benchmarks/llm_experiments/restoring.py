"""
The grid of restoration: trains each way of `ways`, asks it three sets of rows, and keeps a file a way.

In: runs/korean-llama, the prepared pairs, the sets of eval/ (scored only). Out: results/restoring/<way>.json:

    python -m benchmarks.llm_experiments.restoring --runs runs                     all ways that are not there yet
    python -m benchmarks.llm_experiments.restoring --runs runs --only base lora    these
    python -m benchmarks.llm_experiments.restoring --table                         prints what is there
    python -m benchmarks.llm_experiments.restoring --table --over epochs-7         what each gains over that one
    hanpuri runs compare restoring-base restoring-lora                             the same beside each other, by run

Several of these may go on at the same time, each with `--only` of its own: a way is a process's own. Trainings are
`hanpuri train`, and go on where they were cut off. Of each row of a set is kept what it adds to char_accuracy, so that
two ways are compared on the same rows; no text is kept.

--tiny takes the model of `cpu-tiny` and four rows, to try the road on a processor.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.llm_experiments.ways import WAYS, Way, find_way
from hanpuri.errors import HanpuriError

RESULTS = Path(__file__).with_name("results") / "restoring"
SETS = {"reviews_gold": 154, "prose_gold": 500, "reviews_silver": 200}
MEASURES = ("char_accuracy", "exact_match", "cer", "wrong_length")
MEASURE = "char_accuracy"
LEARNT_LENGTH = 500
"""Characters of the longest text that was trained on; rows up to here are scored apart too."""
TINY = (
    *("training.steps=3", "training.epochs=null", "training.batch_size=4", "training.accumulation=1"),
    *("examples.max_length=400", "watch.evaluate_every=3", "training.optimizer=adamw_torch"),
)
TINY_GRPO = (
    *("training.batch_size=8", "sampling.max_new_tokens=8", "sampling.answers=4", "examples.max_length=200"),
    *("watch.generation.max_new_tokens=8", "watch.generation.rows=4"),
)


def main() -> None:
    """Do the ways that are asked for."""
    options = read_options()
    if options.table:
        print_table(read_rows(options.results), options.over)
        return
    for name in options.only:
        way = find_way(name)
        if "sets" not in read_row(name, options.results) or options.again:
            try:
                do(way, options)
            except (subprocess.CalledProcessError, HanpuriError) as error:  # one that fails must not end the others
                told = " ".join(error.cmd[2:5]) if isinstance(error, subprocess.CalledProcessError) else error
                print(f"{name}: failed: {told}", file=sys.stderr, flush=True)


def read_options(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm_experiments.restoring")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--model", help="the pre-trained model; its run in --runs, if not given")
    parser.add_argument("--only", nargs="+", default=[way.name for way in WAYS], choices=[way.name for way in WAYS])
    parser.add_argument("--batch-size", type=int, default=128, help="rows that are answered together")
    parser.add_argument("--device")
    parser.add_argument("--engine", help="ask with this one, and not with that of the way")
    parser.add_argument("--precision", default="auto", help="what the answers are computed in")
    parser.add_argument("--no-train", dest="train", action="store_false", help="ask runs that came from elsewhere")
    parser.add_argument("--again", action="store_true", help="do also what is there already")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--over", choices=[way.name for way in WAYS], help="with --table: gains over this way")
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args(given)


def do(way: Way, options: argparse.Namespace) -> None:
    """Train a way, if it has a training of its own, ask it, and keep what came out."""
    began = time.monotonic()
    folder = options.runs / f"restoring-{way.of or way.name}"
    if options.train and not way.of:
        made = make(way, options)
        run_hanpuri([*train_command(way, options, made), "--runs", str(options.runs)])
    prepared = time.monotonic() - began
    row = {"name": way.name, "differs": way.differs, "of": way.of, "seconds_before": round(prepared, 1)}
    row |= facts_of(folder)
    if not way.of:  # what the training came to is known, also if the answers are cut off
        write_row(row, options.results)
    row |= ask(way, model_of(folder), options)
    write_row(row, options.results)
    keep_with_run(row, folder if not way.of else None)
    print(line_of(row), flush=True)


def write_row(row: dict[str, Any], results: Path) -> None:
    """Write what is known of a way."""
    from hanpuri.runs.files import write_json

    results.mkdir(parents=True, exist_ok=True)
    write_json(results / f"{row['name']}.json", row)


def run_hanpuri(told: Sequence[str]) -> None:
    """Run a command of hanpuri."""
    subprocess.run([sys.executable, "-m", "hanpuri", *told], check=True, stdout=subprocess.DEVNULL)


def make(way: Way, options: argparse.Namespace) -> str:
    """Make what a way learns from, if it is not there."""
    if not way.make:
        return ""
    made = options.runs / f"made-{way.name}.jsonl"
    if made.is_file():
        return str(made)
    places = {
        "{run}": str(options.runs / f"restoring-{way.begins}"),
        "{made}": str(made),
        "{runs}": str(options.runs),
        "{first}": str(options.model or options.runs / "korean-llama"),
    }
    for command in way.make:
        told = [filled(part, places) for part in command]
        if command[0] == "prefer" and Path(told[told.index("--out") + 1]).is_file():
            continue
        if command[0] == "train":
            told += [part for one in TINY if options.tiny for part in ("--set", one)]
        else:
            told += ["--rows", "6", "--max-new-tokens", "20"] if options.tiny else []
            told += ["--batch-size", str(options.batch_size)]
        run_hanpuri(told)
    return str(made)


def filled(told: str, places: dict[str, str]) -> str:
    """
    Put folders in the place of their marks.

    >>> filled("model:{runs}/reward", {"{runs}": "/tmp"})
    'model:/tmp/reward'
    """
    for mark, place in places.items():
        told = told.replace(mark, place)
    return told


def train_command(way: Way, options: argparse.Namespace, made: str) -> list[str]:
    """Write the command of a way's training."""
    start = options.runs / f"restoring-{way.begins}" if way.begins else options.model or options.runs / "korean-llama"
    sets = [f"name=restoring-{way.name}", f"model.path={start}", *way.sets]
    if made and not any("{made}" in one for one in way.sets):
        sets.append(f"data.path={made}")
    sets = [filled(one, {"{made}": made}) for one in sets]
    if options.tiny and way.recipe == "korean-llama-rounds":
        sets += ["rounds=1", "prompts.rows=8", "prompts.longest=40", "held_out.longest=20", "held_out.rows=4"]
        sets += ["held_out.max_new_tokens=8", "stages.0.max_new_tokens=8", "stages.0.above=null"]
        sets += ["stages.1.examples.max_length=128", "stages.2.mistakes.max_new_tokens=8", "stages.2.training.steps=2"]
    elif options.tiny:
        sets += TINY if way.recipe != "restoration-grpo" else (*TINY, *TINY_GRPO)
    return ["train", way.recipe, *(part for one in sets for part in ("--set", one))]


def model_of(folder: Path) -> Path:
    """Find what a run came to; of rounds, the model of the best one."""
    told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return Path(told["best"]) if told.get("kind") == "rounds" else folder


def facts_of(folder: Path) -> dict[str, Any]:
    """Say what a training took."""
    told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    keys = ("method", "steps", "tokens", "seconds", "peak_memory_bytes", "trainable_parameters", "device", "train_rows")
    return {"training": {key: told.get(key) for key in (*keys, "scores")}}


def ask(way: Way, model: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Ask the three sets, and score the answers."""
    from hanpuri.engines.opening import open_engine
    from hanpuri.engines.settings import parse_engine
    from hanpuri.evaluation.evaluate import evaluate, usual_decoding
    from hanpuri.evaluation.rows import read_rows as read_eval_rows

    device = f",device={options.device}" if options.device else ""
    device += f",precision={options.precision}" if options.precision != "auto" else ""
    settings = parse_engine(f"{options.engine or way.engine}:{model}{way.options}{device}")
    found: dict[str, Any] = {}
    with open_engine(settings) as engine:
        for name, most in SETS.items():
            whole = read_eval_rows(Path("eval") / f"{name}_dev.jsonl")
            rows = replace(whole, rows=whole.rows[: 2 if options.tiny else most])
            decoding = replace(usual_decoding(rows), temperature=way.temperature, batch_size=options.batch_size)
            if options.tiny:
                decoding = replace(decoding, max_new_tokens=8)
            given = evaluate(engine, rows, decoding, measures=MEASURES, unchanged_clean=False)
            found[name] = scores_of(given)
    return {"sets": found, "engine": settings.engine, "asked_on": device_name(options.device)}


def device_name(device: str | None) -> str:
    """Name what the answers were computed on."""
    import torch

    return "processor" if device == "cpu" or not torch.cuda.is_available() else torch.cuda.get_device_name()


def scores_of(given: Any) -> dict[str, Any]:
    """Keep of an evaluation the scores with intervals, time, and what each row adds."""
    from hanpuri.evaluation.significance import interval

    tally = given.tallies[MEASURE]
    short = [place for place, row in enumerate(given.row_set.rows) if len(row.asked) <= LEARNT_LENGTH]
    return {
        "rows": len(given.answers),
        "scores": {name: figures(score) for name, score in given.scores.items() if name in MEASURES},
        "short": {"rows": len(short), MEASURE: figures(interval(tally[short])) if short else None},
        "seconds": round(given.seconds, 2),
        "tokens": sum(answer.num_tokens for answer in given.answers),
        "peak_memory_bytes": given.peak_memory_bytes,
        "tally": tally.tolist(),
    }


def figures(score: Any) -> list[float]:
    """Round a score and its bounds."""
    return [round(one, 5) for one in asdict(score).values()]


def keep_with_run(row: dict[str, Any], folder: Path | None) -> None:
    """Put the scores beside the run, where `hanpuri runs compare` finds them."""
    from hanpuri.runs.files import write_json

    if folder is not None and folder.is_dir():
        sets = row["sets"].items()
        told = {f"{name} {measure}": score for name, one in sets for measure, score in one["scores"].items()}
        write_json(folder / "evaluation.json", told)


def read_rows(results: Path) -> dict[str, dict[str, Any]]:
    """Read those that are done, in the order of the table."""
    found = {way.name: read_row(way.name, results) for way in WAYS}
    return {name: row for name, row in found.items() if "sets" in row}


def read_row(name: str, results: Path) -> dict[str, Any]:
    """Read what is known of a way; nothing if it was not begun, no "sets" if it was only trained."""
    path = results / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def print_table(rows: Mapping[str, dict[str, Any]], over: str | None) -> None:
    """Print what is there, or what each way gains over one of them."""
    if over and over not in rows:
        sys.exit(f"{over} has no answers yet: name one of {', '.join(rows)}")
    for name, row in rows.items():
        gains = (f"{one} {gain_over(rows[over], row, one)}" for one in SETS) if over else ()
        print(f"{name:<16}{'  '.join(gains)}" if over else line_of(row))


def gain_over(first: Mapping[str, Any], second: Mapping[str, Any], name: str) -> str:
    """Write what one way gains over another on the same rows of a set, with its bounds."""
    from hanpuri.evaluation.significance import difference

    gain = difference(*(np.array(way["sets"][name]["tally"], float) for way in (first, second)))
    chance = "" if gain.p_value < 0.05 else ", may be chance"
    return f"{gain.value:+.4f} ({gain.low:+.3f} to {gain.high:+.3f}{chance})"


def line_of(row: dict[str, Any]) -> str:
    """Write a row in a line."""
    told = "  ".join(f"{name} {one['scores'][MEASURE][0]:.4f}" for name, one in row["sets"].items())
    asked = sum(one["seconds"] for one in row["sets"].values())
    return f"{row['name']:<16}{told}  {row['seconds_before']:.0f} s before, {asked:.0f} s of answers"


if __name__ == "__main__":
    main()
