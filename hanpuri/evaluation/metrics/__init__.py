"""
What the scores mean: each is a plain function of hypotheses and references.

In:  ["화장실이 너무 작아오"], ["화장실이 너무 작아요"].   Out: char_accuracy 0.8889, cer 0.0909, exact_match 0.0, …

Pooled over all rows: every character (word, token of the reference) counts the same, whichever row it stands in; only
the F1 of answers is a mean over rows, as in SQuAD. All texts are compared in NFC. `measures` lists all of them, with
what each row adds to the top and the bottom of its ratio.
"""

from hanpuri.evaluation.metrics.edits import cer, edit_distance, jamo_error_rate, wer
from hanpuri.evaluation.metrics.measures import (
    ANSWERING,
    KNOWN,
    LIKELIHOODS,
    MEASURES,
    OUTCOMES,
    RESTORATION,
    Measure,
)
from hanpuri.evaluation.metrics.ngrams import chrf
from hanpuri.evaluation.metrics.overlap import josa_f1, korquad_f1, squad_em, squad_f1, token_f1
from hanpuri.evaluation.metrics.positions import (
    char_accuracy,
    char_f1,
    exact_match,
    word_accuracy,
    wrong_length,
    wrong_spacing,
)
from hanpuri.evaluation.metrics.tallies import Tally, pooled

__all__ = [
    "ANSWERING",
    "KNOWN",
    "LIKELIHOODS",
    "MEASURES",
    "OUTCOMES",
    "RESTORATION",
    "Measure",
    "Tally",
    "cer",
    "char_accuracy",
    "char_f1",
    "chrf",
    "edit_distance",
    "exact_match",
    "jamo_error_rate",
    "josa_f1",
    "korquad_f1",
    "pooled",
    "squad_em",
    "squad_f1",
    "token_f1",
    "wer",
    "word_accuracy",
    "wrong_length",
    "wrong_spacing",
]
