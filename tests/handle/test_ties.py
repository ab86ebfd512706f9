"""What a lost race takes with it: all that built on what a loser gave back, took, or was counted with."""

import asyncio
from typing import Any

import pytest

from service.record import Record
from tests.handle.harness import Bench, Hook, Rival, summaries
from tests.support.records import act, create, record, update, visit

PUBLIC = {"public_mode": True}


def _rival(bench: Bench, *records: Record) -> Hook:
    async def apply() -> None:
        await bench.transaction(*await bench.placed(records, 1))

    return apply


def _of_visit(command_type: str, **members: Any) -> Record:
    return record(command_type, {"account_id": "acc-1", "visit_id": "v-1", **members})


async def test_a_slot_that_was_not_given_back_is_still_held(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A booking that took what a cancelled one gave back is decided again when the cancelling loses its race."""
    await bench.apply(record("create-booking", create("b-1", booking={"resource_id": "r"})))
    await bench.begin(booking_allow_overbooking=False)
    Rival(monkeypatch, _rival(bench, record("update-booking", update("b-1", patch={"notes": "rival"}))))
    await bench.apply(
        record("state-action", act("b-1", "cancel", expected_version=1)),
        record("create-booking", create("b-2", booking={"resource_id": "r"})),
    )
    assert [row["holder_id"] for row in await bench.pool.fetch("SELECT holder_id FROM slot")] == ["b-1"]


async def test_a_slot_that_was_not_taken_refuses_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A booking is not refused for a slot that was taken in a change which lost its race."""
    await bench.apply(record("create-booking", create("b-1")))
    await bench.begin(booking_allow_overbooking=False)
    Rival(monkeypatch, _rival(bench, record("update-booking", update("b-1", patch={"notes": "rival"}))))
    forced = update("b-1", patch={"resource_id": "r"}, expected_version=1, options={"allow_overbooking": True})
    found = await bench.apply(
        record("update-booking", forced), record("create-booking", create("b-2", booking={"resource_id": "r"}))
    )
    assert ("command-refused", "b-2", "slot_taken") not in summaries(found)


async def test_a_visit_that_did_not_end_still_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A visit let in because another ended is decided again when the ending loses its race."""
    await bench.begin(max_customer_visits=1)
    await bench.apply(record("create-visit", visit("v-1", options=PUBLIC)))
    Rival(monkeypatch, _rival(bench, _of_visit("update-visit", patch={"duration": 60})))
    await bench.apply(
        _of_visit("state-action", action="cancel", expected_version=1),
        record("create-visit", visit("v-2", options=PUBLIC)),
    )
    assert await bench.count("active_visit") == 1


async def test_the_limit_holds_after_a_lost_race(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour's lost race lets go of the customer's lock; who came in meanwhile is counted."""
    await bench.begin(max_customer_visits=1)
    await bench.apply(record("create-booking", create("b-1")))
    rivals = [
        record("update-booking", update("b-1", patch={"notes": "rival"})),
        record("create-visit", visit("v-2", options=PUBLIC)),
    ]

    first, second = [await bench.placed([each], 1) for each in rivals]
    waiting: list[asyncio.Task[None]] = []

    async def one_by_one() -> None:
        if not waiting:
            await bench.transaction(*first)
        # It waits for the lock, unless the lock was let go of.
        waiting.append(asyncio.create_task(bench.transaction(*second)))

    Rival(monkeypatch, one_by_one, times=1)
    await bench.apply(
        record("create-visit", visit("v-1", options=PUBLIC)),
        record("update-booking", update("b-1", patch={"notes": "mine"})),
    )
    await asyncio.wait_for(waiting[0], 20)
    assert await bench.count("active_visit") == 1


async def test_a_row_of_its_own_is_never_in_the_way(bench: Bench) -> None:
    """A visit whose slot is no longer understood, since its time zone changed, can still take another."""
    await bench.begin(timezone="UTC")
    early = visit("v-1", date="0001-01-01T00:00", duration=3600, resource_ids=["r"])
    await bench.apply(record("create-visit", early))
    await bench.begin(timezone="Asia/Tokyo")
    found = await bench.apply(
        _of_visit("update-visit", patch={"date": "2026-12-24T18:00"}), record("create-visit", visit("v-9"))
    )
    assert [name for name, _, _ in summaries(found)] == ["visit-changed", "visit-changed"]
    assert await bench.count("slot") == 1


@pytest.mark.parametrize(
    ("date", "zone"), [("0001-01-01T00:00", "Asia/Tokyo"), ("9999-12-31T23:59", "America/Los_Angeles")]
)
async def test_a_slot_at_an_end_of_the_calendar_is_given_back(bench: Bench, date: str, zone: str) -> None:
    """A visit whose date no instant stands for, since its time zone changed, keeps its slot until it is over."""
    await bench.begin(timezone="UTC", booking_allow_overbooking=False)
    await bench.apply(record("create-visit", visit("v-1", date=date, duration=3600, resource_ids=["r", "q"])))
    await bench.begin(timezone=zone)
    await bench.apply(_of_visit("update-visit", patch={"resource_ids": ["r"]}))
    assert await bench.count("slot", "lower(period) < upper(period)") == 1
    await bench.apply(_of_visit("state-action", action="cancel"))
    assert await bench.count("slot") == 0


async def test_a_slot_ends_with_the_calendar(bench: Bench) -> None:
    """A visit on the last evening of the calendar holds its resource to the end of it."""
    late = visit("v-1", date="9999-12-31T20:00", duration=86_400, resource_ids=["r"])
    found = await bench.apply(record("create-visit", late))
    assert summaries(found) == [("visit-changed", "v-1", 1)]
