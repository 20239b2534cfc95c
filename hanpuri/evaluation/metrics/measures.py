"""
All measures in one list: what a table calls each, whether more is better, and how rows are counted.

In: texts, answers or likelihoods. Out: a tally a measure, such as of `MEASURES["cer"]`:

    ["가나"], ["가나다라"], ["까냐따랴"]  ─►  [[2, 4]]

Three kinds, by what they look at: `MEASURES` at texts, `OUTCOMES` at how answers came, `LIKELIHOODS` at what a model
holds of given answers. `KNOWN` is all of them, for who writes a table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, ParamSpec

import numpy as np

from hanpuri.engines.base import Answer, Likelihood
from hanpuri.evaluation.metrics import edits, ngrams, overlap, positions
from hanpuri.evaluation.metrics.tallies import OfRow, Pool, Tally, ratio, tally_rows
from hanpuri.hangul import is_syllable

REPLACEMENT = "\ufffd"
HIGHEST_LOSS = 700.0
"""Of what the exponential is still a number."""
Given = ParamSpec("Given")
Texts = Sequence[str]


@dataclass(frozen=True)
class Scale(Generic[Given]):
    """One measure."""

    name: str
    better: Literal["high", "low"]
    tally: Callable[Given, Tally]
    """What each row adds; of texts these are hypotheses, references and questions."""
    about: str
    """What it is, in a line."""
    pool: Pool = ratio
    """How summed tallies become the score."""

    @property
    def best(self) -> float:
        """The score of what is all right: 1, or 0 where less is better."""
        return float(self.better == "high")


Measure = Scale[[Texts, Texts, Texts]]
"""A measure of texts."""
Outcome = Scale[[Sequence[Answer]]]
"""A measure of how answers came."""
LikelihoodMeasure = Scale[[Sequence[Likelihood]]]
"""A measure of what a model holds of the right answers."""


def _over(of_row: OfRow) -> Callable[[Texts, Texts, Texts], Tally]:
    return lambda hypotheses, references, asked: tally_rows(of_row, hypotheses, references)


def _over_asked(of_row: OfRow) -> Callable[[Texts, Texts, Texts], Tally]:
    return lambda hypotheses, references, asked: tally_rows(of_row, hypotheses, asked)


def _more_replaced(hypothesis: str, asked: str) -> tuple[float, float]:
    return int(hypothesis.count(REPLACEMENT) > asked.count(REPLACEMENT)), 1


def _in_other_letters(hypothesis: str, reference: str) -> tuple[float, float]:
    """Say whether Hangul was expected, and what came are letters of which none is Hangul."""
    expected, found = (any(map(is_syllable, text)) for text in (reference, hypothesis))
    return int(expected and not found and any(map(str.isalpha, hypothesis))), 1


def _ngrams(hypotheses: Texts, references: Texts, asked: Texts) -> Tally:
    return ngrams.count_ngrams(hypotheses, references)


def _rows(values: Iterable[tuple[float, float]]) -> Tally:
    return np.array(list(values), dtype=np.float64).reshape(-1, 2)


def _named(*scales: Scale[Given]) -> Mapping[str, Scale[Given]]:
    return {scale.name: scale for scale in scales}


MEASURES: Mapping[str, Measure] = _named(
    Measure("char_accuracy", "high", _over(positions.syllables_right), "Hangul syllables right, by position"),
    Measure("char_f1", "high", _over(positions.characters_shared), "F1 of all characters, by position"),
    Measure("exact_match", "high", _over(positions.all_right), "rows right to the last character"),
    Measure("word_accuracy", "high", _over(positions.words_right), "words right, by position"),
    Measure("cer", "low", _over(edits.character_edits), "edits for each character"),
    Measure("wer", "low", _over(edits.word_edits), "edits of words for each word"),
    Measure("jamo_error_rate", "low", _over(edits.jamo_edits), "edits of letters for each letter (NFD)"),
    Measure("chrf", "high", _ngrams, "F of character stretches (chrF2, sacrebleu)", ngrams.pool_ngrams),
    Measure("wrong_length", "low", _over(positions.length_differs), "rows longer or shorter than they should be"),
    Measure("wrong_spacing", "low", _over(positions.spacing_differs), "rows with white space elsewhere"),
    Measure("squad_em", "high", _over(overlap.squad_same), "rows right, as SQuAD counts"),
    Measure("token_f1", "high", _over(overlap.tokens_shared), "F1 of tokens, mean over rows"),
    Measure("squad_f1", "high", _over(overlap.squad_tokens_shared), "F1 of tokens, as SQuAD counts"),
    Measure("josa_f1", "high", _over(overlap.stems_shared), "F1 of tokens without Korean particles"),
    Measure("korquad_f1", "high", _over(overlap.characters_in_common), "F1 of characters, as KorQuAD counts"),
    Measure("copied", "low", _over_asked(positions.all_right), "rows answered with their own question"),
    Measure("other_language", "low", _over(_in_other_letters), "answers in other letters where Hangul is expected"),
    Measure("replacement_characters", "low", _over_asked(_more_replaced), "rows with broken characters (U+FFFD)"),
    Measure("unchanged_clean", "high", _over(positions.syllables_right), "char_accuracy when clean text is the input"),
)
"""Of texts."""

SEEN: tuple[str, ...] = ("copied", "replacement_characters")
"""What needs no reference."""
FAULTS: tuple[str, ...] = ("copied", "other_language", "replacement_characters")
"""What only an answer can have: a missing one has none of it."""
RESTORATION: tuple[str, ...] = (
    *("char_accuracy", "char_f1", "exact_match", "word_accuracy", "cer", "wer", "jamo_error_rate", "chrf"),
    *("wrong_length", "wrong_spacing", *FAULTS),
)
"""What restored text is measured by."""
ANSWERING: tuple[str, ...] = (
    *("exact_match", "squad_em", "token_f1", "squad_f1", "josa_f1", "korquad_f1", "chrf", "cer", *FAULTS),
)
"""What answers to questions are measured by."""

OUTCOMES: Mapping[str, Outcome] = _named(
    Outcome("stop_rate", "high", lambda all: _rows((one.finished, 1) for one in all), "answers that the model ended"),
    Outcome(
        "empty",
        "low",
        lambda all: _rows((not one.failure and not one.text.strip(), 1) for one in all),
        "answers without a text",
    ),
    Outcome("failed", "low", lambda all: _rows((bool(one.failure), 1) for one in all), "rows without an answer"),
)
"""Of how answers came."""

LIKELIHOODS: Mapping[str, LikelihoodMeasure] = _named(
    LikelihoodMeasure(
        "loss", "low", lambda all: _rows((-one.log_probability, one.num_tokens) for one in all), "nats for each token"
    ),
    LikelihoodMeasure(
        "perplexity",
        "low",
        lambda all: _rows((-one.log_probability, one.num_tokens) for one in all),
        "of how many tokens the model hesitates between",
        lambda sums: np.exp(np.minimum(ratio(sums), HIGHEST_LOSS)),
    ),
    LikelihoodMeasure(
        "bits_per_byte",
        "low",
        lambda all: _rows((-one.log_probability / np.log(2), one.num_bytes) for one in all),
        "bits for each byte of the answers, comparable between tokenizers",
    ),
    LikelihoodMeasure(
        "next_token_accuracy",
        "high",
        lambda all: _rows((one.num_right, one.num_tokens) for one in all),
        "tokens of the answers that the model would have taken",
    ),
)
"""Of what a model holds of the right answers."""

KNOWN: Mapping[str, Measure | Outcome | LikelihoodMeasure] = {**MEASURES, **OUTCOMES, **LIKELIHOODS}
"""All of them, by name."""


def tally_answers(measure: Measure, answers: Sequence[Answer], references: Texts, asked: Texts) -> Tally:
    """
    Count answers by a measure of texts; a row without an answer is as wrong as can be, even where "" were right.

        >>> answers = [Answer.failed("no server"), Answer("", 0, finished=True)]
        >>> tally_answers(MEASURES["exact_match"], answers, ["", ""], ["가", "나"])
        array([[0., 1.],
               [1., 1.]])
    """
    texts = ["" if answer.failure else answer.text for answer in answers]
    tally = measure.tally(texts, references, asked)
    failed = np.array([bool(answer.failure) for answer in answers], dtype=np.bool_)
    if measure.name not in FAULTS and tally.shape[1:] == (2,):
        bottoms = np.maximum(tally[failed, 1], 1)
        tops = np.maximum(tally[failed, 0], 1) if measure.better == "low" else np.zeros(len(bottoms))
        tally[failed] = np.stack([tops, bottoms], axis=1)
    return tally
