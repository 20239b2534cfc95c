"""
Does a reward model tell a clean text from one with one to three wrong syllables, the noisy text beside both?

In:  the pairs of `hanpuri prepare restoration-pairs`, and the model of `cpu-tiny`. Out: pairs of answers, and a table:

    python benchmarks/reward_model.py --make                     prepared/restoration-mistakes/train.jsonl, …
    hanpuri train reward-tiny                                    runs/reward-tiny
    python benchmarks/reward_model.py --score runs/reward-tiny   accuracy by number and kind of the wrong syllables

A wrong syllable is one of two kinds, by the flip of a coin, and never one that the text itself has there:

    feasible    another syllable that the noise can have made this noisy one of, drawn by how often it is written: what
                a restorer takes for the right one
    left        the noisy syllable itself, left as it is

Texts of the test split stand in no other split, each in five pairs. Intervals are from the bootstrap over texts.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow.parquet import read_table

from hanpuri.evaluation.metrics.tallies import Tally
from hanpuri.evaluation.significance import interval
from hanpuri.hangul import is_syllable
from hanpuri.noise.channel import feasible_originals
from hanpuri.runs.files import write_whole
from hanpuri.training.preference.pair_scores import PairScores
from hanpuri.training.preference.reward_model import RewardModel

MOST_WRONG = 3
COPIES = {"train": 1, "validation": 3, "test": 5}
"""Pairs of each text, each with other mistakes."""
MOST_TEXTS = 24_000


def make_pairs(rows: list[dict[str, str]], counts: Counter[str], copies: int, seed: int) -> Iterator[dict[str, Any]]:
    """Write wrong syllables into clean texts."""
    dice = random.Random(seed)
    for row in rows:
        noisy, clean = row["noisy"], row["clean"]
        if len(noisy) != len(clean):
            continue
        originals = feasible_originals(noisy)
        for _ in range(copies):
            made, kinds = list(clean), list[str]()
            places = [place for place, one in enumerate(clean) if is_syllable(one)]
            dice.shuffle(places)
            wanted = dice.randint(1, MOST_WRONG)
            for place in places:
                kind = dice.choice(("feasible", "left"))
                if len(kinds) < wanted and (
                    wrong := draw(kind, noisy[place], clean[place], originals[place], counts, dice)
                ):
                    made[place] = wrong
                    kinds.append(kind)
            if kinds:
                rejected = "".join(made)
                yield {"prompt": noisy, "chosen": clean, "rejected": rejected, "wrong": len(kinds), "kinds": kinds}


def draw(
    kind: str, noisy: str, clean: str, originals: frozenset[str], counts: Counter[str], dice: random.Random
) -> str | None:
    """Draw a wrong syllable; None where there is none of the kind."""
    if kind == "left":
        return noisy if noisy != clean else None
    others = sorted(one for one in originals if one != clean and counts[one])
    return dice.choices(others, [counts[one] for one in others])[0] if others else None


def make(prepared: Path, to: Path, seed: int) -> None:
    """Write the three files."""
    splits = {name: read_table(prepared / f"{name}.parquet", columns=["noisy", "clean"]).to_pylist() for name in COPIES}
    counts = Counter("".join(row["clean"] for row in splits["train"]))
    to.mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        pairs = list(make_pairs(rows[:MOST_TEXTS], counts, COPIES[name], seed))
        write_whole(to / f"{name}.jsonl", "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in pairs))
        print(f"{to / name}.jsonl: {len(pairs):,} pairs")


def score(run: Path, file: Path) -> None:
    """Print the accuracy on held-out pairs, and by what is wrong in them."""
    pairs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    model = RewardModel.load(run, batch_size=64)
    asked = [{"noisy": one["prompt"]} for one in pairs]
    chosen, rejected = (np.array(model.score(asked, [one[side] for one in pairs])) for side in ("chosen", "rejected"))
    print(f"{file}: {model.identity}")
    for name, among in groups(pairs):
        lengths = np.array([len(pairs[place]["chosen"]) for place in among])
        scored = PairScores(chosen[among], rejected[among], lengths, lengths)
        found = interval(by_text(scored, [pairs[place]["chosen"] for place in among]))
        told = f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
        print(f"{name:<22}{len(scored):>6,}  {told}  calibration error {scored.calibration_error():.3f}")


def by_text(scored: PairScores, texts: Sequence[str]) -> Tally:
    """Count the right pairs of each text, and all of them, (N, 2)."""
    found = {text: np.zeros(2) for text in texts}
    for text, right in zip(texts, scored.right, strict=True):
        found[text] += right, 1
    return np.stack(list(found.values()))


def groups(pairs: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[int]]]:
    """Name groups of pairs, each by the places of its pairs."""
    yield "all pairs", list(range(len(pairs)))
    for number in range(1, MOST_WRONG + 1):
        yield f"{number} wrong", [place for place, one in enumerate(pairs) if one["wrong"] == number]
    for kind in ("feasible", "left"):
        yield f"1 wrong, {kind}", [place for place, one in enumerate(pairs) if one["kinds"] == [kind]]


def main() -> None:
    """Make the pairs, or score them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--score", type=Path, metavar="RUN")
    parser.add_argument("--prepared", type=Path, default=Path("prepared/restoration-pairs"))
    parser.add_argument("--pairs", type=Path, default=Path("prepared/restoration-mistakes"))
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    if told.make:
        make(told.prepared, told.pairs, told.seed)
    if told.score:
        score(told.score, told.pairs / "test.jsonl")


if __name__ == "__main__":
    main()
