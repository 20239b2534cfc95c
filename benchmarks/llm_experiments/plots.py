"""
The plot of docs/experiments.md: small runs, the law, what it foretold of the large run, and what came.

In: results/foretold.json, results/pretraining.json. Out: docs/experiments-law.svg, a line a size over tokens:

    python -m benchmarks.llm_experiments.plots

The lines are the law's, the points are runs; the large run's point has the bounds of what was foretold.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks.llm_experiments.pretraining import LAW, MEGA, RECIPE, name_of
from benchmarks.llm_experiments.tables import RESULTS, read

PLOT = Path(__file__).parents[2] / "docs" / "experiments-law.svg"
COLOURS = ("#1b6ca8", "#2a9d8f", "#e07a1f", "#7a3e9d")


def main() -> int:
    """Draw, if there is something to draw."""
    told, runs = read("foretold.json"), read("pretraining.json").get("runs", {})
    if not told or not runs:
        print(f"{RESULTS}: found no law, expected foretold.json and pretraining.json", file=sys.stderr)
        return 2
    draw(told, runs, PLOT)
    print(f"{PLOT} is ready")
    return 0


def draw(told: dict[str, Any], runs: dict[str, Any], out: Path) -> None:
    """Draw the law and the runs."""
    import matplotlib
    import numpy as np

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "hanpuri"  # the same figures give the same file
    from matplotlib.figure import Figure

    law = {name: one["value"] for name, one in told["figures"].items()}
    point = told["foretold"][0]
    figure = Figure(figsize=(7, 4.2))
    axes = figure.add_subplot()
    tokens = np.geomspace(2e7, point["tokens"] * 1.3, 60)
    sizes = list(dict.fromkeys(size for size, _ in LAW))
    for colour, size in zip(COLOURS, sizes, strict=False):
        mine = [runs[name_of(one, steps)] for one, steps in LAW if one == size and name_of(one, steps) in runs]
        if mine:
            axes.plot(tokens, loss(law, mine[0]["matrices"], tokens), color=colour, linewidth=1)
            places = [run["tokens"] for run in mine], [run["bits_per_byte"] for run in mine]
            axes.plot(*places, "o", color=colour, label=f"{mine[0]['matrices'] / 1e6:.0f}M in blocks")
    colour = COLOURS[-1]
    axes.plot(tokens, loss(law, point["parameters"], tokens), color=colour, linewidth=1, linestyle="--")
    bounds = point["loss"]
    reach = [[bounds["value"] - bounds["low"]], [bounds["high"] - bounds["value"]]]
    told_of = f"{point['parameters'] / 1e6:.0f}M, foretold"
    axes.errorbar([point["tokens"]], [bounds["value"]], yerr=reach, fmt="_", color=colour, capsize=4, label=told_of)
    if RECIPE in runs:
        came = runs[RECIPE]
        axes.plot([came["tokens"]], [came["bits_per_byte"]], "*", color=colour, markersize=12, label="what came")
    axes.set(xscale="log", xlabel="tokens, in millions", ylabel="bits per byte")
    ticks = sorted({*(run["tokens"] for run in runs.values()), point["tokens"]})
    axes.set_xticks(ticks, [f"{tick / MEGA:.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(frameon=False)
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})


def loss(law: dict[str, float], parameters: float, tokens: Any) -> Any:
    """
    Give what the law says.

    >>> loss({"E": 1.0, "A": 2.0, "alpha": 1.0, "B": 4.0, "beta": 1.0}, 2.0, 4.0)
    3.0
    """
    return law["E"] + law["A"] * parameters ** -law["alpha"] + law["B"] * tokens ** -law["beta"]


if __name__ == "__main__":
    sys.exit(main())
