"""
Texts that were kept apart ─► what a model makes of them before and after.

In:  clean texts.   Out: a Gain for each of three questions, such as Gain(0.9731, 0.9822, low=0.0082, high=0.0101):

    own       the user's own texts, obfuscated: how many syllables are right again
    clean     the same as they are: how many syllables are left alone
    general   sentences about all and everything, obfuscated: what was forgotten

The noise is drawn once, with a fixed seed, and both models are the quantised files that a user loads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.noise.obfuscate import obfuscate

GENERAL = Path(__file__).parents[2] / "samples" / "general.txt"
# Each sentence in so many noisy forms: there are not many sentences.
GENERAL_FORMS = 4
OWN, CLEAN, OTHER = QUESTIONS = ("own", "clean", "general")


@dataclass(frozen=True)
class Gain:
    """A score before and after, and between what bounds the difference lies in 95 of 100 such sets of texts."""

    before: float
    after: float
    low: float
    high: float

    @property
    def is_certain(self) -> bool:
        """Whether the score has risen, and not by chance."""
        return self.low > 0

    def as_dict(self) -> dict[str, float]:
        """The four numbers, in as many digits as texts can tell."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


Compare = Callable[[Sequence[str], Sequence[str], Sequence[str]], Gain]
"""Restored before, restored after, and what is right ─► the gain. What "right" means is the caller's to say."""


@dataclass(frozen=True)
class Examination:
    """What both models are asked, and what would be right, by the name of the question."""

    asked: Mapping[str, tuple[str, ...]]
    right: Mapping[str, tuple[str, ...]]

    @classmethod
    def prepare(cls, held_out: Sequence[str], seed: int) -> "Examination":
        """
        Draw the noise.

        Args:
            held_out: clean texts that were not learnt from.
            seed: of the noise.
        """
        general = GENERAL.read_text(encoding="utf-8").splitlines() * GENERAL_FORMS
        right = {OWN: tuple(held_out), CLEAN: tuple(held_out), OTHER: tuple(general)}
        noisy = {name: tuple(_obfuscated(right[name], f"{seed}.{name}")) for name in (OWN, OTHER)}
        return cls({**noisy, CLEAN: right[CLEAN]}, right)

    def take(self, model: Path, threads: int | None) -> dict[str, list[str]]:
        """Have a model answer everything."""
        restorer = Restorer(model, threads=threads)
        return {name: [one.text for one in restorer.restore(asked)] for name, asked in self.asked.items()}

    def compare(
        self, before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]], compare: Compare
    ) -> dict[str, Gain]:
        """Hold what was answered before and after against each other, question by question."""
        return {name: compare(before[name], after[name], self.right[name]) for name in QUESTIONS}


def _obfuscated(texts: Sequence[str], seed: str) -> list[str]:
    return [obfuscate(text, seed=f"{seed}.{number}").noisy for number, text in enumerate(texts)]


def share_of_noisy(texts: Sequence[str], restored: Sequence[str]) -> float:
    """
    Say what share of texts a restorer would change so much that they can hardly be clean.

    A clean text is left as it is, but for a syllable in a thousand; of an obfuscated one most syllables change.

    >>> share_of_noisy(["방이 좁아요", "빵잃 졻햐요"], ["방이 좁아요", "방이 좁아요"])
    0.5
    """
    noisy = 0
    for text, clean in zip(texts, restored, strict=True):
        changed = sum(one != other for one, other in zip(text, clean, strict=True))
        noisy += changed >= FEWEST_CHANGES and changed > NOISY_SHARE * len(text)
    return noisy / max(1, len(texts))


FEWEST_CHANGES, NOISY_SHARE = 3, 0.2
