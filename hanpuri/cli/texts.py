"""
Texts from arguments, stdin or a file ─► restored or obfuscated texts to stdout or a file, streamed.

In:  --file reviews.csv --field review.   Out: the same rows with one field more.
"""

import errno
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import tee
from typing import Any, TextIO, cast

from hanpuri.cli.progress import watch_progress
from hanpuri.cli.views import VIEWS, write_view
from hanpuri.compact.restoring.restoration import Restoration
from hanpuri.compact.restoring.runtime import REACHES, Reach, Restorer
from hanpuri.data.files.formats import FORMATS
from hanpuri.data.files.sinks import open_sink
from hanpuri.data.files.sources import Source, open_source
from hanpuri.errors import DataError
from hanpuri.noise.airbnb import Sliders
from hanpuri.noise.obfuscate import Obfuscation
from hanpuri.noise.obfuscate import obfuscate as make_noise

RESTORE_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri restore "확잠실읾 념뭄 잙앙욤"

  cat reviews.txt | hanpuri restore > readable.txt

  hanpuri restore --file reviews.csv --field review --out readable.csv

  hanpuri restore --file reviews.jsonl --field text --model small --json

  hanpuri restore --file reviews.txt --show edits

  hanpuri restore "ㄱr격二 녀뮤 비싸욘" --reach wide
"""
OBFUSCATE_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri obfuscate "화장실이 너무 작아요" --seed 1

  hanpuri obfuscate --file clean.txt --profile hand --strength 0.5 --json

  echo "뷰가 좋아요" | hanpuri obfuscate | hanpuri restore
"""


@dataclass(frozen=True)
class Given:
    """Where the texts come from and where the results go."""

    texts: tuple[str, ...]
    file: str | None
    out: str | None
    field: str | None
    into: str
    encoding: str
    format: str | None
    each_line: bool

    def open(self) -> Source | None:
        """
        Open the input; None where the texts were given as arguments.

        Raises:
            DataError: if there is no input, or two.
        """
        if self.format is not None and self.format not in FORMATS:
            raise DataError(f"--format is {self.format!r}", f"write one of {', '.join(FORMATS)}")
        if self.texts and (self.file or self.out):
            raise DataError("texts were given together with --file or --out", "give either texts or files")
        if self.texts:
            return None
        if self.file is None and sys.stdin.isatty():
            raise DataError("no text was given", 'write e.g. hanpuri restore "확잠실읾 념뭄 잙앙욤", or use --file')
        return open_source(self.file or "-", format=self.format, field=self.field, encoding=self.encoding)


@dataclass(frozen=True)
class How:
    """How texts are to be restored."""

    model: str
    threads: int | None
    feasible: str | None
    reach: str
    spacing: bool
    device: str | None

    def open(self) -> Restorer:
        """
        Load the model.

        Raises:
            DataError: if there is no such profile or reach, or they do not go together.
            ModelError: if there is no such model or device.
        """
        _check_profile(self.feasible)
        if self.reach not in REACHES:
            raise DataError(f"--reach is {self.reach!r}", f"write one of {', '.join(REACHES)}")
        if self.reach == "wide" and self.feasible:
            raise DataError("--feasible was given with --reach wide", "leave one of them out")
        if self.spacing and self.reach != "wide":
            raise DataError("--spacing was given without --reach wide", "add --reach wide, or leave it out")
        reach = cast(Reach, self.reach)
        return Restorer(
            self.model,
            threads=self.threads,
            feasible=self.feasible,
            reach=reach,
            spacing=self.spacing,
            device=self.device,
        )


def restore(given: Given, how: How, *, show: str | None, as_json: bool) -> None:
    """Restore what was given."""
    if show is not None and show not in VIEWS:
        raise DataError(f"--show is {show!r}", f"write one of {', '.join(VIEWS)}")
    source = given.open()
    restorer = how.open()

    def restored(texts: Iterable[str]) -> Iterator[Restoration]:
        if given.each_line:
            return (one for text in texts for one in restorer.restore([text]))
        return restorer.restore_stream(texts)

    _run(given, source, restored, _restoration_as_json if as_json else None, show, lambda one: one.text)


def obfuscate(
    given: Given, *, seed: int, sliders: Mapping[str, float], settings: Mapping[str, Any], as_json: bool
) -> None:
    """Obfuscate what was given; each row has a seed of its own."""
    _check_profile(settings["profile"])

    def obfuscated(texts: Iterable[str]) -> Iterator[Obfuscation]:
        for number, text in enumerate(texts):
            yield make_noise(text, seed=f"{seed}.{number}" if number else seed, sliders=Sliders(**sliders), **settings)

    _run(given, given.open(), obfuscated, _obfuscation_as_json if as_json else None, None, lambda one: one.noisy)


def _run(
    given: Given,
    source: Source | None,
    work: Callable[[Iterable[str]], Iterator[Any]],
    as_json: Callable[[Any], dict[str, Any]] | None,
    show: str | None,
    text_of: Callable[[Any], str],
) -> None:
    """Lead the texts through `work`, and its results to where they were asked for."""
    if (as_json or show) and given.out:
        raise DataError(
            "--json and --show write to standard output", "leave out --out, and use > to keep what they print"
        )
    if source is None or as_json or show:
        texts = given.texts if source is None else (row.text for row in watch_progress(source))
        _print(work(texts), as_json, show, text_of)
        return
    with ExitStack() as stack, reader_may_leave():
        sink = stack.enter_context(open_sink(given.out or "-", source, into=given.into))
        # The rows wait in `tee` only as long as the results of their chunk do.
        rows, again = tee(watch_progress(source))
        for row, result in zip(rows, work(row.text for row in again), strict=True):
            sink.write(row, text_of(result))


def _print(
    results: Iterable[Any],
    as_json: Callable[[Any], dict[str, Any]] | None,
    show: str | None,
    text_of: Callable[[Any], str],
) -> None:
    out = _standard_output()
    with reader_may_leave():
        for result in results:
            if as_json:
                out.write(_to_json(as_json(result)) + "\n")
            elif show:
                write_view(out, result, show)
            else:
                out.write(text_of(result) + "\n")
            out.flush()


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """
    End quietly, and well, when the reader of a pipe has gone, as in `hanpuri restore … | head`.

    Raises:
        DataError: if what is printed goes into a file, and the disk is full.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_the_rest()
        sys.exit(0)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _drop_the_rest()
        found = f"stdout: cannot be written to its end ({error.strerror})"
        raise DataError(found, "make room, or write elsewhere") from None


def _drop_the_rest() -> None:
    """Let Python flush at its end what nobody takes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _standard_output() -> TextIO:
    """Standard output that takes any text: what a shell handed in as bytes goes out as the same bytes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    return sys.stdout


def _to_json(fields: dict[str, Any]) -> str:
    line = json.dumps(fields, ensure_ascii=False)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate can only be written as an escape
        return json.dumps(fields)
    return line


def _restoration_as_json(one: Restoration) -> dict[str, Any]:
    edits = [edit._asdict() for edit in one.edits]
    return {"noisy": one.noisy, "text": one.text, "edits": edits, "confidence": list(one.confidence)}


def _obfuscation_as_json(one: Obfuscation) -> dict[str, Any]:
    return {"clean": one.clean, "noisy": one.noisy, "edits": [edit._asdict() for edit in one.edits]}


def _check_profile(profile: str | None) -> None:
    from hanpuri.noise.rules import LETTER_TABLES

    if profile is not None and profile not in LETTER_TABLES:
        raise DataError(f"no noise profile is called {profile!r}", f"write one of {', '.join(LETTER_TABLES)}")
