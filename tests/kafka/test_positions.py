"""Whose offsets they are, and `bookstream positions`."""

import asyncio
import json
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner, Result

from service.cli.main import cli
from service.consume.identity import identify
from service.topics import CONSUMED_TOPICS
from tests.e2e.broker import Broker
from tests.e2e.process import environment
from tests.kafka.harness import (
    Pool,
    StoringTransaction,
    handled,
    make_topics,
    placed,
    plain,
    produce,
    progress,
    running,
)
from tests.support.wait import until

pytestmark = pytest.mark.timeout(120)

TOPIC = "booking-commands"
WANTED = CONSUMED_TOPICS
ORIGINS = "SELECT count(DISTINCT (topic, topic_id)), count(DISTINCT cluster_id), count(*) FROM progress"


async def invoke(kafka: str, prefix: str, url: str, *arguments: str) -> Result:
    """Runs `bookstream positions` in this process."""
    settings = environment(Broker(kafka, prefix), url)
    return await asyncio.to_thread(CliRunner().invoke, cli, ["positions", *arguments], env=settings)


async def call(kafka: str, prefix: str, url: str, *arguments: str) -> Any:
    """What `bookstream positions` says as JSON."""
    result = await invoke(kafka, prefix, url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def create_anew(kafka: str, topic: str, prefix: str) -> None:
    """Deletes a topic, and creates it once it is gone."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([prefix + topic])

        async def gone() -> bool:
            return prefix + topic not in await admin.list_topics()

        await until(gone)
    finally:
        await admin.close()
    await make_topics(kafka, prefix, [topic])


async def test_a_topic_that_was_created_anew(kafka: str, topic_prefix: str, pool: Pool, database_url: str) -> None:
    """Its offsets mean other records: its partitions stop, whatever they hold, until a command settles it."""
    await make_topics(kafka, topic_prefix, WANTED)
    await produce(kafka, topic_prefix + TOPIC, 0, plain(1, 2, 3))
    transaction = StoringTransaction(pool)
    async with running(kafka, topic_prefix, transaction):
        await until(lambda: len(transaction.records) == 3)
    await create_anew(kafka, TOPIC, topic_prefix)
    await produce(kafka, topic_prefix + TOPIC, 0, plain(*range(5)))
    place = TopicPartition(topic_prefix + TOPIC, 0)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await placed(consumer)
        assert {each.topic for each in consumer.health.stopped} == {place.topic}
        told = consumer.health.stopped[place]
        assert "created anew" in told
        assert f"bookstream positions set {TOPIC}/0 --to earliest" in told
        found = await call(kafka, topic_prefix, database_url, "list")
        assert {each["problem"] for each in found} - {None} == set(consumer.health.stopped.values())
        moved = await call(kafka, topic_prefix, database_url, "set", TOPIC, "--to", "earliest", "--yes")
        assert [each["next"] for each in moved] == [0] * 4
        await until(lambda: len(transaction.records) == 8, 40)
        assert not consumer.health.stopped
    assert await handled(pool) == [(TOPIC, 0, n) for n in (0, 1, 2, 0, 1, 2, 3, 4)]


async def test_another_cluster(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """Offsets of another cluster stop their partition; rows that say nothing are taken as of this one."""
    await make_topics(kafka, topic_prefix)
    rows = [(TOPIC, 0, 0, "there"), (TOPIC, 1, 0, None)]
    await pool.executemany(
        "INSERT INTO progress (topic, partition, next_offset, cluster_id) VALUES ($1, $2, $3, $4)", rows
    )
    async with running(kafka, topic_prefix, StoringTransaction(pool)) as consumer:
        await placed(consumer)
        (told,) = consumer.health.stopped.values()
        assert "of cluster there, but this is cluster" in told
    found = await pool.fetchrow(ORIGINS)
    assert tuple(found or ()) == (4, 2, 12), "the one that is stopped keeps what it says, and has no topic's id"


async def test_identity(kafka: str, topic_prefix: str) -> None:
    """A cluster says who it is, and of topics which they are; one that is not there has no id."""
    await make_topics(kafka, topic_prefix)
    names = [topic_prefix + TOPIC, topic_prefix + "visit-commands"]
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        found = await identify(consumer._client, [*names, "nope"])
        assert found.cluster
        assert sorted(found.topics) == names
        assert len(set(found.topics.values())) == 2
        assert await identify(consumer._client, names) == found


async def test_set(kafka: str, topic_prefix: str, pool: Pool, database_url: str) -> None:
    """An idle partition follows as well; where the log does not reach is no place, and nobody there is no answer."""
    await make_topics(kafka, topic_prefix, WANTED)
    await produce(kafka, topic_prefix + TOPIC, 0, plain(*range(5)))
    transaction = StoringTransaction(pool)
    arguments = (kafka, topic_prefix, database_url)
    async with running(kafka, topic_prefix, transaction) as consumer:
        await until(lambda: len(transaction.records) == 5)
        await placed(consumer)
        for to, told in (("6", "goes from 0 to 5"), ("nowhere", "neither earliest"), ("-1", "neither earliest")):
            result = await invoke(*arguments, "set", f"{TOPIC}/0", "--yes", "--to", to)
            assert (result.exit_code > 0, told in f"{result.stderr} {result.exception}") == (True, True), result.output
        result = await invoke(*arguments, "set", f"{TOPIC}/0", "--to", "2")
        assert (result.exit_code, "--yes" in result.stderr) == (2, True)
        result = await invoke(*arguments, "set", f"{TOPIC}/9", "--yes", "--to", "2")
        assert (result.exit_code, f"{TOPIC}/9 is no partition" in result.stderr) == (2, True)
        assert await progress(pool, TOPIC, 0) == 5
        assert await call(*arguments, "set", f"{TOPIC}/0", "--yes", "--to", "2") == [
            {"topic": TOPIC, "partition": 0, "next": 2}
        ]
        await until(lambda: len(transaction.records) == 8)
        assert [each.offset for each in transaction.records[5:]] == [2, 3, 4]
        await call(*arguments, "set", f"{TOPIC}/1", "--yes", "--to", "0")
        (found,) = [one for one in await call(*arguments, "list") if (one["topic"], one["partition"]) == (TOPIC, 0)]
        assert found == {**found, "next": 5, "begin": 0, "end": 5, "waiting": 0, "problem": None}
        lines = (await invoke(*arguments, "list")).stdout.splitlines()
        assert f"{TOPIC}/0    next 5  log 0..5  waiting 0" in lines
