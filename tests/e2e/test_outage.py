"""PostgreSQL goes away in the midst of work and comes back."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from service.embedded import EmbeddedPostgres
from service.store.migrate import migrate
from tests.e2e.broker import Broker
from tests.e2e.stage import Stage, create, open_location, staged, stop, update, versions
from tests.support.wait import until

BOOKINGS = [f"b-{number}" for number in range(20)]


@pytest.mark.timeout(150)
async def test_postgresql_is_killed_and_comes_back(
    kafka: str, topic_prefix: str, own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """The process lives on, says that it is not ready, and goes on where the database stands."""
    await migrate(own_postgres.url)
    async with staged(kafka, topic_prefix, own_postgres.url, tmp_path) as stage:
        with stage.service() as service:
            await service.ready()
            await open_location(stage)
            await stage.send(create(booking) for booking in BOOKINGS)
            sending = asyncio.create_task(_updates(stage))
            await stage.consumed(len(BOOKINGS) * 3)
            await asyncio.to_thread(own_postgres.kill)
            await until(lambda: asyncio.to_thread(service.problems))
            await sending
            await asyncio.to_thread(own_postgres.start)
            stage.connection = await asyncpg.connect(own_postgres.url)
            await stage.settle()
            await service.ready()
            await stage.connection.close()
            assert await stop(service) == 0, service.tail()
        seen = versions(await Broker(kafka, topic_prefix).read(["booking-events"]))
    assert {booking: list(dict.fromkeys(found)) for booking, found in seen.items()} == {
        booking: list(range(1, 102)) for booking in BOOKINGS
    }


async def _updates(stage: Stage) -> None:
    for number in range(100):
        await stage.send(update(booking, f"u-{number}-{booking}", notes=f"{number}") for booking in BOOKINGS)
