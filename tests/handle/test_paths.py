from datetime import UTC, datetime

import pytest

from service.domain.model import Reason
from service.outbox.problem import PROBLEMS
from tests.handle.harness import Bench, summaries
from tests.support.records import APPENDED_MS, act, create, location, record, update, visit


async def test_a_booking_from_creation_to_its_end(bench: Bench) -> None:
    """Creation, change and action of one booking in one batch give its versions in order."""
    found = await bench.apply(
        record("create-booking", create("b-1")),
        record("update-booking", update("b-1", patch={"notes": "window", "add_tags": ["late"]})),
        record("update-booking", update("b-1", patch={"notes": "window"}), reply=True),
        record("state-action", act("b-1", "cancel"), reply=True),
    )
    assert summaries(found) == [
        ("booking-changed", "b-1", 1),
        ("booking-changed", "b-1", 2),
        ("command-accepted", "b-1", "unchanged"),
        ("booking-changed", "b-1", 3),
        ("command-accepted", "b-1", "applied"),
    ]
    assert found[1].value["changes"] == {"notes": [None, "window"], "tags": [[], ["late"]]}
    assert (found[3].value["completed"], found[4].value["state"]) == (True, "cancelled")
    assert await bench.count("aggregate", "version = 3 AND kind = 'booking'") == 1
    assert await bench.count("inbox") == 5


async def test_a_visit_from_creation_to_its_end(bench: Bench) -> None:
    """A visit is registered, changed, moved by state and by action."""
    found = await bench.apply(
        record("create-visit", visit("v-1", phone="+4790090090", external_id="x-1", notes="hi")),
        record("update-visit", {"account_id": "acc-1", "visit_id": "v-1", "patch": {"state": "serving"}}),
        record("state-action", {"account_id": "acc-1", "visit_id": "v-1", "action": "complete"}),
        record("state-action", {"account_id": "acc-1", "visit_id": "v-1", "state": "COMPLETE"}, topic="visit-commands",
               reply=True),
    )  # fmt: skip
    assert summaries(found) == [
        ("visit-changed", "v-1", 1),
        ("visit-changed", "v-1", 2),
        ("visit-changed", "v-1", 3),
        ("command-accepted", "v-1", "unchanged"),
    ]
    assert [each.value["to_state"] for each in found[:3]] == ["waiting", "serving", "complete"]
    assert await bench.count("active_visit") == 0


async def test_a_location(bench: Bench) -> None:
    """A location's settings are merged without an event; the answer comes where it is asked for."""
    assert await bench.apply(location(timezone="Europe/Oslo")) == []
    accepted = await bench.one(location(slot_minutes=15, reply=True))
    assert (accepted.type, accepted.value["version"], accepted.value["state"]) == ("command-accepted", 3, None)
    assert accepted.value["aggregate_type"] == "location"


async def test_refusals_tell_what_the_sender_may_see(bench: Bench) -> None:
    """A refusal tells the version and the actions of what is there, and nothing of what is not."""
    await bench.apply(record("create-booking", create("b-1")))
    found = await bench.apply(
        record("update-booking", update("b-1", patch={"notes": "x"}, expected_version=7)),
        record("update-booking", update("b-2", patch={"notes": "x"})),
        record("update-booking", update("b-1", patch={"notes": "x"}) | {"account_id": "acc-2"}),
        record("create-booking", create("b-1")),
        record("create-booking", create("b-3") | {"location_id": "bergen"}),
        record("state-action", act("b-1", "fly")),
    )
    assert [(each.value["detail"], each.value["current_version"]) for each in found] == [
        ("version_conflict", 1),
        ("booking", None),
        ("booking", None),
        ("already_exists", 1),
        ("location", None),
        ("unknown_action", 1),
    ]
    assert found[2].value["available_actions"] is None
    assert {each.topic for each in found} == {"command-results"}


async def test_two_accounts_with_one_id(bench: Bench) -> None:
    """Ids are an account's own, also in one batch and with one key."""
    found = await bench.apply(
        location(account_id="acc-2"),
        record("create-booking", create("b-1"), "same"),
        record("create-booking", create("b-1") | {"account_id": "acc-2"}, "same"),
        record("update-booking", update("b-1", patch={"notes": "x"}) | {"account_id": "acc-2"}),
    )
    assert [(each.value["account_id"], each.value["version"]) for each in found] == [
        ("acc-1", 1),
        ("acc-2", 1),
        ("acc-2", 2),
    ]
    assert found[0].headers["ce_id"] != found[1].headers["ce_id"]


async def test_a_group(bench: Bench) -> None:
    """An action on one booking of a group is done to the others too, within the same batch."""
    found = await bench.apply(
        *(record("create-booking", create(f"b-{n}", bulk_id="k")) for n in range(3)),
        record("state-action", act("b-1", "cancel", apply_to_bulked_bookings=False)),
        record("state-action", act("b-0", "cancel"), reply=True, ce_correlationid="corr"),
    )
    assert summaries(found)[3:] == [
        ("booking-changed", "b-1", 2),
        ("booking-changed", "b-0", 2),
        ("booking-changed", "b-2", 2),
        ("command-accepted", "b-0", "applied"),
    ]
    assert [each.value["replicated_from"] for each in found[4:6]] == [None, "b-0"]
    assert {each.headers["ce_correlationid"] for each in found[4:]} == {"corr"}
    assert [(each["booking_id"], each["outcome"]) for each in found[6].value["siblings"]] == [
        ("b-1", "refused"),
        ("b-2", "applied"),
    ]


