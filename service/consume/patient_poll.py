"""Polls in FastStream's place, which pauses where it should not, and does not where it should.

After a poll that brought nothing it sleeps, whatever comes meanwhile; after one that failed it begins anew at once,
without a pause if polling fails again and again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream.kafka import KafkaBroker

from service.backoff import Backoff
from service.consume.health import ConsumerHealth
from service.consume.polled import PREFIX
from service.record import Record
from service.telemetry.told import told

log = logging.getLogger(__name__)

# A poll returns as soon as there are records; this is how long it waits for them.
POLL_MS = 1_000

Polled: TypeAlias = Sequence[Record]
Poll = Callable[[AIOKafkaConsumer], Awaitable[Polled]]


class PatientPoll:
    """Polls, and after an error that FastStream has no pause for waits a moment, longer each time."""

    def __init__(
        self, poll: Poll, health: ConsumerHealth, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._poll = poll
        self._health = health
        self._sleep = sleep
        self._backoff = Backoff(first=0.5, longest=10.0)
        self._error: str | None = None

    async def __call__(self, consumer: AIOKafkaConsumer) -> Polled:
        """Gives what one poll brings: nothing where it fails."""
        try:
            records = await self._poll(consumer)
        except (KafkaError, ConsumerStoppedError):
            raise
        except Exception as error:
            self._error = self._health.last_error = f"polling failed: {told(error)}"
            log.exception("polling failed, trying again")
            await self._sleep(self._backoff.next())
            return ()
        if self._error is not None:
            if self._health.last_error == self._error:
                self._health.last_error = None
            self._error = None
            self._backoff.reset()
        return records


def poll_patiently(broker: KafkaBroker, health: ConsumerHealth, max_records: int, prefix: str) -> None:
    """Make the subscribers of a broker that has not started yet poll so, and name topics without the prefix."""

    async def poll(consumer: AIOKafkaConsumer) -> Polled:
        PREFIX.set(prefix)
        found = await consumer.getmany(timeout_ms=POLL_MS, max_records=max_records)
        return tuple(chain(*found.values()))

    for subscriber in broker.subscribers:
        made: Any = subscriber
        made.get_msg = PatientPoll(poll, health)
