"""Two transactions at once over hot keys, and what must hold whatever the interleaving."""

import random
from collections import Counter, defaultdict
from typing import Any

import pytest

from service.record import Record, Span
from tests.handle.harness import Bench, gather_all
from tests.support.records import act, create, location, record, update, visit
from tests.support.rows import Sent

BATCHES = 20
BUDGET = 7


def hot(chance: random.Random) -> Record:
    """A command on one of few bookings, visits, groups, resources, customers and external ids."""
    name, guest = f"b-{chance.randrange(8)}", f"v-{chance.randrange(6)}"
    hour = chance.randrange(10, 14)
    times = {"starts_at": f"2026-12-24T{hour}:00:00Z", "ends_at": f"2026-12-24T{hour + 2}:00:00Z"}
    resource = chance.choice(["r-1", "r-2", None])
    moved = {"account_id": "acc-1", "visit_id": guest}
    public = {"options": {"public_mode": True}}
    made: tuple[str, dict[str, Any]] = chance.choice(
        [
            (
                "create-booking",
                create(name, bulk_id=chance.choice(["k", None]), booking={"resource_id": resource} | times),
            ),
            ("update-booking", update(name, patch={"resource_id": resource} | times)),
            ("update-booking", update(name, patch={"resource_id": resource}, expected_version=chance.randrange(1, 9))),
            ("update-booking", update(name, patch={"notes": str(chance.random())})),
            ("update-booking", update("budget", patch={"notes": str(chance.random())})),
            ("state-action", act(name, "cancel", apply_to_bulked_bookings=chance.random() < 0.3)),
            ("create-visit", visit(guest, external_id=f"x-{chance.randrange(3)}", **public)),
            ("update-visit", moved | {"patch": {"external_id": f"x-{chance.randrange(3)}"}}),
            ("update-visit", moved | {"patch": {"state": chance.choice(["serving", "waiting", "complete"])}} | public),
        ]
    )
    return record(*made, reply=chance.random() < 0.5)


async def play(bench: Bench, batches: list[tuple[list[Record], list[Span]]]) -> None:
    """Applies batches one after the other, beside others."""
    for each in batches:
        await bench.transaction(*each)


async def play_both(bench: Bench, seed: int) -> tuple[list[Record], list[Sent]]:
    """Plays two rows of batches at once and gives what was asked and what was sent."""
    chance = random.Random(seed)  # noqa: S311
    asked: list[Record] = []
    rows: list[list[tuple[list[Record], list[Span]]]] = [[], []]
    for _ in range(BATCHES):
        for partition in (0, 1):
            records = [hot(chance) for _ in range(chance.randrange(1, 25))]
            repeats = chance.sample(asked, min(len(asked), 2))
            rows[partition].append(await bench.placed([*records, *repeats], partition))
            asked += records
    await gather_all(*(play(bench, each) for each in rows))
    return asked, await bench.sent()


@pytest.mark.parametrize("seed", range(4))
async def test_what_holds_whatever_happens(bench: Bench, seed: int) -> None:
    """Every command has one effect, versions are gapless and in order, and all that is counted is exact."""
    await bench.begin(booking_allow_overbooking=False, max_customer_visits=2, customer_policy={"max_changes": BUDGET})
    await bench.apply(record("create-booking", create("budget")))
    asked, found = await play_both(bench, seed)
    _versions_in_order(found)
    await _one_effect(bench, asked, found)
    await _claims(bench)
    _budget(found)


async def test_overbooking_that_ends(bench: Bench) -> None:
    """Nobody shares a resource with one who was let in alone, whenever the location's setting was changed."""
    places = [f"l-{n}" for n in range(60)]
    await bench.apply(*(location(place) for place in places))

    def taking(place: str, holder: str) -> Record:
        data = create(f"{holder}-{place}", booking={"resource_id": place}) | {"location_id": place}
        return record("create-booking", data)

    for place in places:
        mine = await bench.placed([taking(place, "shared")], 0)
        theirs = await bench.placed([location(place, booking_allow_overbooking=False), taking(place, "alone")], 1)
        await gather_all(bench.transaction(*mine), bench.transaction(*theirs))
    shared_with_one_alone = """
        SELECT count(*) FROM slot a JOIN slot b ON a.resource_id = b.resource_id AND a.period && b.period
        WHERE a.exclusive AND NOT b.exclusive
    """
    assert await bench.pool.fetchval(shared_with_one_alone) == 0
    assert await bench.count("slot") == len(places)


