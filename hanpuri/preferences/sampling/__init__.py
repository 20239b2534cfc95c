"""
Rejection sampling: several answers to each question, scored, and the best of them kept.

In: an engine, rows, rewards. Out: `Sampled` rows; of these the best answers as rows to fine-tune on, pairs of a better
and a worse answer, and how much each further answer gains:

    {"noisy": "쨰밌어요", "clean": "재밌어요"}, 4 answers  ─►  재밋어요 0.75, 재밌어요 1.0, 째밌어요 0.75, 재밌어오 0.75
"""

from hanpuri.preferences.sampling.best import keep_best
from hanpuri.preferences.sampling.drawing import Sampled, sample
from hanpuri.preferences.sampling.gains import Gains, gains_of
from hanpuri.preferences.sampling.samples import read_samples, sample_line
from hanpuri.preferences.sampling.scores import pairs_from_scores

__all__ = ["Gains", "Sampled", "gains_of", "keep_best", "pairs_from_scores", "read_samples", "sample", "sample_line"]
