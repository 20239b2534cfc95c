"""
Engines side by side on the same rows: which is better, and whether that can be told from chance.

In: evaluations, the one that others are held against first. Out: differences by file and engine, and words for them:

    {("reviews", "compact:base"): {"char_accuracy": Difference(0.41, 0.39, 0.43, p_value=0.001, num_rows=154), …}}

Losses of tokens are left out: tokenizers differ, and bits per byte are what can be compared.
"""

from collections.abc import Mapping, Sequence

from hanpuri.errors import DataError
from hanpuri.evaluation.evaluate import Evaluation
from hanpuri.evaluation.metrics import ANSWERING, KNOWN, RESTORATION
from hanpuri.evaluation.significance import Difference, differences

Comparisons = Mapping[tuple[str, str], Mapping[str, Difference]]
"""By the names of file and engine: measure ─► what the engine has more than the first one on that file."""

OF_TOKENS = ("loss", "perplexity", "next_token_accuracy")
HEADLINES = ("char_accuracy", "token_f1")


def compare_with_first(evaluations: Sequence[Evaluation], seed: int = 0) -> Comparisons:
    """
    Reckon how each engine differs from the first one on the same file, in every measure that both have.

    Raises:
        DataError: if a file has changed between two evaluations of it.
    """
    first: dict[str, Evaluation] = {}
    found = {}
    for one in evaluations:
        base = first.setdefault(one.row_set.name, one)
        if one is base:
            continue
        if [row.where for row in one.row_set.rows] != [row.where for row in base.row_set.rows]:
            told = f"{one.engine} and {base.engine} were asked different rows of {one.row_set.name}"
            raise DataError(told, "evaluate both on the same rows")
        sides = [{name: of.tallies[name] for name in of.scores if name not in OF_TOKENS} for of in (base, one)]
        pools = {name: KNOWN[name].pool for name in sides[0]}
        found[one.row_set.name, one.engine] = differences(sides[0], sides[1], pools, seed=seed)
    return found


def headline_of(evaluation: Evaluation) -> str | None:
    """Name the measure that engines are first compared by; None where nothing was scored."""
    usual = RESTORATION if evaluation.row_set.form == "pairs" else ANSWERING
    wanted = (*(name for name in HEADLINES if name in usual), *usual)
    return next((name for name in wanted if name in evaluation.scores), None)


def best_of(measure: str, values: Sequence[float | None]) -> float | None:
    """
    Find the best value; None where there are not two different ones.

        >>> best_of("cer", [0.1, 0.2, None]), best_of("cer", [0.1, 0.1])
        (0.1, None)
    """
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:
        return None
    return min(known) if KNOWN[measure].better == "low" else max(known)


def in_words(measure: str, found: Difference) -> str:
    """
    Say what a difference means.

        >>> in_words("cer", Difference(-0.02, -0.03, -0.01, 0.002, 154))
        'better'
        >>> in_words("cer", Difference(-0.002, -0.03, 0.01, 0.4, 154))
        'no difference that 154 rows can show'
    """
    if not found.significant() or not found.value:
        return f"no difference that {found.num_rows:,} row{'s' * (found.num_rows != 1)} can show"
    return "better" if (found.value < 0) == (KNOWN[measure].better == "low") else "worse"
