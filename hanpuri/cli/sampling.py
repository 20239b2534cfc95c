"""
`hanpuri sample`: several answers to each row, scored; the best kept, and what each further answer gains.

    $ hanpuri sample pairs.jsonl --engine transformers:runs/mine --score char_accuracy --out samples.jsonl
    samples.jsonl: 8 answers to each of 199 rows, by char_accuracy
       k  best of k       tokens
       1  0.4812 ±0.0181    31.2
       2  0.5233 ±0.0180    62.4
       …
    greedy 0.5190 ±0.0188

Answers are kept beside the output as they come (`samples.jsonl.kept`): a call that was stopped goes on, and one with
other scores or more answers to each row asks only for what is new.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanpuri import __version__
from hanpuri.cli.asking import tell_guess
from hanpuri.cli.drawing import Questions, finite, kept_path, say, split_note, watching
from hanpuri.cli.preferring import check_answered, print_gathered
from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.targets import Target
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.errors import DataError, EngineError
from hanpuri.evaluation.rows import RowSet
from hanpuri.evaluation.significance import Interval
from hanpuri.runs.files import write_json

if TYPE_CHECKING:
    from hanpuri.preferences.pairs import Gathered
    from hanpuri.preferences.sampling import Gains, Sampled
    from hanpuri.training.recipe import RewardTermSettings

PAGE, FACTS = "report.html", "report.json"


@dataclass(frozen=True)
class Wanted:
    """What is made of the answers, as it was said on the command line."""

    out: Path
    scores: tuple[str, ...]
    best: Path | None = None
    above: float | None = None
    min_gain: float = 0.0
    report: Path | None = None
    greedy: bool = True
    as_json: bool = False

    def check(self, source: Path) -> None:
        """
        See that all can be written, and apart from what is read, before the long part starts.

        Raises:
            DataError: if it cannot, or an option is for nothing.
        """
        from hanpuri.preferences.pairs import check_apart, check_lines_path

        if self.above is not None:
            finite("--above", self.above)
        finite("--min-gain", self.min_gain)
        if self.min_gain and self.best is None:
            raise DataError(
                "--min-gain was given without --best", "name a file for the best answers: --best best.jsonl"
            )
        outs = [path for path in (self.out, self.best) if path is not None]
        check_apart([source], outs)
        for path in outs:
            check_lines_path(path)

    def make_folder(self) -> None:
        """
        Make the folder of the report, once nothing else speaks against it.

        Raises:
            DataError: if it cannot be made, or written into.
        """
        if self.report is None:
            return
        try:
            self.report.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{self.report} cannot be made: {error.strerror}", "name another folder") from None
        Target(self.report / FACTS).discard()

    def terms(self, row_set: RowSet) -> "list[RewardTermSettings]":
        """
        Read what answers are scored by.

        Raises:
            DataError: if the rows hold no right answers, and a score is against them.
            RecipeError: if one of them is wrong, or two are the same.
        """
        from hanpuri.preferences.rewards import parse_term

        terms = [parse_term(told) for told in self.scores]
        titles = [term.title for term in terms]
        if twice := next((title for title in titles if titles.count(title) > 1), None):
            raise DataError(f"two scores are called {twice}", "name each once")
        measure = next((term.measure for term in terms if term.measure is not None), None)
        if measure is not None and not row_set.has_references:
            found = f"{row_set.path}: found no right answers, which {measure} is against"
            raise DataError(found, "give a file with clean or output, or score by model:…, function:… or judge:…")
        return terms


def run(questions: Questions, wanted: Wanted) -> None:
    """
    Ask, score, write and print.

    Raises:
        HanpuriError: if rows, engine, a score or a file is not what it should be, or no row got an answer.
    """
    from hanpuri.preferences.sampling import gains_of, keep_best

    settings = questions.choice.settings()
    wanted.check(questions.path)
    row_set = questions.read()
    terms = wanted.terms(row_set)
    wanted.make_folder()
    say(split_note(row_set.path))
    sampled = _sample(questions, wanted, row_set, terms)
    best = keep_best(sampled, threshold=wanted.above, min_gain=wanted.min_gain)
    check_answered(best, settings.name)
    gains = gains_of(sampled, threshold=wanted.above, seed=questions.seed)
    facts = _facts(questions, wanted, row_set, gains, best)
    _write(wanted, facts, gains, best, sampled)
    with reader_may_leave():
        if wanted.as_json:
            print(json.dumps(facts, ensure_ascii=False))
        else:
            _print(questions.samples, wanted, gains, best)
    _check_scored(wanted, gains)
    _check_best(wanted, best)


def _write(
    wanted: Wanted, facts: dict[str, object], gains: "Gains", best: "Gathered", sampled: "list[Sampled]"
) -> None:
    """Write all that was asked for, and say what a user should hear."""
    from hanpuri.preferences.pairs import write_lines
    from hanpuri.preferences.sampling import sample_line

    write_lines(wanted.out, map(sample_line, sampled))
    if wanted.best is not None and best.rows:
        write_lines(wanted.best, best.rows)
    say(*_notes(gains))
    if wanted.report is not None:
        _report(wanted.report, facts, gains, sampled)


def _check_scored(wanted: Wanted, gains: "Gains") -> None:
    """Let nobody take a table without rows for a result."""
    if not gains.num_rows:
        found = f"none of the {gains.num_unscored:,} rows has a score by {' + '.join(wanted.scores)}"
        raise DataError(found, f"{wanted.out} holds the answers: see why, and run the same command again")


def _check_best(wanted: Wanted, best: "Gathered") -> None:
    """Let nobody go on with a file that is not there."""
    if wanted.best is not None and not best.rows:
        told = ", ".join(f"{why} ({count:,})" for why, count in best.counts.items())
        found = f"none of the {best.num_rows:,} rows has an answer to learn from: {told}"
        raise DataError(found, f"{wanted.best} was not written; {wanted.out} holds all answers")


def _sample(
    questions: Questions, wanted: Wanted, row_set: RowSet, terms: "list[RewardTermSettings]"
) -> "list[Sampled]":
    from hanpuri.preferences.rewards import open_rewards
    from hanpuri.preferences.sampling import sample

    settings, kept = questions.choice.settings(), kept_path(wanted.out)
    with (
        open_rewards(terms) as rewards,
        open_engine(settings) as engine,
        watching(f"{settings.name}: {row_set.name}", kept) as tell,
    ):
        tell_guess(engine, settings.template)
        drawn = sample(
            engine,
            row_set.rows,
            count=questions.samples,
            decoding=questions.decoding(row_set),
            rewards=rewards,
            cache=AnswerCache(kept),
            on_progress=tell,
            greedy=wanted.greedy,
        )
        return list(drawn)


def _facts(
    questions: Questions, wanted: Wanted, row_set: RowSet, gains: "Gains", best: "Gathered"
) -> dict[str, object]:
    return {
        "out": str(wanted.out),
        "file": str(row_set.path),
        "sha256": row_set.sha256,
        "engine": questions.choice.settings().name,
        "scores": list(wanted.scores),
        "samples": questions.samples,
        "temperature": questions.temperature,
        "seed": questions.seed,
        **gains.as_dict(),
        "best": {"out": str(wanted.best) if wanted.best else None, **best.as_dict()},
    }


def _notes(gains: "Gains") -> list[str]:
    higher = "a higher --temperature, or harder rows, would gain more"
    items = (
        (gains.num_alike, "rows with all answers the same", higher),
        (gains.num_cut, "answers that were cut off", "they are scored, and not learnt from"),
        (gains.num_unscored, "rows in no figure", "an answer to them never came, or has no score"),
    )
    notes = [f"{what}: {count:,}; {then}" for count, what, then in items if count]
    if gains.is_hot:
        notes.append("one drawn answer scores less than the greedy one: a lower --temperature may gain more")
    return notes


def _report(folder: Path, facts: dict[str, object], gains: "Gains", sampled: "list[Sampled]") -> None:
    """Write the facts, and the page where its libraries are installed."""
    from hanpuri.evaluation.report.report import check_libraries
    from hanpuri.preferences.sampling.page import write_page

    try:
        write_json(folder / FACTS, {"hanpuri": __version__, **facts})
    except OSError as error:
        raise DataError(f"{folder / FACTS} cannot be written: {error.strerror}", "make room for it") from None
    try:
        check_libraries()
    except EngineError as error:
        say(f"{folder / FACTS} holds the figures; {error}")
        return
    write_page(folder / PAGE, facts, gains, sampled)
    say(f"{folder / PAGE} shows it, {folder / FACTS} holds it")


def _print(num_answers: int, wanted: Wanted, gains: "Gains", best: "Gathered") -> None:
    told = f"{num_answers} answer{'s' * (num_answers != 1)} to each of {gains.num_rows:,} rows"
    print(f"{wanted.out}: {told}, by {' + '.join(wanted.scores)}")
    reached = "" if gains.threshold is None else f"  {f'≥ {gains.threshold:g}':<16}"
    print(f"   k  {'best of k':<16}{reached}  tokens")
    for one in gains.by_k:
        share = "" if one.reached is None else f"  {_interval(one.reached):<16}"
        print(f"  {one.k:>2}  {_interval(one.best):<16}{share}  {one.num_tokens:>6,.1f}")
    if gains.greedy is not None:
        print(f"greedy {_interval(gains.greedy)}")
    if wanted.best is not None:
        print_gathered(best, wanted.best, "row")


def _interval(found: Interval) -> str:
    return f"{found.value:.4f} ±{(found.high - found.low) / 2:.4f}"
