"""Owners that are frozen, cut off or slow lose their lock within seconds, and do nothing with what they still hold."""

import asyncio
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from service.clock.clock import CLOCK_LOCK
from service.store.lease import FRESH_SECONDS, SILENT_SECONDS, Lease, LeaseEnded, held_lease
from service.store.pool import Connection
from tests.e2e.broker import Broker
from tests.e2e.process import Service, environment
from tests.kafka.harness import Pool, fill, make_topics
from tests.kafka.test_relay import TOPIC, by_key, drained, relaying, rows, without_repeats
from tests.support.kafka_jars import JarKafka, fetch_jars
from tests.support.proxy import TcpProxy
from tests.support.wait import until

pytestmark = pytest.mark.timeout(120)

# The time without a word, a try of the standby, and the machine's own slowness.
TAKEN_OVER = SILENT_SECONDS + 7
LOCK = "SELECT pg_try_advisory_lock(1651470187, $1)"


def through(proxy: TcpProxy, database_url: str) -> str:
    """The address of the database by way of the proxy."""
    parts = urlsplit(database_url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{proxy.address}"))


def target(database_url: str) -> tuple[str, int]:
    """Host and port of the database."""
    parts = urlsplit(database_url)
    return parts.hostname or "", parts.port or 5432


async def lock_is_free(connection: Connection, number: int) -> bool:
    """Takes the lock if it can be had."""
    return bool(await connection.fetchval(LOCK, number))


@pytest.mark.parametrize(
    "last_words",
    ["SELECT 1", "BEGIN; SELECT 1", "SELECT repeat(md5(n::text), 32 * 1024) FROM generate_series(1, 64) AS n"],
    ids=["idle", "in a transaction", "with an answer that is not taken"],
)
async def test_the_lock_of_a_session_that_is_cut_off_is_free_in_seconds(database_url: str, last_words: str) -> None:
    """The server ends a half-open session wherever it stood, and its lock goes to the next."""
    direct = await asyncpg.connect(database_url)
    async with TcpProxy(*target(database_url)) as proxy:
        owner = held_lease(through(proxy, database_url), "test", 77, asyncio.Event(), lambda: None)
        lease = await owner.__aenter__()
        assert lease is not None
        if last_words.startswith("SELECT repeat"):
            asking = asyncio.create_task(lease.connection.execute(last_words))
            await asyncio.sleep(0)
        else:
            asking = asyncio.create_task(lease.connection.execute(last_words))
            await asking
        proxy.blackhole()
        assert not await lock_is_free(direct, 77)
        await until(lambda: lock_is_free(direct, 77), TAKEN_OVER)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        proxy.cut()
        await owner.__aexit__(None, None, None)
    await direct.close()


async def test_a_lease_proves_itself_as_long_as_nobody_else_can_have_the_lock(database_url: str) -> None:
    """Without a beat, the proof is waited for until the next one; the end of the session is told to all who wait."""
    async with held_lease(database_url, "test", 78, asyncio.Event(), lambda: None) as lease:
        assert lease is not None
        waiting = asyncio.create_task(lease.proof())
        await asyncio.sleep(0)
        assert not waiting.done()
        await lease.beat()
        await waiting
        await lease.proof()
        lease._shown = time.monotonic() - FRESH_SECONDS
        waiting = asyncio.create_task(lease.proof())
        await asyncio.sleep(0)
        assert not waiting.done()
        pid = lease.connection.get_server_pid()
        direct = await asyncpg.connect(database_url)
        await direct.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await direct.close()
        await _fails(lease)
        with pytest.raises(LeaseEnded):
            await waiting


async def _fails(lease: Lease) -> None:
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await lease.beat()


async def test_what_a_producer_still_holds_is_not_sent_without_the_lock(database_url: str, pool: Pool) -> None:
    """Batches that wait for a broker are dropped with the lease: when it comes back, only the next owner sends."""
    fetch_jars()
    with JarKafka() as broker:
        await make_topics(broker.bootstrap, "", [TOPIC])
        async with relaying(broker.bootstrap, database_url, "") as running:
            await fill(pool, rows(10))
            await drained(pool)
            await asyncio.to_thread(broker.kill_node, 1)
            await fill(pool, rows(20)[10:])
            await until(lambda: running._producer._current._message_accumulator._batches)
            async with pool.acquire() as thief:
                await end_sessions(pool, "bookstream relay")
                await until(lambda: lock_is_free(thief, 0))
                await asyncio.to_thread(broker.resume_node, 1)
                await until(lambda: not running.health.owner and running._producer._producer is not None, 50)
                assert await end_of(broker.bootstrap, TOPIC) == 10
                await thief.execute("SELECT pg_advisory_unlock_all()")
            await drained(pool)
            found = await by_key(broker.bootstrap, TOPIC, 20)
    assert all(numbers == [0, 1] for numbers in found.values())


async def end_sessions(pool: Pool, name: str) -> None:
    """Ends all sessions of this name."""
    await pool.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1", name)


async def end_of(kafka: str, topic: str) -> int:
    """How many records a topic of four partitions has been given."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        return sum((await consumer.end_offsets([TopicPartition(topic, number) for number in range(4)])).values())


async def test_a_half_open_owner_is_replaced_and_keeps_still(
    kafka: str, database_url: str, topic_prefix: str, pool: Pool
) -> None:
    """An owner that reaches Kafka but not PostgreSQL is replaced within seconds, and nothing is published twice."""
    await make_topics(kafka, topic_prefix, [TOPIC])
    async with (
        TcpProxy(*target(database_url)) as proxy,
        relaying(kafka, through(proxy, database_url), topic_prefix) as one,
    ):
        await until(lambda: one.health.owner)
        await fill(pool, rows(100))
        await drained(pool)
        async with relaying(kafka, database_url, topic_prefix) as two:
            proxy.blackhole()
            await fill(pool, rows(200)[100:])
            await until(lambda: two.health.published == 100, TAKEN_OVER)
            await until(lambda: not one.health.owner)
            proxy.restore()
            await fill(pool, rows(300)[200:])
            await drained(pool)
            proxy.cut()
    assert await end_of(kafka, topic_prefix + TOPIC) == 300


async def test_a_frozen_relay_and_a_frozen_clock_are_replaced(
    kafka: str, topic_prefix: str, database_url: str, pool: Pool, tmp_path: Path
) -> None:
    """Processes that are stopped in mid-work lose it to others in seconds; woken up, they harm nothing."""
    broker = Broker(kafka, topic_prefix)
    await broker.make_topics()
    first, second = (Service(environment(broker, database_url), tmp_path, "relay,clock") for _ in range(2))
    direct = await asyncpg.connect(database_url)
    with first, second:
        await first.ready()
        await fill(pool, rows(200))
        await drained(pool)
        await second.ready()
        filling = asyncio.create_task(fill(pool, rows(3_000, size=2_000)[200:]))
        await until(lambda: _published(kafka, topic_prefix, 201))
        first.signal(signal.SIGSTOP)
        assert not await lock_is_free(direct, CLOCK_LOCK)
        await filling
        await until(lambda: _drained_now(pool), TAKEN_OVER)
        await until(lambda: both_owned(direct), TAKEN_OVER)
        first.signal(signal.SIGCONT)
        await first.ready()
        await fill(pool, [(TOPIC, b"k%d" % (n % 10), [], b"%d" % (300 + n // 10)) for n in range(500)])
        await drained(pool)
        await asyncio.gather(*(asyncio.to_thread(service.stop) for service in (first, second)))
    await direct.close()
    # Repeats of the woken process included.
    found = await by_key(kafka, topic_prefix + TOPIC, await end_of(kafka, topic_prefix + TOPIC))
    assert all(without_repeats(numbers) == list(range(350)) for numbers in found.values())


async def both_owned(connection: Connection) -> bool:
    """Whether there is an active relay and an active clock."""
    rows = await connection.fetch("SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND granted")
    return {row["objid"] for row in rows} == {0, CLOCK_LOCK}


async def _published(kafka: str, prefix: str, count: int) -> bool:
    return await end_of(kafka, prefix + TOPIC) >= count


async def _drained_now(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT count(*) = 0 FROM outbox"))
