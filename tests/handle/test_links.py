from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.links.store import rotate
from service.record import Record
from service.trust.sealing import load_sealer
from tests.handle.harness import Bench, Pool, Rival, gather_all, graphs, summaries
from tests.support.records import APPENDED, APPENDED_MS, act, create, record, update, visit
from tests.support.rows import Sent

ENDS_MS = int(datetime(2026, 12, 24, 20, 0, tzinfo=UTC).timestamp() * 1000)
BEGIN_KEY = "UPDATE link_key SET begins_at = $2 WHERE key_id = $1"
OFFERED = {"cancel", "cancel_by_customer", "reschedule_by_customer"}


@pytest.fixture
async def linked(pool: Pool) -> Bench:
    """An account whose location hands out links."""
    return await Bench(pool, graphs()).begin(action_links=True)


def tokens(event: Sent) -> dict[str, str]:
    """The tokens of an event, by action."""
    return {action: link["token"] for action, link in event.value["links"].items()}


def redeem(token: str, action: str = "cancel_by_customer", command_id: str | None = None, **members: Any) -> Record:
    """A guest's command."""
    return record("state-action", act("b-1", action, link=token, **members), command_id)


async def made(bench: Bench, **members: Any) -> dict[str, str]:
    """The links of a booking that was just made."""
    return tokens(await bench.one(record("create-booking", create("b-1", **members))))


async def detail(bench: Bench, command: Record) -> str:
    """Why a command is refused."""
    refused = await bench.one(command)
    assert refused.type == "command-refused", refused.value
    found: str = refused.value["detail"]
    return found


async def test_events_carry_links_where_the_location_wants_them(bench: Bench) -> None:
    """Links follow the location's setting at each event; none is handed out where it is off."""
    for setting, expected in ((False, None), (True, OFFERED), (False, None)):
        await bench.begin(action_links=setting)
        event = await bench.one(record("create-booking", create(f"b-{setting}-{expected is None}-{bench.read_up_to}")))
        assert (event.value["links"] and set(event.value["links"])) == expected
    await bench.begin(action_links=True)
    event = await bench.one(record("create-booking", create("late", graph="venue")))
    assert set(event.value["links"]) == {"cancel"}
    assert event.value["links"]["cancel"]["expires_at"] == "2026-12-24T20:00:00Z"


async def test_a_guest_cancels(linked: Bench) -> None:
    """A link is redeemed as customer, once; the event after it has nothing more to offer."""
    given = await made(linked)
    event = await linked.one(redeem(given["cancel_by_customer"], inputs={"message": "flu"}))
    value = event.value
    assert (value["actor"], value["action"], value["inputs"]) == ("customer", "cancel_by_customer", {"message": "flu"})
    assert (value["version"], value["completed"], value["links"]) == (2, True, {})
    assert await detail(linked, redeem(given["cancel_by_customer"])) == "link_used"
    assert await detail(linked, redeem(given["cancel"], "cancel")) == "action_not_available"


async def test_a_used_link_whatever_the_state(linked: Bench) -> None:
    """A used link is told before the state, the version that is expected and the inputs."""
    given = await made(linked, graph="confirm_decline")
    event = await linked.one(redeem(given["confirm"], "confirm"))
    assert set(event.value["links"]) == OFFERED
    for more in ({"expected_version": 1}, {"inputs": {"x": 1}}, {"validate_only": True}):
        refused = await linked.one(redeem(given["confirm"], "confirm", **more))
        assert (refused.value["status"], refused.value["error"], refused.value["detail"]) == (
            409,
            "conflict",
            "link_used",
        )
        assert (refused.value["retryable"], refused.value["current_version"]) == (False, 2)
    await linked.one(record("state-action", act("b-1", "cancel")))
    assert await detail(linked, redeem(given["confirm"], "confirm")) == "link_used"


async def test_links_of_earlier_events_live_on(linked: Bench) -> None:
    """Each event offers new links, and those before are good until they are used or expire."""
    first = await made(linked)
    second = tokens(await linked.one(record("update-booking", update("b-1", patch={"notes": "x"}))))
    assert not set(first.values()) & set(second.values())
    await linked.one(redeem(first["cancel"], "cancel"))
    assert await detail(linked, redeem(first["cancel"], "cancel")) == "link_used"
    assert await detail(linked, redeem(second["cancel"], "cancel")) == "action_not_available"


async def test_a_refused_redemption_leaves_the_link_unused(linked: Bench) -> None:
    """Whatever a redemption is refused for, and a dry run, the link is good afterwards."""
    given = await made(linked, graph="instant_payment")
    token = given["pay"]
    assert await detail(linked, redeem(token, "pay")) == "invalid_field"
    assert (
        await detail(linked, redeem(token, "pay", inputs={"payment_id": "p"}, expected_version=9)) == "version_conflict"
    )
    paid = {"payment_id": "p-1"}
    late = record("state-action", act("b-1", "pay", link=token, inputs=paid), ce_expirytime="2026-12-01T09:00:59Z")
    assert await detail(linked, late) == "expired"
    dry = record("state-action", act("b-1", "pay", link=token, inputs=paid, validate_only=True), reply=True)
    assert (await linked.one(dry)).value["outcome"] == "validated"
    assert (await linked.one(redeem(token, "pay", inputs=paid))).value["to_state"] == "paid"
    assert await detail(linked, redeem(token, "pay", inputs=paid)) == "link_used"


