"""
The promises of restoring, held for a long time: random texts of every kind, and a process that must not grow.

In:  seconds and a seed.   Out: a line a minute with texts, characters and memory; exit 1 at the first broken promise.

    python benchmarks/soak.py --seconds 600 --seed 0 --model small
"""

import argparse
import random
import resource
import sys
import time
import unicodedata
from collections.abc import Iterator

from hanpuri.compact.restoring.restoration import Restoration
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.hangul import is_syllable
from hanpuri.noise.obfuscate import obfuscate

BATCH = 64
SECONDS_BETWEEN_LINES = 60.0
# After the first minute the process may grow by this much; a leak of one byte a character would be more.
GROWTH_ALLOWED_MIB = 64
WORDS = (
    *("방이", "화장실은", "너무", "깨끗하고", "사장님께서", "친절하셔서"),
    *("좋았어요", "그런데", "주차장에", "자리가", "없어서", "힘들었습니다"),
)
RANGES = ((0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3131, 0x318E), (0x20, 0x7E), (0x300, 0x36F), (0x1F300, 0x1FAFF))


def random_text(rng: random.Random) -> str:
    """Draw a text: noisy Korean, any characters of some ranges, or any code points at all, surrogates too."""
    kind = rng.randrange(3)
    if kind == 0:
        return obfuscate(" ".join(rng.choices(WORDS, k=rng.randrange(60))), seed=rng.randrange(1 << 30)).noisy
    if kind == 1:
        ranges = rng.choices(RANGES, k=rng.randrange(400))
        return "".join(chr(rng.randint(first, last)) for first, last in ranges)
    return "".join(chr(rng.randrange(sys.maxunicode + 1)) for _ in range(rng.randrange(200)))


def broken_promises(text: str, one: Restoration) -> Iterator[str]:
    """Name what a restoration breaks."""
    normal = unicodedata.normalize("NFC", text)
    if len(one.text) != len(normal):
        yield "the length changed"
    if any(a != b and not (is_syllable(a) and is_syllable(b)) for a, b in zip(normal, one.text, strict=False)):
        yield "something that is no syllable changed"
    if len(one.confidence) != len(normal) or not all(0 <= value <= 1 for value in one.confidence):
        yield "the confidences are not one a character, from 0 to 1"


def main() -> None:
    """Restore random texts until the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="small")
    options = parser.parse_args()
    rng, restorer = random.Random(options.seed), Restorer(options.model)
    started = last_line = time.monotonic()
    texts = characters = 0
    first_memory: float | None = None
    while time.monotonic() - started < options.seconds:
        batch = [random_text(rng) for _ in range(BATCH)]
        together = restorer.restore(batch)
        for text, one in zip(batch, together, strict=True):
            faults = list(broken_promises(text, one))
            if rng.random() < 0.02 and restorer.restore([text])[0] != one:
                faults.append("alone it is restored differently")
            if faults:
                raise SystemExit(f"{text!r}: {', '.join(faults)}")
        texts, characters = texts + len(batch), characters + sum(map(len, batch))
        if time.monotonic() - last_line > SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            first_memory = first_memory or memory
            print(
                f"{last_line - started:6.0f} s  {texts:>8} texts  {characters:>10} characters  {memory:.0f} MiB",
                flush=True,
            )
            if memory > first_memory + GROWTH_ALLOWED_MIB:
                raise SystemExit(f"memory grew from {first_memory:.0f} to {memory:.0f} MiB")
    print(f"no promise broken in {texts} texts, {characters} characters, seed {options.seed}")


if __name__ == "__main__":
    main()
