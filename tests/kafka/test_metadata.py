import asyncio
from typing import Any

import pytest

from service.cli.connect import Target
from service.cli.follow import OUTPUTS, Follower
from service.embedded import EmbeddedBroker
from service.kafka_metadata import _PACE, MOST, WITHIN, Pace
from tests.kafka.harness import make_topics
from tests.support.wait import until


async def test_so_many_pass_and_the_others_wait_for_their_turn() -> None:
    """Three in ten seconds: the fourth waits until the first is ten seconds old, one that comes later does not."""
    now, pauses = 100.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    pace = Pace(3, 10.0, lambda: now, sleep)
    for begin in (100.0, 101.0, 109.0):
        now = begin
        await pace.wait()
    assert pauses == []
    now = 109.5
    await pace.wait()
    assert (now, pauses) == (110.0, [0.5])
    now = 111.0
    await pace.wait()
    await pace.wait()
    assert (now, pauses) == (119.0, [0.5, 8.0])


async def test_tail_asks_seldom_while_kafka_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose partitions have lost their leaders asks a Kafka that is gone no more often than it is paced."""
    pauses, asked = 0, 0

    async def sleep(_: float) -> None:
        nonlocal pauses
        pauses += 1
        await asyncio.sleep(0)

    with EmbeddedBroker() as broker:
        await make_topics(broker.bootstrap, "", OUTPUTS)
        async with Follower(Target(broker.bootstrap, "")) as follower:
            client = follower._consumer._client
            connect = client._get_conn

            async def counted(*node: Any, **options: Any) -> Any:
                nonlocal asked
                asked += 1
                return await connect(*node, **options)

            # Time stands still: once so many have passed, nobody else does.
            monkeypatch.setitem(client.__dict__, _PACE, Pace(MOST, WITHIN, lambda: 0.0, sleep))
            monkeypatch.setattr(client, "_get_conn", counted)
            broker.stop()
            # What an orderly stop of Kafka says last.
            for partitions in client.cluster._partitions.values():
                for number, found in partitions.items():
                    partitions[number] = found._replace(leader=-1)
            await client.force_metadata_update()
            await until(lambda: pauses >= 100)
            assert asked <= MOST + 1
