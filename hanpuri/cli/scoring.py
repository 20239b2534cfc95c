"""
`hanpuri evaluate`: engines × files → scores with their intervals, and whether engines differ.

    $ hanpuri evaluate reviews.jsonl --engine echo --engine compact:base

Everything that was said is checked before the first row is asked. An engine is loaded once, for all files, and let go
before the next one. One that fails does not take the others along: what was found is printed, then the fault is raised.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hanpuri import __version__
from hanpuri.cli.score_tables import print_file
from hanpuri.cli.texts import reader_may_leave
from hanpuri.compact.restoring.runtime import REACHES
from hanpuri.data.files.targets import Target
from hanpuri.engines.base import GREEDY, Decoding, Engine
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import EngineSettings, parse_engine
from hanpuri.errors import DataError, EngineError, HanpuriError, RecipeError
from hanpuri.evaluation.asking import longer_than_learnt
from hanpuri.evaluation.comparison import Comparisons, compare_with_first
from hanpuri.evaluation.evaluate import Evaluation, Progress, rounded, usual_decoding
from hanpuri.evaluation.evaluate import evaluate as score
from hanpuri.evaluation.rows import RowSet, read_rows
from hanpuri.evaluation.submission import check_ids, write_submission
from hanpuri.noise.rules import LETTER_TABLES
from hanpuri.runs.files import write_json

REPORT, FACTS, ANSWERS = "report.html", "evaluation.json", "answers"
LONGEST_SLUG = 60


@dataclass(frozen=True)
class Asked:
    """What was said on the command line."""

    files: tuple[Path, ...]
    engines: tuple[str, ...] = ()
    model: str | None = None
    threads: int | None = None
    feasible: str | None = None
    reach: str | None = None
    baseline: str | None = None
    encoding: str = "utf-8"
    fields: tuple[str, ...] = ()
    slice_by: tuple[str, ...] = ()
    rows: int | None = None
    seed: int = 0
    clean: bool = True
    max_new_tokens: int | None = None
    temperature: float = 0.0
    batch_size: int = GREEDY.batch_size
    out: Path | None = None
    submission: Path | None = None
    postprocess: Path | None = None
    as_json: bool = False
    slices: bool = False
    markdown: bool = False


def evaluate(asked: Asked) -> None:
    """
    Score engines on files.

    Raises:
        HanpuriError: if something that was said is wrong, or an engine failed; then after the others are done.
    """
    engines = _engines(asked)
    row_sets = _row_sets(asked)
    _check_steps(asked, row_sets)
    _check_submission(asked, engines, row_sets)
    if asked.out:
        _check_folder(asked.out)
    found, failed = _run(asked, engines, row_sets)
    comparisons = compare_with_first(found, asked.seed)
    try:
        if asked.submission and found:
            write_submission(asked.submission, found[0].row_set, found[0].answers)
        if asked.out and found:
            _write(asked.out, engines, found, comparisons, asked)
    finally:  # what took hours is at least shown
        with reader_may_leave():
            _print(asked, found, row_sets, comparisons)
    if failed:
        raise failed


def _print(asked: Asked, found: Sequence[Evaluation], row_sets: Sequence[RowSet], comparisons: Comparisons) -> None:
    if asked.as_json:
        for one in found:
            line = json.dumps(_facts(one, found, comparisons), ensure_ascii=False)
            print(line.encode("utf-8", "backslashreplace").decode())  # half a surrogate pair, as in a file's name
        return
    for row_set in row_sets:
        if of_file := [one for one in found if one.row_set.name == row_set.name]:
            print_file(of_file, comparisons, slices=asked.slices, markdown=asked.markdown)


def _engines(asked: Asked) -> list[EngineSettings]:
    """Read the engines, the one that others are held against first."""
    if asked.feasible is not None and asked.feasible not in LETTER_TABLES:
        raise DataError(f"no noise profile is called {asked.feasible!r}", f"write one of {', '.join(LETTER_TABLES)}")
    if asked.reach is not None and asked.reach not in REACHES:
        raise DataError(f"--reach is {asked.reach!r}", f"write one of {', '.join(REACHES)}")
    if asked.reach == "wide" and asked.feasible:
        raise DataError("--feasible was given with --reach wide", "leave one of them out")
    engines = [parse_engine(spec) for spec in asked.engines]
    if asked.model is not None or not engines:
        own = {"aligned": asked.feasible or "off", "reach": asked.reach or "syllables", "threads": asked.threads}
        engines.insert(0, EngineSettings.model_validate({"engine": "compact", "model": asked.model or "base", **own}))
    elif lost := [name for name in ("feasible", "reach", "threads") if getattr(asked, name)]:
        found = f"--{lost[0]} was given, and no --model that it is for"
        raise RecipeError(found, "say it behind the engine: compact:base,aligned=airbnb,threads=2")
    names = [engine.name for engine in engines]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RecipeError(f"two engines are called {twice}", "name each once, or give one a name: …,label=mine")
    if asked.baseline is not None:
        if asked.baseline not in names:
            raise RecipeError(f"--baseline is {asked.baseline!r}", f"name one of the engines: {', '.join(names)}")
        engines.sort(key=lambda engine: engine.name != asked.baseline)
    return engines


def _row_sets(asked: Asked) -> list[RowSet]:
    """Read the files, all before the first row is asked."""
    fields = dict(_mapping(told) for told in asked.fields)
    row_sets: list[RowSet] = []
    for path in asked.files:
        one = read_rows(path, fields=fields, encoding=asked.encoding, slice_columns=asked.slice_by)
        if other := next((other for other in row_sets if other.name == one.name), None):
            found = f"{other.path} and {one.path} have the same name"
            raise DataError(found, "evaluate them one after the other, or rename one")
        if not one.has_references and not asked.submission:
            found = f"{path}: found no answers to score by"
            raise DataError(found, "give a file with clean or output, or write the answers with --submission FILE.csv")
        row_sets.append(_some(one, asked.rows, asked.seed))
    return row_sets


def _mapping(told: str) -> tuple[str, str]:
    field, equals, column = told.partition("=")
    if not (field and equals and column):
        raise DataError(f"--fields is {told!r}", "write it as noisy=COLUMN")
    return field, column


def _some(row_set: RowSet, num_rows: int | None, seed: int) -> RowSet:
    """Draw rows, and keep their order; the same ones each time."""
    if num_rows is None or num_rows >= len(row_set.rows):
        return row_set
    drawn = np.sort(np.random.default_rng(seed).choice(len(row_set.rows), num_rows, replace=False))
    return replace(row_set, rows=tuple(row_set.rows[place] for place in drawn))


def _check_steps(asked: Asked, row_sets: Sequence[RowSet]) -> None:
    if asked.postprocess is None:
        return
    from hanpuri.evaluation.postprocessing.recipe import read_steps

    read_steps(asked.postprocess)
    if other := next((one for one in row_sets if one.form != "pairs"), None):
        found = f"{other.path}: found rows of {other.form} with --postprocess, expected pairs"
        raise DataError(found, "leave --postprocess out: its steps are for restored text")


def _check_submission(asked: Asked, engines: Sequence[EngineSettings], row_sets: Sequence[RowSet]) -> None:
    if not asked.submission:
        return
    if len(engines) != 1 or len(row_sets) != 1:
        found = f"--submission was given with {len(engines)} engines and {len(row_sets)} files, expected one of each"
        raise DataError(found, "write one submission at a time")
    if asked.rows is not None:
        raise DataError("--submission was given with --rows", "leave --rows out: a submission is of all rows")
    check_ids(row_sets[0])
    Target(asked.submission).discard()  # that it cannot be written is known before the rows are asked


def _check_folder(out: Path) -> None:
    """Make the folder, and find out now whether it can be written into."""
    try:
        (out / ANSWERS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} cannot be made: {error.strerror}", "give --out another folder") from None
    Target(out / FACTS).discard()


def _run(
    asked: Asked, engines: Sequence[EngineSettings], row_sets: Sequence[RowSet]
) -> tuple[list[Evaluation], HanpuriError | None]:
    """Evaluate engine by engine; of faults the first one is given back, the others are said at once."""
    found: list[Evaluation] = []
    faults: list[HanpuriError] = []
    try:
        for settings in engines:
            with _gathered(faults), _opened(settings, asked.postprocess) as (engine, name):
                for row_set in row_sets:
                    with _gathered(faults):
                        found.append(replace(_evaluate(asked, engine, row_set, name), engine=name))
                        _check_answered(found[-1])
                        if told := longer_than_learnt(engine, found[-1].answers):
                            print(f"warning: {name}: {row_set.name}: {told}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        told = f"answers are kept in {asked.out}: the same command goes on" if asked.out else "nothing was kept"
        print(f"\nhanpuri: {told}", file=sys.stderr)
        raise
    for fault in faults[1:]:
        print(f"hanpuri: {fault}", file=sys.stderr)
    return found, faults[0] if faults else None


def _check_answered(one: Evaluation) -> None:
    """Let nobody take for a score what says only that there were no answers."""
    if one.num_failed == len(one.answers):
        found = f"{one.engine}: none of the {one.num_failed:,} rows of {one.row_set.path} got an answer"
        raise EngineError(f"{found}: {one.failures[0][1]}", "mend that, and run the same command again")


@contextmanager
def _gathered(faults: list[HanpuriError]) -> Iterator[None]:
    try:
        yield
    except HanpuriError as error:
        faults.append(error)


@contextmanager
def _opened(settings: EngineSettings, postprocess: Path | None) -> Iterator[tuple[Engine, str]]:
    """Open an engine, with the steps of a file behind it, and say what tables call it."""
    with open_engine(settings) as engine:
        if postprocess is None:
            yield engine, settings.name
            return
        from hanpuri.evaluation.postprocessing.recipe import read_steps
        from hanpuri.evaluation.postprocessing.steps import CorrectedEngine, Workshop

        steps = read_steps(postprocess).steps
        with Workshop() as workshop:
            yield CorrectedEngine(engine, steps, workshop), " + ".join([settings.name, *(step.name for step in steps)])


def _evaluate(asked: Asked, engine: Engine, row_set: RowSet, name: str) -> Evaluation:
    cache = AnswerCache(asked.out / ANSWERS / f"{row_set.name}.{_slug(name)}.jsonl") if asked.out else None
    with _progress(f"{name}: {row_set.name}") as tell:
        return score(
            engine,
            row_set,
            _decoding(asked, row_set),
            cache=cache,
            unchanged_clean=asked.clean,
            seed=asked.seed,
            on_progress=tell,
        )


def _decoding(asked: Asked, row_set: RowSet) -> Decoding:
    usual = usual_decoding(row_set)
    return replace(
        usual,
        max_new_tokens=asked.max_new_tokens or usual.max_new_tokens,
        by_text=usual.by_text and not asked.max_new_tokens,
        temperature=asked.temperature,
        seed=asked.seed,
        batch_size=asked.batch_size,
    )


def _slug(name: str) -> str:
    """
    Make a file's name of an engine's; two engines never share one.

        >>> _slug("openai:http://127.0.0.1:8000/v1#qwen")
        'openai-http-127.0.0.1-8000-v1-qwen-8a8512'
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{re.sub(r'[^a-zA-Z0-9._]+', '-', name).strip('-')[:LONGEST_SLUG]}-{digest}"


