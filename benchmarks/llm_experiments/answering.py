"""
Questions and answers: `korean-llama-chatbot` beside the model that it began as, its samples, and the verdict.

In: runs/korean-llama, prepared/chatbot-answers. Out: results/answering.json: exact match and F1 with intervals, before
and after; results/answers.jsonl, what it wrote to twenty test questions, for people to read:

    python -m benchmarks.llm_experiments.answering --runs runs

    {"question": "배고파", "reference": "뭐 좀 챙겨드세요.", "before": …, "after": …}

`hanpuri verdict benchmarks/llm_experiments/verdict.yaml` then says whether the training was needed; that is kept
with the rest. No test answer stands in the training rows (chatbot-answers); the questions are not new in kind.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.llm_experiments.restoring import figures, run_hanpuri

RESULTS = Path(__file__).with_name("results")
RECIPE = "korean-llama-chatbot"
VERDICT = Path(__file__).with_name("verdict.yaml")
MEASURES = ("exact_match", "token_f1", "squad_em", "squad_f1", "korquad_f1")
SHOWN = 20
TINY = (
    *("training.steps=3", "training.epochs=null", "training.batch_size=2", "examples.max_length=200"),
    *("watch.generation.rows=4", "watch.generation.max_new_tokens=8", "training.optimizer=adamw_torch"),
)


def main() -> None:
    """Train, ask, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm_experiments.answering")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--model", help="the pre-trained model; its run in --runs, if not given")
    parser.add_argument("--no-verdict", dest="verdict", action="store_false")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    first = options.model or str(options.runs / "korean-llama")
    sets = [f"model.path={first}", *(TINY if options.tiny else ())]
    told = [part for one in sets for part in ("--set", one)]
    run_hanpuri(["train", RECIPE, "--runs", str(options.runs), *told])
    before, after = (ask(path, options) for path in (first, str(options.runs / RECIPE)))
    keep(before, after, options)
    if options.verdict:
        sys.exit(judge(first, options))


def ask(model: str, options: argparse.Namespace) -> Any:
    """Ask all test questions behind KoAlpaca's template, and score the answers."""
    from hanpuri.engines.base import GREEDY
    from hanpuri.engines.opening import open_engine
    from hanpuri.engines.settings import parse_engine
    from hanpuri.evaluation.evaluate import evaluate
    from hanpuri.evaluation.rows import read_rows

    rows = read_rows(Path("prepared/chatbot-answers/test.parquet"))
    if options.tiny:
        rows = replace(rows, rows=rows.rows[:4])
    decoding = replace(GREEDY, max_new_tokens=8 if options.tiny else 80, batch_size=256)
    with open_engine(parse_engine(f"transformers:{model},template=koalpaca")) as engine:
        return evaluate(engine, rows, decoding, measures=MEASURES, unchanged_clean=False)


def keep(before: Any, after: Any, options: argparse.Namespace) -> None:
    """Write the figures, and some answers to read: those of the first rows, whatever they are."""
    from dataclasses import asdict

    from hanpuri.evaluation.significance import difference
    from hanpuri.runs.files import write_json, write_whole

    result = json.loads((options.runs / RECIPE / "result.json").read_text(encoding="utf-8"))
    keys = ("method", "steps", "tokens", "seconds", "peak_memory_bytes", "device", "train_rows", "scores")
    gained = difference(before.tallies["token_f1"], after.tallies["token_f1"])
    told = {
        "rows": len(after.answers),
        "training": {key: result.get(key) for key in keys},
        "token_f1_gained": list(asdict(gained).values())[:4],
    }
    for name, one in (("before", before), ("after", after)):
        scores = {measure: figures(score) for measure, score in one.scores.items()}
        told[name] = {"scores": scores, "seconds": round(one.seconds, 2)}
    options.results.mkdir(parents=True, exist_ok=True)
    write_json(options.results / "answering.json", told)
    rows = after.row_set.rows[:SHOWN]
    lines = (
        {"question": row.asked, "reference": row.reference, "before": first.text, "after": second.text}
        for row, first, second in zip(rows, before.answers, after.answers, strict=False)
    )
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_whole(options.results / "answers.jsonl", text)
    print(json.dumps(told, ensure_ascii=False))


def judge(first: str, options: argparse.Namespace) -> int:
    """Ask `hanpuri verdict` whether the training was needed."""
    sets = [f"candidates.0.engine=transformers:{first}", f"candidates.1=transformers:{options.runs / RECIPE}"]
    told = [part for one in (*sets, *(["rows.rows=4"] if options.tiny else [])) for part in ("--set", one)]
    command = [sys.executable, "-m", "hanpuri", "verdict", str(VERDICT), *told, "--json"]
    command += ["--out", str(options.runs / "verdicts")]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    (options.results / "verdict.json").write_text(done.stdout, encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    main()
