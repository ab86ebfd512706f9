import pytest

from tests.kafka.harness import Pool, StoringTransaction, handled, make_topics, placed, plain, produce, running
from tests.support.wait import until

TOPIC = "booking-commands"


@pytest.mark.timeout(120)
async def test_a_static_member_comes_back_without_a_rebalance(kafka: str, topic_prefix: str, pool: Pool) -> None:
    """A member with a name stops and starts: the other goes on in the same generation, and nothing is handled twice."""
    await make_topics(kafka, topic_prefix)
    stays, goes, returns = (StoringTransaction(pool, name) for name in ("stays", "goes", "returns"))
    async with running(kafka, topic_prefix, stays, group_instance_id="w-1") as one:
        async with running(kafka, topic_prefix, goes, group_instance_id="w-2") as two:
            await until(lambda: len(one.health.positions) == len(two.health.positions) == 6, 60)
            generation = one._find()._coordinator.generation  # type: ignore[union-attr]
            for partition in range(4):
                await produce(kafka, topic_prefix + TOPIC, partition, plain(1, 2))
            await until(lambda: len(stays.records) + len(goes.records) == 8)
            mine = set(two.health.positions)
        async with running(kafka, topic_prefix, returns, group_instance_id="w-2") as two:
            await placed(two, 6)
            assert set(two.health.positions) == mine
            for partition in range(4):
                await produce(kafka, topic_prefix + TOPIC, partition, plain(3))
            await until(lambda: len(stays.records) + len(goes.records) + len(returns.records) == 12)
            assert one._find()._coordinator.generation == generation  # type: ignore[union-attr]
    assert len(returns.records) == 2
    found = await handled(pool)
    assert len(found) == len(set(found)) == 12
