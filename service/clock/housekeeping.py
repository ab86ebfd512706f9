"""Forgets what nobody can ask for any more, a little at a time."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import asyncpg

from service.telemetry.meters import Meters
from service.telemetry.names import INBOX_AGE, INBOX_FORGOTTEN, INBOX_ROWS

MOST_AT_ONCE: Final = 1_000
# Of 1,000 rows four times a second: more than is decided, with room for what has piled up, and little for the server.
BUSY_SECONDS: Final = 0.25
IDLE_SECONDS: Final = 60.0
RESYNCS_KEPT: Final = timedelta(days=90)

# By the place of the rows: a join with their keys is one with the whole table where that is small.
FORGET: Final = f"""
DELETE FROM inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM inbox WHERE decided_at < now() - $1::interval ORDER BY decided_at LIMIT {MOST_AT_ONCE}
))
"""  # noqa: S608  a number
FORGET_RESYNCS: Final = "DELETE FROM resync WHERE coalesce(finished_at, started_at) < now() - $1::interval"
# By when they were counted last, not by the period that they are of: a backlog may be of any time.
FORGET_USAGE: Final = """
DELETE FROM client_usage WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM client_usage
    WHERE counted_at < now() - CASE WHEN span < 3600 THEN interval '1 hour' ELSE interval '2 days' END
    LIMIT 10000 FOR UPDATE SKIP LOCKED
))
"""
# The planner's own estimate, -1 before it has one: counting would read the whole table.
ROWS: Final = "SELECT greatest(0, reltuples)::float8 FROM pg_class WHERE oid = 'inbox'::regclass"
OLDEST: Final = "SELECT coalesce(extract(epoch FROM now() - min(decided_at)), 0)::float8 FROM inbox"


@dataclass(slots=True)
class Housekeeper:
    """Forgets commands that were decided longer ago than `retention`, bookmarks of old resyncs, and old usage.

    Works on the connection that it is given, between other work: no step takes long.
    """

    retention: timedelta
    meters: Meters
    _next: float = 0.0

    async def step(self, connection: "asyncpg.Connection[asyncpg.Record]") -> int:
        """Forget some, when it is time; gives how many."""
        now = time.monotonic()
        if now < self._next:
            return 0
        status = await connection.execute(FORGET, self.retention)
        forgotten = int(status.rpartition(" ")[2])
        if forgotten < MOST_AT_ONCE:
            await connection.execute(FORGET_RESYNCS, RESYNCS_KEPT)
            await connection.execute(FORGET_USAGE)
        self._next = now + (BUSY_SECONDS if forgotten == MOST_AT_ONCE else IDLE_SECONDS)
        self.meters.add(INBOX_FORGOTTEN, forgotten)
        return forgotten


async def survey_inbox(pool: "asyncpg.Pool[Any]", meters: Meters) -> None:
    """Measures the memory of commands."""
    try:
        rows, age = await pool.fetchval(ROWS), await pool.fetchval(OLDEST)
    except BaseException:
        meters.replace(INBOX_ROWS, {})
        meters.replace(INBOX_AGE, {})
        raise
    meters.replace(INBOX_ROWS, {(): rows})
    meters.replace(INBOX_AGE, {(): age})
