"""
The table of engines: what each reaches on each set, how sure that is, how fast it is, what it holds in memory.

In:  eval/*_dev.jsonl, the shipped models, and what was trained here. Out: a Markdown table a set:

    python benchmarks/engines.py [--engines viterbi bilstm] [--sets prose_gold] [--rows 300] [--write]
    python benchmarks/engines.py --engines --write                     measures nothing, writes what is known

An engine is a process of its own, so that memory is its own. Answers are kept under runs/.answers: a table that was cut
off goes on. With --rows a set is thinned out evenly, and the table says so; the difference to compact:base is always
that on the same rows. Figures (no texts) are kept in engines.json, from which --write fills the READMEs between
`<!-- engines:begin -->` and `<!-- engines:end -->`; engines that were not asked for keep what they had.
Speeds are of two processors, beside whatever else they had to do; they are left as they were where answers were kept:
remove runs/.answers/engines to measure them anew.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))  # for `python benchmarks/engines.py`

from benchmarks.baselines.viterbi import ViterbiEngine  # noqa: E402
from benchmarks.write_tables import fill, table  # noqa: E402
from hanpuri.engines.base import GREEDY, Decoding, Engine  # noqa: E402
from hanpuri.engines.cache import AnswerCache  # noqa: E402
from hanpuri.engines.opening import open_engine  # noqa: E402
from hanpuri.engines.settings import parse_engine  # noqa: E402
from hanpuri.evaluation.evaluate import Evaluation, evaluate  # noqa: E402
from hanpuri.evaluation.metrics.tallies import pooled  # noqa: E402
from hanpuri.evaluation.rows import RowSet, read_rows  # noqa: E402
from hanpuri.evaluation.significance import difference  # noqa: E402

RESULTS = Path(__file__).with_name("engines.json")
ANSWERS = Path("runs/.answers/engines")
SETS = ("reviews_gold", "prose_gold", "kotox")
FIRST = "compact:base"
LLM = "transformers:runs/restoration-llm-2"
ENGINES = {  # what tables call it: how it is opened
    "echo": "echo",
    "viterbi": "runs/viterbi",
    "bilstm": "runs/bilstm",
    "compact:small": "compact:small,threads=2",
    FIRST: "compact:base,threads=2",
    "llm": LLM,
    "llm, aligned=syllables": f"{LLM},aligned=syllables",
    "llm, aligned=airbnb": f"{LLM},aligned=airbnb",
    "llm, channel=airbnb": f"{LLM},channel=airbnb",
    "char-lm, channel=airbnb": "transformers:runs/char-lm,channel=airbnb",
}
SCORES = ("char_accuracy", "char_f1", "cer", "unchanged_clean", "wrong_length")
SPARE_TOKENS = 64
READMES = {"README.md": False, "README.ko.md": True}
"""Whether each is in Korean."""


@contextmanager
def opened(name: str) -> Iterator[Engine]:
    """Open an engine of the table."""
    if name == "viterbi":
        yield ViterbiEngine.load(Path(ENGINES[name]))
    elif name == "bilstm":
        from benchmarks.baselines.bilstm import BilstmEngine  # imports torch

        yield BilstmEngine.load(Path(ENGINES[name]))
    else:
        with open_engine(parse_engine(ENGINES[name])) as engine:
            yield engine


def thin(row_set: RowSet, num_rows: int | None) -> RowSet:
    """Take so many rows, evenly from the first to the last; all, if there are no more."""
    total = len(row_set.rows)
    if num_rows is None or num_rows >= total:
        return row_set
    return replace(row_set, rows=tuple(row_set.rows[place] for place in thin_places(total, num_rows)))


def thin_places(total: int, num_rows: int) -> list[int]:
    """
    Choose places evenly.

    >>> thin_places(10, 3)
    [0, 3, 6]
    """
    return [place * total // num_rows for place in range(num_rows)]


def decoding_for(row_set: RowSet) -> Decoding:
    """Choose the likeliest token; our language model writes a token a character, so the longest row tells how many."""
    return replace(GREEDY, max_new_tokens=max(len(row.asked) for row in row_set.rows) + SPARE_TOKENS)


def measure(name: str, set_name: str, num_rows: int | None, *, clean: bool) -> None:
    """Ask one engine one set; keep figures and what each row added."""
    row_set = thin(read_rows(Path("eval") / f"{set_name}_dev.jsonl"), num_rows)
    cache = AnswerCache(ANSWERS / f"{_file_of(name)}.jsonl")
    with opened(name) as engine:
        found = evaluate(engine, row_set, decoding_for(row_set), cache=cache, unchanged_clean=clean)
    tallies = {key: found.tallies[key] for key in SCORES if key in found.tallies}
    ANSWERS.mkdir(parents=True, exist_ok=True)
    where = np.array([row.where for row in row_set.rows])
    np.savez(_tallies_of(name, set_name), where=where, **tallies)  # type: ignore[arg-type]
    figures = read_results()
    old = figures.get(set_name, {}).get(name, {})
    figures.setdefault(set_name, {})[name] = figures_of(found, old)
    RESULTS.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def figures_of(found: Evaluation, old: dict[str, Any]) -> dict[str, Any]:
    """Give the figures of an evaluation; speed and memory of an earlier one where answers were kept."""
    told: dict[str, Any] = {"rows": len(found.answers), "failed": found.num_failed}
    for key in SCORES:
        if key in found.scores:
            one = found.scores[key]
            told[key] = [round(value, 5) for value in (one.value, one.low, one.high)]
    told["wrong_length_rows"] = sum(
        len(answer.text) != len(row.asked) for answer, row in zip(found.answers, found.row_set.rows, strict=True)
    )
    all_new = not found.num_kept and "rows" in found.per_second
    told["rows_per_second"] = round(found.per_second["rows"], 2) if all_new else old.get("rows_per_second")
    told["memory_mib"] = round((found.peak_memory_bytes or 0) / 2**20) if all_new else old.get("memory_mib")
    told["measured"] = f"{date.today().isoformat()}, {platform.machine()}, 2 processors"
    return told


def compare(figures: dict[str, Any]) -> None:
    """Add to each engine's figures what it has more than compact:base on the same rows."""
    for set_name, engines in figures.items():
        base = _tallies_of(FIRST, set_name)
        for name, told in engines.items():
            if name == FIRST or not base.is_file():
                continue
            mine = _tallies_of(name, set_name)
            with np.load(base) as first:
                told["to_base"] = _gap_by_row(first, mine) if mine.is_file() else _gap_of_scores(first, told)


