"""
A URL ─► the database in which feedback is kept: SQLite in a file, or PostgreSQL.

In:  "sqlite:///hanpuri-feedback.db" or "postgresql://hanpuri@db.example.kr/hanpuri".   Out: a Database, whose every
fault is an EngineError that holds neither a password nor a text.

SQLite is set so that what was acknowledged is on the disk, that several processes may write, and that what is deleted
is overwritten. The file is made for its owner alone (mode 0600).
"""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from hanpuri.errors import EngineError

EXPECTED = "expected sqlite:///feedback.db or postgresql://user@host/name"
LOCK_SECONDS = 10.0
"""How long a process waits for others that write into the same SQLite file."""
CONNECT_SECONDS = 5
CONNECTIONS = 8
"""Of one process to its database; what comes beyond that waits for `CONNECT_SECONDS`."""
SERVER_DEFAULTS = {
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "10",
    "tcp_user_timeout": "10000",  # milliseconds; else one waits a quarter of an hour for a server that has vanished
    "application_name": "hanpuri",
}
BEGIN = "hanpuri_begin"
"""The execution option that says how a transaction of SQLite begins."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Database:
    """Where feedback is kept."""

    place: str
    """The URL as it may be shown: without a password."""
    engine: Engine

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of ours, and no server."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """
        Open a transaction that writes; it is on the disk when the block ends, or has not happened.

        Raises:
            EngineError: if the database does not answer.
        """
        with self.faults(), self.engine.execution_options(**{BEGIN: "IMMEDIATE"}).begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """
        Open a transaction that only reads, and hinders nobody from writing.

        Raises:
            EngineError: as `writing`.
        """
        with self.faults(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def faults(self) -> Iterator[None]:
        """
        Turn faults of the database into an EngineError.

        Raises:
            EngineError: with the first line of what the database says, which holds no values of a row.
        """
        try:
            yield
        except SQLAlchemyError as error:
            raise EngineError(f"{self.place}: {_first_line(error)}", "see that the database is there") from None

    def forget(self) -> None:
        """Empty SQLite's journal, which else holds what was deleted a while longer; while others read, it stays."""
        if not self.is_sqlite:
            return
        try:
            with closing(self.engine.raw_connection()) as connection:
                # Who waits here for readers lets nobody write meanwhile: an export may take minutes.
                for setting in (
                    "busy_timeout=100",
                    "wal_checkpoint(TRUNCATE)",
                    f"busy_timeout={1000 * LOCK_SECONDS:g}",
                ):
                    connection.cursor().execute(f"PRAGMA {setting}").close()
        except (sqlite3.Error, SQLAlchemyError) as error:  # what was deleted is deleted all the same
            log.warning("%s: the journal was not emptied: %s", self.place, error)


@contextmanager
def open_database(url: str, *, make: bool = True) -> Iterator[Database]:
    """
    Open a database; with SQLite, a file that is not there is made.

    Args:
        url: as SQLAlchemy writes it.
        make: whether SQLite may make the file; else it is a fault that there is none.

    Raises:
        EngineError: if the URL is none of a known database, its driver is missing, or nothing is there.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        _see_file(parsed, make=make)
    database = Database(show_url(parsed), _make_engine(parsed))
    try:
        yield database
    finally:
        database.engine.dispose()


def parse_url(url: str) -> URL:
    """
    Read a database's URL; PostgreSQL is asked by psycopg 3.

        >>> parse_url("postgresql://hanpuri@db/feedback").drivername
        'postgresql+psycopg'

    Raises:
        EngineError: if it is none, or of another database. The URL is not repeated: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a ValueError is a port that is no number
        raise EngineError("the database is given as what is no URL", EXPECTED) from None
    if "@" in (parsed.host or ""):  # what follows the first @ of a password would be shown as the host
        raise EngineError("the database's URL holds more than one @", "write an @ within a user or a password as %40")
    name = parsed.drivername
    if name in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if name not in ("sqlite", "sqlite+pysqlite"):
        raise EngineError(f"found a database of the kind {name!r}", EXPECTED)
    is_path = parsed.database and parsed.database != ":memory:" and "\0" not in parsed.database
    if not is_path or parsed.query or parsed.host:
        raise EngineError(f"{show_url(parsed)}: found no plain path to a file, where feedback would stay", EXPECTED)
    return parsed


def show_url(url: URL) -> str:
    """
    Write a URL without what may be secret.

        >>> show_url(make_url("postgresql+psycopg://hanpuri:1234@db/feedback?password=1234"))
        'postgresql://hanpuri:***@db/feedback'
    """
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{url.database or ''}"  # a path is read more easily without escapes
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def _see_file(url: URL, *, make: bool) -> None:
    """Make the file, so that from its first byte on it is its owner's alone; SQLite gives its journal the same mode."""
    path = Path(url.database or "")
    place = show_url(url)
    if os.path.isfile(path):
        if make and not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise EngineError(f"{place}: the file may not be written to", "see whose it is, and its mode")
        return
    if not make:
        raise EngineError(f"{place}: found no such file", "give the --database that the service was started with")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        found = f"{place}: the file cannot be made: {error.strerror}"
        raise EngineError(found, "name a file in a folder that is there and may be written to") from None


def _make_engine(url: URL) -> Engine:
    # hide_parameters: else every fault would print the texts that were to be written.
    told: dict[str, Any] = {"hide_parameters": True, "pool_size": CONNECTIONS, "max_overflow": 0}
    told["pool_timeout"] = CONNECT_SECONDS
    if url.get_backend_name() == "sqlite":
        return _make_sqlite(url, told)
    settings = {key: value for key, value in SERVER_DEFAULTS.items() if key not in url.query}
    try:
        # pre_ping: the first request after the server was started anew finds a connection that works.
        return create_engine(url, connect_args=settings, pool_pre_ping=True, **told)
    except ModuleNotFoundError:
        found = f"{show_url(url)}: found no psycopg, which speaks to PostgreSQL"
        raise EngineError(found, 'pip install "hanpuri[postgres]"') from None


def _make_sqlite(url: URL, told: Mapping[str, Any]) -> Engine:
    path = Path(url.database or "").absolute()
    # mode=rw: a file that was taken away is not made anew, as what it held would then seem never to have been.
    place = f"{path.as_uri()}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(place, uri=True, timeout=LOCK_SECONDS, check_same_thread=False)

    engine = create_engine(url, creator=connect, **told)

    def see_file(connection: sqlite3.Connection, record: ConnectionPoolEntry, proxy: object) -> None:
        """Leave a connection whose file was moved or replaced: what it writes, nobody would find again."""
        if record.info.setdefault("file", _file_number(path)) != _file_number(path):
            raise DisconnectionError

    event.listen(engine, "connect", _set_sqlite)
    event.listen(engine, "checkout", see_file)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _file_number(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _set_sqlite(connection: sqlite3.Connection, record: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` begins, so that a transaction is one from its first statement
    _use_journal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")


def _use_journal(connection: sqlite3.Connection) -> None:
    """Let others read while one writes (WAL); to switch it on, SQLite does not wait for others by itself."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    how = connection.get_execution_options().get(BEGIN, "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {how}")


def _first_line(error: SQLAlchemyError) -> str:
    """Take what the driver says; PostgreSQL tells the values of a row in later lines."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    return next(iter(said.splitlines()), "").strip() or type(error).__name__
