"""
How much feedback there is: corrections by what they say, votes by model, counted by the database.

In:  a FeedbackStore.   Out:

    {"corrections": {"all": 3, "with_consent": 2, "corrected": 2, "accepted": 1, "first": "…", "last": "…"},
     "votes": {"all": 1, …, "left": 1, "right": 0, …}, "models": {"base": {"better": 1, "worse": 0, "tied": 0}, …}}
"""

from typing import Any

from sqlalchemy import Connection, Table, func, select

from hanpuri.serving.feedback.said import utc
from hanpuri.serving.feedback.store import FeedbackStore
from hanpuri.serving.feedback.tables import CORRECTIONS, VOTES


def count_feedback(store: FeedbackStore) -> dict[str, Any]:
    """
    Count what there is.

    Raises:
        EngineError: if the database does not answer.
    """
    with store.database.reading() as connection:
        models = _models(connection)
        return {"corrections": _corrections(connection), "votes": _votes(connection), "models": models}


def _all(connection: Connection, table: Table) -> dict[str, Any]:
    num_rows, first, last = connection.execute(
        select(func.count(), func.min(table.c.time), func.max(table.c.time)).select_from(table)
    ).one()
    times = {"first": first and utc(first), "last": last and utc(last)}
    return {"all": num_rows, "with_consent": _count(connection, table, table.c.consent), **times}


def _count(connection: Connection, table: Table, *conditions: Any) -> int:
    return connection.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def _corrections(connection: Connection) -> dict[str, Any]:
    accepted = CORRECTIONS.c.accepted.is_(True)
    corrected = CORRECTIONS.c.corrected.is_not(None) & CORRECTIONS.c.accepted.is_not(True)
    said = {
        "corrected": _count(connection, CORRECTIONS, corrected),
        "accepted": _count(connection, CORRECTIONS, accepted),
    }
    return {**_all(connection, CORRECTIONS), **said}


def _votes(connection: Connection) -> dict[str, Any]:
    choices = {
        choice: _count(connection, VOTES, VOTES.c.choice == choice) for choice in ("left", "right", "both", "neither")
    }
    return {**_all(connection, VOTES), **choices}


def _models(connection: Connection) -> dict[str, dict[str, int]]:
    """Count for each model how often it was found better, worse, or neither."""
    asked = select(VOTES.c.left_model, VOTES.c.right_model, VOTES.c.choice, func.count())
    found: dict[str, dict[str, int]] = {}
    for left, right, choice, count in connection.execute(
        asked.group_by(VOTES.c.left_model, VOTES.c.right_model, VOTES.c.choice)
    ):
        for model, side in ((left, "left"), (right, "right")):
            what = "tied" if choice in ("both", "neither") else "better" if choice == side else "worse"
            of_model = found.setdefault(model, {"better": 0, "worse": 0, "tied": 0})
            of_model[what] += count
    return dict(sorted(found.items()))
