"""Probes of running services while each thing that they depend on is broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.embedded import EmbeddedPostgres
from service.store.migrate import migrate
from service.telemetry import names
from tests.e2e import broker as e2e_broker
from tests.e2e.broker import Broker
from tests.e2e.process import Service, environment
from tests.e2e.stage import Stage, create, open_location, staged, update
from tests.support.kafka_jars import JarKafka
from tests.support.wait import until
from tests.telemetry.scrape import scrape, scrape_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.kafka]


async def live(service: Service) -> int:
    """The status of the liveness probe."""
    return (await asyncio.to_thread(service.get, "/livez"))[0]


async def ready(service: Service) -> tuple[int, str]:
    """The answer of the readiness probe."""
    return await asyncio.to_thread(service.get, "/readyz")


async def unready(service: Service, told: str) -> None:
    """Waits until the readiness probe fails for this reason."""

    async def fails() -> bool:
        try:
            status, text = await ready(service)
        except OSError:
            return False
        return status == 503 and told in text

    await until(fails, 30)


async def ready_again(service: Service) -> None:
    """Waits until the process is ready; two that meet in a new group may take a session's and a rebalance's time."""

    async def is_ready() -> bool:
        return (await ready(service))[0] == 200

    try:
        await until(is_ready, 90)
    except TimeoutError:
        pytest.fail(f"{await ready(service)}\n{service.tail()}")


@asynccontextmanager
async def stays_alive(*services: Service) -> AsyncIterator[None]:
    """Asks for liveness all the time: it may never fail, nor any loop stand still for long."""
    statuses: set[int] = set()
    ages: list[float] = []

    async def watch() -> None:
        while True:
            for service in services:
                statuses.add(await live(service))
                samples = (await scrape(service)).samples.items()
                ages.extend(value for (name, _), value in samples if name == names.LOOP_AGE.name)
            await asyncio.sleep(0.3)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert statuses == {200}
    assert max(ages) < 30


async def test_postgresql_is_away(
    kafka: str, topic_prefix: str, own_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Idle processes notice too; they stay alive, and are ready again without any traffic."""
    await migrate(own_postgres.url)
    async with staged(kafka, topic_prefix, own_postgres.url, tmp_path) as stage:
        worker, others = stage.service("worker"), stage.service("relay,clock")
        with worker, others:
            await asyncio.gather(worker.ready(), others.ready())
            async with stays_alive(worker, others):
                await asyncio.to_thread(own_postgres.kill)
                await asyncio.gather(unready(worker, "PostgreSQL does not"), unready(others, "PostgreSQL does not"))
                found = await scrape(worker)
                assert found.value(names.DEPENDENCY_UP, dependency="postgresql") == 0
                assert found.value(names.DEPENDENCY_UP, dependency="kafka") == 1
                await scrape_until(others, lambda one: not one.has(names.OUTBOX_AGE) and not one.has(names.TIMERS_LATE))
                await unready(others, "the clock has had no session")
                await asyncio.to_thread(own_postgres.start)
                await asyncio.gather(worker.ready(), others.ready())


async def test_kafka_is_away(own_kafka: JarKafka, database_url: str, tmp_path: Path) -> None:
    """Idle processes notice too; one that starts meanwhile waits alive; all go on by themselves."""
    broker = Broker(own_kafka.bootstrap, "")
    await broker.make_topics()
    settings = environment(broker, database_url)
    first, second = Service(settings, tmp_path), Service(environment(broker, database_url), tmp_path)
    with first:
        await first.ready()
        await asyncio.to_thread(own_kafka.kill_node, 1)
        with second:
            await unready(second, "the relay waits for Kafka")
            async with stays_alive(first, second):
                await unready(first, "Kafka")
                await scrape_until(first, lambda one: not one.has(names.LAG_RECORDS))
                found = await scrape(first)
                assert found.value(names.DEPENDENCY_UP, dependency="kafka") == 0
                assert found.value(names.DEPENDENCY_UP, dependency="postgresql") == 1
                await asyncio.sleep(10)
                assert (await ready(first))[0] == (await ready(second))[0] == 503
                await asyncio.to_thread(own_kafka.resume_node, 1)
                await asyncio.gather(ready_again(first), ready_again(second))
                await broker.send([update("nobody", "u-1", notes="x")])
                await broker.read_until(1, ["command-results"])


async def test_a_standby_is_ready(
    kafka: str, topic_prefix: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two processes on topics of one partition, one has nothing assigned and no lock; it is ready as well."""
    monkeypatch.setattr(e2e_broker, "PARTITIONS", 1)
    async with staged(kafka, topic_prefix, database_url, tmp_path) as stage:
        both = stage.service(), stage.service()
        with both[0], both[1]:
            await asyncio.gather(*(service.ready() for service in both))

            async def shares() -> list[list[float]]:
                found = [await scrape(service) for service in both]
                gauges = (names.CONSUMER_PARTITIONS, names.RELAY_OWNER, names.CLOCK_OWNER)
                return [sorted(one.value(gauge) for one in found) for gauge in gauges]

            async def settled() -> bool:
                return await shares() == [[0, 4], [0, 1], [0, 1]]

            await until(settled, 40)
            for service in both:
                assert (await ready(service))[0] == await live(service) == 200
                await scrape_until(service, lambda one: one.value(names.DEPENDENCY_UP) == 2)


async def test_a_batch_that_waits_for_a_lock(stage: Stage) -> None:
    """It is no loop that stands still: the process stays alive and tells how far it is behind."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send([create("b-1")])
        await stage.settle()
        async with stage.connection.transaction():
            await stage.connection.execute("LOCK TABLE aggregate IN ACCESS EXCLUSIVE MODE")
            await stage.send([update("b-1", "u-1", notes="waits")])
            async with stays_alive(service):
                behind = await scrape_until(service, lambda one: one.value(names.LAG_SECONDS) > 2)
            assert behind.value(names.LAG_RECORDS) == behind.value(names.LAG_RECORDS, topic="booking-commands") == 1
            assert behind.value(names.LOOP_AGE, loop="batch") > 1
            assert behind.value(names.DATABASE_POOL, state="busy") >= 1
            assert await live(service) == 200
        await stage.settle()
        await scrape_until(service, lambda one: one.has(names.LAG_RECORDS) and one.value(names.LAG_SECONDS) == 0)
        assert (await scrape(service)).value(names.LOOP_AGE, loop="batch") == 0
