"""Asks Kafka how far partitions go, and since when a record is there, through a connection that serves nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from service import kafka_bootstrap

STOPPING: Final = 5.0
# Of the records at hand one is looked at; a batch that is larger comes whole all the same.
_FETCHED: Final = 64 * 1024
_FETCH_SECONDS: Final = 1.0

Answer = TypeVar("Answer")


class Lookout:
    """A consumer without a group, made anew after each failure.

    Calls of aiokafka have no limit in an outage, so they are cancelled; a client in use should not be put through that.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        kafka_bootstrap.install()
        self._options = options
        self._consumer: AIOKafkaConsumer | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def ends(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The next offset of each; raises what aiokafka raises, and may wait without limit."""
        ends: Mapping[TopicPartition, int] = await self.ask(lambda client: client.end_offsets(list(partitions)))
        return ends

    async def ask(self, question: Callable[[AIOKafkaConsumer], Awaitable[Answer]]) -> Answer:
        """Put a question to the client; raises what aiokafka raises, and may wait without limit."""
        try:
            return await question(await self._connected())
        except BaseException:
            self._drop()
            raise

    async def appended_at(self, positions: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, float]:
        """When the records at these offsets were appended, in seconds since 1970; what takes too long is left out."""
        found: dict[TopicPartition, float] = {}
        try:
            consumer = await self._connected()
            # One after the other: only of the first does Kafka send a batch that is larger than what was asked for.
            async with asyncio.timeout(_FETCH_SECONDS):
                for partition, offset in positions.items():
                    consumer.assign([partition])
                    consumer.seek(partition, offset)
                    found[partition] = (await consumer.getone()).timestamp / 1000
            consumer.unsubscribe()
        except TimeoutError:
            self._drop()
        except BaseException:
            self._drop()
            raise
        return found

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                client_id="bookstream-lookout",
                isolation_level="read_committed",
                max_partition_fetch_bytes=_FETCHED,
                **self._options,
            )
            await self._consumer.start()
        return self._consumer

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
