import asyncpg

from service.relay.sweep import ROWS, Sweeper
from tests.support.wait import until

DEAD = "INSERT INTO outbox (topic, headers) SELECT 'booking-events', '[]' FROM generate_series(1, 3000)"
PAGES = "SELECT pg_relation_size('outbox')"


async def test_room_of_deleted_rows_is_used_again(database_url: str) -> None:
    """After so many deletions the outbox is vacuumed, so that it does not grow; one fewer changes nothing."""
    connection, sweeper = await asyncpg.connect(database_url), Sweeper(database_url)
    try:
        await connection.execute(DEAD)
        await connection.execute("DELETE FROM outbox")
        size = await connection.fetchval(PAGES)
        sweeper.note(ROWS - 1)
        assert sweeper._task is None
        sweeper.note(1)
        await until(lambda: sweeper.swept == 1)
        await connection.execute(DEAD)
        assert await connection.fetchval(PAGES) == size
    finally:
        await sweeper.stop()
        await connection.close()


async def test_outage_is_left_to_autovacuum(database_url: str) -> None:
    """A sweep that PostgreSQL does not take is given up, and the next one comes at its time."""
    sweeper = Sweeper("postgresql://nobody@127.0.0.1:1/nothing")
    sweeper.note(ROWS)
    assert sweeper._task is not None
    await sweeper._task
    assert sweeper.swept == 0
    sweeper.note(ROWS)
    assert sweeper._task.done()
    await sweeper.stop()
