"""
How often somebody may ask, counted together by all workers of a service.

In:  a name and how many requests a minute it may make.   Out: whether this one is allowed, and what is left:

    rates.spend("web", 600)  ─►  Allowance(limit=600, remaining=599, full_seconds=0.1, wait_seconds=None)

Each name has a bucket that holds a minute's requests and fills evenly. One number tells all of it, the time at which
it will be full again (as in the cell rate algorithm of ITU-T I.371): it is moved on by each request, in one statement
of SQLite, so that workers need no lock of their own. The file lives only as long as the service.
"""

import logging
import math
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60.0
MOST_NAMES = 10_000
SPENT_BEFORE_TIDYING = 500
LONGEST_WAIT_SECONDS = 0.5
"""For other workers; SQLite gives up after that."""

SPEND = """
INSERT INTO rates (name, full_at) VALUES (:name, :now + :cost)
ON CONFLICT (name) DO UPDATE SET full_at = max(full_at, :now) + :cost
WHERE max(full_at, :now) + :cost <= :now + :window + 1e-6
RETURNING full_at
"""


@dataclass(frozen=True)
class Allowance:
    """What a name may still ask."""

    limit: int
    """Requests a minute."""
    remaining: int
    """Requests that it may make now."""
    full_seconds: float
    """Until it may make all of them again."""
    wait_seconds: float | None
    """Until it may make one; None if this one was allowed."""

    @property
    def headers(self) -> dict[str, str]:
        """
        Say it in the head of an answer.

            >>> Allowance(600, 3, 59.2, None).headers
            {'X-RateLimit-Limit': '600', 'X-RateLimit-Remaining': '3', 'X-RateLimit-Reset': '60'}
        """
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.full_seconds)),
        }


class Rates:
    """Buckets by name, in a file that several processes share; there are never many more than `MOST_NAMES`."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path, timeout=LONGEST_WAIT_SECONDS, isolation_level=None)
        # Nothing here outlives the service, so nothing has to reach the disk; a worker that is killed breaks no WAL.
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("CREATE TABLE IF NOT EXISTS rates (name TEXT PRIMARY KEY, full_at REAL) WITHOUT ROWID")
        self.num_spent = 0

    def spend(self, name: str, per_minute: int) -> Allowance:
        """Count a request of `name`, if it may make one."""
        now = time.monotonic()  # one clock for all processes of a machine, and nobody sets it
        try:
            return self._spend(name, per_minute, now)
        except sqlite3.OperationalError as error:
            # A full disk is no reason to send away who has a good key.
            logger.warning("requests are not counted: %s", error)
            return Allowance(per_minute, per_minute, 0.0, None)

    def _spend(self, name: str, per_minute: int, now: float) -> Allowance:
        self._tidy(now)
        cost = WINDOW_SECONDS / per_minute
        told = {"name": name, "now": now, "cost": cost, "window": WINDOW_SECONDS}
        row = self.database.execute(SPEND, told).fetchone()
        if row is not None:
            full = row[0] - now
            return Allowance(per_minute, max(0, int((WINDOW_SECONDS - full) / cost + 1e-6)), full, None)
        row = self.database.execute("SELECT full_at FROM rates WHERE name = ?", (name,)).fetchone()
        full = (row[0] if row else now) - now
        return Allowance(per_minute, 0, full, max(0.0, full + cost - WINDOW_SECONDS))

    def _tidy(self, now: float) -> None:
        """Forget full buckets, which say nothing; and should there be too many others, those that are fullest."""
        self.num_spent += 1
        if self.num_spent % SPENT_BEFORE_TIDYING:
            return
        self.database.execute("DELETE FROM rates WHERE full_at <= ?", (now,))
        (count,) = self.database.execute("SELECT count(*) FROM rates").fetchone()
        if count > MOST_NAMES:
            fullest = "SELECT name FROM rates ORDER BY full_at LIMIT ?"
            self.database.execute(f"DELETE FROM rates WHERE name IN ({fullest})", (count - MOST_NAMES,))

    def close(self) -> None:
        """Let the file go."""
        self.database.close()
