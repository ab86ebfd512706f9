import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from service.errors import ServiceError
from service.outbox.append import append
from service.resync.bookmark import Bookmark, ResyncTaken, Selection, unfinished
from service.resync.resync import MOST_WAITING
from tests.handle.harness import Bench, Pool
from tests.resync.harness import FILL, begun, booking, made, module, subjects
from tests.support.records import APPENDED, act, create, location, record, update, visit
from tests.support.wait import until

HELD = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

LOSE_THE_GRAPH = """
UPDATE aggregate SET state = convert_to(replace(convert_from(state, 'UTF8'), '"instant"', '"gone"'), 'UTF8')
WHERE aggregate_id = 'b-2'
"""


async def test_a_snapshot_is_the_latest_change_as_it_stands(bench: Bench, pool: Pool) -> None:
    """Key, sequence, time, state and actions are those of the latest event; the schema fits; locations have none."""
    await bench.apply(booking("b-1"), record("create-visit", visit()))
    (change,) = await bench.apply(record("state-action", act("b-1", "cancel")))
    async with begun(pool) as (resync, bookmark):
        await resync.run()
    snapshot, other = await bench.sent()
    assert (snapshot.type, other.type) == ("booking-snapshot", "visit-snapshot")
    assert (snapshot.topic, snapshot.key) == (change.topic, change.key)
    for name in ("ce_sequence", "ce_time", "ce_subject", "ce_source", "content-type"):
        assert snapshot.headers[name] == change.headers[name]
    members = ("account_id", "booking_id", "version", "booking", "completed", "available_actions")
    assert snapshot.value == {name: change.value[name] for name in members}
    assert snapshot.headers["ce_dataschema"] == "urn:bookstream:schema:booking-snapshot.v1"
    assert snapshot.headers["ce_causationid"] == bookmark.resync_id
    assert other.value["visit"]["state"] == "waiting"
    assert (bookmark.published, bookmark.total) == (2, 2)


async def test_ids_tell_repeats_from_other_resyncs(bench: Bench, pool: Pool) -> None:
    """The same page of the same resync has the same ids; another resync or version has others."""
    await bench.apply(booking("b-1"))

    async def publish(connection: Any, bookmark: Bookmark) -> str:
        await made(connection, bookmark).run()
        (row,) = await bench.sent()
        return row.headers["ce_id"]

    async with begun(pool) as (_, bookmark), pool.acquire() as connection:
        first = await publish(connection, bookmark)
        await connection.execute(
            "UPDATE resync SET finished_at = NULL, after_account = '', after_kind = '', after_id = ''"
        )
        assert await publish(connection, Bookmark(bookmark.resync_id, bookmark.selection, 1)) == first
    async with begun(pool) as (_, bookmark), pool.acquire() as connection:
        assert await publish(connection, bookmark) != first


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["b-1", "b-2", "v-1", "b-1"]),
        (Selection(kinds=("visit",)), ["v-1"]),
        (Selection(account_id="acc-2"), ["b-1"]),
        (Selection(account_id="acc-3"), []),
        (Selection(location_id="bergen"), ["b-2"]),
        (Selection(changed_since=APPENDED + timedelta(hours=1)), ["b-1"]),
        (Selection(changed_since=APPENDED + timedelta(hours=1, seconds=1)), []),
    ],
)
async def test_what_is_chosen(bench: Bench, pool: Pool, selection: Selection, expected: list[str]) -> None:
    """By account, kind, location and time of the latest change; in the order of keys."""
    await bench.apply(
        location(location_id="bergen"),
        booking("b-1"),
        booking("b-2", location_id="bergen"),
        record("create-visit", visit()),
        location(account_id="acc-2"),
    )
    later = int((APPENDED + timedelta(hours=1)).timestamp() * 1000)
    await bench.apply(record("create-booking", create("b-1", account_id="acc-2"), timestamp=later))
    async with begun(pool, selection) as (resync, bookmark):
        await resync.run()
    assert subjects(await bench.sent()) == expected
    assert bookmark.total == len(expected)


async def test_a_change_under_way_comes_before_its_snapshot(bench: Bench, pool: Pool) -> None:
    """The page waits for a change that is not committed yet, and then holds the state after it."""
    await bench.apply(booking("b-1"))
    async with begun(pool) as (resync, _):
        async with pool.acquire() as rival:
            transaction = rival.transaction()
            await transaction.start()
            await rival.execute("UPDATE aggregate SET version = 2 WHERE aggregate_id = 'b-1'")
            running = asyncio.create_task(resync.run())
            await until(lambda: pool.fetchval(HELD))
            await rival.execute("INSERT INTO outbox (topic, headers) VALUES ('booking-events', '[]')")
            await transaction.commit()
        await running
    versions = await pool.fetch("SELECT convert_from(value, 'UTF8')::jsonb ->> 'version' FROM outbox ORDER BY seq")
    assert [row[0] for row in versions] == ["1", None, "2"]


