"""
Restored syllables that the noise cannot have come from ─► the nearest ones that it can.

In: noisy "짅쩗", restored "친족". Out: each syllable that is no feasible original of the noisy one is replaced by the
feasible one that shares most letters with it, and among those by the commonest of the clean texts.
"""

from collections.abc import Mapping

from hanpuri.evaluation.postprocessing.texts import Restored
from hanpuri.hangul import decompose, is_syllable
from hanpuri.noise.channel import feasible_originals


def repair(restored: Restored, syllables: Mapping[str, int], profile: str = "airbnb", below: float = 1.01) -> Restored:
    """
    Replace what the noise cannot have come from; a text of another length than the noisy one stays as it is.

        >>> repair(Restored("념뭄", "넘북", (0.9, 0.4)), {"무": 5, "뭄": 1}).text
        '넘무'

    Args:
        restored: one text.
        syllables: how often each stands in clean texts.
        profile: the noise.
        below: only where the model is less sure than this.
    """
    if len(restored.noisy) != len(restored.text):
        return restored
    originals = feasible_originals(restored.noisy, profile)
    repaired = [
        syllable
        if syllable in feasible or sure >= below or not is_syllable(syllable) or not is_syllable(noisy)
        else nearest_syllable(syllable, feasible, syllables)
        for noisy, syllable, sure, feasible in zip(
            restored.noisy, restored.text, restored.confidence, originals, strict=True
        )
    ]
    return restored.with_text("".join(repaired))


def nearest_syllable(syllable: str, among: frozenset[str], counts: Mapping[str, int]) -> str:
    """
    Choose the syllable with the most letters in common; then the commonest, then the first.

        >>> nearest_syllable("북", frozenset("무뭄마"), {"무": 5, "마": 9})
        '무'
    """
    letters = decompose(syllable)

    def rank(other: str) -> tuple[int, int, str]:
        shared = sum(mine == its for mine, its in zip(letters, decompose(other), strict=True))
        return -shared, -counts.get(other, 0), other

    return min(among, key=rank)
