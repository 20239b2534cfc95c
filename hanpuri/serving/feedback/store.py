"""
The database of feedback, as the service and `hanpuri feedback` use it.

In:  Correction(noisy="확잠실읾", restored="확장실이", corrected="화장실이", consent=True).   Out: it is kept:

    store.add(correction)      "stored"; when this returns it is on the disk
    store.add(correction)      "again": the same id with the same content; nothing is kept twice
    store.find(id)             the Correction
    store.delete([id])         {id}
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

from anyio import CapacityLimiter
from sqlalchemy import Connection, Select, collate, delete, func, select
from sqlalchemy.exc import IntegrityError

from hanpuri.errors import EngineError
from hanpuri.serving.feedback.database import CONNECTIONS, Database, open_database
from hanpuri.serving.feedback.migrating import migrate, pending
from hanpuri.serving.feedback.said import Correction, Said, Vote, same_content
from hanpuri.serving.feedback.tables import TABLES

Added = Literal["stored", "again", "taken"]
"""What became of a row: kept; kept before; not kept, as its id belongs to another one."""
Kind = TypeVar("Kind", Correction, Vote)
ROWS_AT_ONCE = 500


class FeedbackStore:
    """What people said; it may be used by many threads at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.turns = CapacityLimiter(CONNECTIONS)
        """Whose turn it is, among the requests of a service; each takes a thread and a connection."""
        self.num_asking = 0
        """How many of them ask now, or wait for their turn."""

    def add(self, said: Said) -> Added:
        """
        Keep a row; when this returns it is on the disk.

        Raises:
            EngineError: if the database does not answer. Whether the row was kept is then not known: send it again,
                with the same id.
        """
        try:
            with self.database.writing() as connection, _integrity():
                if (other := _find(connection, said.id)) is None:
                    connection.execute(TABLES[type(said)].insert().values(asdict(said)))
                    return "stored"
        except _Meanwhile:
            other = self.find(said.id)
        return "again" if other is not None and same_content(other, said) else "taken"

    def find(self, id: UUID) -> Said | None:
        """
        Find a row by its id.

        Raises:
            EngineError: if the database does not answer.
        """
        with self.database.reading() as connection:
            return _find(connection, id)

    def delete(self, ids: Iterable[UUID]) -> set[UUID]:
        """
        Delete rows, and give the ids of those that were there. No text of them stays in SQLite's file.

        Raises:
            EngineError: if the database does not answer.
        """
        asked = list(ids)
        found: set[UUID] = set()
        with self.database.writing() as connection:
            for table in TABLES.values():
                for id in asked:
                    if connection.execute(delete(table).where(table.c.id == id)).rowcount:
                        found.add(id)
        if found:
            self.database.forget()
        return found

    def each(
        self, kind: type[Kind], *, since: datetime | None = None, consented: bool = False, by_text: bool = False
    ) -> Iterator[Kind]:
        """
        Read rows one after the other, in the order in which they came; memory stays flat.

        Args:
            kind: Correction or Vote.
            since: leaves out what came before.
            consented: whether only rows with consent are read.
            by_text: whether rows of the same noisy text come together, texts in the order of their code points.

        Raises:
            EngineError: if the database does not answer.
        """
        asked = self._select(kind, since=since, consented=consented, by_text=by_text)
        with self.database.reading() as connection:
            for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(asked):
                yield cast(Kind, _read(kind, row._mapping))

    def count(self, kind: type[Said], *, since: datetime | None = None, consent: bool) -> int:
        """
        Count the rows with consent, or those without.

        Raises:
            EngineError: if the database does not answer.
        """
        table = TABLES[kind]
        asked = select(func.count()).select_from(table).where(table.c.consent.is_(consent))
        if since is not None:
            asked = asked.where(table.c.time >= since)
        with self.database.reading() as connection:
            return connection.scalar(asked) or 0

    def _select(self, kind: type[Said], *, since: datetime | None, consented: bool, by_text: bool) -> Select[Any]:
        table = TABLES[kind]
        asked = select(table)
        if since is not None:
            asked = asked.where(table.c.time >= since)
        if consented:
            asked = asked.where(table.c.consent)
        if by_text:
            # As Python compares texts. The order of a language may also take two texts for one.
            asked = asked.order_by(collate(table.c.noisy, "BINARY" if self.database.is_sqlite else "C"))
        return asked.order_by(table.c.time, table.c.id)


@contextmanager
def open_store(url: str, *, make: bool = True) -> Iterator[FeedbackStore]:
    """
    Open a database of feedback; its tables are brought up to date, by one process at a time.

    Args:
        url: as `open_database` takes it.
        make: whether a file and tables that are not there are made; else it is a fault that they are not.

    Raises:
        EngineError: if it cannot be opened, or is newer than this hanpuri.
    """
    with open_database(url, make=make) as database:
        if make:
            migrate(database)
        elif pending(database):
            found = f"{database.place}: found no tables of this hanpuri's, or older ones"
            raise EngineError(found, "run `hanpuri feedback migrate` with the same --database")
        yield FeedbackStore(database)


class _Meanwhile(Exception):
    """Another process has kept a row with the same id between our look and our writing."""


@contextmanager
def _integrity() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise _Meanwhile from None


def _find(connection: Connection, id: UUID) -> Said | None:
    for kind, table in TABLES.items():
        if (row := connection.execute(select(table).where(table.c.id == id)).one_or_none()) is not None:
            return _read(kind, row._mapping)
    return None


def _read(kind: Callable[..., Said], row: Mapping[Any, Any]) -> Said:
    return kind(**row)
