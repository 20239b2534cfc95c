"""
Pairs for a language model that restores: texts of all lengths up to some hundred characters, with fresh noise each.

In:  the open corpora and the guests' reviews. Out: JSON lines, as many as are asked for, for `hanpuri train`:

    python benchmarks/restoration_pairs.py --to prepared/restoration-llm/train.jsonl --characters 35000000

    {"noisy": "옇화갸 쟤밌써욥", "clean": "영화가 재밌어요", "source": "nsmc"}

`hanpuri prepare restoration-pairs` keeps texts as they are; the reviews that one wants to restore are longer than those
of films, so here neighbouring lines are joined until a length is reached that was drawn before, evenly by its
logarithm. A text is never given twice with the same noise. Most of the noise is the web generator's; a tenth is of the
`hand` profile, a tenth leaves some syllables alone, a twentieth of the rows stays as it is, so that clean text is kept.
"""

import argparse
import json
import lzma
import math
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hanpuri.noise.obfuscate import obfuscate

SHORTEST, LONGEST = 12, 740  # characters; a row has twice as many tokens, and a model that reads 1,536 takes all
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Part:
    """A corpus, and its share of the characters."""

    name: str
    share: float


PARTS = (
    Part("nsmc", 0.28),
    Part("kowiki", 0.42),
    Part("comments", 0.06),
    Part("klue_lodging", 0.01),
    Part("lodging_written", 0.05),
    Part("lodging_guests", 0.18),
)


def read_lines(name: str, folders: list[Path]) -> list[str]:
    """Read the lines of a corpus from all files that begin with its name."""
    lines: list[str] = []
    for file in sorted(file for folder in folders for file in folder.glob(f"{name}*.txt*")):
        with (lzma.open if file.suffix == ".xz" else open)(file, "rt", encoding="utf-8") as stream:
            lines += [line for line in stream.read().split("\n") if line.strip()]
    return lines


def draw_texts(lines: list[str], characters: int, rng: random.Random) -> Iterator[str]:
    """Join neighbouring lines to texts of drawn lengths, pass after pass, until there are so many characters."""
    given = 0
    while given < characters:
        place = rng.randrange(len(lines))
        for _ in range(len(lines)):
            wanted = math.exp(rng.uniform(math.log(SHORTEST), math.log(LONGEST)))
            text = lines[place % len(lines)]
            place += 1
            while len(text) + len(lines[place % len(lines)]) < wanted:
                text += " " + lines[place % len(lines)]
                place += 1
            yield text[:LONGEST].strip()
            given += min(len(text), LONGEST)
            if given >= characters:
                return


def make_rows(work: tuple[list[tuple[str, str]], int]) -> list[str]:
    """Give a noisy form to each text; `work` holds names with texts, and a seed."""
    texts, seed = work
    rng = random.Random(seed)
    rows = []
    for number, (name, text) in enumerate(texts):
        kind = rng.random()
        profile = "hand" if 0.75 < kind < 0.85 else "airbnb"
        strength = 0.0 if kind > 0.95 else rng.uniform(0.3, 0.9) if kind > 0.85 else 1.0
        made = obfuscate(text, seed=f"{seed} {number}", profile=profile, strength=strength)
        rows.append(json.dumps({"noisy": made.noisy, "clean": made.clean, "source": name}, ensure_ascii=False))
    return rows


def main() -> None:
    """Write the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--corpora", type=Path, default=Path("corpus/open"))
    parser.add_argument("--guests", type=Path, default=Path("corpus"), help="folder of lodging_guests.txt")
    parser.add_argument("--characters", type=int, default=35_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int)
    told = parser.parse_args()
    rng = random.Random(told.seed)
    texts: list[tuple[str, str]] = []
    for part in PARTS:
        folders = [told.guests] if part.name == "lodging_guests" else [told.corpora]
        if lines := read_lines(part.name, folders):
            wanted = int(told.characters * part.share)
            texts += [(part.name, text) for text in draw_texts(lines, wanted, rng) if text]
    rng.shuffle(texts)
    work = [(texts[at : at + ROWS_AT_ONCE], told.seed * 1_000_003 + at) for at in range(0, len(texts), ROWS_AT_ONCE)]
    told.to.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(told.processes) as pool, told.to.open("w", encoding="utf-8") as file:
        for rows in pool.map(make_rows, work):
            file.write("\n".join(rows) + "\n")
    print(f"{told.to}: {len(texts):,} pairs, {sum(len(text) for _, text in texts):,} characters")


if __name__ == "__main__":
    main()
