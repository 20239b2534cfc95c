"""
Tables that are behind, or not there ─► the tables that this hanpuri writes into.

In:  a Database.   Out: the names of the steps that were taken, such as ["r0001_first_tables"]; [] if nothing was to do.

Each process that opens a database looks first, without Alembic, and mostly finds that nothing is to do. Else one does
the work while the others wait: under a lock of PostgreSQL, or as the one that SQLite lets write. All steps are one
transaction.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from hanpuri.errors import EngineError
from hanpuri.serving.feedback.database import Database
from hanpuri.serving.feedback.tables import VERSION_TABLE

STEPS = Path(__file__).parent / "migrations"
LOCK = 0x68616E70  # "hanp": any number, the same for all that migrate feedback


def pending(database: Database, steps: Path = STEPS) -> list[str]:
    """
    Name the steps that a database has not seen.

    Raises:
        EngineError: if it does not answer, or was written by a newer hanpuri.
    """
    with database.reading() as connection:
        return _pending(connection, database.place, steps)


def migrate(database: Database, steps: Path = STEPS) -> list[str]:
    """
    Bring the tables up to date; name the steps that this took.

    Raises:
        EngineError: as `pending`, or if the database lets us make no tables.
    """
    if not pending(database, steps):
        return []
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        todo = _pending(connection, database.place, steps)  # anew: another one may have been faster
        _take(connection, steps, todo)
    return todo


def names_of(steps: Path = STEPS) -> list[str]:
    """
    Name all steps, in their order.

        >>> names_of()[0]
        'r0001_first_tables'
    """
    return sorted(path.stem for path in steps.glob("r*.py"))


def _pending(connection: Connection, place: str, steps: Path) -> list[str]:
    names = names_of(steps)
    last = _last_step(connection)
    if last is None:
        return names
    if last not in names:
        found = f"{place}: its tables were written by a newer hanpuri ({last}), this one knows {names[-1]}"
        raise EngineError(found, "install that hanpuri, or give another --database")
    return names[names.index(last) + 1 :]


def _last_step(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    last: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return last


def _take(connection: Connection, steps: Path, names: Sequence[str]) -> None:
    """Call the steps, and note the last one in the same transaction."""
    if not names:
        return
    # Loaded only where there is work: a service whose tables are up to date starts without it.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(steps, version_locations=[steps])
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    with Operations.context(context):
        for name in names:
            scripts.get_revision(name).module.upgrade()
            context.stamp(scripts, name)
