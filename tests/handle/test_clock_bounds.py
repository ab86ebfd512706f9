"""The clock when answers don't come: new timers still get their turn, and nothing is sent again that is unpublished."""

import asyncpg

from service.clock.due import MOST_UNANSWERED, send_due
from tests.handle.harness import Bench

OLD = """
INSERT INTO timer (account_id, kind, aggregate_id, action, timer_id, due_at, correlation_id, sent_at)
SELECT 'acc-1', 'booking', 'old-' || n, 'complete', 'old-' || n, now() - interval '1 hour', 'c', now() - interval '31 s'
FROM generate_series(1, $1::int) n
"""
FRESH = """
INSERT INTO timer (account_id, kind, aggregate_id, action, timer_id, due_at, correlation_id)
VALUES ('acc-1', 'booking', 'fresh', 'complete', 'fresh', now() - interval '10 minutes', 'c')
"""


async def _sent(bench: Bench, database_url: str) -> list[str]:
    connection = await asyncpg.connect(database_url)
    await send_due(connection)
    await connection.close()
    rows = await bench.pool.fetch("SELECT convert_from(key, 'UTF8') AS key FROM outbox ORDER BY seq")
    return [row["key"] for row in rows]


async def test_timers_without_an_answer_starve_nobody(bench: Bench, database_url: str) -> None:
    """As many unanswered timers as may be leave the first place to one that was never sent."""
    await bench.pool.execute(OLD, MOST_UNANSWERED)
    await bench.pool.execute(FRESH)
    sent = await _sent(bench, database_url)
    assert len(sent) == MOST_UNANSWERED
    assert "fresh" in sent


async def test_nothing_is_sent_again_that_was_not_published(bench: Bench, database_url: str) -> None:
    """While the outbox waits for Kafka an answer can't be missed yet; a new timer is sent all the same."""
    await bench.pool.execute(OLD, 3)
    await bench.pool.execute(FRESH)
    await bench.pool.execute(
        "INSERT INTO outbox (topic, key, headers, created_at) "
        "VALUES ('booking-events', 'k', '[]', now() - interval '1 minute')"
    )
    assert await _sent(bench, database_url) == ["k", "fresh"]
