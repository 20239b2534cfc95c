"""
Who is asked, and what became of it: one engine with one prompt after the other, on the same rows.

In: the recipe's candidates and the rows. Out: an Outcome each, echo's first:

    Asked("qwen3 3-shot", way="prompted", shots=3, …)  ─►  Outcome(…, evaluation=…, seconds=41.2, price=0.18)

A candidate that cannot be opened, or answers no row at all, says why in `failure`, and the others go on. Answers are
kept in the verdict's folder: a command that was killed goes on where it was. How long a row takes is kept there, too:
kept answers take no time.
"""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hanpuri.compact.model_files import ModelFiles
from hanpuri.data.templates import Template
from hanpuri.engines.base import Decoding, Engine
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.engines.restoring import room_for
from hanpuri.engines.settings import EngineSettings
from hanpuri.errors import DataError, HanpuriError
from hanpuri.evaluation.evaluate import Evaluation, evaluate
from hanpuri.evaluation.verdict.material import Example, Material
from hanpuri.evaluation.verdict.nearest import NearestEngine
from hanpuri.evaluation.verdict.recipe import (
    ECHO,
    NEAREST,
    WITHOUT_PROMPT,
    CandidateSettings,
    DecodingSettings,
    PriceSettings,
    PromptSettings,
    VerdictRecipe,
    Way,
)
from hanpuri.evaluation.verdict.shots import (
    FewShotEngine,
    draw_shots,
    ending_with_block,
    plain_template,
    with_blocks,
)
from hanpuri.evaluation.verdict.training import TrainedRun
from hanpuri.runs.files import write_json
from hanpuri.runs.reading import read_json, read_run

TIMES = "times.json"
STEP = 64
"""Tokens that an answer's room grows by."""
Progress = Callable[[str, int, int], None]
"""Told who is asked, and how many rows of how many are done."""


@dataclass(frozen=True)
class Asked:
    """An engine with one prompt."""

    label: str
    candidate: str
    """The candidate without its prompt."""
    way: Way
    settings: EngineSettings
    shots: int = 0
    per_hour: float | None = None
    num_train: int | None = None
    """Training rows of a point on the learning curve."""


@dataclass(frozen=True)
class Outcome:
    """What became of one of them."""

    asked: Asked
    evaluation: Evaluation | None = None
    failure: str = ""
    """Why there is no evaluation."""
    shots: int = 0
    """Examples that there was room for."""
    seconds: float | None = None
    """To answer all rows, as far as any were answered and not only looked up."""
    price: float | None = None
    """Of 1,000 rows; None if it is not known."""
    prompt: str = ""
    """What was given for the first row."""


def list_asked(recipe: VerdictRecipe, material: Material, runs: Sequence[TrainedRun] = ()) -> tuple[Asked, ...]:
    """List who is asked: echo, where there is one `nearest`, the candidates with each of their prompts, the curve."""
    of_recipe = [candidate for candidate in recipe.candidates if candidate.engine.engine != ECHO]
    echo = EngineSettings(engine="echo")
    bases = [Asked(ECHO, ECHO, "echo", echo)]
    if material.nearest is not None:
        bases.append(Asked(NEAREST, NEAREST, "nearest", echo))
    candidates = [_asked(candidate, prompt) for candidate in of_recipe for prompt in candidate.prompts]
    return (*bases, *candidates, *(_on_curve(run) for run in runs))


def check_shots(recipe: VerdictRecipe, material: Material) -> None:
    """
    See that there are enough training rows to draw the examples from.

    Raises:
        DataError: if there are not.
    """
    most = max(prompt.shots for candidate in recipe.candidates for prompt in candidate.prompts)
    if most > len(material.pool):
        there = "no training rows" if material.facts.num_train is None else f"{len(material.pool)} training rows"
        found = f"prompts want {most} examples, found {there} that ask nothing of the test rows"
        raise DataError(found, "give train_rows with more rows, or fewer shots")


