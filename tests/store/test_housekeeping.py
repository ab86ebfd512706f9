"""What is forgotten, what is kept, and how every table is kept from growing without end."""

from datetime import timedelta
from typing import Final

import asyncpg
import pytest

from service.clock.housekeeping import MOST_AT_ONCE, Housekeeper, survey_inbox
from service.telemetry.meters import Meters
from service.telemetry.names import INBOX_AGE, INBOX_FORGOTTEN, INBOX_ROWS
from tests.store.conftest import Connection

REMEMBERED = """
INSERT INTO inbox (account_id, command_key, content_hash, outcome, decided_at)
SELECT 'acc-' || n % 7, sha256(($2::interval::text || n)::bytea), 'x', 'x', now() - $2::interval
FROM generate_series(1, $1) AS n
"""
# Each table, and what keeps it from growing without end; an aggregate is what the service is for, and is kept.
BOUNDED: Final = {
    "aggregate": "kept",
    "booking_group": "by the bookings in it",
    "group_member": "by the bookings",
    "external_id": "by the visits; released when a visit has another one or is over",
    "active_visit": "by the visits that are not over",
    "slot": "by the bookings and visits that hold something",
    "timer": "by the aggregates; ended with the state that began it",
    "inbox": "forgotten after BOOKSTREAM_INBOX_RETENTION_DAYS",
    "outbox": "deleted when Kafka has it",
    "progress": "by the partitions",
    "pause": "by pauses, which are made by hand or to spare a topic",
    "epoch": "by restores from a backup",
    "resync": "forgotten after 90 days",
    "graph_revision": "by changes of the graphs, which are made by hand",
    "schema_migration": "by the files of this version",
    "client": "by the integrators",
    "client_revision": "one row",
    "client_secret": "by the integrators, a few each",
    "client_usage": "forgotten an hour after a minute was counted last, two days after a day",
    "sealing_key": "by rotations, which are made by hand",
    "link_key": "by rotations, which are made by hand",
}


async def test_every_table_is_known_to_be_bounded(connection: Connection) -> None:
    """A table that nobody has thought about is a table that only grows."""
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"] for row in rows} == BOUNDED.keys()


@pytest.mark.parametrize("days", [1, 14, 30])
async def test_what_is_older_than_the_retention_is_forgotten(connection: Connection, days: int) -> None:
    """A minute beyond the retention a command is forgotten, an hour before its end it is not."""
    retention = timedelta(days=days)
    await connection.execute(REMEMBERED, 3, retention + timedelta(minutes=1))
    await connection.execute(REMEMBERED, 5, retention - timedelta(hours=1))
    meters = Meters()
    meters.expect(INBOX_FORGOTTEN)
    assert await Housekeeper(retention, meters).step(connection) == 3
    assert await connection.fetchval("SELECT count(*) FROM inbox") == 5


async def test_much_is_forgotten_in_small_steps(connection: Connection) -> None:
    """One step forgets a thousand, and the next is due a moment later, until nothing old is left for a minute."""
    await connection.execute(REMEMBERED, 2 * MOST_AT_ONCE + 500, timedelta(days=20))
    housekeeper = Housekeeper(timedelta(days=14), Meters())
    steps = []
    for _ in range(3):
        steps.append(await housekeeper.step(connection))
        assert await housekeeper.step(connection) == 0, "not yet"
        housekeeper._next = 0.0
    assert steps == [MOST_AT_ONCE, MOST_AT_ONCE, 500]


async def test_the_oldest_goes_first(connection: Connection) -> None:
    """Where more is old than one step forgets, it is the oldest that goes."""
    await connection.execute(REMEMBERED, MOST_AT_ONCE, timedelta(days=20))
    await connection.execute(REMEMBERED, MOST_AT_ONCE, timedelta(days=30))
    await Housekeeper(timedelta(days=14), Meters()).step(connection)
    assert await connection.fetchval("SELECT max(now() - decided_at) < '21 days' FROM inbox")


async def test_old_resyncs_are_forgotten(connection: Connection) -> None:
    """Bookmarks of resyncs stay for 90 days after their end, and so do those that were never ended."""
    insert = (
        "INSERT INTO resync (resync_id, kinds, total, started_at, finished_at) "
        "VALUES ($1, '{}', 0, now() - $2::interval, now() - $3::interval)"
    )
    day = timedelta(days=1)
    await connection.execute(insert, "old", 92 * day, 91 * day)
    await connection.execute(insert, "late", 92 * day, 89 * day)
    await connection.execute(insert, "given up", 91 * day, None)
    await connection.execute(insert, "running", 89 * day, None)
    await Housekeeper(14 * day, Meters()).step(connection)
    assert [row[0] for row in await connection.fetch("SELECT resync_id FROM resync ORDER BY 1")] == ["late", "running"]


async def test_the_memory_is_measured(database_url: str, connection: Connection) -> None:
    """The estimate of rows and the age of the oldest."""
    await connection.execute(REMEMBERED, 5000, timedelta(days=2))
    await connection.execute("ANALYZE inbox")
    meters = Meters()
    async with asyncpg.create_pool(database_url, min_size=0, max_size=1) as pool:
        await survey_inbox(pool, meters)
    text = meters.text().decode()
    assert f"{INBOX_ROWS.name} 5000.0" in text
    age = next(float(line.split()[1]) for line in text.splitlines() if line.startswith(INBOX_AGE.name))
    assert 2 * 86_400 <= age < 2 * 86_400 + 600


@pytest.mark.parametrize(("span", "kept"), [(60, timedelta(hours=1)), (86_400, timedelta(days=2))])
async def test_usage_is_forgotten_when_no_limit_looks_at_it(connection: Connection, span: int, kept: timedelta) -> None:
    """A minute's an hour after it was counted last, a day's two days; whatever time the commands were of."""
    insert = "INSERT INTO client_usage VALUES ('acc-1', 'c-1', $1, 1, 'booking-commands', $2, 1, now() - $3::interval)"
    await connection.execute(insert, span, 0, kept + timedelta(minutes=1))
    await connection.execute(insert, span, 1, kept - timedelta(minutes=1))
    await Housekeeper(timedelta(days=14), Meters()).step(connection)
    assert [row[0] for row in await connection.fetch("SELECT partition FROM client_usage")] == [1]