async def test_the_policy_binds_customers(linked: Bench) -> None:
    """Where the merchant forbids cancelling, a link does not help; it is good again when they allow it."""
    given = await made(linked)
    await linked.begin(customer_policy={"can_cancel": False})
    assert await detail(linked, redeem(given["cancel_by_customer"])) == "can_cancel"
    assert await detail(linked, redeem(given["cancel"], "cancel")) == "can_cancel"
    await linked.begin(customer_policy={"can_cancel": True}, action_links=False)
    event = await linked.one(redeem(given["cancel_by_customer"]))
    assert (event.value["actor"], event.value["links"]) == ("customer", None)


async def test_a_state_that_keeps_customers_out(linked: Bench) -> None:
    """A guest who is seated already can't cancel by link."""
    given = await made(linked, graph="venue")
    await linked.one(record("state-action", act("b-1", "seat"), topic="internal-commands"))
    assert await detail(linked, redeem(given["cancel"], "cancel")) == "blocked"
    await linked.one(record("state-action", act("b-1", "close"), topic="internal-commands"))
    assert await detail(linked, redeem(given["cancel"], "cancel")) == "read_only"


async def test_strangers_learn_nothing(linked: Bench) -> None:
    """A link that proves nothing is refused without a word about the booking, and decided anew if it comes again."""
    given = await made(linked)
    forged = redeem(given["cancel"], "cancel_by_customer", "c-forged")
    for _ in range(2):
        refused = (await linked.one(forged)).value
        assert (refused["status"], refused["error"], refused["detail"]) == (401, "unauthorized", "invalid_signature")
        assert (refused["current_version"], refused["available_actions"], refused["retryable"]) == (None, None, False)
    assert await linked.count("inbox") == 2
    stale = record("state-action", act("b-1", "cancel", link=given["cancel"]), timestamp=ENDS_MS + 1)
    assert await detail(linked, stale) == "stale_signature"
    assert (await linked.one(redeem(given["cancel"], "cancel"))).value["actor"] == "customer"


async def test_by_state(linked: Bench) -> None:
    """A link serves a command that asks for the state that its action leads to, and for no other."""
    given = await made(linked)

    def reach(state: str, token: str, command_id: str | None = None) -> Record:
        data = {"account_id": "acc-1", "booking_id": "b-1", "state": state, "link": token}
        return record("state-action", data, command_id)

    refused = await linked.one(reach("cancelled", given["cancel_by_customer"]))
    assert (refused.value["detail"], refused.value["current_version"]) == ("invalid_signature", None)
    for state in ("completed", "confirmed", "nowhere"):
        assert await detail(linked, reach(state, given["cancel_by_customer"])) == "invalid_signature"
    event = await linked.one(reach("CANCELLED_by_customer", given["cancel_by_customer"]))
    assert (event.value["actor"], event.value["action"]) == ("customer", "cancel_by_customer")
    assert await detail(linked, reach("cancelled_by_customer", given["cancel_by_customer"])) == "link_used"


async def test_a_repeat_of_a_redemption(linked: Bench) -> None:
    """The same command again is answered as the repeat it is, byte for byte, though its link is used by now."""
    given = await made(linked)
    asked = record("state-action", act("b-1", "cancel", link=given["cancel"]), "c-1", reply=True)
    event, answer = await linked.apply(asked)
    (again,) = await linked.apply(asked)
    assert (again.bytes, again.raw) == (answer.bytes, answer.raw)
    assert event.value["version"] == 2


async def test_a_visit_is_cancelled_by_link(linked: Bench) -> None:
    """Visits offer cancel on their own channel; one that is restored offers it anew."""
    event = await linked.one(record("create-visit", visit("v-1", date="2026-12-24T19:30", duration=3600)))
    assert event.value["links"]["cancel"]["expires_at"] == "2026-12-24T20:30:00Z"
    (token,) = tokens(event).values()
    cancel = {"account_id": "acc-1", "visit_id": "v-1", "action": "cancel", "link": token}
    done = await linked.one(record("state-action", cancel))
    assert (done.value["actor"], done.value["links"]) == ("customer", {})
    restored = await linked.one(record("state-action", {**cancel, "action": "restore", "link": None}))
    assert await detail(linked, record("state-action", cancel)) == "link_used"
    # What the visit remembers beside its links lives on.
    change = {"account_id": "acc-1", "visit_id": "v-1", "patch": {"customer_id": "c-2"}}
    assert await detail(linked, record("update-visit", change)) == "immutable_field"
    again = await linked.one(record("state-action", cancel | {"link": tokens(restored)["cancel"]}))
    assert again.value["version"] == 4


