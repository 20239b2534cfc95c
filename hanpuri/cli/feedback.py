"""
`hanpuri feedback`: what people said of restored texts, as files to learn from.

    $ hanpuri feedback export --form preference --out pairs.jsonl
    pairs.jsonl: 21 rows of 30
      no consent             6
      people do not agree    3

Rows go to --out or to standard output; what was left out, and why, is said on standard error.
"""

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from heapq import merge
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from hanpuri.data.files.formats import nearest
from hanpuri.errors import DataError, EngineError
from hanpuri.runs.wording import printable

if TYPE_CHECKING:
    from hanpuri.serving.feedback.export import Report
    from hanpuri.serving.feedback.said import Said
    from hanpuri.serving.feedback.store import FeedbackStore

EXAMPLES = """
[bold]Examples[/bold]

  hanpuri feedback stats

  hanpuri feedback export --form pairs --out pairs.jsonl

  hanpuri feedback list --limit 20 --database postgresql://hanpuri@db.example.kr/hanpuri

  hanpuri feedback delete 6f1c53d2-5b0e-4a57-9d7c-0c5d8f5c2a11
"""
EXPORT_EXAMPLES = """
[bold]Examples[/bold]

  hanpuri feedback export --out corrections.jsonl

  hanpuri feedback export --form preference --since 2026-11-01 --out preferences.jsonl

  hanpuri feedback export --form pairs | head
"""
USUAL_DATABASE = "sqlite:///hanpuri-feedback.db"
SHOWN = 30  # characters of a text in a list


def export_rows(database: str, form: str, out: Path | None, since: str | None, *, as_json: bool) -> None:
    """
    Write the rows of a form.

    Raises:
        DataError: if an option is wrong, there are no rows, or the file cannot be written.
        EngineError: if the database cannot be read.
    """
    from hanpuri.cli.texts import reader_may_leave
    from hanpuri.preferences.pairs import check_lines_path, write_lines

    begin = _read_time(since)
    if out is not None:
        check_lines_path(out)
    with _store(database) as store:
        from hanpuri.serving.feedback.export import FORMS, Report, export

        known = next((one for one in FORMS if one == form), None)
        if known is None:
            guess = nearest(form, FORMS)
            mend = f"write one of {', '.join(FORMS)}" + (f"; did you mean {guess}?" if guess else "")
            raise DataError(f"--form is {form!r}", mend)
        report = Report(known)
        rows = _not_none(export(store, report, begin), report, store.database.place)
        if out is not None:
            write_lines(out, rows)
        else:
            with reader_may_leave():
                for row in rows:
                    print(json.dumps(row, ensure_ascii=False))
    _tell(report, out, as_json=as_json)


def _not_none(rows: Iterator[Any], report: "Report", place: str) -> Iterator[Any]:
    """Pass rows on; where there are none, say why, before a file is put in its place."""
    yield from rows
    if not report.num_written:
        told = ", ".join(f"{why} ({count:,})" for why, count in report.as_dict()["left_out"].items())
        found = f"{place}: none of the {report.num_rows:,} rows can be exported as {report.form}"
        raise DataError(f"{found}: {told}" if told else found, "nothing was written; see `hanpuri feedback stats`")


def _tell(report: "Report", out: Path | None, *, as_json: bool) -> None:
    facts = report.as_dict()
    if as_json:
        print(
            json.dumps({"out": out and str(out), **facts}, ensure_ascii=False), file=sys.stdout if out else sys.stderr
        )
        return
    place = printable(str(out)) if out else "stdout"
    print(f"{place}: {_rows(report.num_written)} of {report.num_rows:,}", file=sys.stderr)
    width = max(map(len, facts["left_out"]), default=0)
    for why, count in facts["left_out"].items():
        print(f"  {why:<{width}}  {count:>7,}", file=sys.stderr)


def show(database: str, since: str | None, limit: int | None, *, as_json: bool) -> None:
    """
    List rows, the oldest first.

    Raises:
        DataError: if the time is none.
        EngineError: if the database cannot be read.
    """
    from hanpuri.cli.texts import reader_may_leave

    begin = _read_time(since)
    with _store(database) as store, reader_may_leave():
        for one in _last(_all(store, begin), limit):
            print(_as_json(one) if as_json else _as_line(one))


