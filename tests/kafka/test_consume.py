import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from service.consume.health import ConsumerHealth
from service.consume.kafka_commit import Commits
from service.consume.patient_poll import PatientPoll
from service.errors import PartitionLost, StoreUnavailable
from service.relay.headers import RawName
from tests.kafka.harness import (
    Message,
    Pool,
    StoringTransaction,
    committed,
    handled,
    make_topics,
    member,
    placed,
    plain,
    produce,
    progress,
    running,
)
from tests.support.wait import until

TOPIC = "booking-commands"


async def test_hostile_headers_do_not_harm_their_neighbours(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """A header value that is not UTF-8, a null value and a name that is not UTF-8 arrive as they are, all in order."""
    await make_topics(kafka, topic_prefix)
    bad: list[Message] = [
        (b"a", b"1", [("h", b"\xff\xfe")]),
        (b"b", b"2", [("h", None)]),
        (b"c", None, [(RawName(b"n\xff".decode("utf-8", "surrogateescape")), b"x"), ("h", b"\x00")]),
        (None, b"", [("", b"")]),
    ]
    messages = [*plain(1, 2), *bad, *plain(3)]
    await produce(kafka, topic_prefix + TOPIC, 1, messages)
    await produce(kafka, topic_prefix + TOPIC, 1, plain(4))
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 8)
    assert [each.offset for each in transaction.records] == list(range(8))
    assert [(each.key, each.value, list(each.headers)) for each in transaction.records[:7]] == messages
    name = transaction.records[4].headers[0][0]
    assert name.encode("utf-8", "surrogateescape") == b"n\xff"
    assert transaction.records[0].topic == TOPIC
    assert await progress(pool, TOPIC, 1) == 8


async def test_one_address_of_several_is_enough(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """Addresses stand between commas; whoever answers tells of the rest."""
    await make_topics(kafka, topic_prefix)
    await produce(kafka, topic_prefix + TOPIC, 1, plain(1))
    transaction = StoringTransaction(pool)
    async with running(f"127.0.0.1:1, {kafka}", topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 1)


async def test_reading_starts_at_progress_and_not_at_the_committed_offset(
    kafka: str, topic_prefix: str, pool: Pool
) -> None:
    """PostgreSQL says where to go on, whatever the group has committed to Kafka."""
    await make_topics(kafka, topic_prefix)
    await produce(kafka, topic_prefix + TOPIC, 0, plain(*range(10)))
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 10)
    assert await committed(kafka, topic_prefix + "group", TopicPartition(topic_prefix + TOPIC, 0)) == 10
    await pool.execute("UPDATE progress SET next_offset = 4 WHERE topic = $1 AND partition = 0", TOPIC)
    again = StoringTransaction(pool)
    async with running(kafka, topic_prefix, again):
        await until(lambda: len(again.records) == 6)
    assert [each.offset for each in again.records] == [4, 5, 6, 7, 8, 9]


