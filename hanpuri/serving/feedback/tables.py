"""
How corrections and votes lie in a database: a table each, alike in SQLite and PostgreSQL.

In:  Correction(noisy="확잠실읾", …).   Out: a row of `hanpuri_corrections`. `migrations/` makes these tables; a test
holds both against each other.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Index,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)

from hanpuri.serving.feedback.said import Correction, Said, Vote

VERSION_TABLE = "hanpuri_feedback_version"
"""Holds the last step of `migrations/` that was taken. All names begin alike: others may use the database too."""


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite knows no zones, so that there it is kept without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write a time."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read a time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData()


def _said_columns() -> list[Column[Any]]:
    """The columns of `said._Said`."""
    return [
        Column("id", Uuid, primary_key=True),
        Column("time", UtcTime, nullable=False),
        Column("version", String(64), nullable=False),
        Column("visitor", String(64)),
        Column("consent", Boolean(create_constraint=False), nullable=False),
        Column("noisy", Text, nullable=False),
    ]


CORRECTIONS = Table(
    "hanpuri_corrections",
    METADATA,
    *_said_columns(),
    Column("restored", Text, nullable=False),
    Column("corrected", Text),
    Column("accepted", Boolean(create_constraint=False)),
    Column("model", Text),
    Index("hanpuri_corrections_time", "time"),
)
VOTES = Table(
    "hanpuri_votes",
    METADATA,
    *_said_columns(),
    Column("left", Text, nullable=False),
    Column("right", Text, nullable=False),
    Column("left_model", Text, nullable=False),
    Column("right_model", Text, nullable=False),
    Column("choice", String(16), nullable=False),
    CheckConstraint("choice IN ('left', 'right', 'both', 'neither')", name="hanpuri_votes_choice"),
    Index("hanpuri_votes_time", "time"),
)
TABLES: dict[type[Said], Table] = {Correction: CORRECTIONS, Vote: VOTES}
