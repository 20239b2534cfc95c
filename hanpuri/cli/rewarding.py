"""
`hanpuri score`: what a reward model gives the answers in a file; of preferences, how often it agrees.

    $ hanpuri score pairs.jsonl --model runs/reward --out scored.jsonl
    pairs.jsonl: 995 pairs
    accuracy           0.9417 ±0.0146
    margin             2.1308 ±0.1042
    loss               0.1765 ±0.0301
    calibration error  0.0312
    the longer answer wins in 51.0 % of the pairs of different lengths, and is the better one in 49.6 %

Scores are kept beside the output as they come (`scored.jsonl.kept`): a call that was stopped goes on.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hanpuri import __version__
from hanpuri.cli.drawing import kept_path, mapping, say, watching
from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.targets import Target
from hanpuri.errors import DataError, EngineError
from hanpuri.evaluation.significance import Interval, intervals
from hanpuri.runs.files import sha256_of, write_json, write_whole

if TYPE_CHECKING:
    from hanpuri.preferences.answered_rows import AnsweredRow
    from hanpuri.training.preference.pair_scores import PairScores, PairTexts

PAGE, FACTS = "report.html", "report.json"
Scored = Sequence[tuple["AnsweredRow", tuple[float, ...]]]


@dataclass(frozen=True)
class Asked:
    """What was said on the command line."""

    file: Path
    model: str
    out: Path | None = None
    report: Path | None = None
    fields: tuple[str, ...] = ()
    batch_size: int = 16
    device: str | None = None
    seed: int = 0
    as_json: bool = False


def score(asked: Asked) -> None:
    """
    Score the answers of a file, write and print.

    Raises:
        HanpuriError: if the file, a row of it or the model is not what it should be.
    """
    from hanpuri.preferences.answered_rows import read_answered
    from hanpuri.preferences.pairs import write_lines

    _check_paths(asked)
    rows = read_answered(asked.file, fields=dict(map(mapping, asked.fields)))
    is_pairs = all(row.is_pair for row in rows)
    if asked.report is not None and not is_pairs:
        found = f"{asked.file}: found rows without a chosen and a rejected answer, which --report is about"
        raise DataError(found, "leave --report out")
    if asked.report is not None:
        _make_folder(asked.report)
    scored = _score(asked, rows)
    if asked.out is not None:
        write_lines(asked.out, (row.write(scores) for row, scores in scored))
        kept_path(asked.out).unlink(missing_ok=True)
    facts = {"file": str(asked.file), "sha256": sha256_of(asked.file), "model": asked.model, "rows": len(rows)}
    if is_pairs:
        pairs = _pair_scores(scored)
        bounds = _pair_intervals(pairs, asked.seed)
        facts |= _pair_facts(pairs, bounds)
        if asked.report is not None:
            _report(asked.report, facts, pairs, scored, bounds)
        told = _pair_lines(asked.file, pairs, bounds)
    else:
        told = _answer_lines(asked, scored, facts)
    with reader_may_leave():
        print(json.dumps(facts, ensure_ascii=False) if asked.as_json else "\n".join(told))


def _check_paths(asked: Asked) -> None:
    """See that all can be written, before the long part starts."""
    from hanpuri.preferences.pairs import check_apart, check_lines_path

    if asked.out is not None:
        check_apart([asked.file], [asked.out])
        check_lines_path(asked.out)


def _make_folder(folder: Path) -> None:
    """Make the folder of the report, once nothing else speaks against it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be made: {error.strerror}", "name another folder") from None
    Target(folder / FACTS).discard()


def _score(asked: Asked, rows: Sequence["AnsweredRow"]) -> Scored:
    from hanpuri.preferences.answered_rows import KeptScores, score_rows
    from hanpuri.training.preference.reward_model import RewardModel

    kept = kept_path(asked.out) if asked.out else None
    scores = KeptScores(kept)
    with watching(f"{asked.model}: {asked.file.name}", kept or Path()) as tell:
        model = RewardModel.load(asked.model, device=asked.device, batch_size=asked.batch_size)
        if model.prompting.note:
            say(model.prompting.note)
        return list(score_rows(model, rows, scores, batch_size=asked.batch_size, on_progress=tell or (lambda *_: None)))


# --- preferences


def _pair_scores(scored: Scored) -> "PairScores":
    from hanpuri.training.preference.pair_scores import PairScores

    scores = np.array([scores for _, scores in scored])
    lengths = np.array([[len(answer or "") for answer in row.answers] for row, _ in scored])
    return PairScores(*scores.T, *lengths.T)


