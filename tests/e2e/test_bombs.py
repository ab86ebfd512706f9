"""Records that are small on the wire and large once they are decompressed."""

import re
from pathlib import Path
from typing import Final

import pytest
from aiokafka import AIOKafkaProducer

from service.partitioner import partition
from tests.e2e.broker import PARTITIONS, Sent, headers
from tests.e2e.checker import DEAD_LETTERS
from tests.e2e.process import Service
from tests.e2e.stage import Stage, create, open_location, stop, update
from tests.support.batches import CODECS, HEAD, Ready, compressed, encoded

pytestmark = [pytest.mark.timeout(120), pytest.mark.kafka]

MIB: Final = 1024 * 1024
BOOKING: Final = "b-1"
# One that a dead letter holds, one that no record of the dead letters can hold, and one that is not expanded.
KEPT, LEFT_OUT, BOMB = 6 * MIB, 24 * MIB, 192 * MIB
# A poll of 16 MiB and a batch of 32 MiB, as bytes and as records, and what Python doesn't give back.
GROWTH: Final = 160 * MIB


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
async def test_a_decompression_bomb_is_a_dead_letter(stage: Stage, codec: str) -> None:
    """However much a small batch expands to, it costs its sender a dead letter and its neighbours nothing."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send([create(BOOKING)])
        await stage.settle()
        before = _most_memory(service)
        bombs = []
        for size in (KEPT, LEFT_OUT, BOMB):
            bombs.append(await _send_bomb(stage, size, codec))
            await stage.send([update(BOOKING, f"after-{size}", notes=str(size))])
        await stage.settle()
        assert _most_memory(service) - before < GROWTH
        assert service.problems() == []
        assert await stop(service) == 0
    with stage.service() as service:
        await service.ready()
        await stage.send([update(BOOKING, "again", notes="again")])
        await stage.settle()
        assert await stop(service) == 0
    notes = [record.body["booking"]["notes"] for record in await stage.events()]
    assert notes == [None, str(KEPT), str(LEFT_OUT), str(BOMB), "again"]
    letters = sorted(await stage.broker.read([DEAD_LETTERS]), key=lambda each: int(each.header("dlq_offset")))
    assert [each.header("dlq_reason") for each in letters] == ["value_too_large"] * 2 + ["unreadable_batch"]
    kept, left_out, bomb = letters
    assert (len(kept.value or b""), left_out.value) == (KEPT, None)
    assert bomb.value is not None
    assert bomb.value[HEAD:] == bombs[2][HEAD:]
    assert bomb.header("dlq_last_offset") == bomb.header("dlq_offset")
    assert "expands to more than" in bomb.header("dlq_detail")


def _most_memory(service: Service) -> int:
    """The most that the process ever had, in bytes."""
    status = Path(f"/proc/{service.pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


async def _send_bomb(stage: Stage, size: int, codec: str) -> bytes:
    bomb = Sent("booking-commands", BOOKING.encode(), bytes(size), headers(f"bomb-{size}", "update-booking"))
    batch = compressed(encoded([(bomb.key, bomb.value, bomb.headers)]), *CODECS[codec])
    topic, number = stage.broker.prefix + bomb.topic, partition(BOOKING.encode(), PARTITIONS)
    async with AIOKafkaProducer(bootstrap_servers=stage.broker.bootstrap, max_request_size=2 * MIB) as producer:
        await (await producer.send_batch(Ready(batch), topic, partition=number))
    stage.sent += 1
    return batch
