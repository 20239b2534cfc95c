"""
Runs ─► the table that people write by hand, with what in it must not be compared.

In:  RunFacts of two runs or more.   Out: a Comparison, a Row a run:

    model            method  data     rows     batch  rate    max_length  char_accuracy  time
    qwen3-0.6b       lora    pairs    184,211  16     0.0002  512         0.966 (best)   2 h 4 min

What a run did not write down is None, and stands as – in the table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import median
from typing import Any

from hanpuri.runs.reading import RunFacts, is_number, smaller_is_better
from hanpuri.runs.recipes import ABSENT, differences, is_below, say_value, value_at

IDENTITY = ("name", "kind")  # keys in which any two runs differ
MAX_FILES = 3


@dataclass(frozen=True)
class Row:
    """What the table says of one run."""

    name: str
    state: str
    model: str | None
    method: str | None
    data: str | None
    rows: int | float | None
    epochs: int | float | None
    batch: str | int | None
    learning_rate: int | float | None
    max_length: int | float | None
    engine: str | None
    scores: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float, float]]
    seconds: float | None
    tokens_per_second: float | None
    peak_memory_bytes: int | float | None


@dataclass(frozen=True)
class Comparison:
    """
    The rows, the scores that any of them has, the recipe keys that differ, and warnings.

    `differing` holds (dotted key, the value of each run as it is written in a recipe).
    """

    rows: tuple[Row, ...]
    scores: tuple[str, ...]
    differing: tuple[tuple[str, tuple[str, ...]], ...]
    warnings: tuple[str, ...]

    def best(self, score: str) -> float | None:
        """Find the best value of a score; None where fewer than two runs have it."""
        values = [row.scores[score] for row in self.rows if score in row.scores]
        if len(values) < 2:
            return None
        return min(values) if smaller_is_better(score) else max(values)


def compare(runs: Sequence[RunFacts]) -> Comparison:
    """Lay runs side by side."""
    scores = tuple(dict.fromkeys(name for run in runs for name in _scores_first(run)))
    names = [run.name for run in runs]
    rows = (row_of(run, run.name if names.count(run.name) == 1 else str(run.folder)) for run in runs)
    return Comparison(tuple(rows), scores, tuple(_differing(runs)), tuple(_warn(runs)))


def _scores_first(run: RunFacts) -> list[str]:
    """Name the scores of a run, the one that it was chosen by first."""
    first = [run.headline] if run.headline else []
    return [*first, *(name for name in run.scores if name not in first)]


def row_of(run: RunFacts, name: str | None = None) -> Row:
    """Gather what the table says of a run; two of one name are called by their folders."""
    recipe, result, speed = run.recipe, run.result, _speed(run)
    return Row(
        name=name or run.name,
        state=run.state,
        model=_model(recipe) or _text(result.get("model")),
        method=_text(result.get("method")) or _method(recipe),
        data=_data(recipe),
        rows=_number(result.get("train_rows")),
        epochs=_number(
            result.get("epochs"), next((line.get("epoch") for line in reversed(run.lines) if "epoch" in line), None)
        ),
        batch=_batch(recipe),
        learning_rate=_number(value_at(recipe, "training.learning_rate")),
        max_length=_number(
            value_at(recipe, "examples.max_length"), value_at(recipe, "max_length"), _longest_window(recipe)
        ),
        engine=_engine(run),
        scores=run.scores,
        intervals=run.intervals,
        seconds=run.seconds,
        tokens_per_second=speed,
        peak_memory_bytes=_number(result.get("peak_memory_bytes")),
    )


def _number(*values: Any) -> int | float | None:
    return next((value for value in values if is_number(value)), None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _model(recipe: Mapping[str, Any]) -> str | None:
    """Name the model: the last part of its path, or the size of a new one."""
    if path := value_at(recipe, "model.path"):
        return PurePath(str(path)).name
    for section, width in (("model.scratch", "hidden_size"), ("network", "width")):
        if sizes := value_at(recipe, section):
            family, layers = value_at(sizes, "architecture", "encoder"), value_at(sizes, "num_layers")
            return f"new {family} {layers}×{value_at(sizes, width)}"
    return None


def _method(recipe: Mapping[str, Any]) -> str | None:
    if recipe.get("kind") == "compact" or value_at(recipe, "model.scratch"):
        return "scratch"
    if value_at(recipe, "adapter"):
        return "qlora" if value_at(recipe, "model.quantization") else "lora"
    return "full" if value_at(recipe, "model") else None


def _data(recipe: Mapping[str, Any]) -> str | None:
    """Name the files or folders that were trained on."""
    places = ("data.corpora", "data.sources", "data", "prompts")
    found = next((told for place in places if (told := value_at(recipe, place))), None)
    corpora = found if isinstance(found, list) else [found]
    names = [PurePath(str(path)).name for corpus in corpora if (path := value_at(corpus, "path"))]
    more = f" + {len(names) - MAX_FILES}" if len(names) > MAX_FILES else ""
    return ", ".join(names[:MAX_FILES]) + more or None


def _batch(recipe: Mapping[str, Any]) -> str | int | None:
    """Count the examples of one step on one device, or the items where windows are counted so."""
    size, accumulation = value_at(recipe, "training.batch_size"), value_at(recipe, "training.accumulation")
    if is_number(size):
        return int(size * (accumulation if is_number(accumulation) else 1))
    items = value_at(recipe, "training.batch_tokens")
    return f"{items:,} items" if is_number(items) else None


def _longest_window(recipe: Mapping[str, Any]) -> int | None:
    lengths = value_at(recipe, "training.window_lengths")
    return max(map(int, lengths)) if isinstance(lengths, list) and lengths and all(map(is_number, lengths)) else None


def _engine(run: RunFacts) -> str | None:
    """Name the library that ran the steps, with its version at the first start."""
    libraries = value_at(run.starts[0], "libraries") if run.starts else None
    library = "torch" if run.kind == "compact" else "trl"
    version = value_at(libraries, library)
    return f"{library} {version}" if version and version != "not installed" else None


def _speed(run: RunFacts) -> float | None:
    """Say how many tokens (items, of a compact restorer) went through in a second."""
    tokens, seconds = run.result.get("tokens"), run.result.get("seconds")
    if is_number(tokens) and is_number(seconds) and seconds:
        return tokens / seconds
    names = ("tokens_per_second", "items_per_second")
    told = [value for line in run.lines for name in names if is_number(value := line.get(name))]
    return median(told) if told else None


def _differing(runs: Sequence[RunFacts]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each key that is not the same in all recipes, in the order of the first, with the value of each run."""
    first, *others = [dict(run.recipe) for run in runs]
    keys = dict.fromkeys(key for other in others for key, _, _ in differences(first, other))
    for key in keys:
        if key and not is_below(key, IDENTITY):
            yield key, tuple(say_value(value_at(run.recipe, key, ABSENT)) for run in runs)


