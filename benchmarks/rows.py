"""
How fast rows become training examples: cleaned, written by a template, turned into tokens and compared, in one process.

In:  rows of corpus/open, spread over each file, and two tokenizers trained on them.   Out: rows/s of each step, such as

    clean as a recipe does by default    nsmc           …
    koalpaca, bpe                        chatbot_qa     …

    python benchmarks/rows.py [--rows 10000] [--vocab-size 8000] [--runs 3] [--seed 0]

The median of the runs is printed. Tokenizers work on several rows at once, so that their seconds on the clock and those
of the processors differ; loading, making noise and training the tokenizers is not counted.
"""

import argparse
import datetime
import json
import lzma
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from hanpuri.data.chats import choose_template
from hanpuri.data.cleaning.cleaner import Cleaner
from hanpuri.data.examples import make_examples
from hanpuri.data.preparation.augmentation import noisy_copies
from hanpuri.data.recipe import AugmentSettings, CleanSettings, ExampleSettings
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.training.loading.vocabulary import train_tokenizer
from hanpuri.training.recipe import TrainTokenizerSettings

CORPUS = Path("corpus/open")
# Every so many lines one is taken, so that 10,000 come from the whole of a file.
STRIDES = {"nsmc.txt.xz": 60, "kowiki.txt.xz": 90, "chatbot_qa.jsonl": 1}
CLEANINGS = {
    "clean as a recipe does by default": CleanSettings(),
    "clean with every step and filter": CleanSettings(
        replacement="drop",
        mojibake="drop",
        white_space="collapse",
        lower_case=True,
        mask=("email", "resident", "card", "phone"),
        min_characters=2,
        max_characters=100_000,
        min_hangul=0.3,
    ),
}
EXAMPLES = ExampleSettings(max_length=2048, too_long="truncate", faults="drop")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

Rows = list[dict[str, str]]


def read_rows(name: str, num_rows: int) -> Rows:
    """Take rows from the whole of a file, the first again where it has fewer."""
    path = CORPUS / name
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in islice(file, 0, None, STRIDES[name])]
    rows = [json.loads(line) if path.suffix == ".jsonl" else {"text": line} for line in lines]
    return list(islice(cycle(rows), num_rows))


def with_noise(rows: Rows, seed: int) -> Rows:
    """Make pairs of texts; those that have no noisy form are left out."""
    made = (
        (row["text"], noisy_copies(row["text"], str(id), AugmentSettings(), seed, 1)) for id, row in enumerate(rows)
    )
    return [{"noisy": copies[0].noisy, "clean": clean} for clean, copies in made if copies]


def train(kind: Any, rows: Rows, vocab_size: int, folder: Path) -> Tokenizer:
    """Train a tokenizer on the texts of rows, and give it a chat template."""
    settings = TrainTokenizerSettings(type=kind, vocab_size=vocab_size)
    tokenizer = train_tokenizer(settings, (text for row in rows for text in row.values()), folder / kind)
    tokenizer.fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.fast.chat_template = CHATML
    return Tokenizer(kind, tokenizer.fast)


def cases(
    files: dict[str, Rows], tokenizers: list[Tokenizer]
) -> Iterator[tuple[str, str, Rows, Callable[[Rows], int]]]:
    """Name each case, its rows, and what is done with them, which gives the number of tokens, 0 where it makes none."""
    for title, settings in CLEANINGS.items():
        for name in ("nsmc", "kowiki"):
            yield title, name, files[name], cleaning(settings)
    for tokenizer in tokenizers:
        for template, name in (("plain", "kowiki"), ("restoration", "pairs"), ("koalpaca", "chatbot_qa")):
            yield f"{template}, {tokenizer.name}", name, files[name], examples(template, tokenizer)
        yield f"chat, {tokenizer.name}", "chatbot_qa", files["chatbot_qa"], examples("chat", tokenizer)


def cleaning(settings: CleanSettings) -> Callable[[Rows], int]:
    """Clean rows, and forget them."""
    cleaner = Cleaner(settings, "text")

    def work(rows: Rows) -> int:
        for row in rows:
            cleaner.clean(row)
        return 0

    return work


def examples(name: str, tokenizer: Tokenizer) -> Callable[[Rows], int]:
    """Make examples of rows with a template."""
    template = choose_template(name, tokenizer)

    def work(rows: Rows) -> int:
        rendered = (template.render(row, str(id)) for id, row in enumerate(rows))
        return make_examples(rendered, tokenizer, EXAMPLES).counts.tokens

    return work


def measure(work: Callable[[Rows], int], rows: Rows, runs: int) -> tuple[float, float, int]:
    """Do the work several times: median seconds on the clock, median seconds of the processors, tokens."""
    clock, processor = [], []
    for _ in range(runs):
        started, used = time.perf_counter(), time.process_time()
        tokens = work(rows)
        clock.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return statistics.median(clock), statistics.median(processor), tokens


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--vocab-size", type=int, default=8_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cpus)
    print(
        f"{datetime.date.today()}, {platform.machine()}, {len(cpus)} CPUs, Python {platform.python_version()}; "
        f"{options.rows:,} rows, vocabulary {options.vocab_size:,}, median of {options.runs}, seed {options.seed}"
    )
    files = {name.split(".")[0]: read_rows(name, options.rows) for name in STRIDES}
    files["pairs"] = with_noise(files["nsmc"], options.seed)
    print(f"{'step':<34} {'rows of':<10} {'rows':>7} {'seconds':>8} {'CPU':>6} {'rows/s':>8} {'tokens/s':>9}")
    with tempfile.TemporaryDirectory() as folder:
        learnt = [row for rows in files.values() for row in rows]
        tokenizers = [train(kind, learnt, options.vocab_size, Path(folder)) for kind in ("bpe", "unigram")]
        for title, name, rows, work in cases(files, tokenizers):
            seconds, processor, tokens = measure(work, rows, options.runs)
            speed = f"{tokens / seconds:,.0f}" if tokens else ""
            print(
                f"{title:<34} {name:<10} {len(rows):>7,} {seconds:>8.2f} {processor:>6.2f} "
                f"{len(rows) / seconds:>8,.0f} {speed:>9}",
                flush=True,
            )


if __name__ == "__main__":
    main()
