"""Rate limits: exact where one worker works, bounded where several do, the same for a backlog and after a failure."""

from datetime import UTC, datetime

import asyncpg
import pytest

from service.errors import PartitionLost
from service.handle import batch
from service.handle.limits import COUNT, DAY, MINUTE
from service.handle.progress import move_progress
from service.record import Record, Span
from service.trust.registry import Limits
from tests.handle.harness import Pool, details, gather_all
from tests.handle.test_signing import SignedBench
from tests.support.records import APPENDED_MS, create, location, record, update
from tests.support.signing import signed

DAY_MS = DAY * 1000
BURST = "burst_limit_exceeded"
QUOTA = "daily_quota_exceeded"


@pytest.fixture
async def bench(pool: Pool) -> SignedBench:
    """A location, and no client yet."""
    made = SignedBench(pool)
    assert await made.apply(location()) == []
    return made


async def limited(bench: SignedBench, **limits: int) -> None:
    """The bench signs as a client with these limits."""
    bench.client_id, bench.secret = await bench.add(limits=Limits(**limits))


def booking(number: int, at: int = APPENDED_MS, **more: object) -> Record:
    """A creation of its own, appended then."""
    return record("create-booking", create(f"b-{number}"), f"c-{number}", timestamp=at, **more)  # type: ignore[arg-type]


async def test_the_burst_of_a_minute(bench: SignedBench) -> None:
    """The first of a minute are taken, in one batch or in several; the next minute has its own."""
    await limited(bench, burst_per_minute=3)
    assert details(await bench.apply(*map(bench.signed, map(booking, range(2))))) == ["applied"] * 2
    assert details(await bench.apply(*map(bench.signed, map(booking, range(2, 5))))) == ["applied", BURST, BURST]
    assert details(await bench.apply(bench.signed(booking(5)))) == [BURST]
    assert details(await bench.apply(bench.signed(booking(5, APPENDED_MS + 60_000)))) == ["applied"]


