"""The peer's relay: polls the outbox and publishes one row after the other."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import asyncpg
from faststream.kafka.publisher import DefaultPublisher

PAUSE_SECONDS = 0.05
READ = "SELECT seq, topic, key, headers, value FROM outbox ORDER BY seq LIMIT 100 FOR UPDATE"
DELETE = "DELETE FROM outbox WHERE seq = $1"


async def relay(pool: "asyncpg.Pool[Any]", publishers: Mapping[str, DefaultPublisher]) -> None:
    """Publish for ever; a row is deleted once all replicas have its record."""
    while True:
        if not await _publish_page(pool, publishers):
            await asyncio.sleep(PAUSE_SECONDS)


async def _publish_page(pool: "asyncpg.Pool[Any]", publishers: Mapping[str, DefaultPublisher]) -> int:
    async with pool.acquire() as connection, connection.transaction():
        rows = await connection.fetch(READ)
        for row in rows:
            publisher = publishers[row["topic"]]
            await publisher.publish(row["value"].encode(), key=row["key"].encode(), headers=json.loads(row["headers"]))
            await connection.execute(DELETE, row["seq"])
        return len(rows)
