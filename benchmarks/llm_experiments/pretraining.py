"""
A llama from nothing: seven small runs, the law that they follow, what it says of the large run, and the large run.

In: the corpora of `korean-llama`. Out: runs, results/foretold.json (before the large run), results/pretraining.json:

    python -m benchmarks.llm_experiments.pretraining law --runs runs        seven runs side by side on one GPU
    python -m benchmarks.llm_experiments.pretraining foretell --runs runs   before the large run is there
    python -m benchmarks.llm_experiments.pretraining large --runs runs --gpus 2 --stop-after 500
    python -m benchmarks.llm_experiments.pretraining figures --runs runs    a row a run

    law-5m-105m   N 5,160,960, D 104,857,600  ─►  1.52 bits per byte          (made up)

Every run is `hanpuri train korean-llama` with other sizes, so that texts, tokenizer and held-out documents are alike.
`--set` is passed on to each. `--tiny` runs all on a processor, in sizes that say nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.llm_experiments.rates import matrices, operations, product_rate, speed

REPOSITORY = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results")
RECIPE = "korean-llama"
STEP_TOKENS = 65_536  # of a small run
ACCUMULATION = 2  # parts of a batch of the large one, as its recipe has it
MEGA = 1_000_000


class Size(NamedTuple):
    """A small model."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    learning_rate: float


SIZES = {
    "5m": Size(256, 704, 7, 4, 3e-3),
    "16m": Size(384, 1024, 10, 6, 2e-3),
    "39m": Size(640, 1728, 9, 10, 1.4e-3),
}
# Crossed: small models on more text than large ones have, so that the law can tell what each of the two does.
LAW = (("5m", 400), ("5m", 800), ("5m", 1600), ("16m", 400), ("16m", 800), ("39m", 400), ("39m", 800))
TINY = (
    *("tokenizer.train.vocab_size=1000", "tokenizer.train.characters=300000", "max_length=64", "data.whole=false"),
    *("training.accumulation=1", "training.batch_size=4", "training.compile=false", "data.validation_documents=20"),
)
TINY_SIZES = {"5m": Size(16, 32, 1, 2, 3e-3), "16m": Size(32, 64, 1, 2, 3e-3), "39m": Size(64, 128, 2, 2, 3e-3)}


def main() -> None:
    """Do one part."""
    options = read_options()
    parts = {"law": run_law, "foretell": foretell, "large": run_large, "figures": figures}
    sys.exit(parts[options.part](options))


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm_experiments.pretraining")
    parser.add_argument("part", choices=["law", "foretell", "large", "figures"])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="passed on to each run")
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="seconds of a run")
    parser.add_argument("--at-once", type=int, default=len(LAW), help="small runs side by side")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs: small runs take turns, the large one takes all")
    parser.add_argument("--share", type=int, default=1, help="cut each batch in so many, where memory lacks")
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


def name_of(size: str, steps: int) -> str:
    """
    Name a small run by its parameters and tokens.

    >>> name_of("5m", 1600)
    'law-5m-105m'
    """
    return f"law-{size}-{round(steps * STEP_TOKENS / MEGA)}m"


def sets_of(size: str, steps: int, options: argparse.Namespace) -> list[str]:
    """Say what a small run has in the place of what the recipe says."""
    chosen = (TINY_SIZES if options.tiny else SIZES)[size]
    steps = steps // 100 if options.tiny else steps
    scratch = {**chosen._asdict(), "num_key_value_heads": 2}
    rate = scratch.pop("learning_rate")
    told = [f"model.scratch.{key}={value}" for key, value in scratch.items()]
    told += [f"training.steps={steps}", f"training.learning_rate={rate}", f"watch.evaluate_every={steps}"]
    told += [f"training.batch_size={64 // options.share}", f"training.accumulation={options.share}"]
    return [*told, *(TINY if options.tiny else ()), *options.overrides]


def command(name: str, sets: Sequence[str], options: argparse.Namespace) -> list[str]:
    """Write the command of a run."""
    told = [sys.executable, "-m", "hanpuri", "train", RECIPE, "--runs", str(options.runs), "--set", f"name={name}"]
    limit = [] if options.stop_after == float("inf") else ["--stop-after", str(options.stop_after)]
    return [*told, *(part for one in sets for part in ("--set", one)), *limit]


