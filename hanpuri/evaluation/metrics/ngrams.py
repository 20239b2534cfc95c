"""
chrF: what share of the short stretches of characters two texts have in common (Popović 2015), counted by sacrebleu.

In:  ["방이 조아요"], ["방이 좋아요"].   Out: 0.26, from 0 to 1; sacrebleu prints it a hundredfold.

A row's tally is how many stretches of 1 to 6 characters its two texts have, and have in common, so that rows can be
pooled and drawn again as those of any other score.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from hanpuri.errors import EngineError
from hanpuri.evaluation.metrics.tallies import Tally, normal, pooled

BETA = 2
"""How much more recall counts than precision."""


def chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """
    chrF2 of the whole, from 0 to 1: sacrebleu's corpus score.

    >>> round(chrf(["방이 조아요"], ["방이 좋아요"]), 4)
    0.26

    Raises:
        EngineError: if sacrebleu is not installed.
    """
    return pooled(count_ngrams(hypotheses, references), pool=pool_ngrams)


def is_installed() -> bool:
    """
    Say whether sacrebleu is there.

    >>> is_installed()
    True
    """
    return find_spec("sacrebleu") is not None


def count_ngrams(hypotheses: Sequence[str], references: Sequence[str]) -> Tally:
    """
    Count stretches row by row, (N, 18): of the hypothesis, of the reference, and of both, for each length from 1 to 6.

    Raises:
        EngineError: if sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        needs = "chrf needs the library sacrebleu, which is not installed"
        raise EngineError(needs, 'install it: pip install "hanpuri[evaluate]"') from None
    counter: Any = CHRF(beta=BETA)
    # sacrebleu tells its counts under no public name; that they stay what they are is what a test looks after.
    rows = counter._extract_corpus_statistics(normal(hypotheses), [normal(references)])
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


def pool_ngrams(sums: Tally) -> Tally:
    """Make the score of summed counts, (…, 18) ─► (…): over the means of the lengths that both sides have."""
    said, right, both = (sums[..., place::3] for place in range(3))
    there = (said > 0) & (right > 0)
    num_lengths = np.maximum(there.sum(axis=-1), 1)
    precision = np.divide(both, said, out=np.zeros(both.shape), where=there).sum(axis=-1) / num_lengths
    recall = np.divide(both, right, out=np.zeros(both.shape), where=there).sum(axis=-1) / num_lengths
    top, bottom = (1 + BETA**2) * precision * recall, BETA**2 * precision + recall
    scores: Tally = np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0)
    return scores
