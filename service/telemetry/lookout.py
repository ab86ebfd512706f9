"""Asks Kafka for the ends of partitions, through a connection that serves nothing else."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

STOPPING: Final = 5.0


class Lookout:
    """A consumer without a group, made anew after each failure.

    Calls of aiokafka have no limit in an outage, so they are cancelled; a client in use should not be put through that.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._consumer: AIOKafkaConsumer | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def ends(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The next offset of each; raises what aiokafka raises, and may wait without limit."""
        try:
            if self._consumer is None:
                self._consumer = AIOKafkaConsumer(
                    client_id="bookstream-lookout", isolation_level="read_committed", **self._options
                )
                await self._consumer.start()
            ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(list(partitions))
        except BaseException:
            self._drop()
            raise
        return ends

    async def close(self) -> None:
        """Disconnect."""
        self._drop()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            task = asyncio.create_task(_stop(consumer))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        async with asyncio.timeout(STOPPING):
            await consumer.stop()
    except TimeoutError:
        pass