async def test_rebalance_in_mid_batch_handles_nothing_twice(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """A second member that joins while a batch runs waits for it; nothing is handled twice, and progress is right."""
    await make_topics(kafka, topic_prefix)
    for partition in range(4):
        await produce(kafka, topic_prefix + TOPIC, partition, plain(*range(5)))
    first, second = StoringTransaction(pool, "first"), StoringTransaction(pool, "second")
    first.gate.clear()
    async with running(kafka, topic_prefix, first) as one:
        await first.entered.wait()
        two = member(kafka, topic_prefix, second)
        starting = asyncio.create_task(two.start())
        await until(one._assignment.leaving.is_set, 30)
        first.gate.set()
        await starting
        await until(lambda: len(one.health.positions) == 6 and len(two.health.positions) == 6, 40)
        for partition in range(4):
            await produce(kafka, topic_prefix + TOPIC, partition, plain(5))
        await until(lambda: len(first.records) + len(second.records) == 24)
        await two.stop()
    found = await handled(pool)
    assert len(found) == len(set(found)) == 24
    assert [await progress(pool, TOPIC, each) for each in range(4)] == [6, 6, 6, 6]
    assert len(second.records) == 2


async def test_stop_in_mid_batch_lets_it_end(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """Stopping waits for the running batch, commits it to Kafka, and leaves the group."""
    await make_topics(kafka, topic_prefix)
    await produce(kafka, topic_prefix + TOPIC, 2, plain(1, 2, 3))
    transaction = StoringTransaction(pool)
    transaction.gate.clear()
    async with running(kafka, topic_prefix, transaction) as consumer:
        await transaction.entered.wait()
        stopping = asyncio.create_task(consumer.stop())
        await until(lambda: not consumer.health.started)
        assert not stopping.done()
        transaction.gate.set()
        await stopping
    assert await progress(pool, TOPIC, 2) == 3
    assert await committed(kafka, topic_prefix + "group", TopicPartition(topic_prefix + TOPIC, 2)) == 3


async def test_lost_partition_is_read_again_from_its_progress(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """When somebody else has moved progress the batch is dropped, and reading goes on where progress says."""
    await make_topics(kafka, topic_prefix)
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        await pool.execute("UPDATE progress SET next_offset = 2 WHERE topic = $1 AND partition = 0", TOPIC)
        await produce(kafka, topic_prefix + TOPIC, 0, plain(*range(5)))
        await until(lambda: len(transaction.records) == 3)
    assert [each.offset for each in transaction.records] == [2, 3, 4]
    assert await progress(pool, TOPIC, 0) == 5


async def test_unavailable_store_is_waited_for_without_a_rebalance(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """The batch waits beyond the session timeout, the membership stays, then it is applied once."""
    await make_topics(kafka, topic_prefix)
    transaction = StoringTransaction(pool)
    transaction.failures = [StoreUnavailable("away")] * 8
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        member = consumer._find()._coordinator.member_id  # type: ignore[union-attr]
        generation = consumer._find()._coordinator.generation  # type: ignore[union-attr]
        await produce(kafka, topic_prefix + TOPIC, 0, plain(1, 2))
        await until(lambda: consumer.health.last_error is not None)
        assert consumer.health.batch_age() is not None
        await until(lambda: len(transaction.records) == 2, 40)
        coordinator = consumer._find()._coordinator  # type: ignore[union-attr]
        assert (coordinator.member_id, coordinator.generation) == (member, generation)
        assert consumer.health.last_error is None
    assert transaction.attempts == 9
    assert await handled(pool) == [(TOPIC, 0, 0), (TOPIC, 0, 1)]


async def test_unknown_error_skips_nothing(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """A bug in the transaction keeps the batch; it is tried again until it goes through."""
    await make_topics(kafka, topic_prefix)
    await produce(kafka, topic_prefix + TOPIC, 0, plain(1, 2))
    transaction = StoringTransaction(pool)
    transaction.failures = [RuntimeError("bug"), PartitionLost("once"), RuntimeError("bug")]
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 2)
    assert await handled(pool) == [(TOPIC, 0, 0), (TOPIC, 0, 1)]


async def test_polls_that_fail_are_no_end(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """A consumer whose polls fail, whatever the error, says so and goes on once they don't."""
    await make_topics(kafka, topic_prefix)
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        found = consumer.broker.subscribers[0].consumer  # type: ignore[attr-defined]
        getmany, told = found.getmany, set[str | None]()

        async def failing(**options: Any) -> Any:
            told.add(consumer.health.last_error)
            if "polling failed: ZeroDivisionError" not in told:
                raise ZeroDivisionError
            return await getmany(**options)

        found.getmany = failing
        # The poll that is under way ends well.
        await until(lambda: consumer.health.last_error == "polling failed: ZeroDivisionError")
        await produce(kafka, topic_prefix + TOPIC, 0, plain(1, 2))
        await until(lambda: len(transaction.records) == 2)
        assert consumer.health.last_error is None
    assert await handled(pool) == [(TOPIC, 0, 0), (TOPIC, 0, 1)]


async def test_polls_that_fail_are_few() -> None:
    """A poll that fails again and again is tried after pauses that grow, and from the first one after a success."""
    health, pauses = ConsumerHealth(), list[float]()
    outcomes: list[Any] = [("a",), *[ZeroDivisionError()] * 8, ("b",), ZeroDivisionError()]

    async def poll(_: Any) -> Any:
        outcome = outcomes.pop()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    patient = PatientPoll(poll, health, pause)
    found: list[Any] = [await patient(None) for _ in range(11)]
    assert found == [(), ("b",), *[()] * 8, ("a",)]
    assert health.last_error is None
    bounds = [0.5, 0.5, 1, 2, 4, 8, 10, 10, 10]
    assert all(bound / 2 <= seconds <= bound for seconds, bound in zip(pauses, bounds, strict=True)), pauses


async def test_commits_that_are_given_up_leave_the_consumer_well(kafka: str, topic_prefix: str) -> None:
    """Commits that take too long are cancelled wherever they are; those after them go through."""
    topic = topic_prefix + TOPIC
    await make_topics(kafka, topic_prefix)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=topic_prefix + "group", enable_auto_commit=False)
    commits, place = Commits(lambda: consumer), TopicPartition(topic, 0)
    async with consumer:
        consumer.assign([place])
        for number in range(1, 41):
            commits.remember(place, number)
            await commits.flush(number / 5_000)
        commits.remember(place, 41)
        await commits.flush(10)
    assert await committed(kafka, topic_prefix + "group", place) == 41


async def test_position_outside_the_log_stops_that_partition_alone(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """A position beyond the log's end stops its partition with a reason; it goes on when progress is set right."""
    await make_topics(kafka, topic_prefix)
    for partition in (0, 1):
        await produce(kafka, topic_prefix + TOPIC, partition, plain(1, 2))
    await pool.execute("INSERT INTO progress VALUES ($1, 0, 500)", TOPIC)
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await until(lambda: len(transaction.records) == 2)
        stopped = TopicPartition(topic_prefix + TOPIC, 0)
        assert list(consumer.health.stopped) == [stopped]
        assert "offset 500, but the log ends at 2" in consumer.health.stopped[stopped]
        assert not consumer.health.ready
        await pool.execute("UPDATE progress SET next_offset = 1 WHERE topic = $1 AND partition = 0", TOPIC)
        await until(lambda: len(transaction.records) == 3)
        assert consumer.health.ready
    assert await handled(pool) == [(TOPIC, 1, 0), (TOPIC, 1, 1), (TOPIC, 0, 1)]


async def test_absent_topics_are_waited_for(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """Without its topics the consumer waits, says so once, and starts when they are created."""
    transaction = StoringTransaction(pool)
    consumer = member(kafka, topic_prefix, transaction)
    starting = asyncio.create_task(consumer.start())
    await make_topics(kafka, topic_prefix)
    await starting
    await placed(consumer)
    assert consumer.health.ready
    await until(lambda: consumer.health.poll_age() is not None)
    await consumer.stop()