async def test_the_quota_of_a_day(bench: SignedBench) -> None:
    """The day is UTC's; a quota that is used up goes before the burst, since it is the longer wait."""
    await limited(bench, burst_per_minute=2, daily_quota=2)
    told = await bench.apply(*map(bench.signed, map(booking, range(3))))
    assert details(told) == ["applied", "applied", QUOTA]
    midnight = (APPENDED_MS // DAY_MS + 1) * DAY_MS
    assert details(await bench.apply(bench.signed(booking(3, midnight - 1)))) == [QUOTA]
    assert details(await bench.apply(bench.signed(booking(3, midnight)))) == ["applied"]


@pytest.mark.parametrize(
    ("after_ms", "seconds"),
    [(0, 60), (1, 60), (999, 60), (1000, 59), (1001, 59), (59_000, 1), (59_001, 1), (59_999, 1)],
)
async def test_when_to_try_again(bench: SignedBench, after_ms: int, seconds: int) -> None:
    """Whole seconds from the append time to the next minute, never too few."""
    await limited(bench, burst_per_minute=1)
    first, second = (bench.signed(booking(number, APPENDED_MS + after_ms)) for number in range(2))
    refused = (await bench.apply(first, second))[1].value
    assert (refused["status"], refused["error"], refused["detail"]) == (429, "rate_limited", BURST)
    assert (refused["retryable"], refused["retry_after"]) == (True, seconds)
    assert (refused["account_id"], refused["current_version"]) == ("acc-1", None)


async def test_when_to_try_again_after_a_quota(bench: SignedBench) -> None:
    """At midnight UTC."""
    await limited(bench, daily_quota=1)
    refused = (await bench.apply(*map(bench.signed, map(booking, range(2)))))[1].value
    next_day = datetime(2026, 12, 2, tzinfo=UTC).timestamp()
    assert refused["retry_after"] == next_day - APPENDED_MS / 1000


async def test_a_refused_command_is_decided_anew(bench: SignedBench) -> None:
    """It leaves no memory, and does not use up the limit itself."""
    await limited(bench, burst_per_minute=1)
    await bench.apply(bench.signed(booking(0)))
    for _ in range(3):
        assert details(await bench.apply(bench.signed(booking(1)))) == [BURST]
    assert await bench.count("inbox", "account_id = 'acc-1'") == 2
    later = record("create-booking", create("b-1"), "c-1", timestamp=APPENDED_MS + 60_000)
    assert details(await bench.apply(bench.signed(later))) == ["applied"]


async def test_what_counts(bench: SignedBench) -> None:
    """A repeat counts, and so does a command that is refused for what it says; a stranger's does not."""
    await limited(bench, burst_per_minute=3)
    again = bench.signed(record("create-booking", create("b-0"), "c-0", reply=True))
    wrong = bench.signed(record("update-booking", update(patch={"colour": 1})))
    told = await bench.apply(again, again, booking(9), wrong, bench.signed(booking(2)))
    assert details(told) == ["applied", "applied", "applied", "unknown_field", BURST, "invalid_signature"]


async def test_limits_are_each_clients_own(bench: SignedBench) -> None:
    """A client over its limit keeps no other from being taken, of its own account or another, nor the internal ones."""
    await limited(bench, burst_per_minute=1)
    other_id, other_secret = await bench.add(limits=Limits(1))
    free_id, free_secret = await bench.add()
    told = await bench.apply(
        *map(bench.signed, map(booking, range(3))),
        signed(booking(3), other_id, other_secret),
        *(signed(booking(number), free_id, free_secret) for number in range(4, 8)),
        booking(8, topic="internal-commands"),
    )
    assert sorted(details(told)) == ["applied"] * 7 + [BURST] * 2


async def test_a_backlog_changes_no_decision(bench: SignedBench) -> None:
    """Hours of commands in one batch are judged minute by minute."""
    await limited(bench, burst_per_minute=2)
    records = [
        bench.signed(booking(10 * minute + number, APPENDED_MS + minute * 60_000))
        for minute in range(5)
        for number in range(3)
    ]
    told = await bench.apply(*records)
    assert sorted(details(told)) == ["applied"] * 10 + [BURST] * 5
    assert await bench.count("client_usage") == 5


async def test_a_batch_that_comes_again_counts_once(bench: SignedBench) -> None:
    """What was counted is undone with the transaction; a batch that another process has applied counts nothing."""
    await limited(bench, burst_per_minute=2)
    placed = await bench.placed([bench.signed(booking(0)), bench.signed(booking(1))])
    records, spans = placed
    with pytest.raises(PartitionLost):
        await bench.transaction(records, [Span(spans[0].topic, 0, spans[0].expected + 7, spans[0].next + 7)])
    assert await bench.count("client_usage") == 0
    await bench.transaction(*placed)
    with pytest.raises(PartitionLost):
        await bench.transaction(*placed)
    assert details(await bench.sent()) == ["applied", "applied"]
    assert await bench.pool.fetchval("SELECT sum(used) FROM client_usage") == 2


async def test_a_failure_after_counting_counts_nothing(bench: SignedBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same transaction moves the progress, counts and saves: it fails as one."""
    await limited(bench, burst_per_minute=1)
    placed = await bench.placed([bench.signed(booking(0))])

    async def fail(*_: object) -> None:
        raise asyncpg.DeadlockDetectedError("by the test")

    with monkeypatch.context() as broken:
        broken.setattr(batch, "append", fail)
        with pytest.raises(Exception, match="again and again"):
            await bench.transaction(*placed)
    await bench.transaction(*placed)
    assert details(await bench.sent()) == ["applied"]


async def together(bench: SignedBench, wanted: int, first: int = 0) -> list[str]:
    """What becomes of so many commands in each of four batches that run at the same time."""
    batches = [
        await bench.placed(
            [bench.signed(booking(1000 * number + first + each)) for each in range(wanted)], partition=number
        )
        for number in range(4)
    ]
    await gather_all(*(bench.transaction(*each) for each in batches))
    return details(await bench.sent())


@pytest.mark.parametrize(("limit", "wanted"), [(3, 5), (8, 2), (15, 2), (7, 7)])
async def test_several_workers_are_exact_near_a_limit(bench: SignedBench, limit: int, wanted: int) -> None:
    """Who wants more than an eighth of what is left waits for the others that do."""
    await limited(bench, burst_per_minute=limit)
    told = await together(bench, wanted)
    assert told.count("applied") == min(limit, 4 * wanted)
    assert told.count("applied") + told.count(BURST) == 4 * wanted


async def test_the_tolerance_between_workers(bench: SignedBench) -> None:
    """Batches that want less go on together: over the limit by an eighth of it for each further worker at most."""
    limit, wanted = 16, 2
    await limited(bench, burst_per_minute=limit, daily_quota=limit)
    told = await together(bench, wanted)
    assert told.count("applied") == 4 * wanted
    told = await together(bench, 10, first=wanted)
    assert told.count("applied") == limit - 4 * wanted
    assert details(await bench.apply(bench.signed(booking(9999)), partition=8)) == [QUOTA]
    assert await bench.pool.fetchval("SELECT sum(used) FROM client_usage WHERE span = $1", MINUTE) == limit


async def test_workers_do_not_wait_for_each_other(bench: SignedBench) -> None:
    """While one transaction has counted and is not over, another one of the same client goes through."""
    await limited(bench, burst_per_minute=8)
    first = await bench.placed([bench.signed(booking(0))], partition=0)
    second = await bench.placed([bench.signed(booking(1))], partition=1)
    async with bench.pool.acquire() as connection, connection.transaction():
        await move_progress(connection, first[1])
        await connection.execute(
            COUNT,
            *([each] for each in ("acc-1", bench.client_id, MINUTE, APPENDED_MS // 60_000, "booking-commands", 0, 1)),
        )
        await bench.transaction(*second)
    assert details(await bench.sent()) == ["applied"]


async def test_no_limit_costs_no_statement(bench: SignedBench) -> None:
    """Where no client of a batch has limits, nothing is read or counted."""
    await limited(bench)
    await bench.apply(*map(bench.signed, map(booking, range(3))))
    assert await bench.count("client_usage") == 0
