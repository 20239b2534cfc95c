"""
A verdict ─► the table of its candidates, as a terminal shows it.

In: a Verdict. Out: a head and a row of cells a candidate:

    candidate     score                   over echo  p        over the best  p  seconds  price of 1,000  failed  copied
    qwen3 3-shot  0.960 (0.951 to 0.968)  +0.740     < 0.001  –              –  41.2     0.18 USD        0       2%
"""

from hanpuri.evaluation.significance import Difference
from hanpuri.evaluation.verdict.candidates import Outcome
from hanpuri.evaluation.verdict.facts import told, told_price
from hanpuri.evaluation.verdict.recipe import ECHO
from hanpuri.evaluation.verdict.verdict import Verdict

NOTHING = "–"
HEAD = ("candidate", "score", "over echo", "p", "over the best", "p")


def table(verdict: Verdict) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Lay the candidates out as cells below a head, those that did not answer left out."""
    answered = [outcome for outcome in verdict.outcomes if outcome.evaluation is not None]
    rows = []
    for outcome in answered:
        assert outcome.evaluation is not None
        score = outcome.evaluation.scores[verdict.facts.measure]
        over = [verdict.over(outcome.asked.label, first) for first in (ECHO, verdict.best.label)]
        gains = [cell for gain in over for cell in _gain_cells(gain)]
        rows.append((label_of(outcome), told(score), *gains, *cost_cells(verdict, outcome)))
    return (*HEAD, *cost_head(verdict)), rows


def label_of(outcome: Outcome) -> str:
    """Name an outcome, and say if there was no room for all its examples."""
    asked = outcome.asked
    return asked.label if outcome.shots == asked.shots else f"{asked.label} (room for {outcome.shots})"


def cost_head(verdict: Verdict) -> tuple[str, ...]:
    """Name what `cost_cells` gives: of pairs, also the rows of wrong length."""
    pairs = verdict.material.row_set.form == "pairs"
    return ("seconds", "price of 1,000", "failed", "copied", *(("wrong length",) if pairs else ()))


def cost_cells(verdict: Verdict, outcome: Outcome) -> tuple[str, ...]:
    """Write what an outcome cost, and in how many rows it failed in a way that can be counted."""
    found = outcome.evaluation
    assert found is not None
    price = NOTHING if outcome.price is None else f"{told_price(outcome.price)} {verdict.recipe.price.currency}"
    seconds = NOTHING if outcome.seconds is None else f"{outcome.seconds:,.1f}"
    shares = [found.scores.get(name) for name in ("copied", "wrong_length")]
    told_shares = [NOTHING if share is None else f"{share.value:.0%}" for share in shares]
    return (seconds, price, f"{found.num_failed:,}", *told_shares)[: len(cost_head(verdict))]


def told_p(gain: Difference) -> str:
    """Write a p-value."""
    return f"{gain.p_value:.3f}" if gain.p_value >= 0.001 else "< 0.001"


def _gain_cells(gain: Difference | None) -> tuple[str, str]:
    return (NOTHING, NOTHING) if gain is None else (f"{gain.value:+.3f}", told_p(gain))
