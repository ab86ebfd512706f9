"""The servers that both systems share in a run: PostgreSQL and Apache Kafka on this machine, with their defaults."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from confluent_kafka import Producer

from service.embedded import EmbeddedPostgres
from service.topics import Topics, wanted
from tests.benchmarks.cpu import Cpu, spent
from tests.benchmarks.workload import Command
from tests.support.kafka_jars import JarKafka, fetch_jars

PARTITIONS = 12
SHOWN = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "wal_compression")
PATIENCE = 60.0
# Keys go to partitions as Kafka's Java client sends them.
PRODUCER: Final[Mapping[str, str | bool]] = {"enable.idempotence": True, "partitioner": "murmur2_random"}
_IN_FLIGHT = 50_000


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are, and which processes they consist of."""

    postgres_url: str
    postgres_pid: int
    bootstrap: str
    kafka_pids: tuple[int, ...]

    def spent(self, service: Iterable[int]) -> Cpu:
        """Processor time so far of the servers and of the given processes."""
        return spent(service, self.postgres_pid, self.kafka_pids)

    async def create_database(self, name: str) -> str:
        """Make an empty database and return its address."""
        connection = await asyncpg.connect(self.postgres_url)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        return urlunsplit(urlsplit(self.postgres_url)._replace(path=f"/{name}"))

    async def create_topics(self, prefix: str) -> None:
        """Make the same topics, with the same settings, for whom the prefix stands."""
        async with Topics({"bootstrap_servers": self.bootstrap}) as topics:
            await topics.create_missing(wanted(prefix=prefix, partitions=PARTITIONS, replication=1))

    async def produce(self, topic: str, commands: Iterable[Command]) -> list[str]:
        """Produce in the order given, partitioned by key, and return the ids."""
        return await asyncio.to_thread(self._produce, topic, commands)

    def _produce(self, topic: str, commands: Iterable[Command]) -> list[str]:
        producer = Producer({**PRODUCER, "bootstrap.servers": self.bootstrap, "linger.ms": 5})
        ids: list[str] = []
        for command in commands:
            while len(producer) > _IN_FLIGHT:
                producer.poll(0.01)
            producer.produce(topic, key=command.key, value=command.value, headers=list(command.headers))
            ids.append(command.id)
        if producer.flush(PATIENCE):
            raise RuntimeError(f"Kafka did not take all records for {topic}")
        return ids

    async def read(self, topic: str) -> AsyncIterator["ConsumerRecord[bytes, bytes]"]:
        """Yield every record of a topic, in order within each partition."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        ) as consumer:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            left = sum((await consumer.end_offsets(partitions)).values())
            while left > 0:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    left -= len(records)
                    for record in records:
                        yield record


class Counter:
    """Counts the records of topics by their end offsets, which costs the broker next to nothing."""

    def __init__(self, servers: Servers) -> None:
        """Count on these servers; use as an asynchronous context manager."""
        self._consumer = AIOKafkaConsumer(bootstrap_servers=servers.bootstrap, enable_auto_commit=False)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._consumer.stop()

    async def count(self, topic: str) -> int:
        """Return how many records the topic has."""
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return sum((await self._consumer.end_offsets(partitions)).values())


@asynccontextmanager
async def running(*, statements: bool = False) -> AsyncIterator[Servers]:
    """Start both servers, durable as they come, and remove them at the end; `statements` loads pg_stat_statements."""
    await asyncio.to_thread(fetch_jars)
    settings = {"shared_preload_libraries": "pg_stat_statements"} if statements else {}
    async with EmbeddedPostgres(settings=settings) as postgres, JarKafka() as kafka:
        kafka_pids = tuple(process.pid for process in kafka._processes.values())
        lock_file = await ask(postgres.url, "SELECT pg_read_file('postmaster.pid')")
        yield Servers(postgres.url, int(lock_file.split()[0]), kafka.bootstrap, kafka_pids)


async def ask(database_url: str, question: str) -> str:
    """Return the one value that a query gives, as text."""
    connection = await asyncpg.connect(database_url)
    try:
        return str(await connection.fetchval(question))
    finally:
        await connection.close()
