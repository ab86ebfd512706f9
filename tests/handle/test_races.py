import asyncio
import logging

import asyncpg
import pytest

from service.errors import PartitionLost, StoreUnavailable
from service.record import Record
from tests.handle.harness import Bench, Rival, rival, summaries, wait_for_waiters
from tests.support.records import act, create, record, update, visit

Patch = pytest.MonkeyPatch


async def test_a_booking_changed_meanwhile(bench: Bench, monkeypatch: Patch) -> None:
    """Only the commands on a booking that another transaction changed are decided again, on top of it."""
    await bench.apply(*(record("create-booking", create(name)) for name in ("b-1", "b-2")))
    others = rival(bench, record("update-booking", update("b-1", patch={"guest_count": 5})))
    rounds = Rival(monkeypatch, others).rounds
    found = await bench.apply(
        record("update-booking", update("b-1", patch={"notes": "x"})),
        record("update-booking", update("b-2", patch={"notes": "x"})),
        record("update-booking", update("b-1", patch={"comment": "y"})),
    )
    assert sorted(summaries(found)) == [("booking-changed", "b-1", 2), ("booking-changed", "b-1", 3),
                                        ("booking-changed", "b-1", 4), ("booking-changed", "b-2", 2)]  # fmt: skip
    assert [row[2] for row in summaries(found) if row[1] == "b-1"] == [2, 3, 4]
    last = [each for each in found if each.key == b"b-1"][-1].value["booking"]
    assert (last["guest_count"], last["notes"], last["comment"]) == (5, "x", "y")
    assert rounds == [(3, False), (1, False), (2, False)]


@pytest.mark.parametrize(
    ("mine", "theirs", "detail"),
    [
        (record("create-booking", create("b-1")), record("create-booking", create("b-1")), "already_exists"),
        (record("create-visit", visit("v-1", external_id="x")), record("create-visit", visit("v-2", external_id="x")),
         "external_id_taken"),
        (record("create-booking", create("b-1", booking={"resource_id": "r"})),
         record("create-booking", create("b-2", booking={"resource_id": "r"})), "slot_taken"),
        (record("create-visit", visit("v-1", date="2026-12-24T19:30", duration=3600, resource_ids=["q", "r"])),
         record("create-booking", create("b-2", booking={"resource_id": "r"})), "slot_taken"),
    ],
)  # fmt: skip
async def test_something_taken_meanwhile(
    bench: Bench, monkeypatch: Patch, mine: Record, theirs: Record, detail: str
) -> None:
    """What another transaction created, claimed or holds by now is refused as if it had been there before."""
    await bench.begin(booking_allow_overbooking=False)
    rounds = Rival(monkeypatch, rival(bench, theirs)).rounds
    found = await bench.apply(mine, record("create-booking", create("neighbour")))
    refused = [each for each in found if each.type == "command-refused"]
    assert [each.value["detail"] for each in refused] == [detail]
    assert len(found) == 3
    assert rounds == [(2, False), (1, False), (1, False)]


async def test_a_member_that_joined_meanwhile(bench: Bench, monkeypatch: Patch) -> None:
    """A booking that joins a group while an action is decided does not slip through it."""
    await bench.apply(*(record("create-booking", create(f"b-{n}", bulk_id="k")) for n in (1, 2)))
    Rival(monkeypatch, rival(bench, record("create-booking", create("b-3", bulk_id="k"))))
    found = await bench.apply(record("state-action", act("b-1", "cancel")))
    assert summaries(found)[1:] == [("booking-changed", f"b-{n}", 2) for n in (1, 2, 3)]


async def test_an_action_on_the_group_meanwhile(bench: Bench, monkeypatch: Patch) -> None:
    """A booking that joins while the group is cancelled joins after it, and the size is right."""
    await bench.apply(*(record("create-booking", create(f"b-{n}", bulk_id="k")) for n in (1, 2)))
    rounds = Rival(monkeypatch, rival(bench, record("state-action", act("b-1", "cancel")))).rounds
    found = await bench.apply(record("create-booking", create("b-3", bulk_id="k")))
    assert summaries(found)[-1] == ("booking-changed", "b-3", 1)
    assert rounds == [(1, False), (1, False), (1, False)]
    assert await bench.pool.fetchval("SELECT size FROM booking_group") == 3


async def test_a_first_member_meanwhile(bench: Bench, monkeypatch: Patch) -> None:
    """Two first members of a group are both in it."""
    Rival(monkeypatch, rival(bench, record("create-booking", create("b-1", bulk_id="k"))))
    await bench.apply(record("create-booking", create("b-2", bulk_id="k")))
    row = await bench.pool.fetchrow("SELECT version, size FROM booking_group")
    assert tuple(row or ()) == (2, 2)
    assert await bench.count("group_member") == 2


async def test_the_same_command_meanwhile(bench: Bench, monkeypatch: Patch) -> None:
    """The same command on two partitions takes effect once and both get the same answer."""
    asked = record("create-booking", create("b-1"), "c-1", reply=True)
    Rival(monkeypatch, rival(bench, asked))
    found = await bench.apply(asked, record("create-booking", create("b-2")))
    answers = [each for each in found if each.type == "command-accepted"]
    assert sorted(summaries(found)) == [
        ("booking-changed", "b-1", 1), ("booking-changed", "b-2", 1), *[("command-accepted", "b-1", "applied")] * 2
    ]  # fmt: skip
    assert (answers[0].bytes, answers[0].raw) == (answers[1].bytes, answers[1].raw)