def run_law(options: argparse.Namespace) -> int:
    """Train the small models, the longest first; those that are finished are left as they are."""
    waiting = sorted(LAW, key=lambda one: -sum(SIZES[one[0]][:3]) * one[1])
    (options.runs / "logs").mkdir(parents=True, exist_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    failed, started = [], 0
    while waiting or running:
        while waiting and len(running) < options.at_once:
            size, steps = waiting.pop(0)
            name = name_of(size, steps)
            running[name] = start(name, sets_of(size, steps, options), options, gpu=started % options.gpus)
            started += 1
            if started == 1:  # it encodes the texts with all processors, and the others find them encoded
                wait_for_texts(options.runs / name, running[name])
        name, process = next(iter(running.items()))
        if process.wait():
            failed.append(name)
            print(f"{name}: {last_line(options.runs / 'logs' / f'{name}.log')}", flush=True)
        del running[name]
        print(f"{name}: ended", flush=True)
    return 1 if failed else 0


def start(name: str, sets: Sequence[str], options: argparse.Namespace, gpu: int) -> "subprocess.Popen[bytes]":
    """Start a run in a process of its own, with a log, on one GPU of those that are seen."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    place = seen[gpu] if gpu < len(seen) and seen[gpu] else str(gpu)
    with (options.runs / "logs" / f"{name}.log").open("ab") as log:
        told = {**os.environ, "CUDA_VISIBLE_DEVICES": place}
        return subprocess.Popen(command(name, sets, options), stdout=log, stderr=subprocess.STDOUT, env=told)


def wait_for_texts(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a run has its texts encoded, and has looked at them; or has ended."""
    while process.poll() is None and not (folder / "preflight.json").is_file():
        time.sleep(0.2)


def last_line(path: Path) -> str:
    """Give what a process said last."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "said nothing")


def large_tokens(options: argparse.Namespace) -> tuple[int, int]:
    """Give N and D of the large run, from its recipe."""
    from hanpuri.recipe import read_recipe
    from hanpuri.training.recipe import KINDS, PretrainRecipe

    place = REPOSITORY / "hanpuri" / "recipes" / f"{RECIPE}.yaml"
    recipe = read_recipe(place, KINDS, [*(TINY if options.tiny else ()), *options.overrides])
    assert isinstance(recipe, PretrainRecipe)
    sizes, told = recipe.model.scratch, recipe.training
    assert sizes
    assert told.steps
    shape = {
        "hidden_size": sizes.hidden_size,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.num_heads,
        "num_key_value_heads": sizes.num_key_value_heads,
        "intermediate_size": sizes.intermediate_size,
    }
    norms = (2 * sizes.num_layers + 1) * sizes.hidden_size
    return matrices(shape) + norms, told.steps * told.batch_size * told.accumulation * recipe.max_length


def foretell(options: argparse.Namespace) -> int:
    """Fit the small runs, and write what they say of the large one; once that has begun, what was written stands."""
    place = options.results / "foretold.json"
    if (options.runs / RECIPE / "metrics.jsonl").exists():
        if place.is_file():
            print(
                f"{RECIPE} has begun; the prediction of {json.loads(place.read_text(encoding='utf-8'))['when']} stands"
            )
            return 0
        print(f"{options.runs / RECIPE} is there: it is too late to foretell it", file=sys.stderr)
        return 2
    parameters, tokens = large_tokens(options)
    runs = [str(options.runs / name_of(*one)) for one in LAW]
    fit = [sys.executable, "-m", "hanpuri", "scaling-law", *runs, "--at", f"{parameters},{tokens}", "--json"]
    done = subprocess.run(fit, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return done.returncode
    told = {"when": datetime.now(UTC).isoformat(timespec="seconds"), **json.loads(done.stdout)}
    write(place, told)
    loss = told["foretold"][0]["loss"]
    print(
        f"{RECIPE}: N {parameters:,}, D {tokens:,}: {loss['value']:.4f} {told['unit']}"
        f" ({loss['low']:.4f} to {loss['high']:.4f})"
    )
    return 0


def run_large(options: argparse.Namespace) -> int:
    """Train the large model, or go on with it: on several GPUs, each takes as many rows fewer of the same batch."""
    sets = [*(TINY if options.tiny else ()), *options.overrides]
    if options.gpus == 1:
        return subprocess.run(command(RECIPE, sets, options), check=False).returncode
    if options.gpus != ACCUMULATION:
        told = f"--gpus {options.gpus}: a batch of the recipe is {ACCUMULATION} parts, give 1 or {ACCUMULATION}"
        print(told, file=sys.stderr)
        return 2
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(options.gpus)]
    python, *rest = command(RECIPE, [*sets, "training.accumulation=1"], options)
    return subprocess.run([python, *launcher, *rest], check=False).returncode


def figures(options: argparse.Namespace) -> int:
    """Write a row a finished run: what it learnt from, how fast, how much of the GPU, and what came out."""
    rate = product_rate()
    rows = {}
    for name in (*(name_of(*one) for one in LAW), RECIPE):
        row = figures_of(options.runs / name, rate)
        if row:
            rows[name] = row
            print(json.dumps({"name": name, **row}))
    write(options.results / "pretraining.json", {"product_rate": rate, "runs": rows})
    return 0


def figures_of(folder: Path, rate: float | None) -> dict[str, Any]:
    """Read a run's folder; nothing if it is not finished."""
    from hanpuri.runs.reading import read_json, read_run

    run = read_run(folder)
    if not run.result.get("finished"):
        return {}
    config = read_json(folder / "model" / "config.json")
    length = int(str(run.recipe["max_length"]))
    tokens_per_second = speed(run.lines)
    each, gpus = operations(config, length), run.result.get("processes", 1)
    return {
        "parameters": run.result["parameters"],
        "matrices": matrices(config),
        "tokens": run.result["tokens"],
        "bits_per_byte": run.evaluations[-1].get("eval_bits_per_byte"),
        "loss": run.evaluations[-1].get("eval_loss"),
        "seconds": run.result["seconds"],
        "tokens_per_second": tokens_per_second,
        "share": tokens_per_second * each / rate / gpus if tokens_per_second and rate else None,
        "gpus": gpus,
        "peak_memory_bytes": run.result["peak_memory_bytes"],
        "device": run.result["device"],
    }


def write(place: Path, told: dict[str, Any]) -> None:
    """Write results."""
    from hanpuri.runs.files import write_json

    place.parent.mkdir(parents=True, exist_ok=True)
    write_json(place, told)


if __name__ == "__main__":
    main()