def _gap_by_row(first: Mapping[str, Any], mine: Path) -> list[float] | None:
    """What an engine has more, between what bounds, how likely by chance; None where base had not the same rows."""
    with np.load(mine) as second:
        place = {where: number for number, where in enumerate(first["where"].tolist())}
        rows = [place[where] for where in second["where"].tolist() if where in place]
        if len(rows) != len(second["where"]):
            return None
        gap = difference(first["char_accuracy"][rows], second["char_accuracy"])
    return [round(value, 5) for value in (gap.value, gap.low, gap.high, gap.p_value)]


def _gap_of_scores(first: Mapping[str, Any], told: Mapping[str, Any]) -> list[float | None]:
    """The same for an engine of which only the score is kept; then nothing can be said of chance."""
    tally = first["char_accuracy"]
    gap = told["char_accuracy"][0] - pooled(tally[thin_places(len(tally), told["rows"])])
    return [round(gap, 5), None, None, None]


def read_results() -> dict[str, Any]:
    """Read what was measured so far."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.is_file() else {}


def make_tables(figures: dict[str, Any], *, korean: bool = False) -> str:
    """Write a table for each set."""
    head = ["engine", "rows", "char_accuracy (95 %)", "char_f1", "CER", "clean kept", "other length", "to compact:base"]
    head += ["rows/s", "memory"]
    if korean:
        head = [
            "엔진",
            "행",
            "char_accuracy (95 %)",
            "char_f1",
            "CER",
            "원문 보존",
            "길이 다른 행",
            "compact:base 대비",
        ]
        head += ["행/초", "메모리"]
    parts = []
    for set_name in (name for name in SETS if name in figures):
        rows = [_row(name, figures[set_name][name]) for name in ENGINES if name in figures[set_name]]
        parts.append(f"`{set_name}_dev`\n\n{table(head, rows)}")
    return "\n\n".join(parts)


def _row(name: str, told: dict[str, Any]) -> list[str]:
    value, low, high = told["char_accuracy"]
    scores = [f"{told[key][0]:.4f}" if key in told else "–" for key in ("char_f1", "cer", "unchanged_clean")]
    gap = "–"
    if told.get("to_base"):
        more, _, _, p_value = told["to_base"]
        gap = f"{more:+.4f}" + (" (chance)" if p_value is not None and p_value >= 0.05 else "")
    speed = "–" if told["rows_per_second"] is None else f"{told['rows_per_second']:,.1f}"
    memory = f"{told['memory_mib']:,} MiB" if told["memory_mib"] else "–"
    wide = f"{value:.4f} ({low:.4f}–{high:.4f})"
    return [f"`{name}`", f"{told['rows']:,}", wide, *scores, str(told["wrong_length_rows"]), gap, speed, memory]


def _file_of(name: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in name)


def _tallies_of(name: str, set_name: str) -> Path:
    return ANSWERS / f"{_file_of(name)}.{set_name}.npz"


def run_all(names: Sequence[str], sets: Sequence[str], num_rows: int | None, *, clean: bool) -> None:
    """Measure engine after engine, each in a process of its own; one that fails is told, and the others go on."""
    for set_name in sets:
        for name in names:
            command = [sys.executable, __file__, "--one", name, "--sets", set_name]
            command += ["--rows", str(num_rows)] if num_rows else []
            done = subprocess.run([*command, *([] if clean else ["--no-clean"])], check=False)
            if done.returncode:
                print(f"{name} on {set_name}: not measured", file=sys.stderr)


def main() -> None:
    """Measure, print, and write if told so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--rows", type=int, help="rows of each set, taken evenly")
    parser.add_argument("--no-clean", dest="clean", action="store_false", help="do not ask the clean sides")
    parser.add_argument("--write", action="store_true", help="fill the READMEs")
    parser.add_argument("--one", choices=list(ENGINES), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        measure(told.one, told.sets[0], told.rows, clean=told.clean)
        return
    if told.write:
        for file in READMES:  # before the long part: fails if there are no marks
            fill((REPOSITORY / file).read_text(encoding="utf-8"), "engines", "")
    run_all(told.engines, told.sets, told.rows, clean=told.clean)
    figures = read_results()
    compare(figures)
    RESULTS.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(make_tables(figures))
    if told.write:
        for file, korean in READMES.items():
            path = REPOSITORY / file
            text = fill(path.read_text(encoding="utf-8"), "engines", make_tables(figures, korean=korean))
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