@contextmanager
def _progress(title: str) -> Iterator[Progress | None]:
    """Draw how far an engine is, where somebody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(escape(title)), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _facts(one: Evaluation, found: Sequence[Evaluation], comparisons: Comparisons) -> dict[str, object]:
    compared = comparisons.get((one.row_set.name, one.engine))
    if compared is None:
        return one.as_dict()
    first = next(other.engine for other in found if other.row_set.name == one.row_set.name)
    told = {
        name: {
            **{key: rounded(getattr(gap, key)) for key in ("value", "low", "high", "p_value")},
            "significant": gap.significant(),
        }
        for name, gap in compared.items()
    }
    return {**one.as_dict(), "beside": {"engine": first, **told}}


def _write(
    out: Path,
    engines: Sequence[EngineSettings],
    found: Sequence[Evaluation],
    comparisons: Comparisons,
    asked: Asked,
) -> None:
    """Write the facts, and the page where its libraries are installed."""
    from hanpuri.evaluation.report.models import find_runs
    from hanpuri.evaluation.report.origin import Origin
    from hanpuri.evaluation.report.report import check_libraries, write_report

    told = [_facts(one, found, comparisons) for one in found]
    try:
        write_json(out / FACTS, {"hanpuri": __version__, "seed": asked.seed, "evaluations": told})
    except OSError as error:
        raise DataError(f"{out / FACTS} cannot be written: {error.strerror}", "make room for it") from None
    try:
        check_libraries()
    except EngineError as error:
        print(f"{out / FACTS} holds the scores; {error}", file=sys.stderr)
        return
    origin = Origin.now(asked.seed)
    write_report(out / REPORT, found, runs=find_runs(engines), comparisons=comparisons, origin=origin)
    print(f"{out / REPORT} shows it, {out / FACTS} holds it", file=sys.stderr)
