"""
What a language model restores that was never tuned to it, by the exact likelihood of the noise, beside other engines.

In:  eval/reviews_gold_dev.jsonl and eval/prose_gold_dev.jsonl, engines as `hanpuri evaluate` takes them.
Out: a row for each set and engine: char_accuracy, its difference from the first engine with the interval of a paired
bootstrap over rows, and characters in a second.

    python benchmarks/noisy_channel.py [--rows 300] [--likelihood] [ENGINE …]

`--likelihood` prints how many syllables a second the likelihood alone reads. The channel's weight and the width of the
search were chosen on noise put on questions of corpus/open/chatbot_qa.jsonl, never on the sets.
"""

import argparse
import random
import time
from dataclasses import replace
from pathlib import Path

from hanpuri.engines.base import GREEDY
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.engines.restoring import room_for
from hanpuri.engines.settings import parse_engine
from hanpuri.evaluation.evaluate import Evaluation, evaluate
from hanpuri.evaluation.rows import RowSet, read_rows
from hanpuri.evaluation.significance import difference
from hanpuri.noise.airbnb import generate
from hanpuri.noise.likelihood import Channel

SETS = ("reviews_gold", "prose_gold")
ENGINES = (
    "compact:base",
    "compact:small",
    "transformers:runs/cpu-tiny-restoration",
    "transformers:runs/cpu-tiny-restoration,channel=airbnb",
    "transformers:runs/cpu-tiny,channel=airbnb",
    "transformers:runs/char-lm,channel=airbnb",
)
KEPT = Path("runs/.answers/noisy_channel.jsonl")
REVIEW = "화장실이 너무 작고 물이 잘 안 빠져요. 그래도 값이 싸서 다시 올 것 같아요!"


def measure(spec: str, rows: RowSet, cache: AnswerCache) -> Evaluation:
    """Let one engine restore one set."""
    decoding = replace(GREEDY, batch_size=8, max_new_tokens=room_for([row.asked for row in rows.rows]))
    with open_engine(parse_engine(spec)) as engine:
        return evaluate(engine, rows, decoding, measures=("char_accuracy",), cache=cache, unchanged_clean=False)


def read_set(name: str, num_rows: int) -> RowSet:
    """Take the first rows of a set."""
    whole = read_rows(Path("eval") / f"{name}_dev.jsonl")
    return replace(whole, rows=whole.rows[:num_rows])


def print_likelihood_speed() -> None:
    """Read a long text again and again."""
    clean, channel = REVIEW * 3, Channel()
    noisy = generate(clean, random.Random(0))
    started = time.perf_counter()
    for _ in range(100):
        channel.log_likelihood(noisy, clean)
    print(f"likelihood: {100 * len(clean) / (time.perf_counter() - started):,.0f} characters/s")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engines", nargs="*", default=ENGINES)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--likelihood", action="store_true")
    options = parser.parse_args()
    if options.likelihood:
        print_likelihood_speed()
        return
    cache = AnswerCache(KEPT)
    for name in SETS:
        rows = read_set(name, options.rows)
        first: Evaluation | None = None
        for spec in options.engines:
            one = measure(spec, rows, cache)
            first = first or one
            apart = difference(first.tallies["char_accuracy"], one.tallies["char_accuracy"])
            print(
                f"{name:<13} {len(rows.rows):>4} {one.scores['char_accuracy'].value:.4f} {apart.value:+.4f} "
                f"({apart.low:+.4f} to {apart.high:+.4f}) {one.seconds:>7.1f} s  {spec}",
                flush=True,
            )


if __name__ == "__main__":
    main()
