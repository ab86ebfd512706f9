"""Resyncs on a database of the test's own, without a relay."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from service.resync import resync as module
from service.resync.bookmark import Bookmark, Selection, begin
from service.resync.resync import Resync
from tests.handle.harness import Pool, graphs
from tests.support.records import create, record
from tests.support.rows import Sent

Tell = Callable[[Bookmark, int], None]
# Bookings of many accounts without the commands that would make them.
FILL = """
INSERT INTO aggregate (account_id, kind, aggregate_id, version, state)
SELECT 'acc-' || n % 7, 'booking', 'b-' || n, 1, (SELECT state FROM aggregate WHERE aggregate_id = 'b-0')
FROM generate_series(1, $1) AS n
"""


@asynccontextmanager
async def begun(
    pool: Pool, selection: Selection | None = None, rate: float | None = None, tell: Tell = lambda *_: None
) -> AsyncIterator[tuple[Resync, Bookmark]]:
    """A resync that was noted and has not published anything."""
    async with pool.acquire() as connection:
        bookmark = await begin(connection, selection or Selection())
        yield made(connection, bookmark, rate, tell), bookmark


def made(connection: Any, bookmark: Bookmark, rate: float | None = None, tell: Tell = lambda *_: None) -> Resync:
    """A resync from where the bookmark stands."""
    return Resync(connection, graphs(), bookmark, rate=rate, tell=tell)


def booking(booking_id: str, **members: Any) -> Any:
    """The command that makes a booking."""
    return record("create-booking", create(booking_id, **members))


def subjects(rows: list[Sent]) -> list[str]:
    """Which aggregates rows are about."""
    return [(row.key or b"").decode() for row in rows]


__all__ = ["FILL", "begun", "booking", "made", "module", "subjects"]
