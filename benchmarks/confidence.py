"""
How far a model's confidence can be trusted: what share of its mistakes a reader finds who looks below 0.9.

In:  noisy/clean pairs.   Out: for each model and set, the share of syllables below 0.9, the share of the wrong ones
that are among them, and the expected calibration error (ten bins of equal width).

    python benchmarks/confidence.py [MODEL …]      the shipped ones, if none is named; folders, and several joined by +
"""

import sys
from pathlib import Path

import numpy as np

from hanpuri.cli.views import UNSURE
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.runtime import Restorer
from hanpuri.errors import HanpuriError
from hanpuri.evaluation.rows import read_rows
from hanpuri.hangul import code_points, syllable_mask

SETS = ("reviews_gold", "prose_gold")
NUM_BINS = 10


def main() -> None:
    """Print the table."""
    models = sys.argv[1:] or [files.name for files in ModelFiles.shipped()]
    width = max(map(len, models))
    print(f"{'model':<{width}} {'set':>13} {'below ' + str(UNSURE):>10} {'of the wrong':>13} {'calibration error':>18}")
    for model in models:
        restorer = Restorer(model)
        for name in SETS:
            pairs = [(row.asked, row.reference or "") for row in read_rows(Path("eval") / f"{name}_dev.jsonl").rows]
            sure, right = [], []
            for one, (_, clean) in zip(restorer.restore([p[0] for p in pairs]), pairs, strict=True):
                syllables = syllable_mask(code_points(clean))
                sure.append(np.array(one.confidence)[syllables])
                right.append((code_points(one.text) == code_points(clean))[syllables])
            confidence, correct = np.concatenate(sure), np.concatenate(right)
            below = confidence < UNSURE
            found = (below & ~correct).sum() / (~correct).sum()
            bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
            gaps = [abs((confidence - correct)[bins == number].sum()) for number in range(NUM_BINS)]
            error = sum(gaps) / len(confidence)
            print(f"{model:<{width}} {name:>13} {below.mean():>10.3f} {found:>13.3f} {error:>18.4f}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except HanpuriError as error:
        sys.exit(str(error))