def ask_all(
    asked: Sequence[Asked], recipe: VerdictRecipe, material: Material, folder: Path, *, report: Progress
) -> tuple[Outcome, ...]:
    """
    Ask one after the other; what one is open with is kept open for the next.

    Args:
        asked: who.
        recipe: how.
        material: what.
        folder: where answers are kept.
        report: is told of every answer.
    """
    with _Desk() as desk:
        return tuple(_ask(one, recipe, material, folder, desk, report) for one in asked)


def way_of(candidate: CandidateSettings) -> Way:
    """Say what a candidate is: shipped with hanpuri, only prompted, or trained by the user; echo is none of them."""
    settings = candidate.engine
    if candidate.way is not None:
        return candidate.way
    if settings.engine == "compact":
        shipped = {files.name for files in ModelFiles.shipped()}
        return "shipped" if not settings.model or settings.model in shipped else "trained"
    place = Path(settings.model)
    is_run = any(read_run(folder).kind == "sft" for folder in (place, place.parent))
    return "trained" if settings.engine != "openai" and is_run else "prompted"


def _asked(candidate: CandidateSettings, prompt: PromptSettings) -> Asked:
    way = way_of(candidate)
    prompted = candidate.engine.engine not in WITHOUT_PROMPT
    told = prompted and (way != "trained" or prompt.shots)  # a trained model has its prompt
    label = f"{candidate.name} {prompt.name}" if told else candidate.name
    return Asked(label, candidate.name, way, candidate.settings, prompt.shots, candidate.per_hour)


def _on_curve(run: TrainedRun) -> Asked:
    label = f"{run.folder.name}, {run.num_rows:,} rows"
    settings = EngineSettings(engine="transformers", model=str(run.folder), label=label)
    return Asked(label, label, "trained", settings, num_train=run.num_rows)


