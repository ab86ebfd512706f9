"""Sending commands to a real broker and reading everything that the service has published."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from service.consume import fetched
from service.partitioner import partition
from service.relay.batch import RawNameBatch
from service.topics import Topics, wanted
from tests.e2e.checker import DEAD_LETTERS, EVENTS, RESULTS, Seen
from tests.e2e.model import Command
from tests.e2e.workload import SOURCE
from tests.support.wait import until

PARTITIONS = 4
OUTPUTS = (*EVENTS, RESULTS, DEAD_LETTERS)
_MAX_REQUEST = 4 << 20
_MAX_BATCH = 1 << 20

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as it is handed to Kafka; the topic without its prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


def record_of(command: Command) -> Sent:
    """Writes a command of the workload in binary mode."""
    topic = "internal-commands" if command.internal else f"{command.kind}-commands"
    more = {"ce_replyto": RESULTS} if command.reply else {}
    return Sent(
        topic,
        command.aggregate_id.encode(),
        json.dumps(command.data, ensure_ascii=False).encode(),
        headers(command.id, command.type, **more),
    )


def headers(command_id: str, command_type: str, **more: str) -> list[tuple[str, bytes | None]]:
    """The headers of a command in binary mode."""
    plain = {
        "ce_specversion": "1.0",
        "ce_id": command_id,
        "ce_source": SOURCE,
        "ce_type": command_type,
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in {**plain, **more}.items()]


def configure(account: str, location: str, settings: Mapping[str, Any] | None = None) -> Sent:
    """The command that makes a location."""
    data = {"account_id": account, "location_id": location, "settings": settings or {}}
    name = headers(f"configure-{location}", "configure-location")
    return Sent("internal-commands", location.encode(), json.dumps(data).encode(), name)


class Broker:
    """One broker or a cluster, with the topics of one prefix."""

    def __init__(self, bootstrap: str, prefix: str, replication: int = 1) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.replication = replication

    async def make_topics(self) -> None:
        """Creates every topic of the service."""
        async with Topics({"bootstrap_servers": self.bootstrap}) as topics:
            await topics.create_missing(wanted(prefix=self.prefix, partitions=PARTITIONS, replication=self.replication))

    def producer(self) -> AIOKafkaProducer:
        """A producer that partitions as Kafka's Java client does; enter it before use."""
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, enable_idempotence=True, linger_ms=5, max_request_size=_MAX_REQUEST
        )

    async def send(self, records: Iterable[Sent]) -> None:
        """Sends records in their order and waits until all are acknowledged."""
        async with self.producer() as producer:
            waiting = [await self.hand_over(producer, record) for record in records]
            await asyncio.gather(*waiting)

    async def hand_over(self, producer: AIOKafkaProducer, record: Sent) -> "asyncio.Future[Any]":
        """Gives a record to a producer; the future is its acknowledgement."""
        sent: asyncio.Future[Any] = await producer.send(
            self.prefix + record.topic, key=record.key, value=record.value, headers=list(record.headers)
        )
        return sent

    async def send_batches(self, topic: str, records: Sequence[Sent]) -> None:
        """Appends records of one key, headers of any bytes included, in as few batches as the topic's limit allows."""
        number = partition(records[0].key or b"", PARTITIONS)
        async with self.producer() as producer:
            batch = RawNameBatch(_MAX_BATCH)
            for record in records:
                if not _append(batch, record):
                    await (await producer.send_batch(batch, self.prefix + topic, partition=number))
                    batch = RawNameBatch(_MAX_BATCH)
                    assert _append(batch, record)
            await (await producer.send_batch(batch, self.prefix + topic, partition=number))

    async def count(self, topics: Iterable[str]) -> int:
        """How many records the topics have."""
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False) as consumer:
            return await self.count_with(consumer, topics)

    async def count_with(self, consumer: AIOKafkaConsumer, topics: Iterable[str]) -> int:
        """How many records the topics have, asked by a consumer that is there already."""
        return sum((await consumer.end_offsets(self._partitions(topics))).values())

    async def read(self, topics: Iterable[str] = OUTPUTS) -> list[Seen]:
        """Everything that lies on the topics now."""
        fetched.install()
        async with AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_MAX_REQUEST,
        ) as consumer:
            partitions = self._partitions(topics)
            consumer.assign(partitions)
            left = sum((await consumer.end_offsets(partitions)).values())
            found: list[Seen] = []
            while len(found) < left:
                for where, records in (await consumer.getmany(timeout_ms=1000)).items():
                    name = where.topic.removeprefix(self.prefix)
                    found += [
                        Seen(name, where.partition, one.offset, one.key, tuple(one.headers), one.value)
                        for one in records
                    ]
            return found

    async def read_until(self, enough: int, topics: Iterable[str] = OUTPUTS, deadline: float = 40.0) -> list[Seen]:
        """Everything on the topics, once there are so many records."""
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False) as consumer:

            async def there() -> bool:
                return await self.count_with(consumer, topics) >= enough

            await until(there, deadline)
        return await self.read(topics)

    def _partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        return [TopicPartition(self.prefix + topic, number) for topic in topics for number in range(PARTITIONS)]


def _append(batch: RawNameBatch, record: Sent) -> bool:
    added = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
    return added is not None
