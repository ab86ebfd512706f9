"""The peer's FastStream application."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage

from tests.benchmarks.peer.booking import UpdateBooking
from tests.benchmarks.peer.relay import relay
from tests.benchmarks.peer.transaction import Envelope, apply


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """Where the peer works, and on how many records at once."""

    database_url: str
    bootstrap: str
    prefix: str
    max_workers: int


def application(settings: PeerSettings) -> FastStream:
    """Build the application; its lifespan owns the pool and the relay."""
    # The access lines of every record go to DEBUG: they would only cost the peer time.
    broker = KafkaBroker(settings.bootstrap, acks="all", enable_idempotence=True, log_level=logging.DEBUG)
    publishers = {name: broker.publisher(settings.prefix + name) for name in ("booking-events", "command-results")}
    pools: list[asyncpg.Pool[Any]] = []

    @broker.subscriber(
        settings.prefix + "booking-commands",
        group_id=settings.prefix + "group",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_workers=settings.max_workers,
    )
    async def handle(command: UpdateBooking, message: KafkaMessage) -> None:
        record = message.raw_message
        assert not isinstance(record, tuple)
        headers = message.headers
        appended_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        await apply(pools[0], command, Envelope(headers["ce_id"], headers["ce_source"], appended_at, message.body))

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        # One connection for each record in work, one for the relay.
        async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=settings.max_workers + 1) as pool:
            pools.append(pool)
            yield

    app = FastStream(broker, lifespan=lifespan)
    tasks: list[asyncio.Task[None]] = []

    @app.after_startup
    async def start_relay() -> None:
        tasks.append(asyncio.create_task(relay(pools[0], publishers)))

    @app.on_shutdown
    async def stop_relay() -> None:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return app
