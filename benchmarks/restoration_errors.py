"""
What a restorer still gets wrong: by letter, by syllable, and by how often the word stands in the training texts.

In:  pairs of noisy and clean, a model, training texts.   Out: tables on the terminal; nothing is written.

    python benchmarks/restoration_errors.py --model base --set prose --texts corpus/lodging_guests.txt

A word that training never showed is another trouble than one that it showed a hundred times: the first asks for more
text, the second for more context or a larger network. Words of the evaluation sets are printed only with `--words`, for
the eye: they may not be copied anywhere.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.data.files.sources import open_source
from hanpuri.hangul import FIRST_SYLLABLE, LEADS, TAILS, VOWELS, code_points, split

SETS = {
    "gold": Path("eval/reviews_gold_dev.jsonl"),
    "prose": Path("eval/prose_gold_dev.jsonl"),
    "silver": Path("eval/reviews_silver_dev.jsonl"),
}
PLACES = ("lead", "vowel", "tail")
# Upper ends of the classes of "how often in training".
COUNTS = (0, 1, 3, 10, 100)

Mistake = tuple[str, str]


def main() -> None:
    """Restore, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base")
    parser.add_argument("--set", choices=SETS, default="gold")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="training texts to count words in")
    parser.add_argument("--words", type=int, default=0, help="print so many of the words that are wrong most often")
    arguments = parser.parse_args()
    lines = SETS[arguments.set].read_text(encoding="utf-8").splitlines()[: arguments.rows]
    pairs = [json.loads(line) for line in lines]
    restored = [one.text for one in Restorer(arguments.model).restore([pair["noisy"] for pair in pairs])]
    clean = [pair["clean"] for pair in pairs]
    mistakes = Counter(found for pair in zip(clean, restored, strict=True) for found in find_mistakes(*pair))
    print(f"{arguments.model} on {arguments.set}: {mistakes.total()} wrong of {sum(map(len, clean))} characters")
    print_table("letter", by_letter(mistakes), mistakes.total())
    print_table(
        "syllable", Counter({f"{right} ─► {wrong}": n for (right, wrong), n in mistakes.items()}), mistakes.total()
    )
    if arguments.texts:
        print_by_frequency(clean, restored, count_words(arguments.texts))
    if arguments.words:
        print_table("word", Counter(wrong_words(clean, restored)), mistakes.total(), arguments.words)


def find_mistakes(clean: str, restored: str) -> Iterator[Mistake]:
    """
    Give the syllables that differ, right one first.

    >>> list(find_mistakes("방이", "빵이"))
    [('방', '빵')]
    """
    return ((right, wrong) for right, wrong in zip(clean, restored, strict=True) if right != wrong)


def by_letter(mistakes: Counter[Mistake]) -> Counter[str]:
    """
    Count in which letters right and wrong syllable differ.

    >>> by_letter(Counter({("방", "빵"): 2}))
    Counter({'lead ㅂ ─► ㅃ': 2})
    """
    counts: Counter[str] = Counter()
    for pair, number in mistakes.items():
        if not all("가" <= syllable <= "힣" for syllable in pair):
            counts["no syllable"] += number
            continue
        right, wrong = (split(code_points(syllable) - FIRST_SYLLABLE) for syllable in pair)
        for name, letters, before, after in zip(PLACES, (LEADS, VOWELS, TAILS), right, wrong, strict=True):
            if before != after:
                counts[f"{name} {letters[int(before[0])] or '–'} ─► {letters[int(after[0])] or '–'}"] += number
    return counts


def count_words(paths: Iterable[Path]) -> Counter[str]:
    """Count the words of training texts."""
    return Counter(word for path in paths for row in open_source(path).rows() for word in row.text.split())


def pairs_of_words(clean: Iterable[str], restored: Iterable[str]) -> Iterator[Mistake]:
    """Pair right words with what became of them; spaces stand where they stood."""
    for right, wrong in zip(clean, restored, strict=True):
        yield from zip(right.split(), wrong.split(), strict=True)


def wrong_words(clean: Iterable[str], restored: Iterable[str]) -> Iterator[str]:
    """Name the words that became another."""
    return (f"{right} ─► {wrong}" for right, wrong in pairs_of_words(clean, restored) if right != wrong)


def print_by_frequency(clean: list[str], restored: list[str], counts: Counter[str]) -> None:
    """Print how many words are wrong, by how often training showed them."""
    words, wrong = Counter[int](), Counter[int]()
    for right, found in pairs_of_words(clean, restored):
        group = next((number for number, most in enumerate(COUNTS) if counts[right] <= most), len(COUNTS))
        words[group] += 1
        wrong[group] += right != found
    print("\n| times in training | words | wrong | share of words | share of wrong |\n|---|---:|---:|---:|---:|")
    for group in sorted(words):
        name = f"up to {COUNTS[group]}" if group < len(COUNTS) else f"more than {COUNTS[-1]}"
        shares = f"{words[group] / words.total():.3f} | {wrong[group] / max(1, wrong.total()):.3f}"
        print(f"| {name} | {words[group]} | {wrong[group] / words[group]:.4f} | {shares} |")


def print_table(what: str, counts: Counter[str], total: int, most: int = 15) -> None:
    """Print the commonest."""
    print(f"\n| {what} | times | share |\n|---|---:|---:|")
    for name, number in islice(counts.most_common(), most):
        print(f"| {name} | {number} | {number / max(1, total):.3f} |")


if __name__ == "__main__":
    main()
