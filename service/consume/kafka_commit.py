"""Tells Kafka how far we are, for lag tools only: nothing ever starts from these offsets."""

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

log = logging.getLogger(__name__)

_EVERY = 1.0


class Commits:
    """Collects offsets and commits them explicitly, partition by partition, at most once a second."""

    def __init__(self, consumer: Callable[[], AIOKafkaConsumer | None]) -> None:
        self._consumer = consumer
        self._pending: dict[TopicPartition, int] = {}
        self._new = asyncio.Event()

    def remember(self, partition: TopicPartition, offset: int) -> None:
        """Commit this next offset with the next ones."""
        self._pending[partition] = offset
        self._new.set()

    async def run(self) -> None:
        """Commit what was remembered, for ever; to be cancelled."""
        while True:
            await self._new.wait()
            await self.flush(10.0)
            await asyncio.sleep(_EVERY)

    async def flush(self, seconds: float = 2.0) -> None:
        """Commit now what is still ours; a failure is only noted, since the next commit covers it.

        aiokafka retries a commit without limit in an outage, hence the limit in seconds. One that is given up leaves
        the consumer's client as it was: the request itself is shielded, an answer that nobody waits for any more is
        passed over, and a connection that was being made is closed.
        """
        pending, self._pending = self._pending, {}
        self._new.clear()
        consumer = self._consumer()
        if consumer is None:
            return
        ours = consumer.assignment()
        offsets = {each: OffsetAndMetadata(offset, "") for each, offset in pending.items() if each in ours}
        if not offsets:
            return
        try:
            async with asyncio.timeout(seconds):
                await consumer.commit(offsets)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.debug("offsets were not committed to Kafka: %r", error)
