"""The epoch of what a batch writes."""

import asyncio

import pytest

from service.errors import ServiceError
from service.store.epoch import LAST, EpochUnknown, begin_epoch, share_epoch
from tests.handle.harness import Bench
from tests.support.records import create, record, update
from tests.support.wait import until

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'progress'::regclass"


async def test_events_carry_the_epoch(bench: Bench) -> None:
    """What is applied once a new one has begun is greater than all before, whatever the versions."""
    (first,) = await bench.apply(record("create-booking", create()))
    async with bench.pool.acquire() as connection:
        assert await begin_epoch(connection, 0) == 1
    (second,) = await bench.apply(record("update-booking", update(patch={"notes": "x"})))
    assert [first.headers["ce_sequence"], second.headers["ce_sequence"]] == [
        "00000000000000000001",
        "00010000000000000002",
    ]


@pytest.mark.parametrize(("seen", "begun"), [(-1, 1), (0, 1), (3, 4), (LAST - 1, LAST)])
async def test_an_epoch_exceeds_what_was_seen(bench: Bench, seen: int, begun: int) -> None:
    """That of the database, and that of what was published."""
    async with bench.pool.acquire() as connection:
        assert await begin_epoch(connection, seen) == begun
        assert await begin_epoch(connection, -1) == begun + 1 if begun < LAST else True


async def test_the_last_epoch(bench: Bench) -> None:
    """There are as many as four digits hold."""
    async with bench.pool.acquire() as connection:
        with pytest.raises(ServiceError, match="does not fit"):
            await begin_epoch(connection, LAST)
        await connection.execute("DELETE FROM epoch")
        async with connection.transaction():
            with pytest.raises(EpochUnknown):
                await share_epoch(connection)
    with pytest.raises(EpochUnknown):
        await bench.apply(record("create-booking", create()))


async def test_no_batch_of_an_old_epoch_commits_after_a_new_one_began(bench: Bench) -> None:
    """A new epoch waits for the batch that runs, and a batch that comes meanwhile waits for it and has it."""
    async with bench.pool.acquire() as running, bench.pool.acquire() as restoring:
        batch = running.transaction()
        await batch.start()
        assert await share_epoch(running) == 0
        begun = asyncio.create_task(begin_epoch(restoring, 0))
        await until(lambda: _waiting(bench, 1))
        later = asyncio.create_task(bench.apply(record("create-booking", create())))
        await until(lambda: _waiting(bench, 2))
        assert not begun.done()
        await batch.commit()
        assert await begun == 1
        (event,) = await later
    assert event.headers["ce_sequence"] == "00010000000000000001"


async def _waiting(bench: Bench, count: int) -> bool:
    return bool(await bench.pool.fetchval(WAITING) == count)