async def test_a_row_that_is_always_changed(bench: Bench, monkeypatch: Patch) -> None:
    """Against a rival that always wins, the fourth round locks the rows and wins."""
    await bench.apply(record("create-booking", create("b-1")))

    async def others() -> None:
        await bench.pool.execute("UPDATE aggregate SET version = version + 1 WHERE aggregate_id = 'b-1'")

    rounds = Rival(monkeypatch, others, times=99).rounds
    found = await bench.apply(
        record("update-booking", update("b-1", patch={"comment": "x"})), record("create-booking", create("b-2"))
    )
    assert rounds == [(2, False), (1, False), (1, False), (1, True)]
    assert summaries(found) == [("booking-changed", "b-2", 1), ("booking-changed", "b-1", 6)]


async def test_progress_that_is_elsewhere(bench: Bench) -> None:
    """A batch whose partition another process has taken over leaves nothing behind."""
    made, spans = await bench.placed([record("create-booking", create("b-1")), record("create-visit", visit())])
    before = {table: await bench.count(table) for table in ("inbox", "aggregate", "outbox", "timer")}
    await bench.pool.execute("UPDATE progress SET next_offset = 1 WHERE topic = 'visit-commands'")
    with pytest.raises(PartitionLost, match="visit-commands/0 at 0"):
        await bench.transaction(made, spans)
    assert {table: await bench.count(table) for table in before} == before
    assert await bench.pool.fetchval("SELECT next_offset FROM progress WHERE topic = 'booking-commands'") == 0
    await bench.pool.execute("DELETE FROM progress WHERE topic = 'visit-commands'")
    with pytest.raises(PartitionLost):
        await bench.transaction(made, spans)


async def test_a_batch_that_was_applied(bench: Bench) -> None:
    """A batch that comes again after its commit is refused by progress, dead letters included."""
    batch = await bench.placed([record("create-booking", create("b-1")), record("update-booking", b"{", key=b"b-1")])
    await bench.transaction(*batch)
    assert len(await bench.sent()) == 2
    with pytest.raises(PartitionLost):
        await bench.transaction(*batch)
    assert await bench.sent() == []


async def test_a_cut_connection(bench: Bench, monkeypatch: Patch) -> None:
    """A connection that dies in the middle leaves nothing behind, and the batch applies once when it is tried again."""
    batch = await bench.placed([record("create-booking", create("b-1")), record("update-booking", b"{", key=b"b-1")])

    async def cut() -> None:
        await bench.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state = 'idle in transaction'"
        )

    Rival(monkeypatch, cut)
    with pytest.raises(StoreUnavailable):
        await bench.transaction(*batch)
    assert await bench.sent() == []
    await bench.transaction(*batch)
    assert summaries(await bench.sent()) == [("booking-changed", "b-1", 1), ("dead-letter", "b-1", "invalid_json")]


async def test_no_database(bench: Bench) -> None:
    """A batch for which no connection is left is kept for later."""
    batch = await bench.placed([record("create-booking", create("b-1"))])
    await bench.pool.close()
    with pytest.raises(StoreUnavailable):
        await bench.transaction(*batch)


async def test_a_deadlock(bench: Bench, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The victim of a deadlock is applied when it is tried again."""
    await bench.apply(*(record("create-booking", create(f"b-{n}")) for n in (1, 2)))
    touch = "UPDATE aggregate SET memo = NULL WHERE aggregate_id = $1"
    other = await asyncpg.connect(database_url, server_settings={"deadlock_timeout": "60s"})
    caplog.set_level(logging.INFO)
    async with asyncio.TaskGroup() as group:
        async with other.transaction():
            await other.execute(touch, "b-2")
            records = [record("update-booking", update(f"b-{n}", patch={"notes": "x"})) for n in (1, 2)]
            mine = group.create_task(bench.apply(*records))
            await wait_for_waiters(bench.pool)
            await other.execute(touch, "b-1")
        found = await mine
    await other.close()
    assert summaries(found) == [("booking-changed", "b-1", 2), ("booking-changed", "b-2", 2)]
    assert "met another transaction" in caplog.text


async def test_a_serialisation_error(bench: Bench, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """On a database that serialises all transactions, those that can't be are tried again."""
    await bench.apply(record("create-booking", create("b-1")))
    async with asyncpg.create_pool(
        database_url, min_size=0, max_size=4, server_settings={"default_transaction_isolation": "serializable"}
    ) as strict:
        bench.transaction._pool = strict
        caplog.set_level(logging.INFO)
        holder = await asyncpg.connect(database_url)
        async with asyncio.TaskGroup() as group:
            async with holder.transaction():
                await holder.execute("UPDATE aggregate SET version = version + 1 WHERE aggregate_id = 'b-1'")
                mine = group.create_task(bench.apply(record("update-booking", update("b-1", patch={"notes": "x"}))))
                await wait_for_waiters(bench.pool)
            found = await mine
        await holder.close()
    assert summaries(found) == [("booking-changed", "b-1", 3)]
    assert "met another transaction" in caplog.text
