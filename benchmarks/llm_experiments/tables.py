"""
The tables of docs/experiments.md, from the files of results/.

In: results/*.json, results/restoring/*.json. Out: Markdown; what was not run stands there as not run:

    | run | parameters | tokens | bits per byte | tokens/s | share of peak | memory | time |
    | `law-5m-26m` | not run yet | | | | | | |

`benchmarks/write_tables.py` puts them between the marks of the page.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.llm_experiments.pretraining import LAW, RECIPE, name_of
from benchmarks.llm_experiments.restoring import MEASURE, SETS, gain_over
from benchmarks.llm_experiments.ways import BASE, WAYS, Way

RESULTS = Path(__file__).with_name("results")
DOCS = Path(__file__).parents[2] / "docs"
PLOT = "experiments-law.svg"
NOT_RUN = "not run yet"
NOT_ASKED = "trained, not asked yet"
UNKNOWN = "–"
GIB = 1 << 30


def read(name: str, results: Path = RESULTS) -> dict[str, Any]:
    """Read a file of results; an empty one if it is not there."""
    path = results / name
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """
    Lay out a table, its first columns words and the others numbers; a row too short has nothing in its last columns.

    >>> print(table(["run", "time"], [["a"]]))
    | run | time |
    |---|---:|
    | a |  |
    """
    rule = "|" + "---|" * words + "---:|" * (len(head) - words)
    whole = [[*row, *[""] * (len(head) - len(row))] for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in whole)])


def bounded(score: Sequence[float] | None) -> str:
    """
    Write a score with its bounds.

    >>> bounded([0.9412, 0.931, 0.951])
    '0.9412 (0.931–0.951)'
    """
    return UNKNOWN if not score else f"{score[0]:.4f} ({score[1]:.3f}–{score[2]:.3f})"


def pretraining(results: Path = RESULTS) -> str:
    """Make the table of the runs from nothing."""
    told = read("pretraining.json", results)
    runs = told.get("runs", {})
    rows = [_run_row(name, runs.get(name)) for name in (*(name_of(*one) for one in LAW), RECIPE)]
    head = ["run", "parameters", "tokens", "bits per byte", "tokens/s", "share of peak", "memory", "seconds"]
    made = table(head, rows)
    if rate := told.get("product_rate"):
        made += f"\n\nThe peak is 8192³ in bf16 on the same GPU: {rate / 1e12:.0f} TFLOP/s. By"
        made += " `python -m benchmarks.llm_experiments.pretraining`."
    return made


def _run_row(name: str, run: Mapping[str, Any] | None) -> list[str]:
    if not run:
        return [f"`{name}`", NOT_RUN]
    share = UNKNOWN if run["share"] is None else f"{run['share']:.0%}"
    speed = UNKNOWN if run["tokens_per_second"] is None else f"{run['tokens_per_second']:,.0f}"
    gpus = "" if run.get("gpus", 1) == 1 else f", {run['gpus']} GPUs"
    return [
        *(
            f"`{name}`{gpus}",
            f"{run['parameters'] / 1e6:.1f}M",
            f"{run['tokens'] / 1e6:.0f}M",
            f"{run['bits_per_byte']:.4f}",
        ),
        *(speed, share, f"{run['peak_memory_bytes'] / GIB:.1f} GiB", f"{run['seconds']:,.0f}"),
    ]


def foretold(results: Path = RESULTS) -> str:
    """Say what the law foretold of the large run, and what came."""
    told, runs = read("foretold.json", results), read("pretraining.json", results).get("runs", {})
    if not told:
        return f"The law: {NOT_RUN}."
    point = told["foretold"][0]
    loss, figures = point["loss"], told["figures"]
    law = ", ".join(f"{name} {one['value']:.3g} ({one['low']:.3g}–{one['high']:.3g})" for name, one in figures.items())
    came = runs.get(RECIPE)
    found = f"It came to **{came['bits_per_byte']:.4f}**." if came else f"The large run: {NOT_RUN}."
    drawn = f"\n\n![The law and its runs]({PLOT})" if (DOCS / PLOT).is_file() else ""
    return (
        f"Fitted to {told['runs']} runs: {law}. Foretold {told['when']} for {point['parameters'] / 1e6:.1f}M parameters"
        f" on {point['tokens'] / 1e6:.0f}M tokens: **{loss['value']:.4f}** {told['unit']} ({loss['low']:.4f}–"
        f"{loss['high']:.4f}). {found}{drawn}"
    )


def restoring(results: Path = RESULTS) -> str:
    """Make the table of ways to restore."""
    found = {way.name: read(f"restoring/{way.name}.json", results) for way in WAYS}
    rows = [_way_row(way, found[way.name], found[BASE]) for way in WAYS]
    sets = [name.removesuffix("_dev") for name in SETS]
    head = ["way", "what is different", *sets, "prose, gain", "CER", "wrong length", "answers"]
    head += ["loss", "seconds", "memory"]
    return table(head, rows, words=2)


def _way_row(way: Way, row: Mapping[str, Any], base: Mapping[str, Any]) -> list[str]:
    name, differs, engine = way.name, way.differs, way.engine
    if not row:
        return [f"`{name}`", differs, NOT_RUN]
    training = {} if row["of"] else row["training"]
    # Rounds have no loss of their own; of ways that make what they learn from, the held-out rows are other ones.
    loss = None if way.make else (training.get("scores") or {}).get("loss")
    seconds, memory = training.get("seconds"), training.get("peak_memory_bytes")
    made = f", {row['seconds_before'] - seconds:,.0f} to make" if way.make and seconds else ""
    took = [
        UNKNOWN if not loss else f"{loss:.4f}",
        UNKNOWN if not seconds else f"{seconds:,.0f}{made}",
        UNKNOWN if not memory else f"{memory / GIB:.1f} GiB",
    ]
    if "sets" not in row:
        return [f"`{name}`", differs, NOT_ASKED, "", "", "", "", "", "", *took]
    scores = [bounded(row["sets"][one]["scores"][MEASURE]) for one in SETS]
    gained = gain_over(base, row, "prose_gold") if "sets" in base and name != BASE else UNKNOWN
    prose = row["sets"]["prose_gold"]["scores"]
    counted = f"{prose['cer'][0]:.3f}", f"{prose['wrong_length'][0]:.1%}"
    asked = f"{sum(one['seconds'] for one in row['sets'].values()):,.0f}"
    place = f", {row['engine']}" if row.get("engine", engine) != engine else ""
    place += ", processor" if row.get("asked_on") == "processor" else ""
    return [f"`{name}`", differs, *scores, gained, *counted, asked + place, *took]


def answering(results: Path = RESULTS) -> str:
    """Make the table of questions and answers, with some of them to read."""
    told = read("answering.json", results)
    if not told:
        return f"Questions and answers: {NOT_RUN}."
    measures = {"exact match": "exact_match", "F1 of words": "token_f1", "F1 of characters": "korquad_f1"}
    head = ["model", *measures, "it ends", "bits per byte", "seconds"]
    rows = [
        [
            one,
            *(bounded(told[one]["scores"].get(name)) for name in measures.values()),
            *(f"{told[one]['scores']['stop_rate'][0]:.0%}", f"{told[one]['scores']['bits_per_byte'][0]:.4f}"),
            f"{told[one]['seconds']:.0f}",
        ]
        for one in ("before", "after")
    ]
    made = [table(head, rows), "", f"{told['rows']:,} test rows; trained for {told['training']['seconds']:,.0f} s.", ""]
    path = results / "answers.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    answers = [[_cell(one) for one in json.loads(line).values()] for line in lines]
    head = ["question", "the row's answer", "before", "after"]
    return "\n".join([*made, table(head, answers, words=4)])


def _cell(text: str) -> str:
    """Keep a text within a cell of a table."""
    shown = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return shown if len(shown) <= 60 else shown[:59] + "…"


def verdict(results: Path = RESULTS) -> str:
    """Say what `hanpuri verdict` advised."""
    told = read("verdict.json", results)
    if not told:
        return f"The verdict: {NOT_RUN}."
    advice = told["advice"]
    lines = [f"**{advice['kind']}**: {advice['because']}", "", *(f"- {reason}" for reason in advice["reasons"])]
    return "\n".join(lines)


def computed(results: Path = RESULTS) -> str:
    """Make the table of what larger models take; computed, not measured."""
    told = read("computed.json", results)
    rows = [
        [
            *(f"{row['model']}, {row['way']}", f"{row['parameters'] / 1e9:.1f}B", f"{row['gib']} GiB"),
            *(f"{row['weights_gib']} GiB", f"{row['optimizer_gib']} GiB", f"{row['hours_at_best']} h"),
        ]
        for row in told.get("rows", [])
    ]
    head = ["model, method", "parameters", "memory (computed)", "of it weights", "optimizer", "time at best (computed)"]
    return table(head, rows) if rows else f"Larger models: {NOT_RUN}."
