"""Records that are small on the wire and large once they are decompressed."""

from typing import Final

import pytest
from aiokafka import AIOKafkaProducer

from tests.e2e.broker import Sent, headers
from tests.e2e.checker import DEAD_LETTERS
from tests.e2e.stage import Stage, create, open_location, stop, update

pytestmark = [pytest.mark.timeout(120), pytest.mark.kafka]

MIB: Final = 1024 * 1024
BOOKING: Final = "b-1"
# One that a dead letter holds, and one that no record of the dead letters can hold.
KEPT, LEFT_OUT = 6 * MIB, 48 * MIB


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
async def test_a_decompression_bomb_is_a_dead_letter(stage: Stage, codec: str) -> None:
    """However much a small batch expands to, it costs its sender a dead letter and its neighbours nothing."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send([create(BOOKING)])
        for size in (KEPT, LEFT_OUT):
            await _send_bomb(stage, size, codec)
            await stage.send([update(BOOKING, f"after-{size}", notes=str(size))])
        await stage.settle()
        assert service.problems() == []
        assert await stop(service) == 0
    notes = [record.body["booking"]["notes"] for record in await stage.events()]
    assert notes == [None, str(KEPT), str(LEFT_OUT)]
    letters = sorted(await stage.broker.read([DEAD_LETTERS]), key=lambda each: int(each.header("dlq_offset")))
    assert [each.header("dlq_reason") for each in letters] == ["value_too_large"] * 2
    assert [None if each.value is None else len(each.value) for each in letters] == [KEPT, None]


async def _send_bomb(stage: Stage, size: int, codec: str) -> None:
    bomb = Sent("booking-commands", BOOKING.encode(), bytes(size), headers(f"bomb-{size}", "update-booking"))
    async with AIOKafkaProducer(
        bootstrap_servers=stage.broker.bootstrap, compression_type=codec, max_request_size=2 * LEFT_OUT
    ) as producer:
        await (await stage.broker.hand_over(producer, bomb))
    stage.sent += 1
