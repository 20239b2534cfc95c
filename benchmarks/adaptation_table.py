"""
What `benchmarks/adaptation.py --write` measured ─► the table of docs/adapt.md.

In:  adaptation.json, by model and device.   Out: Markdown, a row a share of the way from the old weights to the learnt.
"""

import json
from pathlib import Path
from typing import Any

SETS = ("reviews_gold", "prose_gold", "reviews_silver")
RESULTS = Path(__file__).with_name("adaptation.json")


def make_table(results: dict[str, Any] | None = None) -> str:
    """Lay out what was measured, or other such figures, a row a share of the way."""
    if results is None:
        results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    if not results:
        return "Nothing was measured yet: `python benchmarks/adaptation.py TEXTS --write`."
    heads = ["model", "share", *(f"`{name}`" for name in SETS), "clean reviews kept", "clean prose kept"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for called, one in results.items():
        for share, scores in one["scores"].items():
            shown = [f"{scores[name]:.4f}" for name in SETS]
            shown += [f"{scores[f'{name} clean']:.4f}" for name in SETS[:2]]
            lines.append(f"| {called} | {share} | {' | '.join(shown)} |")
    told = [f"{called}: {one['items']:,} characters in {one['seconds']:,.0f} s" for called, one in results.items()]
    dates = ", ".join(sorted({one["date"] for one in results.values()}))
    lines += ["", f"{'; '.join(told)}. Measured {dates} by `python benchmarks/adaptation.py … --write`."]
    return "\n".join(lines)