async def test_a_change_that_comes_meanwhile_comes_after_it(
    bench: Bench, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command waits for the page that has read its booking, and its event gets the greater number."""
    await bench.apply(booking("b-1"))
    read, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: Any, rows: Any) -> None:
        read.set()
        await go_on.wait()
        await append(connection, rows)

    monkeypatch.setattr(module, "append", slow)
    async with begun(pool) as (resync, _):
        running = asyncio.create_task(resync.run())
        await read.wait()
        command = asyncio.create_task(bench.apply(record("update-booking", update(patch={"notes": "x"}))))
        await until(lambda: pool.fetchval(HELD))
        go_on.set()
        await running
    await command
    rows = await pool.fetch("SELECT convert_from(value, 'UTF8')::jsonb ->> 'version' FROM outbox ORDER BY seq")
    assert [row[0] for row in rows] == ["1", "1", "2"]


async def test_the_outbox_is_never_filled(bench: Bench, pool: Pool) -> None:
    """Without a relay it waits at a bounded number of rows; when they are gone it goes on to the end."""
    await bench.apply(booking("b-0"))
    await pool.execute(FILL, MOST_WAITING + 500)
    most, waits = 0, 0

    def tell(_: Bookmark, waiting: int) -> None:
        nonlocal most, waits
        most, waits = max(most, waiting), waits + 1

    async with begun(pool, tell=tell) as (resync, bookmark):
        running = asyncio.create_task(resync.run())
        await until(lambda: waits > 30)
        assert await pool.fetchval("SELECT count(*) FROM outbox") == 1 + bookmark.published
        assert bookmark.published == MOST_WAITING < bookmark.total
        await pool.execute("DELETE FROM outbox")
        await running
    assert most <= MOST_WAITING
    assert bookmark.published == bookmark.total == MOST_WAITING + 501


async def test_what_waits_is_known_after_an_interruption(bench: Bench, pool: Pool) -> None:
    """Who goes on does not add to a full outbox; rows that others wrote before do not count."""
    await bench.apply(booking("b-0"))
    await pool.execute(FILL, MOST_WAITING + 500)
    async with begun(pool) as (resync, bookmark):
        running = asyncio.create_task(resync.run())
        await until(lambda: bookmark.published == MOST_WAITING)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    seen: list[int] = []
    async with pool.acquire() as connection:
        again = await unfinished(connection)
        assert again is not None
        running = asyncio.create_task(made(connection, again, tell=lambda _, waiting: seen.append(waiting)).run())
        await until(lambda: len(seen) > 20)
        assert again.published == MOST_WAITING == max(seen)
        await pool.execute("DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT 1000)")
        await running
    assert again.published == MOST_WAITING + 501
    assert max(seen) <= MOST_WAITING


async def test_it_goes_on_where_it_was_interrupted(bench: Bench, pool: Pool) -> None:
    """After a cancellation anywhere, the newest unfinished resync publishes what is left, and nothing twice."""
    await bench.apply(booking("b-0"))
    await pool.execute(FILL, 400)
    async with begun(pool, Selection(kinds=("booking",)), rate=100) as (resync, bookmark):
        running = asyncio.create_task(resync.run())
        await until(lambda: bookmark.published >= 20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    async with pool.acquire() as connection:
        again = await unfinished(connection)
        assert again is not None
        assert (again.resync_id, again.total, again.selection) == (bookmark.resync_id, 401, bookmark.selection)
        assert 20 <= again.published < 401
        await made(connection, again).run()
        assert await unfinished(connection) is None
    seen = [(row.value["account_id"], row.value["booking_id"]) for row in await bench.sent()]
    assert len(seen) == len(set(seen)) == 401
    assert again.published == 401


async def test_the_rate_is_kept(bench: Bench, pool: Pool) -> None:
    """So many a second at most, in pages that are small enough to be even."""
    await bench.apply(booking("b-0"))
    await pool.execute(FILL, 59)
    loop = asyncio.get_running_loop()
    async with begun(pool, rate=100) as (resync, bookmark):
        start = loop.time()
        await resync.run()
        assert loop.time() - start >= 0.6
    assert bookmark.published == 60


async def test_a_wait_is_not_made_up_for(bench: Bench, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a page that took long the rate holds as before it."""
    await bench.apply(booking("b-0"))
    await pool.execute(FILL, 59)
    stalls = [0.0, 0.5, 0.0]

    async def slow(connection: Any, rows: Any) -> None:
        await asyncio.sleep(stalls.pop(0))
        await append(connection, rows)

    monkeypatch.setattr(module, "append", slow)
    loop = asyncio.get_running_loop()
    async with begun(pool, rate=100) as (resync, _):
        start = loop.time()
        await resync.run()
        assert loop.time() - start >= 0.85
    assert stalls == []


async def test_two_do_not_go_on_with_one(bench: Bench, pool: Pool) -> None:
    """Who is second with the same resync is told, and publishes nothing."""
    await bench.apply(booking("b-1"), booking("b-2"))
    async with begun(pool, rate=1) as (resync, bookmark), pool.acquire() as connection:
        other = Bookmark(bookmark.resync_id, bookmark.selection, bookmark.total)
        running = asyncio.create_task(resync.run())
        await until(lambda: bookmark.published == 1)
        with pytest.raises(ResyncTaken, match=bookmark.resync_id):
            await made(connection, other).run()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await bench.count("outbox") == 3


async def test_a_state_that_is_not_known_here_is_told(bench: Bench, pool: Pool) -> None:
    """A graph that this machine lacks ends it with the remedy, and nothing of the page is published."""
    await bench.apply(booking("b-1"), booking("b-2"))
    await pool.execute(LOSE_THE_GRAPH)
    async with begun(pool) as (resync, bookmark):
        with pytest.raises(ServiceError, match=r"acc-1/b-2.*BOOKSTREAM_GRAPHS_DIR"):
            await resync.run()
    assert bookmark.published == 0
    assert await bench.count("outbox") == 2


async def test_a_deadlock_is_tried_again(bench: Bench, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that loses against another transaction is published by the next attempt, once."""
    await bench.apply(booking("b-1"))
    failures = [asyncpg.DeadlockDetectedError("deadlock detected")]

    async def failing(connection: Any, rows: Any) -> None:
        await append(connection, rows)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(module, "append", failing)
    async with begun(pool) as (resync, bookmark):
        await resync.run()
    assert bookmark.published == 1
    assert await bench.count("outbox") == 2
