"""The pause on too many internal errors, and what a pause means to a batch."""

from collections.abc import Awaitable, Callable

import pytest

from service.errors import Paused
from service.handle.batch import BatchTransaction
from service.handle.stop import Outcomes
from service.store.pause import Pause, batches_ended, begin_pause, current_pause, end_pause
from tests.handle.harness import Bench, gather_all, graphs
from tests.support.records import REPLY_TOPICS, create, record
from tests.support.wait import until

NO_BAD = "ALTER TABLE aggregate ADD CONSTRAINT nobody_is_bad CHECK (aggregate_id NOT LIKE 'bad%')"


def outcomes(*runs: tuple[int, bool], ratio: float = 0.5) -> str | None:
    """The verdict on the last of some runs of commands, the others committed; each is so many, broken or not."""
    known = Outcomes(ratio)
    for count, broken in runs[:-1]:
        known.committed(0, [broken] * count)
    count, broken = runs[-1]
    return known.too_many(0, [broken] * count)


@pytest.mark.parametrize(
    ("runs", "ratio", "stops"),
    [
        ([(99, True)], 0.5, False),
        ([(100, True)], 0.5, True),
        ([(50, True), (49, False), (1, True)], 0.5, True),
        ([(50, False), (50, True)], 0.5, False),
        ([(50, False), (51, True)], 0.5, True),
        ([(500, False), (500, True)], 0.5, False),
        ([(499, False), (501, True)], 0.5, True),
        # Only the last thousand count.
        ([(5_000, False), (500, True)], 0.5, False),
        ([(5_000, False), (501, True)], 0.5, True),
        ([(5_000, True), (499, False)], 0.5, False),
        ([(1_000, True)], 1, False),
        ([(99, False), (1, True)], 0, True),
        ([(100, False)], 0, False),
    ],
)
def test_the_limit(runs: list[tuple[int, bool]], ratio: float, stops: bool) -> None:  # noqa: FBT001
    """More than the ratio, of at least a hundred; a batch without a defect never stops anything."""
    assert (outcomes(*runs, ratio=ratio) is not None) is stops


def test_counting_begins_anew_after_a_pause() -> None:
    """Whoever began it, and whether this process noticed it or not."""
    known = Outcomes(0.5)
    known.committed(0, [True] * 900)
    assert known.too_many(0, [True]) is not None
    assert known.too_many(1, [True] * 99) is None
    known.committed(1, [True] * 99)
    assert known.too_many(1, [False]) is None
    told = known.too_many(1, [True])
    assert told is not None
    assert told.startswith("100 of the last 100 commands")


@pytest.fixture
def stopping(bench: Bench) -> Bench:
    """Batches that stop at more than half, on a database that refuses some bookings."""
    bench.transaction = BatchTransaction(
        bench.pool, graphs(), reply_topics=REPLY_TOPICS, clock=lambda: bench.now, stop_ratio=0.5
    )
    return bench


async def test_too_many_internal_errors_pause_consumption(stopping: Bench) -> None:
    """With the batch that exceeds the limit; nothing more is applied until somebody resumes, who begins anew."""
    await stopping.pool.execute(NO_BAD)
    await stopping.apply(*(record("create-booking", create(f"bad-{n}")) for n in range(99)))
    async with stopping.pool.acquire() as connection:
        assert await current_pause(connection) is None
        found = await stopping.apply(record("create-booking", create("bad-99")))
        assert [row.type for row in found] == ["command-refused", "dead-letter"]
        pause = await current_pause(connection)
        assert pause is not None
        assert (pause.by, "100 of the last 100 commands" in pause.reason) == ("the service", True)
        before = await connection.fetch("SELECT * FROM progress ORDER BY 1, 2")
        with pytest.raises(Paused):
            await stopping.transaction(*await stopping.placed([record("create-booking", create("b-1"))]))
        assert await connection.fetch("SELECT * FROM progress ORDER BY 1, 2") == before
        ended = await end_pause(connection, "me")
        assert ended == pause
        stopping.log.ends["booking-commands", 0] -= 1
        found = await stopping.apply(*(record("create-booking", create(f"bad-{n}")) for n in range(99)))
        assert len(found) == 198
        assert await current_pause(connection) is None


async def test_what_is_no_command_does_not_count(stopping: Bench) -> None:
    """A topic full of garbage raises no more than an alert; neither do refusals."""
    garbage = [record("create-booking", b"no json") for _ in range(300)]
    found = await stopping.apply(*garbage, *(record("create-booking", create(graph="nope")) for _ in range(300)))
    assert len(found) == 600
    async with stopping.pool.acquire() as connection:
        assert await current_pause(connection) is None


async def test_a_pause_stands_as_it_is(bench: Bench) -> None:
    """One at a time; a second one changes nothing, and ending none is nothing."""
    async with bench.pool.acquire() as connection:
        assert await end_pause(connection, "me") is None
        assert await begin_pause(connection, "first", "me")
        assert not await begin_pause(connection, "second", "you")
        pause = await current_pause(connection)
        assert pause == Pause("first", "me", pause.since if pause else bench.now)
        assert await end_pause(connection, "you") == pause
        assert await begin_pause(connection, "third", "you")


async def test_whoever_pauses_can_wait_for_running_batches(bench: Bench) -> None:
    """A batch that had begun before holds up the wait, and none begins after."""
    async with bench.pool.acquire() as running, bench.pool.acquire() as connection:
        batch = running.transaction()
        await batch.start()
        await running.execute("UPDATE progress SET next_offset = next_offset")
        await begin_pause(connection, "x", "me")
        assert not await batches_ended(connection, 0.1)
        ended: list[bool] = []

        async def wait() -> None:
            ended.append(await batches_ended(connection, 20))

        await gather_all(wait(), _end(batch.commit, bench))
        assert ended == [True]


async def _end(commit: Callable[[], Awaitable[None]], bench: Bench) -> None:
    """Commits once somebody waits."""
    waiting = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'progress'::regclass)"
    await until(lambda: bench.pool.fetchval(waiting))
    await commit()
