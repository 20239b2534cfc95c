"""The command: runs each recipe in a process of its own, then the two proofs."""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.recipes_on_gpu.cases import CASES, KILLED, KILLED_AT, KILLED_FROM, PUBLISHED, Case
from benchmarks.recipes_on_gpu.figures import RECIPES, figures_of, line_of, metrics_of
from benchmarks.recipes_on_gpu.models import write_model
from benchmarks.recipes_on_gpu.turns import Turn, clocked, turn

RESULTS = Path(__file__).parents[1] / "recipes_on_gpu.json"


def main() -> None:
    """Run each recipe, then the two proofs; print a line each."""
    options = read_options()
    if options.one:
        print("ROW " + json.dumps(run_one(options.one, options)), flush=True)
        return
    for name in ("models", "runs", "logs"):
        (options.work / name).mkdir(parents=True, exist_ok=True)
    rows = run_all(options)
    for row in rows.values():
        print(line_of(row), flush=True)
    if options.write:
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True, help="where models and runs go: 50 GB")
    parser.add_argument("--prepared", type=Path, default=Path("prepared"))
    parser.add_argument("--corpora", type=Path, default=Path("corpus/open"))
    parser.add_argument("--tokenizers", type=Path, help="where tokenizers that were trained before lie")
    parser.add_argument("--only", nargs="*", default=[*CASES, "killed", "published"])
    parser.add_argument("--stop-steps", type=int, help="steps of the pre-training")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {RESULTS.name}")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_all(options: argparse.Namespace) -> dict[str, Any]:
    """Start all recipes, and the proofs as soon as the run is there that they need."""
    started = {name: start(name, options) for name in options.only if name in CASES}
    rows: dict[str, Any] = {}
    if "killed" in options.only:
        rows["killed"] = kill_and_go_on(options)
    if "published" in options.only:
        started[PUBLISHED].wait()
        started["published"] = start("published", options)
    for name, process in started.items():
        process.wait()
        rows[name] = result_of(name, options)
    if "killed" in rows and KILLED in started:
        rows["killed"]["largest_difference"] = largest_difference(options)
    return rows


def start(name: str, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Start one recipe or proof in a process of its own."""
    time.sleep(0.3)  # so that they come to their turns in this order
    command = [sys.executable, "-m", "benchmarks.recipes_on_gpu", *sys.argv[1:], "--one", name]
    with log_of(name, options).open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def log_of(name: str, options: argparse.Namespace) -> Path:
    """Where a process writes."""
    return Path(options.work / "logs" / f"{name}.log")


def result_of(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Read what a process found, or its last line if it found nothing."""
    lines = log_of(name, options).read_text(encoding="utf-8", errors="replace").splitlines()
    found = [line[4:] for line in lines if line.startswith("ROW ")]
    return dict(json.loads(found[-1])) if found else {"recipe": name, "failed": lines[-1] if lines else "said nothing"}


def kill_and_go_on(options: argparse.Namespace) -> dict[str, Any]:
    """End a run by kill -9 between two checkpoints, and start it again."""
    process = start("killed", options)
    while process.poll() is None and last_step(options.work / "runs" / "killed") < KILLED_AT:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    status, step = process.wait(), last_step(options.work / "runs" / "killed")
    start("killed", options).wait()
    return {**result_of("killed", options), "killed_at": step, "status": status}


def last_step(run: Path) -> int:
    """Tell how far a run's metrics go."""
    return max((line["step"] for line in metrics_of(run)), default=0)


def largest_difference(options: argparse.Namespace) -> float:
    """Hold the losses after the kill against those of the run that nobody killed."""
    runs = options.work / "runs"
    whole, killed = (
        {line["step"]: line["loss"] for line in metrics_of(runs / name) if "loss" in line}
        for name in (KILLED, "killed")
    )
    after = [abs(whole[step] - loss) for step, loss in killed.items() if step > KILLED_FROM and step in whole]
    return max(after, default=math.nan)


def run_one(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one recipe or proof in this process."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    load_libraries()
    if name == "published":
        return prove(options)
    case = CASES[KILLED if name == "killed" else name]
    seconds: dict[str, float] = {}
    if case.shape:
        with clocked(seconds, "making the model"), turn(options, "writing"):
            write_model(case.recipe, case.shape, options)
    from hanpuri.evaluation import metrics
    from hanpuri.recipe import read_recipe
    from hanpuri.training.recipe import KINDS, TrainRecipe
    from hanpuri.training.train import train

    overrides = [*case.overrides(options, name), *paths(case, options)]
    settings = read_recipe(RECIPES / f"{case.recipe}.yaml", KINDS, overrides)
    assert isinstance(settings, TrainRecipe)
    measures = {one: getattr(metrics, one) for one in ("char_accuracy", "exact_match", "token_f1")}
    own = Turn(options)
    began = time.monotonic()
    trained = train(
        settings,
        options.work / "runs" / name,
        measures=measures,
        report=lambda stage, done, total: own.take() if done == total else None,
        show=lambda checked: own.take(),
    )
    seconds["all of the run"] = time.monotonic() - began - own.waited
    return {**figures_of(case, settings, trained), "seconds": seconds}


def load_libraries() -> None:
    """Import what takes long, before any turn is taken."""
    from hanpuri.training.loading.hardware import import_bitsandbytes

    import_bitsandbytes()
    import peft  # noqa: F401
    import trl.trainer.sft_trainer  # noqa: F401


def paths(case: Case, options: argparse.Namespace) -> list[str]:
    """Say where the data lie."""
    if case.shape:
        from hanpuri.recipe import read_recipe
        from hanpuri.training.recipe import KINDS

        recipe: Any = read_recipe(RECIPES / f"{case.recipe}.yaml", KINDS)
        return [f"data.path={options.prepared / recipe.data.path.name}"]
    names = ("kowiki", "nsmc", "comments")
    return [f"data.corpora.{place}.path={options.corpora / name}.txt.xz" for place, name in enumerate(names)]


def prove(options: argparse.Namespace) -> dict[str, Any]:
    """Merge a run's adapter, and hold what is published against what was trained."""
    from hanpuri.training.publishing.publish import Options, publish

    own = Turn(options)
    own.take()
    began = time.monotonic()
    run = options.work / "runs" / PUBLISHED
    found = publish(run, str(options.work / "published"), Options(force=True), lambda line: print(line, flush=True))
    proof = found.proof.as_dict()
    proof.pop("questions")
    seconds = time.monotonic() - began
    return {"recipe": f"publish {PUBLISHED}", "seconds": seconds, "proof": json.loads(json.dumps(proof))}


if __name__ == "__main__":
    main()
