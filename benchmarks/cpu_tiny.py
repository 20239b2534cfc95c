"""
The whole road on two processors: what the runs of `cpu-tiny` came to, merged, published, asked and scored.

In:  the runs of the three recipes `cpu-tiny…`, and the test splits that no training has seen.   Out: a table:

    python benchmarks/cpu_tiny.py [--runs runs] [--prepared prepared]

The runs are made by `hanpuri train cpu-tiny`, `cpu-tiny-restoration` and `cpu-tiny-chatbot`. The adapter is merged
here, into a folder that is thrown away, with the proof that nothing was lost; scored is what that folder answers.
Beside it stands the score of the noisy text left as it is.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from pyarrow.parquet import read_table

from hanpuri.engines.base import Decoding
from hanpuri.engines.transformers import TransformersEngine
from hanpuri.evaluation.metrics import cer, char_accuracy, exact_match, token_f1
from hanpuri.training.publishing.publish import publish

DECODING = Decoding(max_new_tokens=200, batch_size=64)


def describe(run: Path) -> str:
    """Say in a line what a run took and came to, from its result.json."""
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    scores = ", ".join(f"{name} {value:.4f}" for name, value in result["scores"].items())
    size = f"{result['trainable_parameters']:,} of {result['parameters']:,} parameters"
    return f"{run.name}: {result['method']}, {size}, {result['tokens']:,} tokens, {result['seconds']:.0f} s; {scores}"


def answer(engine: TransformersEngine, rows: list[dict[str, Any]], text: str) -> list[str]:
    """Ask a model for every row, without what the row holds of an answer."""
    asked = [{key: value for key, value in row.items() if key != text} for row in rows]
    return [one.text for one in engine.generate(asked, DECODING)]


def score_restoration(run: Path, prepared: Path) -> None:
    """Merge, answer the test split of the pairs, score."""
    rows = read_table(prepared / "restoration-pairs" / "test.parquet", columns=["noisy", "clean"]).to_pylist()
    clean, noisy = [row["clean"] for row in rows], [row["noisy"] for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        published = publish(run, f"{folder}/merged")
        proof = published.proof.exported
        print(
            f"adapter and merged model: logits differ by {proof.max_difference:.2g} at most, the likeliest token is the"
            f" same at {proof.same_top:.1%} of {proof.positions:,} positions, greedy texts {proof.same_text} the same,"
            f" {proof.parted} not"
        )
        restored = answer(TransformersEngine.load(f"{folder}/merged"), rows, "clean")
    for name, texts in (("the noisy text itself", noisy), ("the merged model", restored)):
        scores = f"char_accuracy {char_accuracy(texts, clean):.4f}, CER {cer(texts, clean):.4f}"
        print(f"{len(rows)} test rows, {name}: {scores}, exact {exact_match(texts, clean):.4f}")
    for row, text in list(zip(rows, restored, strict=True))[:3]:
        print(f"    {row['noisy']}\n    {text}\n    {row['clean']}\n")


def score_answers(run: Path, prepared: Path) -> None:
    """Answer the test split of the questions, score."""
    columns = ["instruction", "input", "output"]
    rows = read_table(prepared / "chatbot-answers" / "test.parquet", columns=columns).to_pylist()
    answers, wanted = answer(TransformersEngine.load(str(run)), rows, "output"), [row["output"] for row in rows]
    print(f"{len(rows)} test rows: token_f1 {token_f1(answers, wanted):.4f}, exact {exact_match(answers, wanted):.4f}")
    for row, text in list(zip(rows, answers, strict=True))[:3]:
        print(f"    {row['instruction']} ─► {text}   ({row['output']})")


def main() -> None:
    """Print what the three runs came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--prepared", type=Path, default=Path("prepared"))
    told = parser.parse_args()
    runs = [told.runs / name for name in ("cpu-tiny", "cpu-tiny-restoration", "cpu-tiny-chatbot")]
    if missing := [run.name for run in runs if not (run / "result.json").is_file()]:
        raise SystemExit(
            f"found no finished run {', '.join(missing)} in {told.runs}; make it: hanpuri train {missing[0]}"
        )
    for run in runs:
        print(describe(run))
    score_restoration(runs[1], told.prepared)
    score_answers(runs[2], told.prepared)


if __name__ == "__main__":
    main()
