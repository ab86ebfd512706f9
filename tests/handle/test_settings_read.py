import asyncio
from typing import Any

import pytest

from service.handle import attempt, load
from service.handle.load_visits import load_active_visits
from service.handle.save import save
from service.handle.settings_read import LOCK as LOCK_SETTINGS
from service.record import Record
from tests.handle.harness import Bench, Rival, rival, statements_of, summaries, wait_for_waiters
from tests.support.records import create, location, record, visit

Patch = pytest.MonkeyPatch
TAKES_R = create("b-1", booking={"resource_id": "r"})


@pytest.mark.parametrize(
    ("tightened", "theirs", "mine", "detail"),
    [
        ({"booking_allow_overbooking": False}, record("create-booking", create("b-2", booking={"resource_id": "r"})),
         record("create-booking", TAKES_R), "slot_taken"),
        ({"booking_allow_overbooking": False}, record("create-booking", create("b-2", booking={"resource_id": "r"})),
         record("create-booking", TAKES_R | {"options": {"allow_overbooking": True}}), None),
        ({"timezone": "Asia/Tokyo"}, record("create-booking", create("b-2", booking={"resource_id": "r"})),
         record("create-booking", TAKES_R), None),
    ],
    ids=["overbooking", "an option of the call", "something else"],
)  # fmt: skip
async def test_settings_tightened_meanwhile(
    bench: Bench, monkeypatch: Patch, tightened: dict[str, Any], theirs: Record, mine: Record, detail: str | None
) -> None:
    """What a location let in is decided again when its settings were tightened before that was saved."""
    before = rival(bench, location(**tightened))
    after = rival(bench, theirs)

    async def one_after_the_other() -> None:
        await before()
        await after()

    Rival(monkeypatch, one_after_the_other)
    found = await bench.apply(mine, record("create-booking", create("neighbour")))
    refused = [each.value["detail"] for each in found if each.type == "command-refused"]
    assert refused == ([] if detail is None else [detail])
    assert len(found) == 3


async def test_a_limit_of_visits_tightened_meanwhile(bench: Bench, monkeypatch: Patch) -> None:
    """A visit that was to be counted by a limit which is lower by then is refused."""
    public = {"public_mode": True}
    rivals = [rival(bench, location(max_customer_visits=1)),
              rival(bench, record("create-visit", visit("v-2", options=public)))]  # fmt: skip

    async def counted_late(*asked: Any) -> Any:
        while rivals:
            await rivals.pop(0)()
        return await load_active_visits(*asked)

    monkeypatch.setattr(load, "load_active_visits", counted_late)
    found = await bench.apply(record("create-visit", visit("v-1", options=public)))
    assert sorted(summaries(found)) == [("command-refused", "v-1", "max_customer_visits"), ("visit-changed", "v-2", 1)]


async def test_settings_wait_for_what_builds_on_them(bench: Bench, monkeypatch: Patch) -> None:
    """Settings are tightened after the batch that saved what they allowed, and whoever comes then is refused."""
    following: list[asyncio.Task[None]] = []

    async def saved_first(*decided: Any) -> Any:
        lost = await save(*decided)
        if not following:
            tightened = location(booking_allow_overbooking=False)
            taking = record("create-booking", TAKES_R | {"booking_id": "b-2"})
            following.append(asyncio.create_task(rival(bench, tightened, taking)()))
            await wait_for_waiters(bench.pool)
        return lost

    batch = await bench.placed([record("create-booking", TAKES_R)])
    monkeypatch.setattr(attempt, "save", saved_first)
    await bench.transaction(*batch)
    await asyncio.wait_for(following[0], 20)
    assert sorted(summaries(await bench.sent())) == [
        ("booking-changed", "b-1", 1),
        ("command-refused", "b-2", "slot_taken"),
    ]


async def test_settings_cost_nothing_where_nothing_builds_on_them(bench: Bench) -> None:
    """A batch whose claims are exclusive, or that claims nothing, looks at settings once, as it loads them."""
    own = {"allow_overbooking": False}
    batch = await bench.placed(
        [
            record("create-booking", create("b-1")),
            record("create-booking", TAKES_R | {"booking_id": "b-2", "options": own}),
            record("create-visit", visit("v-1")),
        ]
    )
    assert LOCK_SETTINGS.strip() not in await statements_of(bench.pool, bench.transaction(*batch))
    shared = await bench.placed([record("create-booking", create("b-3", booking={"resource_id": "q"}))])
    assert LOCK_SETTINGS.strip() in await statements_of(bench.pool, bench.transaction(*shared))
