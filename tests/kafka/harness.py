"""What the tests of this folder share: topics, raw records, a transaction that only stores, a proxy that can be cut."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from service.consume import fetched
from service.consume.consumer import Consumer
from service.errors import PartitionLost, StoreUnavailable
from service.record import Record, Span
from service.relay.batch import RawNameBatch
from service.topics import COMMAND_TOPICS, Topic, Topics
from tests.support.wait import until

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Message = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]

HANDLED = """
CREATE TABLE handled (n bigint GENERATED ALWAYS AS IDENTITY, topic text, part int, off bigint, member text)
"""


async def make_topics(bootstrap: str, prefix: str, names: Iterable[str] = COMMAND_TOPICS, **config: str) -> None:
    """Create the topics with four partitions each."""
    async with Topics({"bootstrap_servers": bootstrap}) as topics:
        await topics.create_missing([Topic(prefix + name, 4, 1, config) for name in names])


async def set_config(bootstrap: str, topic: str, config: dict[str, str]) -> None:
    """Replace a topic's own settings."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, partition: int, messages: Sequence[Message]) -> None:
    """Append all messages as one batch, any header bytes included."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        batch = RawNameBatch(1 << 20)
        for key, value, headers in messages:
            assert batch.append(timestamp=None, key=key, value=value, headers=headers) is not None
        await (await producer.send_batch(batch, topic, partition=partition))


async def consume_all(bootstrap: str, topic: str, count: int) -> list[ConsumerRecord[bytes, bytes]]:
    """The first `count` records of a topic, in order within each partition."""
    fetched.install()
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    found: list[ConsumerRecord[bytes, bytes]] = []
    async with consumer, asyncio.timeout(30):
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(records)
    return found


def plain(*numbers: int) -> list[Message]:
    """Ordinary messages."""
    return [(b"k%d" % each, b"v%d" % each, [("h", b"x")]) for each in numbers]


class StoringTransaction:
    """Stores each record and moves progress in one real transaction; may be held, or given an error to raise."""

    def __init__(self, pool: Pool, member: str = "") -> None:
        self.pool = pool
        self.member = member
        self.records: list[Record] = []
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.attempts = 0
        self.failures: list[Exception] = []

    async def __call__(self, records: Sequence[Record], spans: Sequence[Span], nearly_done: Callable[[], None]) -> None:
        """Apply the batch."""
        self.attempts += 1
        self.entered.set()
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        nearly_done()
        try:
            async with self.pool.acquire(timeout=5) as connection, connection.transaction():
                await self._store(connection, records, spans)
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
            raise StoreUnavailable(repr(error)) from error
        self.records.extend(records)

    async def _store(self, connection: Any, records: Sequence[Record], spans: Sequence[Span]) -> None:
        for span in spans:
            moved = await connection.execute(
                "UPDATE progress SET next_offset = $4 WHERE topic = $1 AND partition = $2 AND next_offset = $3",
                span.topic,
                span.partition,
                span.expected,
                span.next,
            )
            if moved != "UPDATE 1":
                raise PartitionLost(str(span))
        rows = [(each.topic, each.partition, each.offset, self.member) for each in records]
        await connection.executemany("INSERT INTO handled (topic, part, off, member) VALUES ($1, $2, $3, $4)", rows)


def member(bootstrap: str, prefix: str, transaction: StoringTransaction, **more: Any) -> Consumer:
    """A member of the test's group, not yet started."""
    return Consumer(
        options={"bootstrap_servers": bootstrap},
        pool=transaction.pool,
        transaction=transaction,
        topics=COMMAND_TOPICS,
        group_id=prefix + "group",
        prefix=prefix,
        **more,
    )


@asynccontextmanager
async def running(bootstrap: str, prefix: str, transaction: StoringTransaction, **more: Any) -> AsyncIterator[Consumer]:
    """A consumer that has started, stopped at the end."""
    consumer = member(bootstrap, prefix, transaction, **more)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def placed(consumer: Consumer, partitions: int = 12) -> None:
    """Wait until the consumer has a position for so many partitions."""
    await until(lambda: len(consumer.health.positions) + len(consumer.health.stopped) == partitions, 40)


async def handled(pool: Pool) -> list[tuple[str, int, int]]:
    """What was handled, in the order of handling."""
    rows = await pool.fetch("SELECT topic, part, off FROM handled ORDER BY n")
    return [(each["topic"], each["part"], each["off"]) for each in rows]


async def progress(pool: Pool, topic: str, partition: int) -> int | None:
    """The stored position."""
    found: int | None = await pool.fetchval(
        "SELECT next_offset FROM progress WHERE topic = $1 AND partition = $2", topic, partition
    )
    return found


async def committed(bootstrap: str, group: str, partition: TopicPartition) -> int | None:
    """The offset that the group has committed to Kafka."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False) as consumer:
        found: int | None = await consumer.committed(partition)
        return found


async def fill(pool: Pool, rows: Sequence[tuple[str, bytes | None, list[list[str | None]], bytes | None]]) -> None:
    """Write outbox rows in one transaction."""
    await pool.executemany(
        "INSERT INTO outbox (topic, key, headers, value) VALUES ($1, $2, $3, $4)",
        [(topic, key, json.dumps(headers).encode(), value) for topic, key, headers, value in rows],
    )


class Proxy:
    """A TCP proxy that can be cut: connections are reset and new ones refused until it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Reset every connection and take no more."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        mine = {writer, upstream_writer}
        self._writers |= mine
        try:
            await asyncio.gather(_pipe(reader, upstream_writer), _pipe(upstream_reader, writer))
        finally:
            self._writers -= mine
            for each in mine:
                each.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