class _Desk:
    """The one engine that is open; another one takes its place."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._settings: EngineSettings | None = None
        self._engine: Engine | None = None

    def __enter__(self) -> "_Desk":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self, settings: EngineSettings) -> Engine:
        """Give the engine of these settings."""
        if self._engine is None or settings != self._settings:
            self._engine = None  # a model that nobody holds makes room for the next one
            self._stack.close()
            self._engine, self._settings = self._stack.enter_context(open_engine(settings)), settings
        return self._engine


@dataclass
class _Ready:
    """An engine with its examples, as many as there is room for."""

    engine: Engine
    decoding: Decoding
    num_shots: int = field(default=0)


def _ask(
    asked: Asked, recipe: VerdictRecipe, material: Material, folder: Path, desk: _Desk, report: Progress
) -> Outcome:
    rows = material.row_set.rows
    try:
        ready = _make_ready(asked, recipe, material, desk)
        found = evaluate(
            ready.engine,
            material.row_set,
            ready.decoding,
            measures=list(dict.fromkeys((recipe.measure, "copied", "wrong_length"))),
            cache=AnswerCache(folder / "answers" / f"{_file_name(asked.label)}.jsonl"),
            unchanged_clean=False,
            seed=recipe.seed,
            on_progress=lambda done, total: report(asked.label, done, total),
        )
        prompt = ready.engine.prompt(rows[0].fields, rows[0].where)
    except HanpuriError as error:
        return Outcome(asked, failure=str(error))
    if found.num_failed == len(rows):
        return Outcome(asked, failure=f"no row was answered; the first: {found.answers[0].failure}")
    seconds = _seconds(folder / TIMES, asked.label, found)
    price = _price(asked, found, seconds, recipe.price)
    return Outcome(asked, found, "", ready.num_shots, seconds, price, prompt)


def _make_ready(asked: Asked, recipe: VerdictRecipe, material: Material, desk: _Desk) -> _Ready:
    """Open an engine with its examples; those for which some rows have no room are left out, for all rows alike."""
    decoding = _decoding(recipe.decoding, material)
    if asked.way == "nearest":
        return _Ready(NearestEngine([row.fields for row in material.row_set.rows], material.nearest or ()), decoding)
    if asked.settings.engine in WITHOUT_PROMPT:
        return _Ready(desk.open(asked.settings), decoding)
    if not asked.shots:
        return _Ready(FewShotEngine(desk.open(asked.settings), ()), decoding)
    # The engine is held by the desk alone: with blocks it is opened anew, and two models may have no room.
    refused, _ = _refused(desk.open(asked.settings), material)
    template = plain_template(asked.settings, desk.open(asked.settings))
    shots, why = draw_shots(material.pool, asked.shots, recipe.seed), ""
    for count in range(len(shots), 0, -1):
        ready = _with_shots(asked.settings, template, shots[:count], decoding, desk)
        now, why = _refused(ready.engine, material)
        if now <= refused:
            return ready
        del ready
    raise DataError(f"not one example has room in the prompt: {why}", "take a model of more positions, or other rows")


def _with_shots(
    settings: EngineSettings, template: Template | None, shots: Sequence[Example], decoding: Decoding, desk: _Desk
) -> _Ready:
    if template is None:
        return _Ready(FewShotEngine(desk.open(settings), shots), decoding, len(shots))
    opened = desk.open(with_blocks(settings, template, shots))
    return _Ready(FewShotEngine(opened, ()), ending_with_block(decoding, template), len(shots))


def _refused(engine: Engine, material: Material) -> tuple[int, str]:
    """Count the rows that leave no room for an answer, and say why the first one does not."""
    found: list[str] = []
    for row in material.row_set.rows:
        try:
            engine.prompt(row.fields, row.where)
        except DataError as error:
            found.append(error.message)
    return len(found), found[0] if found else ""


def _decoding(settings: DecodingSettings, material: Material) -> Decoding:
    longest = room_for([row.reference or "" for row in material.row_set.rows])
    stepped = math.ceil(longest / STEP) * STEP  # a few more rows then mean the same settings, and kept answers count
    return Decoding(
        max_new_tokens=settings.max_new_tokens or stepped,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=settings.top_k,
        stop=settings.stop,
        batch_size=settings.batch_size,
    )


def _seconds(path: Path, label: str, found: Evaluation) -> float | None:
    """Reckon the time of all rows from those that were really answered, now and in earlier calls."""
    times: dict[str, Any] = read_json(path)
    seconds, rows = times.get(label, (0.0, 0))
    if pace := found.per_second.get("rows"):
        seconds, rows = seconds + found.seconds, rows + round(pace * found.seconds)
        try:
            write_json(path, {**times, label: [round(seconds, 4), rows]})
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}", "make room for it") from None
    return float(seconds) / rows * len(found.answers) if rows else None


def _price(asked: Asked, found: Evaluation, seconds: float | None, prices: PriceSettings) -> float | None:
    """Reckon what 1,000 rows cost: by tokens where the server says its prices, else by the hour."""
    server, num_rows = asked.settings.server, len(found.answers)
    if asked.settings.engine == "openai" and (server.price_input or server.price_output):
        given = [answer.num_prompt_tokens for answer in found.answers if not answer.failure]
        if any(count is None for count in given):
            return None
        spent = server.price_input * sum(count or 0 for count in given)
        spent += server.price_output * sum(answer.num_tokens for answer in found.answers)
        return spent / 1e6 / num_rows * 1000
    per_hour = prices.per_hour if asked.per_hour is None else asked.per_hour
    return None if per_hour is None or seconds is None else per_hour * seconds / 3600 / num_rows * 1000


def _file_name(label: str) -> str:
    """Make a file's name of a label: no two labels share one."""
    short = re.sub(r"[^\w.-]+", "-", label).strip("-.")[:60]
    return f"{short}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