def _warn(runs: Sequence[RunFacts]) -> Iterator[str]:
    """Say what stands in the way of comparing the scores."""
    for run in runs:
        if run.state != "finished":
            steps = f" of {run.steps:,}" if run.steps else ""
            yield f"{run.name} is {run.state} at step {run.step:,}{steps}"
    if len({validation_of(run) for run in runs}) > 1:
        yield "they were not scored on the same validation data"
    names = dict.fromkeys(name for run in runs for name in run.scores)
    for run in runs:
        if lacking := [name for name in names if name not in run.scores]:
            yield f"{run.name} has no {', '.join(lacking)}"
    tokenizers = {value_at(run.environment, "hashes.tokenizer") for run in runs}
    if len(tokenizers) > 1 and all("eval_loss" in run.scores for run in runs):
        yield "their tokenizers differ: eval_loss counts by token, compare bits_per_byte or what was generated"


def validation_of(run: RunFacts) -> tuple[str, ...]:
    """
    Name what a run was scored on, by its hashes.

    Of a single file a share is held out, which the seed draws: then all data, the share and the seed decide.
    """
    data = {str(path): str(digest) for path, digest in (value_at(run.environment, "data") or {}).items()}
    pairs = run.recipe.get("evaluation")
    named = (
        [str(value_at(one, "path")) for one in pairs]
        if isinstance(pairs, list)
        else [str(value_at(run.recipe, "data.validation"))]
    )
    apart = sorted({data[path] for path in data if path in named or PurePath(path).stem.startswith("validation")})
    if apart:
        return tuple(apart)
    shares = (
        value_at(run.recipe, "data.validation"),
        value_at(run.recipe, "data.validation_share"),
        run.recipe.get("seed"),
    )
    return (*sorted(data.values()), *map(str, shares))
