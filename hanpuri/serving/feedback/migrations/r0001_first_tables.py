"""
Corrections and votes, a table each.

In:  an empty database.   Out: `hanpuri_corrections` and `hanpuri_votes`.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0001_first_tables"
down_revision = None


def _columns() -> Iterator["sa.Column[Any]"]:
    yield sa.Column("id", sa.Uuid(), primary_key=True)
    yield sa.Column("time", sa.DateTime(timezone=True), nullable=False)
    yield sa.Column("version", sa.String(64), nullable=False)
    yield sa.Column("visitor", sa.String(64))
    yield sa.Column("consent", sa.Boolean(create_constraint=False), nullable=False)
    yield sa.Column("noisy", sa.Text(), nullable=False)


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "hanpuri_corrections",
        *_columns(),
        sa.Column("restored", sa.Text(), nullable=False),
        sa.Column("corrected", sa.Text()),
        sa.Column("accepted", sa.Boolean(create_constraint=False)),
        sa.Column("model", sa.Text()),
    )
    op.create_index("hanpuri_corrections_time", "hanpuri_corrections", ["time"])
    op.create_table(
        "hanpuri_votes",
        *_columns(),
        sa.Column("left", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("left_model", sa.Text(), nullable=False),
        sa.Column("right_model", sa.Text(), nullable=False),
        sa.Column("choice", sa.String(16), nullable=False),
        sa.CheckConstraint("choice IN ('left', 'right', 'both', 'neither')", name="hanpuri_votes_choice"),
    )
    op.create_index("hanpuri_votes_time", "hanpuri_votes", ["time"])
