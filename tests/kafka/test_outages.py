import asyncio
import logging
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.kafka.harness import (
    Pool,
    Proxy,
    StoringTransaction,
    handled,
    make_topics,
    member,
    placed,
    plain,
    produce,
    progress,
    running,
)
from tests.support.kafka_jars import JarKafka, fetch_jars
from tests.support.wait import until

TOPIC = "booking-commands"


async def test_postgresql_lost_at_the_assignment_and_in_mid_flow(
    kafka: str, topic_prefix: str, pool: Pool, database_url: str
) -> None:
    """Without PostgreSQL nothing is handled and the membership stays; when it is back everything is handled once."""
    await make_topics(kafka, topic_prefix)
    await produce(kafka, topic_prefix + TOPIC, 0, plain(1, 2))
    parts = urlsplit(database_url)
    proxy = Proxy(parts.hostname or "", parts.port or 5432)
    await proxy.mend()
    url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{proxy.port}"))
    async with asyncpg.create_pool(url, min_size=1, max_size=2, timeout=2, command_timeout=2) as through:
        transaction = StoringTransaction(through)
        await proxy.cut()
        async with running(kafka, topic_prefix, transaction) as consumer:
            assert not consumer.health.ready
            assert len(consumer.health.unplaced) == 12
            await until(lambda: consumer.health.last_error is not None)
            assert transaction.attempts == 0
            await proxy.mend()
            await until(lambda: len(transaction.records) == 2)
            generation = consumer._find()._coordinator.generation  # type: ignore[union-attr]
            await proxy.cut()
            await produce(kafka, topic_prefix + TOPIC, 0, plain(3))
            await until(lambda: transaction.attempts > 3, 40)
            await proxy.mend()
            await until(lambda: len(transaction.records) == 3)
            assert consumer._find()._coordinator.generation == generation  # type: ignore[union-attr]
        await proxy.cut()
    assert await handled(pool) == [(TOPIC, 0, 0), (TOPIC, 0, 1), (TOPIC, 0, 2)]


async def test_position_before_the_logs_start_stops_that_partition(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """Records that retention took before they were handled are not passed over in silence."""
    await make_topics(kafka, topic_prefix)
    await produce(kafka, topic_prefix + TOPIC, 3, plain(*range(6)))
    lost = TopicPartition(topic_prefix + TOPIC, 3)
    await delete_before(kafka, lost, 4)
    await pool.execute("INSERT INTO progress VALUES ($1, 3, 1)", TOPIC)
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        assert "3 offsets are gone" in consumer.health.stopped[lost]
    assert await handled(pool) == []
    assert await progress(pool, TOPIC, 3) == 1


async def test_log_that_loses_its_head_while_consumed_stops_the_partition(
    kafka: str, topic_prefix: str, pool: Pool
) -> None:
    """When the records at the position vanish under a waiting consumer it stops there, and does not jump over them."""
    await make_topics(kafka, topic_prefix)
    transaction = StoringTransaction(pool)
    lost = TopicPartition(topic_prefix + TOPIC, 0)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        consumer._find().pause(lost)  # type: ignore[union-attr]
        # Once this is handled, the fetch that was under way before the pause has been answered.
        await produce(kafka, lost.topic, 1, plain(9))
        await until(lambda: transaction.records)
        await produce(kafka, lost.topic, 0, plain(*range(5)))
        await delete_before(kafka, lost, 3)
        consumer._find().resume(lost)  # type: ignore[union-attr]
        await until(lambda: lost in consumer.health.stopped)
    assert await handled(pool) == [(TOPIC, 1, 0)]


async def test_transaction_markers_are_no_gap(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """Offsets that a producer's transactions take are passed, and what was aborted is not handled."""
    await make_topics(kafka, topic_prefix)
    async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic_prefix) as producer:
        for number in range(3):
            await producer.begin_transaction()
            await producer.send_and_wait(topic_prefix + TOPIC, b"%d" % number, partition=0)
            await (producer.abort_transaction() if number == 1 else producer.commit_transaction())
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 2)
        await produce(kafka, topic_prefix + TOPIC, 0, plain(9))
        await until(lambda: len(transaction.records) == 3)
    assert [each.value for each in transaction.records] == [b"0", b"2", b"v9"]
    assert await progress(pool, TOPIC, 0) == 7


async def test_kafka_absent_at_the_start_and_lost_in_between(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    """The consumer waits for Kafka with a line or two, and goes on by itself after an outage."""
    fetch_jars()
    with JarKafka() as broker:
        bootstrap = broker.bootstrap
        await asyncio.to_thread(broker.kill_node, 1)
        transaction = StoringTransaction(pool)
        consumer = member(bootstrap, "", transaction)
        with caplog.at_level(logging.INFO, "service.consume.ready"):
            starting = asyncio.create_task(consumer.start())
            await until(lambda: "does not answer" in caplog.text)
            await asyncio.to_thread(broker.resume_node, 1)
            await until(lambda: "lacks the topics" in caplog.text)
            await make_topics(bootstrap, "")
            await starting
        assert len([each for each in caplog.records if each.name == "service.consume.ready"]) <= 4
        await produce(bootstrap, TOPIC, 0, plain(1))
        await until(lambda: len(transaction.records) == 1)
        await asyncio.to_thread(broker.kill_node, 1)
        await asyncio.to_thread(broker.resume_node, 1)
        await produce(bootstrap, TOPIC, 0, plain(2))
        await until(lambda: len(transaction.records) == 2, 40)
        await consumer.stop()
    assert await handled(pool) == [(TOPIC, 0, 0), (TOPIC, 0, 1)]


async def delete_before(kafka: str, partition: TopicPartition, offset: int) -> None:
    """Remove the records before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({partition: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()
