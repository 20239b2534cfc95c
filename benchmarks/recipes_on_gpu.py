"""
The shipped LLM recipes on a GPU, as they are: memory, speed, and how near the pre-flight came.

In: recipes, the folders and corpora that they name, and no weights: a model of the true shape is made on the spot with
random ones, and a tokenizer of the true size, of which the part for Korean is trained here and the rest are tokens that
no text has. Memory and time do not hang on what weights say; scores do, and are not looked at.   Out: a line a recipe:

    python benchmarks/recipes_on_gpu.py --work /tmp/models --prepared prepared --corpora corpus/open [--tiny] [--write]

Changed of a recipe are model.path, where the data lie, the number of steps, how often is looked, how many answers are
written and how long. Each recipe is a process of its own; they read and render side by side and take the GPU in turns.
Besides, one run is ended by kill -9 in its middle and goes on, and one is merged and proved (`hanpuri publish`). --tiny
shrinks the models, for a processor.

recipes_on_gpu.json holds what was measured on 2026-11-22: two of the four recipes, for want of time on the GPU, and it
names what was not. A run's peak is that of its evaluations too: with a model in 4 bits, answers take more than a step.
"""

import argparse
import fcntl
import json
import math
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

RESULTS = Path(__file__).with_name("recipes_on_gpu.json")
RECIPES = Path(__file__).parents[1] / "hanpuri" / "recipes"
GIB = 1 << 30
WARM_STEPS = 2  # the first ones compile kernels, and are no measure
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
QWEN3_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """A base model without its weights."""

    name: str
    model_type: str
    sizes: dict[str, Any]
    vocab_size: int
    korean: int
    """Tokens of the trained part; the others stand for those of other languages."""
    begins: bool
    """Whether a text begins with bos."""
    chat: str | None = None


@dataclass(frozen=True)
class Case:
    """A recipe, and what is changed of it."""

    recipe: str
    steps: int
    changes: list[str] = field(default_factory=list)
    shape: Shape | None = None
    """None for a model that the recipe makes itself."""

    def overrides(self, options: argparse.Namespace, name: str) -> list[str]:
        """What is set in place of what the recipe says."""
        told = [f"name={name}", "training.epochs=null", f"training.steps={self.steps}", *self.changes]
        if self.shape:
            told += [f"model.path={options.work / 'models' / self.recipe}"]
        if options.tiny:
            told += ["training.batch_size=2", "training.accumulation=1"]
            told += ["training.optimizer=adamw_torch"]
            told += ["data.rows=200"] if self.shape else SMALL
        if options.stop_steps and not self.shape:
            told += [f"training.steps={options.stop_steps}"]
        return told


POLYGLOT = Shape(
    "Polyglot-ko 12.8B",
    "gpt_neox",
    {
        "hidden_size": 5120,
        "intermediate_size": 20480,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "max_position_embeddings": 2048,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
    },
    vocab_size=30080,
    korean=30000,
    begins=False,
)
GEMMA = Shape(
    "gemma-ko-7b",
    "gemma",
    {
        "hidden_size": 3072,
        "intermediate_size": 24576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 256,
        "max_position_embeddings": 8192,
    },
    vocab_size=256000,
    korean=8000,
    begins=True,
)
QWEN3 = Shape(
    "Qwen3-0.6B",
    "qwen3",
    {
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 40960,
        "tie_word_embeddings": True,
    },
    vocab_size=151936,
    korean=8000,
    begins=False,
    chat=QWEN3_CHAT,
)
SMALL = [
    *("model.scratch.hidden_size=64", "model.scratch.num_layers=2", "model.scratch.num_heads=4"),
    *("model.scratch.num_key_value_heads=2", "tokenizer.train.vocab_size=2000", "max_length=128"),
    *("tokenizer.train.characters=300000", "data.validation_documents=50"),
]
FEW = ["watch.log_every=2", "watch.generation.max_new_tokens=64"]
CASES = {
    case.recipe: case
    for case in (
        Case(
            "qwen3-sft-lora",
            40,
            [*FEW, "watch.evaluate_every=20", "watch.generation.rows=8"],
            QWEN3,
        ),
        Case(
            "polyglot-ko-12.8b-koalpaca-qlora",
            12,
            [*FEW, "watch.evaluate_every=12", "watch.generation.rows=8", "watch.evaluation_rows=64"],
            POLYGLOT,
        ),
        Case(
            "gemma-ko-7b-restoration-qlora",
            16,
            [*FEW, "watch.evaluate_every=16", "watch.generation.rows=16"],
            GEMMA,
        ),
        Case("llama-pretrain-small", 30, ["watch.log_every=2", "data.validation_documents=400"]),
    )
}
KILLED, KILLED_FROM, KILLED_AT = "qwen3-sft-lora", 20, 26
PUBLISHED = "qwen3-sft-lora"


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
    command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
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


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """Read a run's metrics; the last line may be half written."""
    path = run / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    return [json.loads(line) for line in lines]


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
    return {**figures_of(case, settings, trained, options), "seconds": seconds}


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


