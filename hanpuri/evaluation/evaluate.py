"""
An engine + the rows of a file ─► one object of scores.

In:  `compact:base` and {"noisy": "확잠실읾", "clean": "화장실이"} a line. Out: an `Evaluation`; as JSON:

    {"rows": 154, "char_accuracy": 0.97, …, "model": "base", "engine": "compact:base", "intervals": {…}, "slices": […]}

A row that an engine cannot answer, or that does not fit its template, counts as an empty text that is never right, and
is listed with its reason. Clean text as an input, which a good restorer leaves as it is, is a second pass over pairs.
"""

import math
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding, Engine, LateEngine, Likelihood
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.restoring import room_for
from hanpuri.evaluation.asking import ask, find_fitting, score_references
from hanpuri.evaluation.memory import MemoryWatch
from hanpuri.evaluation.metrics import ANSWERING, KNOWN, LIKELIHOODS, MEASURES, OUTCOMES, RESTORATION, Tally, pooled
from hanpuri.evaluation.metrics.measures import SEEN, tally_answers
from hanpuri.evaluation.metrics.ngrams import is_installed
from hanpuri.evaluation.rows import EvalRow, RowSet
from hanpuri.evaluation.significance import Interval, intervals
from hanpuri.evaluation.slices import group_rows, made_by

Progress = Callable[[int, int], None]
"""Told how many rows of how many are done."""
PER_SECOND = ("rows", "chars", "tokens")
SLICED: Mapping[str, tuple[str, ...]] = {
    "pairs": ("char_accuracy", "exact_match", "cer"),
    "instruction": ("exact_match", "token_f1", "cer"),
    "messages": ("exact_match", "token_f1", "cer"),
}
"""What slices are scored by; of likelihoods, the loss too."""


@dataclass(frozen=True)
class Slice:
    """The scores of some rows."""

    by: str
    value: str
    num_rows: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What an engine reached on one file."""

    engine: str
    """What tables call it."""
    row_set: RowSet
    answers: tuple[Answer, ...]
    """One a row, in the rows' order."""
    scores: Mapping[str, Interval]
    """By measure; what nothing was counted for, and what needs a library that is not installed, is left out."""
    tallies: Mapping[str, Tally]
    """What each row adds to a score, (N, 2), for comparisons on the same rows."""
    slices: tuple[Slice, ...]
    seconds: float
    """Time to answer the rows that were not in the cache; the pass over clean text not counted."""
    num_failed: int
    peak_memory_bytes: int | None = None
    """The most that this process held meanwhile, or torch on a GPU; None where neither could be told."""
    num_kept: int = 0
    """Rows whose answers were in the cache."""
    per_second: Mapping[str, float] = field(default_factory=dict)
    """Rows, characters of their questions and tokens of their answers in a second, of those that were asked now."""
    clean_answers: tuple[Answer, ...] = ()
    """What became of the clean sides; () where they were not asked."""
    likelihoods: tuple[Likelihood, ...] = ()
    """Of the right answers, where the engine tells them."""

    @property
    def failures(self) -> list[tuple[EvalRow, str]]:
        """The rows without an answer, and why."""
        rows = zip(self.row_set.rows, self.answers, strict=True)
        return [(row, answer.failure) for row, answer in rows if answer.failure]

    def as_dict(self) -> dict[str, object]:
        """All but the texts, as JSON: first the scores by name, rounded for printing."""
        scores = {name: rounded(one.value) for name, one in self.scores.items()}
        first = ("char_accuracy", "char_f1", "exact_match", "cer", "unchanged_clean")
        wanted = first if self.row_set.form == "pairs" else ()
        prompted = [answer.num_prompt_tokens for answer in self.answers if answer.num_prompt_tokens is not None]
        per_second = {f"{name}_per_second": rounded(self.per_second.get(name)) for name in PER_SECOND}
        return {
            "rows": len(self.answers),
            **{name: scores.get(name) for name in wanted},
            "seconds": rounded(self.seconds),
            "chars_per_second": per_second["chars_per_second"],
            "model": self.engine.removeprefix("compact:"),
            "engine": self.engine,
            "file": str(self.row_set.path),
            "form": self.row_set.form,
            "sha256": self.row_set.sha256,
            **{name: value for name, value in scores.items() if name not in wanted},
            "intervals": {name: [rounded(one.low), rounded(one.high)] for name, one in self.scores.items()},
            **per_second,
            "rows_failed": self.num_failed,
            "rows_kept": self.num_kept,
            "rows_retried": sum(answer.num_tries > 1 for answer in self.answers),
            "tokens": sum(answer.num_tokens for answer in self.answers),
            "prompt_tokens": sum(prompted) if prompted else None,
            "peak_memory_bytes": self.peak_memory_bytes,
            "slices": [
                {"by": one.by, "value": one.value, "rows": one.num_rows, **_all_rounded(one.scores)}
                for one in self.slices
            ],
            "failures": [{"id": row.id, "where": row.where, "why": why} for row, why in self.failures],
        }


