"""
How close our generator is to the noise that people meet: total variation of P(noisy letter | clean letter).

In:  eval/reviews_gold_dev.jsonl (true pairs).   Out: the distance for leads, vowels and tails, beside the distance
between two halves of the true pairs, which is what sampling alone gives; and how many clean syllables the inverse of
the rules fails to list. The bar is 0.025 for each place.

    python benchmarks/noise_fidelity.py [PAIRS.jsonl]
"""

import sys
from pathlib import Path

from hanpuri.evaluation.rows import read_rows
from hanpuri.noise.channel import feasible_originals, fit_channel
from hanpuri.noise.obfuscate import obfuscate

SEEDS = range(5)
BAR = 0.025


def main(path: Path) -> None:
    """Print the table."""
    pairs = [(row.asked, row.reference or "") for row in read_rows(path).rows]
    truth = fit_channel(pairs)
    ours = fit_channel((obfuscate(clean, seed=seed).noisy, clean) for _, clean in pairs for seed in SEEDS)
    halves = fit_channel(pairs[::2]).total_variation(fit_channel(pairs[1::2]))
    print(f"{path}: {len(pairs)} pairs; generator at its defaults, seeds {SEEDS.start} to {SEEDS.stop - 1}")
    print(f"{'place':<6} {'ours':>8} {'halves':>8} {'bar':>6}")
    for place, distance in truth.total_variation(ours).items():
        print(f"{place:<6} {distance:>8.4f} {halves[place]:>8.4f} {BAR:>6}")
    missed = total = listed = 0
    for noisy, clean in pairs:
        for originals, character in zip(feasible_originals(noisy), clean, strict=True):
            missed += character not in originals
            listed += len(originals)
            total += 1
    print(
        f"feasible originals: {missed} of {total} clean characters not listed, {listed / total:.1f} listed on average"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "eval/reviews_gold_dev.jsonl"))