async def test_once_within_a_batch(linked: Bench) -> None:
    """Of many commands with one link in one batch the first is carried out, the others find it used."""
    given = await made(linked, graph="confirm_decline")
    found = await linked.apply(*(redeem(given["confirm"], "confirm") for _ in range(20)))
    assert summaries(found) == [("booking-changed", "b-1", 2), *[("command-refused", "b-1", "link_used")] * 19]


async def test_once_among_processes(linked: Bench) -> None:
    """However many processes redeem one link at the same time, it takes effect once, and the others find it used."""
    given = await made(linked, graph="confirm_decline")
    batches = [await linked.placed([redeem(given["confirm"], "confirm") for _ in range(3)], n) for n in range(6)]
    await gather_all(*(linked.transaction(*batch) for batch in batches))
    found = summaries(await linked.sent())
    assert sorted(found) == [("booking-changed", "b-1", 2), *[("command-refused", "b-1", "link_used")] * 17]


async def test_a_link_used_meanwhile(linked: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redemption that loses the race against another finds the link used."""
    given = await made(linked)

    async def rival() -> None:
        await linked.transaction(*await linked.placed([redeem(given["cancel"], "cancel")], 1))

    Rival(monkeypatch, rival)
    found = await linked.apply(redeem(given["cancel"], "cancel"))
    assert summaries(found) == [("booking-changed", "b-1", 2), ("command-refused", "b-1", "link_used")]


async def test_a_group(linked: Bench) -> None:
    """A customer's action reaches the group as anybody's does, and every changed booking has links of its own."""
    for name in ("b-1", "b-2"):
        events = await linked.apply(record("create-booking", create(name, graph="confirm_decline", bulk_id="k")))
    other = tokens(events[0])
    given = tokens(await linked.one(record("update-booking", update("b-1", patch={"notes": "x"}))))
    found = await linked.apply(redeem(given["confirm"], "confirm"))
    assert summaries(found) == [("booking-changed", "b-1", 3), ("booking-changed", "b-2", 2)]
    assert [set(each.value["links"]) for each in found] == [OFFERED, OFFERED]
    assert [each.value["actor"] for each in found] == ["customer", "customer"]
    # The sibling's own link was not used by it.
    data = act("b-2", "confirm", link=other["confirm"])
    assert await detail(linked, record("state-action", data)) == "action_not_available"


async def test_the_same_commands_after_a_restore(linked: Bench, pool: Pool) -> None:
    """Commands that are applied again to the same past give the same bytes, links included, also after a rotation."""
    commands = [
        record("create-booking", create("b-1", graph="confirm_decline"), "c-1"),
        record("update-booking", update("b-1", patch={"notes": "x"}), "c-2"),
    ]
    first = [(await linked.one(command)).bytes for command in commands]
    async with pool.acquire() as connection:
        await rotate(connection, await load_sealer(connection, ()))
        await connection.execute(BEGIN_KEY, 2, APPENDED + timedelta(milliseconds=1))
    await pool.execute("DELETE FROM inbox WHERE command_key <> $1", b"")
    await pool.execute("DELETE FROM aggregate WHERE kind = 'booking'")
    await pool.execute("DELETE FROM timer")
    another = Bench(pool, graphs())
    another.read_up_to, another.log = linked.read_up_to, linked.log
    assert [(await another.one(command)).bytes for command in commands] == first


async def test_a_rotation_keeps_links_alive(linked: Bench, pool: Pool) -> None:
    """Links of the old key are good beside those of the new one, in a process that knows both."""
    await made(linked)
    given = tokens(await linked.one(record("update-booking", update("b-1", patch={"notes": "x"}))))
    async with pool.acquire() as connection:
        await rotate(connection, await load_sealer(connection, ()))
        await connection.execute(BEGIN_KEY, 2, APPENDED + timedelta(hours=1))
    another = Bench(pool, graphs())
    another.read_up_to, another.log = linked.read_up_to, linked.log
    later = APPENDED_MS + 3_600_000
    new = tokens(await another.one(record("update-booking", update("b-1", patch={"notes": "y"}), timestamp=later)))
    await another.one(redeem(given["reschedule_by_customer"], "reschedule_by_customer"))
    assert await detail(another, redeem(new["cancel"], "cancel")) == "action_not_available"


async def test_tokens_are_not_logged(linked: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """No line of the log holds a token or a part of one, whatever becomes of its command."""
    with caplog.at_level(0):
        given = await made(linked)
        await linked.apply(*(redeem(given["cancel"], "cancel") for _ in range(2)), redeem(given["cancel"]))
    assert not [record for record in caplog.records if given["cancel"][:52] in record.getMessage()]