async def test_an_owner_and_its_customers(bench: Bench) -> None:
    """Cancelling an owner cancels every booking that is linked to it."""
    found = await bench.apply(
        record("create-booking", create("own", graph="group_owner")),
        record("create-booking", create("cus", graph="group_customer", owner_booking_id="own")),
    )
    found = await bench.apply(record("state-action", act("own", "cancel")))
    assert summaries(found) == [("booking-changed", "own", 2), ("booking-changed", "cus", 2)]
    assert (found[1].value["action"], found[1].value["replicated_from"]) == ("cancel_by_owner", "own")


async def test_validate_only(bench: Bench) -> None:
    """A dry run tells the full outcome and stores nothing, of groups, claims and timers neither."""
    before = {
        table: await bench.count(table) for table in ("aggregate", "timer", "slot", "booking_group", "external_id")
    }
    asked = create("b-1", bulk_id="k", booking={"resource_id": "r"}, validate_only=True)
    found = await bench.apply(
        record("create-booking", asked, reply=True),
        record("create-visit", visit("v-1", external_id="x") | {"validate_only": True}),
        record("update-booking", update("b-1", patch={"notes": "x"})),
    )
    assert summaries(found) == [("command-accepted", "b-1", "validated"), ("command-refused", "b-1", "booking")]
    assert found[0].value["preview"]["booking"]["resource_id"] == "r"
    assert found[0].value["version"] == 1
    assert {table: await bench.count(table) for table in before} == before


async def test_expiry(bench: Bench) -> None:
    """A command decided after its expiry is refused; at the very moment it is not yet."""
    bench.now = datetime(2026, 12, 1, 9, 5, tzinfo=UTC)
    found = await bench.apply(
        record("create-booking", create("b-1"), ce_expirytime="2026-12-01T09:04:59.999Z"),
        record("create-booking", create("b-2"), ce_expirytime="2026-12-01T10:05:00+01:00"),
    )
    assert summaries(found) == [("command-refused", "b-1", "expired"), ("booking-changed", "b-2", 1)]


async def test_rules_take_the_append_time(bench: Bench) -> None:
    """The lock window is measured from when the broker took a command, not from when it is decided."""
    await bench.begin(customer_policy={"before_edit_minutes": 180})
    start = int(datetime(2026, 12, 24, 18, tzinfo=UTC).timestamp() * 1000)
    await bench.apply(record("create-booking", create("b-1")))
    found = await bench.apply(
        record("update-booking", update("b-1", patch={"notes": "x"}), timestamp=start - 180 * 60_000 - 1),
        record("update-booking", update("b-1", patch={"notes": "y"}), timestamp=start - 180 * 60_000),
    )
    assert summaries(found) == [("booking-changed", "b-1", 2), ("command-refused", "b-1", "before_edit_booking")]


@pytest.mark.parametrize("kib", [127, 130])
async def test_a_state_of_128_kib(bench: Bench, kib: int) -> None:
    """An aggregate whose whole state would be larger than 128 KiB is refused."""
    texts = ["x" * 500] * ((kib * 1024 - 1500) // 503)
    fields = [{"id": f"f-{n}", "values": texts[n : n + 100]} for n in range(0, len(texts), 100)]
    asked = visit("v-1", data_fields=fields)
    found = await bench.one(record("create-visit", asked))
    if kib < 128:
        assert found.type == "visit-changed"
    else:
        assert (found.value["detail"], found.value["errors"][0]["pointer"]) == ("invalid_field", "/visit")


async def test_a_batch_of_a_thousand(bench: Bench) -> None:
    """A thousand commands over topics and partitions, with what is no command among them, are one transaction."""
    records = []
    for n in range(250):
        records += [
            record("create-booking", create(f"b-{n}", bulk_id=f"k-{n % 9}")),
            record("create-visit", visit(f"v-{n}", external_id=f"x-{n}")),
            record("update-booking", update(f"b-{n}", patch={"notes": "x"}), topic="internal-commands"),
            record("update-booking", b"{", key=b"\xff", timestamp=APPENDED_MS + n),
        ]
    first, spans = await bench.placed(records[:500], 0)
    second, more = await bench.placed(records[500:], 1)
    await bench.transaction([*first, *second], [*spans, *more])
    counted: dict[str, int] = {}
    for each in await bench.sent():
        counted[each.topic] = counted.get(each.topic, 0) + 1
    assert counted == {"booking-events": 500, "visit-events": 250, "commands-dlq": 250}
    ends = await bench.pool.fetch(
        "SELECT topic, partition, next_offset FROM progress WHERE next_offset > 1 ORDER BY 1, 2"
    )
    assert [tuple(row) for row in ends] == [
        ("booking-commands", 0, 250), ("booking-commands", 1, 250), ("internal-commands", 0, 126),
        ("internal-commands", 1, 125), ("visit-commands", 0, 125), ("visit-commands", 1, 125),
    ]  # fmt: skip


def test_every_reason_has_an_answer() -> None:
    """No refusal of the core is without its entry in the table of answers."""
    assert set(PROBLEMS) == set(Reason)
