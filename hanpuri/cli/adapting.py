"""
`hanpuri adapt`: say what stands in the files, show how the learning goes, and what was gained at the end.

In:  files of clean texts.   Out: a model's folder, and on standard output

    your texts    0.9747 ─► 0.9805   +0.0058 (+0.0041 to +0.0074)
    left as is    0.9968 ─► 0.9991   +0.0023 (+0.0016 to +0.0031)
    other prose   0.9837 ─► 0.9798   -0.0039 (-0.0060 to -0.0020)
    my-model is ready: hanpuri restore --model my-model …
"""

import importlib.util
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hanpuri.cli.progress import watch_progress
from hanpuri.compact.adapting.places import check_out, working_folder
from hanpuri.compact.adapting.settings import AdaptSettings
from hanpuri.compact.adapting.texts import Found, divide
from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.data.files.formats import FORMATS
from hanpuri.data.files.sources import open_source
from hanpuri.errors import DataError, ModelError
from hanpuri.runs.wording import duration

if TYPE_CHECKING:
    from hanpuri.compact.adapting.adapt import Adaptation
    from hanpuri.compact.adapting.judging import Gain

LIBRARIES = ("torch", "onnx", "safetensors")
CALLED = {"own": "your texts", "clean": "left as is", "general": "other prose"}
FEW, MOST_NAMED = 1_000, 8
SECONDS_BETWEEN_LINES = 30.0


@dataclass(frozen=True)
class Files:
    """Where the texts stand."""

    paths: tuple[str, ...]
    field: str | None
    encoding: str
    format: str | None

    def read(self) -> Iterator[str]:
        """Read the texts of all files; a field is looked for in those that have any."""
        for path in self.paths:
            source = open_source(path, format=self.format, field=self.field, encoding=self.encoding)
            yield from (row.text for row in watch_progress(source))


def adapt(
    files: Files,
    out: Path,
    *,
    base: str,
    settings: Mapping[str, Any],
    general: Path | None,
    device: str | None,
    threads: int | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Adapt, and print what was gained."""
    if missing := [name for name in LIBRARIES if importlib.util.find_spec(name) is None]:
        raise ModelError(f"adapting needs {', '.join(missing)}", 'pip install "hanpuri[train]"')
    if files.format is not None and files.format not in FORMATS:
        raise DataError(f"--format is {files.format!r}", f"write one of {', '.join(FORMATS)}")
    chosen = AdaptSettings.model_validate(settings)
    check_out(out)
    if general is not None:
        open_source(general)
    texts = divide(files.read(), Vocabulary.load(ModelFiles.find(base).vocabulary), chosen.seed)
    _say_found(texts.found, base)
    # From here on it takes seconds: torch is loaded.
    from hanpuri.compact.adapting.adapt import adapt as tune
    from hanpuri.training.loading.hardware import check_device

    if device is not None:
        check_device(device)
    with _saying_how_to_go_on(working_folder(out)), _Progress() as progress:
        done = tune(
            texts,
            out,
            compare=compare,
            base=base,
            settings=chosen,
            general=general,
            device=device,
            threads=threads,
            keep=keep,
            report=progress,
        )
    if as_json:
        print(json.dumps(_fields(done), ensure_ascii=False))
    else:
        print("\n".join(_told(done)))


def compare(before: Sequence[str], after: Sequence[str], right: Sequence[str]) -> "Gain":
    """Score both by char_accuracy, with the paired bootstrap interval of the difference."""
    from hanpuri.compact.adapting.judging import Gain
    from hanpuri.evaluation.metrics import MEASURES, pooled
    from hanpuri.evaluation.significance import difference

    first, second = (MEASURES["char_accuracy"].tally(said, right, right) for said in (before, after))
    found = difference(first, second)
    return Gain(pooled(first), pooled(second), found.low, found.high)


def _say_found(found: Found, base: str) -> None:
    told = f"{found.rows:,} rows: {found.learnt:,} texts to learn from, {found.held_out:,} kept apart to measure by"
    left_out = {
        "said twice": found.twice,
        "without Hangul": found.without_hangul,
        "too like others to measure by": found.overlapping,
    }
    lines = [told + "".join(f"; {number:,} {why}" for why, number in left_out.items() if number)]
    if found.unknown:
        named = ", ".join(f"{syllable} {number:,}" for syllable, number in found.unknown[:MOST_NAMED])
        more = ", …" if len(found.unknown) > MOST_NAMED else ""
        lines.append(f"{base} cannot write {len(found.unknown):,} of their syllables and leaves them: {named}{more}")
    if found.learnt < FEW:
        lines.append(f"warning: {found.learnt:,} texts are few; a thousand and more teach what words stand together")
    print("\n".join(lines), file=sys.stderr, flush=True)


@contextmanager
def _saying_how_to_go_on(folder: Path) -> Iterator[None]:
    """Say at ctrl-C that nothing is lost, if there is anything."""
    try:
        yield
    except KeyboardInterrupt:
        if (folder / "checkpoint.pt").exists():
            print("the same command goes on from here", file=sys.stderr)
        raise


class _Progress:
    """A bar with the time left on a terminal; elsewhere a line now and then."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        told = TextColumn("{task.fields[told]}")
        columns = (
            TextColumn("learning"),
            BarColumn(),
            TaskProgressColumn(),
            told,
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self.console = Console(stderr=True)
        self.bar = Progress(*columns, console=self.console, transient=True) if self.console.is_terminal else None
        self.task: Any = None
        self.last_line = 0.0

    def __enter__(self) -> "_Progress":
        if self.bar:
            self.bar.start()
            self.task = self.bar.add_task("", total=1.0, told="")
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        if "loss" not in metrics:
            return
        told = f"loss {metrics['loss']:.4f}  {metrics['items_per_second']:,.0f} characters/s"
        if self.bar:
            self.bar.update(self.task, completed=metrics["progress"], told=told)
        elif time.monotonic() - self.last_line > SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            print(f"{metrics['progress']:.0%}  {told}", file=sys.stderr, flush=True)


def _told(done: "Adaptation") -> Iterator[str]:
    from hanpuri.compact.adapting.card import difference_of

    for name, gain in done.gains.items():
        yield f"{CALLED[name]:<13} {gain.before:.4f} ─► {gain.after:.4f}   {difference_of(gain)}"
    took = f"{done.items:,} characters read in {duration(done.seconds)}"
    if not done.helps:
        yield f"{took}: it does not help for certain"
    elif done.gains["general"].high < 0:
        yield f"{took}: it helps, and other prose suffers; a smaller --share gives some of both back"
    else:
        yield f"{took}: it helps"
    if done.is_kept:
        yield f"{done.folder} is ready: hanpuri restore --model {done.folder} …"
    else:
        yield f"{done.folder} was not written; the same command with --keep does so"


def _fields(done: "Adaptation") -> dict[str, Any]:
    return {
        "folder": str(done.folder) if done.is_kept else None,
        "helps": done.helps,
        "texts": done.found.as_dict(),
        "char_accuracy": {name: gain.as_dict() for name, gain in done.gains.items()},
        "steps": done.steps,
        "items": done.items,
        "seconds": round(done.seconds, 1),
    }