@contextmanager
def clocked(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Note how long something takes."""
    began = time.monotonic()
    yield
    seconds[name] = time.monotonic() - began


@contextmanager
def turn(options: argparse.Namespace, name: str) -> Iterator[None]:
    """Wait for a turn among the processes of a folder; it ends with the process, kill -9 too."""
    with (options.work / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Turn:
    """The turn at the GPU: taken once, kept to the end of the process."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.place, self.waited = options.work / "gpu.lock", 0.0
        self.held: IO[str] | None = None

    def take(self) -> None:
        """Wait for it, unless it is held already."""
        if self.held is None:
            began = time.monotonic()
            self.held = self.place.open("w")
            fcntl.flock(self.held, fcntl.LOCK_EX)
            self.waited = time.monotonic() - began


# --- models and tokenizers


def write_model(name: str, shape: Shape, options: argparse.Namespace) -> None:
    """Make a model of a shape with random weights in bf16 and write it, with its tokenizer, as a download would lie."""
    folder = options.work / "models" / name
    if (folder / "config.json").is_file():
        return
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from hanpuri.training.loading.models import quiet_loading

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = make_tokenizer(shape, folder, options)
    sizes = {**shape.sizes, **({**TINY, "head_dim": 16} if options.tiny else {})}
    if options.tiny and "num_key_value_heads" in sizes:
        sizes["num_key_value_heads"] = 2
    ids = {"bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id, "pad_token_id": tokenizer.pad_id}
    config = AutoConfig.for_model(shape.model_type, **sizes, vocab_size=tokenizer.vocab_size, **ids)
    torch.manual_seed(0)
    torch.set_default_device(device)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    torch.set_default_device("cpu")
    with quiet_loading():
        model.save_pretrained(folder, max_shard_size="5GB")
    del model
    if device == "cuda":
        torch.cuda.empty_cache()


def make_tokenizer(shape: Shape, folder: Path, options: argparse.Namespace) -> Any:
    """Train the Korean part, and fill up to the true number of tokens with such as no text has."""
    from hanpuri.data.tokenizers import load_tokenizer

    trained = train_part(2000 if options.tiny else shape.korean, options)
    told = json.loads((trained / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = told["model"]["vocab"]
    for mark in ("<|im_start|>", "<|im_end|>") if shape.chat else ():
        vocabulary[mark] = len(vocabulary)
        told["added_tokens"].append({**told["added_tokens"][0], "id": vocabulary[mark], "content": mark})
    for number in range(len(vocabulary), 2100 if options.tiny else shape.vocab_size):
        vocabulary[f"\U000f0000{number}"] = number  # of the private use area
    if not shape.begins:
        told["post_processor"] = None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    settings = json.loads((trained / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {"chat_template": shape.chat, "eos_token": "<|im_end|>"} if shape.chat else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return load_tokenizer(folder)


def train_part(size: int, options: argparse.Namespace) -> Path:
    """Train a tokenizer on the corpora, or take the one of this size that is there."""
    from hanpuri.training.feeding.corpora import read_corpora
    from hanpuri.training.loading.vocabulary import train_tokenizer
    from hanpuri.training.recipe import CorporaSettings, TrainTokenizerSettings

    folder = (options.tokenizers or options.work / "tokenizers") / str(size)
    if not (folder / "tokenizer.json").is_file():
        corpora = [{"path": options.corpora / f"{name}.txt.xz"} for name in ("kowiki", "nsmc")]
        texts = read_corpora(CorporaSettings.model_validate({"corpora": corpora})).texts(20_000_000)
        train_tokenizer(TrainTokenizerSettings(vocab_size=size), texts, folder)
    return Path(folder)


# --- figures


def figures_of(case: Case, recipe: Any, trained: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Put together what a run took, and what its pre-flight had said."""
    import torch

    told = json.loads((trained.folder / "preflight.json").read_text(encoding="utf-8"))
    memory, probe, lines = told["memory"], told["probe"], metrics_of(trained.folder)
    step_seconds, tokens_per_second = speed_of(lines)
    on_gpu = torch.cuda.is_available()
    return {
        "recipe": case.recipe,
        "model": case.shape.name if case.shape else "made by the recipe",
        "parameters": trained.result["parameters"],
        "trainable_parameters": trained.result["trainable_parameters"],
        "steps": trained.step,
        "rows": told["figures"]["rows"],
        "tokens_a_row": round(told["figures"]["tokens"] / max(1, told["figures"]["rows"]), 1),
        "longest_row": told["figures"]["longest"],
        "step_seconds": step_seconds,
        "tokens_per_second": tokens_per_second,
        "peak_bytes": trained.result["peak_memory_bytes"],
        "estimated_peak_bytes": memory["total"] - memory["spare"],
        "probed_peak_bytes": probe["peak"],
        "evaluation_seconds": evaluations_of(lines),
        "probe": probe,
        "whole": whole_of(case, recipe, told, step_seconds),
        "first_loss": next(line["loss"] for line in lines if "loss" in line),
        "last_loss": next(line["loss"] for line in reversed(lines) if "loss" in line),
        "machine": torch.cuda.get_device_name() if on_gpu else platform.machine(),
        "versions": versions(),
        "seed": recipe.seed,
        "date": time.strftime("%Y-%m-%d"),
    }


def speed_of(lines: list[dict[str, Any]]) -> tuple[float, float]:
    """Give seconds a step and tokens a second, of all steps but the first few."""
    seconds = steps = tokens = 0.0
    before = {"step": 0, "tokens": 0}
    for line in lines:
        if "tokens_per_second" not in line:
            continue
        if line["step"] > before["step"] >= WARM_STEPS:
            learnt = line["tokens"] - before["tokens"]
            seconds += learnt / line["tokens_per_second"]
            steps += line["step"] - before["step"]
            tokens += learnt
        before = line
    return seconds / max(1, steps), tokens / max(1e-9, seconds)


def evaluations_of(lines: list[dict[str, Any]]) -> list[float]:
    """Give the seconds of each evaluation but the one before the first step: from the line of its step to its own."""
    logged = {line["step"]: line["time"] for line in lines if "loss" in line}
    seen = (line for line in lines if "eval_loss" in line and line["step"] in logged)
    return [round(seconds_between(logged[line["step"]], line["time"]), 2) for line in seen]


def seconds_between(first: Any, second: Any) -> float:
    """Subtract two times, as metrics.jsonl writes them."""
    if isinstance(first, int | float):
        return float(second - first)
    from datetime import datetime

    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()


def whole_of(case: Case, recipe: Any, told: dict[str, Any], step_seconds: float) -> dict[str, Any]:
    """Say how long the recipe takes on the whole prepared data: steps as measured, evaluations as foretold."""
    if case.shape is None:
        return {}
    from hanpuri.recipe import read_recipe
    from hanpuri.training.preflight.ahead import FORWARD, count_steps
    from hanpuri.training.recipe import KINDS

    full: Any = read_recipe(RECIPES / f"{case.recipe}.yaml", KINDS)
    steps = count_steps(full, told["figures"]["rows"], 1)
    looks, probe, watch = math.ceil(steps / full.watch.evaluate_every) + 1, told["probe"], full.watch
    scoring = math.ceil((watch.evaluation_rows or 0) / full.training.batch_size) * probe["batch_seconds"] * FORWARD
    answers = math.ceil(watch.generation.rows / watch.generation.batch_size) * watch.generation.max_new_tokens
    return {
        "steps": steps,
        "evaluations": looks,
        "training_seconds": round(steps * step_seconds),
        "evaluation_seconds_at_most": round(looks * (scoring + answers * probe["token_seconds"])),
    }


def versions() -> dict[str, str]:
    """Name the libraries' versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "triton"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


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


def line_of(row: dict[str, Any]) -> str:
    """Write a row of the table."""
    if "step_seconds" not in row:
        return json.dumps(row, ensure_ascii=False)
    off = row["estimated_peak_bytes"] / max(1, row["peak_bytes"]) - 1
    return (
        f"{row['recipe']:<36}{row['parameters'] / 1e9:>7.2f}B  peak {row['peak_bytes'] / GIB:>6.2f} GiB, estimated"
        f" {row['estimated_peak_bytes'] / GIB:>6.2f} ({off:+.0%})  {row['step_seconds']:>6.3f} s a step"
        f"  {row['tokens_per_second']:>9,.0f} tokens/s  whole {row['whole']}"
    )


if __name__ == "__main__":
    main()