def _pair_intervals(pairs: "PairScores", seed: int) -> dict[str, Interval]:
    from hanpuri.evaluation.metrics.tallies import ratio

    each = {"accuracy": pairs.right, "margin": pairs.margins, "loss": pairs.losses}
    tallies = {name: np.stack([values, np.ones(len(values))], axis=1) for name, values in each.items()}
    return intervals(tallies, dict.fromkeys(tallies, ratio), seed=seed)


def _pair_facts(pairs: "PairScores", found: Mapping[str, Interval]) -> dict[str, Any]:
    bounds = {f"{name}_interval": [one.low, one.high] for name, one in found.items()}
    return {**pairs.as_dict(), **bounds}


def _pair_lines(file: Path, pairs: "PairScores", found: Mapping[str, Interval]) -> list[str]:
    lines = [f"{file}: {len(pairs):,} pair{'s' * (len(pairs) != 1)}"]
    lines += [f"{name:<17}  {_interval(one)}" for name, one in found.items()]
    lines.append(f"calibration error  {pairs.calibration_error():.4f}")
    wins, chosen = pairs.longer_wins(), pairs.longer_chosen()
    if wins is not None and chosen is not None:
        where = "the pairs of different lengths"
        lines.append(f"the longer answer wins in {wins:.1%} of {where}, and is the better one in {chosen:.1%}")
    return lines


def _report(
    folder: Path, facts: Mapping[str, Any], pairs: "PairScores", scored: Scored, found: Mapping[str, Interval]
) -> None:
    """Write the facts, and the page where its libraries are installed."""
    from hanpuri.evaluation.report.report import check_libraries
    from hanpuri.training.preference.reward_page import write_page

    try:
        write_json(folder / FACTS, {"hanpuri": __version__, **facts})
        try:
            check_libraries()
        except EngineError as error:
            say(f"{folder / FACTS} holds the figures; {error}")
            return
        bounds = {name: (one.low, one.high) for name, one in found.items()}
        page = write_page(pairs, lambda place: _texts(scored[place][0]), title=str(facts["model"]), intervals=bounds)
        write_whole(folder / PAGE, page)
    except OSError as error:
        raise DataError(f"{folder} cannot be written into: {error.strerror}", "make room for it") from None
    say(f"{folder / PAGE} shows it, {folder / FACTS} holds it")


def _texts(row: "AnsweredRow") -> "PairTexts":
    from hanpuri.training.preference.pair_scores import PairTexts

    asked: Any = row.fields["prompt"]
    prompt = asked if isinstance(asked, str) else "\n".join(str(turn["content"]) for turn in asked)
    about = str(row.fields.get("input") or "")
    chosen, rejected = (answer or "" for answer in row.answers)
    return PairTexts(row.where, "\n\n".join(filter(None, (prompt, about))), chosen, rejected)


# --- answers


def _answer_lines(asked: Asked, scored: Scored, facts: dict[str, Any]) -> list[str]:
    """Say what answers are given: on average, at least, at most; and what the best of several are."""
    every = np.array([one for _, scores in scored for one in scores])
    come = every[~np.isnan(every)]
    if not len(come):
        raise DataError(f"{asked.file}: found no answer that came, expected one or more", "sample it again")
    best = np.array([max((one for one in scores if not math.isnan(one)), default=math.nan) for _, scores in scored])
    several = len(every) > len(scored)
    each = {"score": come} | ({"best of the row": best[~np.isnan(best)]} if several else {})
    found = {name: _mean(values, asked.seed) for name, values in each.items()}
    facts |= {"answers": len(every), "unanswered": int(np.isnan(every).sum()), "lowest": float(come.min())}
    facts |= {"highest": float(come.max()), "mean": found["score"].value}
    facts["mean_interval"] = [found["score"].low, found["score"].high]
    lines = [f"{asked.file}: {len(every):,} answers to {len(scored):,} rows"]
    lines += [f"{name:<17}  {_interval(one)}" for name, one in found.items()]
    return [*lines, f"lowest {come.min():.4f}, highest {come.max():.4f}"]


def _mean(values: Any, seed: int) -> Interval:
    from hanpuri.evaluation.significance import interval

    return interval(np.stack([values, np.ones(len(values))], axis=1), seed=seed)


def _interval(found: Interval) -> str:
    return f"{found.value:.4f} ±{(found.high - found.low) / 2:.4f}"