def _versions_in_order(found: list[Sent]) -> None:
    versions: dict[tuple[str, bytes | None], list[int]] = defaultdict(list)
    for each in found:
        if each.type.endswith("-changed"):
            versions[each.type, each.key].append(each.value["version"])
            assert int(each.headers["ce_sequence"]) == each.value["version"]
    for (_, key), numbers in versions.items():
        first = 2 if key == b"budget" else 1
        assert numbers == list(range(first, first + len(numbers))), key


async def _one_effect(bench: Bench, asked: list[Record], found: list[Sent]) -> None:
    """One event of its own for each command that was applied, and the answer that goes with it."""
    ids = {dict(each.headers)["ce_id"]: dict(each.headers) for each in asked}
    events = Counter(
        each.headers["ce_causationid"].encode()
        for each in found
        if each.type.endswith("-changed") and each.value["replicated_from"] is None
    )
    refused = {each.headers["ce_causationid"].encode() for each in found if each.type == "command-refused"}
    outcomes: dict[bytes, set[str]] = defaultdict(set)
    for each in found:
        if each.type == "command-accepted":
            outcomes[each.headers["ce_causationid"].encode()].add(each.value["outcome"])
    assert max(events.values()) == 1
    assert not refused & events.keys()
    for command_id, headers in ids.items():
        assert command_id is not None
        if b"command-results" in headers.values() and command_id not in refused:
            assert outcomes[command_id] == ({"applied"} if command_id in events else {"unchanged"})
    assert not any(each.type == "dead-letter" or each.headers.get("status") == "500" for each in found)
    stored = await bench.pool.fetchval("SELECT count(*) FROM inbox")
    assert stored == len(ids) + 3


async def _claims(bench: Bench) -> None:
    """What is held, counted and claimed is what the aggregates say."""
    overlapping = """
        SELECT count(*) FROM slot a JOIN slot b ON a.resource_id = b.resource_id AND a.period && b.period
        WHERE a.exclusive AND b.exclusive AND (a.kind, a.holder_id) < (b.kind, b.holder_id)
    """
    assert await bench.pool.fetchval(overlapping) == 0
    await bench.pool.execute(
        "CREATE VIEW told AS SELECT kind, aggregate_id, convert_from(state, 'UTF8')::json AS s FROM aggregate"
    )
    compared = {
        "SELECT holder_id, resource_id FROM slot": """
            SELECT aggregate_id, s ->> 'resource_id' FROM told
            WHERE kind = 'booking' AND s ->> 'resource_id' IS NOT NULL AND s ->> 'state' = 'confirmed'""",
        "SELECT visit_id, customer_id FROM active_visit": """
            SELECT aggregate_id, s ->> 'customer_id' FROM told WHERE kind = 'visit' AND s ->> 'state' <> 'complete'""",
        "SELECT visit_id, external_id FROM external_id": """
            SELECT aggregate_id, s ->> 'external_id' FROM told
            WHERE kind = 'visit' AND s ->> 'external_id' IS NOT NULL""",
        "SELECT booking_id, group_id FROM group_member": """
            SELECT aggregate_id, 'bulk/k' FROM told WHERE kind = 'booking' AND s ->> 'bulk_id' = 'k'""",
    }
    for kept, told in compared.items():
        assert sorted(map(tuple, await bench.pool.fetch(kept))) == sorted(map(tuple, await bench.pool.fetch(told))), (
            kept
        )
    assert await bench.pool.fetchval("SELECT size FROM booking_group") == await bench.count("group_member")
    assert await bench.count("active_visit") <= 2


def _budget(found: list[Sent]) -> None:
    """Of all changes of a booking that has a budget, exactly so many were accepted."""
    changed = [each for each in found if each.key == b"budget" and each.type == "booking-changed"]
    refused = [each for each in found if each.key == b"budget" and each.type == "command-refused"]
    assert len(changed) == BUDGET
    assert {each.value["detail"] for each in refused} == {"max_changes"}
