"""Partitions that Kafka neither takes nor refuses: their leader is dead or hangs, and they have no other."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import partial

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from service.partitioner import partition
from service.relay.relay import Relay
from tests.kafka.harness import Pool, fill, make_topics
from tests.kafka.test_relay import OWNER, TOPIC, by_key, drained, relaying, without_repeats
from tests.support.kafka_jars import JarKafka
from tests.support.wait import until

Action = Callable[[JarKafka, int], None]

pytestmark = pytest.mark.timeout(180)

KEYS = [b"k%d" % number for number in range(20)]
PARTITIONS = 4
ROUNDS = 3
# Without a leader a batch ends by itself after 40 s.
WITHIN = 30


async def leaders(kafka: str) -> dict[int, int]:
    """The leader of each partition of the topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        (found,) = await admin.describe_topics([TOPIC])
        return {each["partition"]: each["leader"] for each in found["partitions"]}
    finally:
        await admin.close()


async def numbered(pool: Pool, number: int) -> None:
    """A row for each key."""
    await fill(pool, [(TOPIC, key, [], b"%d" % number) for key in KEYS])


@pytest.mark.parametrize("trouble", ["none", "session lost"])
async def test_other_partitions_go_on(kafka_cluster: JarKafka, database_url: str, pool: Pool, trouble: str) -> None:
    """Rows of living leaders flow, page after page; those of the dead one follow when it is back, in order."""
    kafka = kafka_cluster.bootstrap
    await make_topics(kafka, "", [TOPIC])
    led_by = await leaders(kafka)
    dead = led_by[0]
    stuck = {key: place for key in KEYS if led_by[place := partition(key, PARTITIONS)] == dead}
    assert 0 < len(stuck) < len(KEYS)
    async with relaying(kafka, database_url, "") as running:
        await numbered(pool, 0)
        await drained(pool)
        await asyncio.to_thread(kafka_cluster.kill_node, dead)
        for number in range(1, ROUNDS):
            await numbered(pool, number)
            await until(partial(_only, pool, number, stuck.keys()), WITHIN)
        await until(lambda: {place for _, place in running.health.problems} == {*stuck.values()})
        if trouble == "session lost":
            await _lose_session(pool, running)
        await asyncio.to_thread(kafka_cluster.resume_node, dead)
        await numbered(pool, ROUNDS)
        await drained(pool)
        await until(lambda: not running.health.problems)
        assert trouble != "none" or running.health.published == len(KEYS) * (ROUNDS + 1)
    found = await by_key(kafka, TOPIC, len(KEYS) * (ROUNDS + 1))
    expected = list(range(ROUNDS + 1))
    assert trouble != "none" or list(found.values()) == [expected] * len(KEYS)
    assert all(without_repeats(numbers) == expected for numbers in found.values())


@pytest.mark.parametrize(
    ("end", "revive"), [(JarKafka.kill_node, JarKafka.resume_node), (JarKafka.pause_node, JarKafka.continue_node)]
)
async def test_a_relay_that_has_set_a_partition_aside_stops_in_time(
    kafka_cluster: JarKafka, database_url: str, pool: Pool, end: Action, revive: Action
) -> None:
    """What is under way is left behind, without a connection that stays open, and sent by the next owner."""
    kafka = kafka_cluster.bootstrap
    await make_topics(kafka, "", [TOPIC])
    dead = (await leaders(kafka))[0]
    async with relaying(kafka, database_url, "") as running:
        await numbered(pool, 0)
        await drained(pool)
        await asyncio.to_thread(end, kafka_cluster, dead)
        await numbered(pool, 1)
        await until(lambda: running.health.problems, WITHIN)
        client = running._producer._current.client
    assert not [one for one in client._conns.values() if one.connected()]
    assert 0 < await pool.fetchval("SELECT count(*) FROM outbox") < len(KEYS)
    await asyncio.to_thread(revive, kafka_cluster, dead)
    async with relaying(kafka, database_url, ""):
        await drained(pool)
    found = await by_key(kafka, TOPIC, 2 * len(KEYS))
    assert all(without_repeats(numbers) == [0, 1] for numbers in found.values())


async def _only(pool: Pool, number: int, stuck: AbstractSet[bytes]) -> bool:
    """Whether of this round nothing waits but what is stuck."""
    found = await pool.fetch("SELECT key FROM outbox WHERE value = $1", b"%d" % number)
    return {row["key"] for row in found} == stuck


async def _lose_session(pool: Pool, running: Relay) -> None:
    """End the owner's session, and wait until the relay has another."""
    pid = await pool.fetchval(OWNER)
    await pool.execute("SELECT pg_terminate_backend($1)", pid)

    async def owned_anew() -> bool:
        return running.health.owner and await pool.fetchval(OWNER) not in (None, pid)

    await until(owned_anew, 60)