def evaluate(
    engine: Engine,
    row_set: RowSet,
    decoding: Decoding | None = None,
    *,
    measures: Sequence[str] | None = None,
    cache: AnswerCache | None = None,
    unchanged_clean: bool = True,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Evaluation:
    """
    Ask an engine all rows of a file, and score its answers.

        >>> import tempfile
        >>> from pathlib import Path
        >>> from hanpuri.engines.echo import EchoEngine
        >>> from hanpuri.evaluation.rows import read_rows
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "pairs.csv")
        ...     _ = path.write_text("noisy,clean\\n방이 조아요,방이 좋아요\\n너무,너무\\n", encoding="utf-8")
        ...     found = evaluate(EchoEngine(), read_rows(path), measures=["char_accuracy"])
        >>> round(found.scores["char_accuracy"].value, 4), found.scores["unchanged_clean"].value
        (0.8571, 1.0)

    Args:
        engine: what answers.
        row_set: what it is asked.
        decoding: how tokens are chosen; greedy, with room for the longest restored text, if not given.
        measures: names of `MEASURES`; by the form of the rows, if not given.
        cache: where answers are kept, and looked up first.
        unchanged_clean: whether clean text is asked too; only of pairs.
        seed: of the intervals.
        on_progress: told of every answer, and once before the first.

    Raises:
        DataError: if no row fits the engine, or the cache cannot be written.
        EngineError: if no row can be answered.
        ValueError: if there is no such measure.
    """
    names = _check_measures(measures, row_set)
    rows = [row.fields for row in row_set.rows]
    where = [row.where for row in row_set.rows]
    pairs = row_set.form == "pairs"
    cleans = _clean_rows(row_set) if pairs and unchanged_clean and row_set.has_references else []
    decoding = decoding or usual_decoding(row_set)
    refused, kept = find_fitting(engine, rows, where, decoding, cache)
    if len(refused) == len(rows):
        raise refused[0]
    where_clean = [f"{name}, its clean side" for name in where]
    refused_clean, _ = find_fitting(engine, cleans, where_clean, decoding, cache)
    tell = _counter(on_progress, len(rows) + len(cleans))
    with MemoryWatch() as watch:
        if isinstance(engine, LateEngine):
            engine.make_ready(decoding)
        started = time.perf_counter()
        answers = ask(engine, rows, where, decoding, cache, refused, tell)
        seconds = time.perf_counter() - started
        clean_answers = ask(engine, cleans, where_clean, decoding, cache, refused_clean, tell)
        likelihoods = score_references(engine, row_set)
    tallies = _count(names, row_set, answers, clean_answers, likelihoods)
    return Evaluation(
        engine=engine.name,
        row_set=row_set,
        answers=tuple(answers),
        scores=_intervals(tallies, seed),
        tallies=tallies,
        slices=tuple(_slice(row_set, tallies)),
        seconds=seconds,
        num_failed=sum(bool(answer.failure) for answer in answers),
        peak_memory_bytes=watch.peak_bytes,
        num_kept=len(kept),
        per_second=_rates(row_set, answers, kept, seconds),
        clean_answers=tuple(clean_answers),
        likelihoods=tuple(likelihoods),
    )


def usual_decoding(row_set: RowSet) -> Decoding:
    """Choose the likeliest token each time, with room for each restored text; of other answers, 256 tokens."""
    if row_set.form != "pairs":
        return GREEDY
    texts = [text for row in row_set.rows for text in (row.asked, row.reference or "")]
    return replace(GREEDY, max_new_tokens=room_for(texts), by_text=True)


def _check_measures(measures: Sequence[str] | None, row_set: RowSet) -> tuple[str, ...]:
    """Choose what to measure: by the form of the rows, what can be told without references, what is installed."""
    if unknown := next((name for name in measures or () if name not in MEASURES), None):
        raise ValueError(f"there is no measure {unknown}, only {', '.join(MEASURES)}")
    usual = RESTORATION if row_set.form == "pairs" else ANSWERING
    names = tuple(measures) if measures is not None else usual
    if not row_set.has_references:
        names = tuple(name for name in names if name in SEEN)
    return tuple(name for name in names if name != "unchanged_clean" and (name != "chrf" or is_installed()))


def _clean_rows(row_set: RowSet) -> list[Fields]:
    return [{"noisy": unicodedata.normalize("NFC", row.reference or "")} for row in row_set.rows]


def _counter(on_progress: Progress | None, total: int) -> Callable[[], None]:
    """Count answers as they come, from none on."""
    done = -1

    def tell() -> None:
        nonlocal done
        done += 1
        if on_progress:
            on_progress(done, total)

    tell()
    return tell


def _rates(row_set: RowSet, answers: Sequence[Answer], kept: frozenset[int], seconds: float) -> dict[str, float]:
    """Count what was done in a second; nothing is known where all answers were in the cache, or failed."""
    rows = zip(row_set.rows, answers, strict=True)
    asked = [pair for place, pair in enumerate(rows) if place not in kept and not pair[1].failure]
    if not asked or not seconds:
        return {}
    counts = len(asked), sum(len(row.asked) for row, _ in asked), sum(answer.num_tokens for _, answer in asked)
    # Some servers do not tell how many tokens their answers have.
    return {name: count / seconds for name, count in zip(PER_SECOND, counts, strict=True) if count}


def _count(
    names: Sequence[str],
    row_set: RowSet,
    answers: Sequence[Answer],
    clean_answers: Sequence[Answer],
    likelihoods: Sequence[Likelihood],
) -> dict[str, Tally]:
    asked, references = [row.asked for row in row_set.rows], [row.reference or "" for row in row_set.rows]
    tallies = {name: tally_answers(MEASURES[name], answers, references, asked) for name in names}
    if clean_answers:
        measure = MEASURES["unchanged_clean"]
        tallies[measure.name] = tally_answers(measure, clean_answers, references, references)
    tallies |= {name: outcome.tally(answers) for name, outcome in OUTCOMES.items()}
    if likelihoods:
        tallies |= {name: measure.tally(likelihoods) for name, measure in LIKELIHOODS.items()}
    return tallies


def _intervals(tallies: Mapping[str, Tally], seed: int) -> dict[str, Interval]:
    pools = {name: KNOWN[name].pool for name in tallies}
    return {name: one for name, one in intervals(tallies, pools, seed=seed).items() if not math.isnan(one.value)}


def _slice(row_set: RowSet, tallies: Mapping[str, Tally]) -> list[Slice]:
    wanted = [name for name in (*SLICED[row_set.form], "loss") if name in tallies]
    found = []
    for (by, value), rows in group_rows([_slices_of(row, row_set) for row in row_set.rows]).items():
        scores = {name: pooled(tallies[name][rows], pool=KNOWN[name].pool) for name in wanted}
        told = {name: score for name, score in scores.items() if not math.isnan(score)}
        found.append(Slice(by, value, len(rows), told))
    return found


def _slices_of(row: EvalRow, row_set: RowSet) -> Mapping[str, tuple[str, ...]]:
    """Add the rules of our own noise where the file tells none."""
    if row_set.form != "pairs" or row.reference is None or "rule" in row.slices:
        return row.slices
    made = made_by(*(unicodedata.normalize("NFC", text) for text in (row.asked, row.reference)))
    return {**row.slices, "rule": made} if made else row.slices


def rounded(value: float | None) -> float | None:
    """
    Round for printing; what is no number is null in JSON.

        >>> rounded(0.1234567), rounded(float("nan"))
        (0.12346, None)
    """
    return None if value is None or not math.isfinite(value) else round(value, 5)


def _all_rounded(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: rounded(value) for name, value in scores.items()}
