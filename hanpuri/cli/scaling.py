"""`hanpuri scaling-law`: small runs, a fitted law, and the model and text for a given compute."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hanpuri.errors import DataError

if TYPE_CHECKING:
    from hanpuri.training.scaling_law import Budget, Law

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri scaling-law runs/tiny-*

  hanpuri scaling-law runs/tiny-* --compute 1e18 --compute 1e19 --out law.html

  hanpuri scaling-law runs/tiny-* --at 1.1e8,2.6e8

  hanpuri scaling-law --table runs.csv --compute 1e18 --json
"""
BEYOND = (10.0, 100.0)  # times the largest run, where no compute is named


def run(
    runs: Sequence[Path],
    table: Path | None,
    compute: Sequence[float],
    at: Sequence[str],
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Fit the law to runs or to a table of them, and print what it says; a page goes into `out`."""
    from hanpuri.runs.files import write_whole
    from hanpuri.training.scaling_law import fit_law, read_table, read_trials
    from hanpuri.training.scaling_page import write_page

    if bool(runs) == bool(table):
        raise DataError("give runs, or a table of them", "see hanpuri scaling-law --help")
    if wrong := next((one for one in compute if not 0 < one < float("inf")), None):
        raise DataError(f"compute is {wrong:g}, expected a number above 0", "write it as 1e18")
    points = [_point(one) for one in at]
    trials, unit = (read_table(table), "the table's unit") if table else read_trials(runs)
    law = fit_law(trials, unit)
    largest = max(6 * one.parameters * one.tokens for one in trials)
    budgets = [law.best_use(one) for one in compute or [times * largest for times in BEYOND]]
    if out:
        write_whole(out, write_page(law, budgets))
    if as_json:
        print(json.dumps(_as_dict(law, budgets, points), ensure_ascii=False))
        return
    _print(law, budgets, points)
    if out:
        print(f"{out} is ready")


def _point(told: str) -> tuple[float, float]:
    """Read "1.1e8,2.6e8": parameters and tokens."""
    try:
        parameters, tokens = (float(part) for part in told.split(","))
    except ValueError:
        parameters = tokens = 0.0
    if not (0 < parameters < float("inf") and 0 < tokens < float("inf")):
        raise DataError(f"--at is {told!r}, expected parameters and tokens", "write them as 1.1e8,2.6e8")
    return parameters, tokens


def _as_dict(law: "Law", budgets: Sequence["Budget"], points: Sequence[tuple[float, float]]) -> dict[str, object]:
    from hanpuri.training.scaling_page import notes_on

    uses = [
        {
            "compute": one.compute,
            "parameters": one.parameters._asdict(),
            "tokens": one.tokens._asdict(),
            "loss": one.loss._asdict(),
        }
        for one in budgets
    ]
    figures = {name: figure._asdict() for name, figure in law.figures.items()}
    return {
        "runs": len(law.trials),
        "unit": law.unit,
        "figures": figures,
        "uses": uses,
        "foretold": [
            {"parameters": parameters, "tokens": tokens, "loss": law.loss(parameters, tokens)._asdict()}
            for parameters, tokens in points
        ],
        "notes": notes_on(law, budgets),
    }


def _print(law: "Law", budgets: Sequence["Budget"], points: Sequence[tuple[float, float]]) -> None:
    from hanpuri.training.scaling_page import BUDGET_HEAD, budget_row, interval, notes_on

    print(f"L = E + A/N^alpha + B/D^beta, {len(law.trials)} runs, L in {law.unit}; in brackets 5 % to 95 %")
    for name, figure in law.figures.items():
        print(f"  {name:<6} {interval(figure)}")
    print()
    table = [BUDGET_HEAD, *(budget_row(budget) for budget in budgets)]
    widths = [max(len(row[column]) for row in table) for column in range(len(BUDGET_HEAD))]
    for row in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    for parameters, tokens in points:
        print(f"{parameters:.3g} parameters on {tokens:.3g} tokens: loss {interval(law.loss(parameters, tokens))}")
    for note in notes_on(law, budgets):
        print(f"! {note}")