def _all(store: "FeedbackStore", since: datetime | None) -> Iterable["Said"]:
    from hanpuri.serving.feedback.said import Correction, Vote

    return merge(store.each(Correction, since=since), store.each(Vote, since=since), key=lambda one: one.time)


def _last(rows: Iterable["Said"], limit: int | None) -> Iterable["Said"]:
    return rows if limit is None else deque(rows, maxlen=limit)


def _as_json(one: "Said") -> str:
    from hanpuri.serving.feedback.said import utc

    kind = {"kind": type(one).__name__.lower()}
    return json.dumps(kind | asdict(one) | {"id": str(one.id), "time": utc(one.time)}, ensure_ascii=False)


def _as_line(one: "Said") -> str:
    from hanpuri.serving.feedback.said import utc

    consent = "consent" if one.consent else "-"
    time = utc(one.time.replace(microsecond=0))
    text = one.noisy if len(one.noisy) <= SHOWN else one.noisy[:SHOWN] + "…"
    return f"{one.id}  {time}  {type(one).__name__.lower():<10}  {consent:<7}  {printable(text)}"


def delete(database: str, ids: Sequence[UUID], *, as_json: bool) -> None:
    """
    Delete rows by their ids.

    Raises:
        DataError: if some are not there; the others are deleted all the same.
        EngineError: if the database cannot be written to.
    """
    with _store(database) as store:
        found = store.delete(ids)
        place = store.database.place
    missing = [str(id) for id in ids if id not in found]
    if as_json:
        print(json.dumps({"deleted": [str(id) for id in ids if id in found], "missing": missing}))
    else:
        print(f"{place}: deleted {_rows(len(found))}")
    if missing:
        raise DataError(f"{place}: found no row {', '.join(missing)}", "see `hanpuri feedback list`")


def count(database: str, *, as_json: bool) -> None:
    """
    Print how much there is.

    Raises:
        EngineError: if the database cannot be read.
    """
    with _store(database) as store:
        from hanpuri.serving.feedback.statistics import count_feedback

        facts = count_feedback(store)
    if as_json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    for kind in ("corrections", "votes"):
        of_kind = dict(facts[kind])
        first, last = of_kind.pop("first"), of_kind.pop("last")
        counts = ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in of_kind.items())
        print(f"{kind}: {counts}" + (f" ({first[:10]} to {last[:10]})" if first else ""))
    for model, votes in facts["models"].items():
        print(f"  {printable(model)}: " + ", ".join(f"{name} {number:,}" for name, number in votes.items()))


def migrate_tables(database: str, *, dry_run: bool, as_json: bool) -> None:
    """
    Bring the tables up to date, or say what is to be done.

    Raises:
        EngineError: if the database cannot be opened, or is newer than this hanpuri.
    """
    with _needs_libraries():
        from hanpuri.serving.feedback.database import open_database
        from hanpuri.serving.feedback.migrating import migrate, pending
    with open_database(database, make=not dry_run) as opened:
        steps = pending(opened) if dry_run else migrate(opened)
        place = opened.place
    if as_json:
        print(json.dumps({"database": place, "pending" if dry_run else "taken": steps}))
    else:
        what = f"{'pending' if dry_run else 'taken'}: {', '.join(steps)}" if steps else "up to date"
        print(f"{place}: {what}")


@contextmanager
def _store(database: str) -> Iterator["FeedbackStore"]:
    """Open what a service has made; a command that reads makes no file."""
    with _needs_libraries():
        from hanpuri.serving.feedback.store import open_store
    with open_store(database, make=False) as store:
        yield store


@contextmanager
def _needs_libraries() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        found = f"feedback needs {error.name}, which is not installed"
        raise EngineError(found, 'pip install "hanpuri[serve]"') from None


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _read_time(told: str | None) -> datetime | None:
    """
    Read a day or a time; one without a zone is taken for UTC.

        >>> _read_time("2026-11-22").isoformat()
        '2026-11-22T00:00:00+00:00'
    """
    if told is None:
        return None
    try:
        found = datetime.fromisoformat(told)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # a time of the year 1 may lie before all others in UTC
        raise DataError(f"--since is {told!r}", "write it as 2026-11-22 or 2026-11-22T10:00:00+09:00") from None
