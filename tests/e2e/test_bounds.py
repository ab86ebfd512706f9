"""What a process takes of the machine while what it depends on is away."""

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest

from service.embedded import EmbeddedPostgres
from service.store.migrate import migrate
from tests.e2e.broker import Broker
from tests.e2e.process import Service, environment
from tests.e2e.stage import create, open_location, staged, stop
from tests.support.kafka_jars import JarKafka
from tests.support.wait import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.kafka]

MIB = 1024 * 1024
# A page of the outbox is 16 MiB at most; it is there as rows, as batches and as requests, and Python gives little back.
RELAY_GROWTH = 128 * MIB
ROWS = 1_000_000
FILL = """
INSERT INTO outbox (topic, key, headers, value)
SELECT 'booking-events', ('k' || n % 100)::bytea, '[]', convert_to(repeat('x', 2000), 'UTF8')
FROM generate_series(1, $1::int) AS n
"""
GENERATION = re.compile(r"Joined group .*? \(generation (\d+)\)")


async def process_value(service: Service, name: str) -> float:
    """A figure of the process itself."""
    _, text = await asyncio.to_thread(service.get, "/metrics")
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


async def test_an_outage_of_postgresql_is_waited_for_at_rest(
    kafka: str, topic_prefix: str, own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """With commands waiting, the process takes little of a processor, stays in its group, and then goes on."""
    await migrate(own_postgres.url)
    async with staged(kafka, topic_prefix, own_postgres.url, tmp_path) as stage:
        with stage.service() as service:
            await service.ready()
            await open_location(stage)
            await asyncio.to_thread(own_postgres.kill)
            joined = GENERATION.findall(service.log.read_text())
            await stage.send(create(f"b-{number}") for number in range(500))
            await until(lambda: asyncio.to_thread(service.problems))
            before = await process_value(service, "process_cpu_seconds_total")
            # Longer than a session of the group.
            await asyncio.sleep(8)
            taken = await process_value(service, "process_cpu_seconds_total") - before
            assert taken < 8 * 0.25
            await asyncio.to_thread(own_postgres.start)
            stage.connection = await asyncpg.connect(own_postgres.url)
            await stage.settle()
            assert GENERATION.findall(service.log.read_text()) == joined
            await stage.connection.close()
            assert await stop(service) == 0, service.tail()


@pytest.mark.timeout(400)
async def test_memory_is_bounded_with_a_large_outbox_while_kafka_is_away(
    own_kafka: JarKafka, database_url: str, tmp_path: Path
) -> None:
    """However much waits in the outbox, a relay holds one page of it; when Kafka is back, all of it goes."""
    broker = Broker(own_kafka.bootstrap, "")
    await broker.make_topics()
    connection = await asyncpg.connect(database_url)
    with Service(environment(broker, database_url), tmp_path, "relay") as relay:
        await relay.ready()
        await connection.execute(FILL, 2_000)
        await until(lambda: connection.fetchval("SELECT count(*) = 0 FROM outbox"), 40)
        before = await process_value(relay, "process_resident_memory_bytes")
        await asyncio.to_thread(own_kafka.kill_node, 1)
        await connection.execute(FILL, ROWS)
        await until(lambda: asyncio.to_thread(relay.problems))
        highest = before
        for _ in range(20):
            highest = max(highest, await process_value(relay, "process_resident_memory_bytes"))
            await asyncio.sleep(0.5)
        await asyncio.to_thread(own_kafka.resume_node, 1)

        async def gone() -> bool:
            nonlocal highest
            highest = max(highest, await process_value(relay, "process_resident_memory_bytes"))
            return bool(await connection.fetchval("SELECT NOT EXISTS (SELECT FROM outbox)"))

        await until(gone, 300)
        assert highest - before < RELAY_GROWTH
        assert await stop(relay) == 0, relay.tail()
    await connection.close()
