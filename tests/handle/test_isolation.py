import asyncio
from typing import Any

import pytest

from service.domain.decide import decide
from service.handle import attempt, fold, load
from service.handle.save import save
from tests.handle.harness import Bench, Rival, summaries
from tests.support.records import act, create, record, update, visit

NO_BAD = "ALTER TABLE aggregate ADD CONSTRAINT nobody_is_bad CHECK (aggregate_id NOT LIKE 'bad%' OR version < {})"

HOLD = """
INSERT INTO slot (account_id, kind, holder_id, resource_id, period, exclusive)
VALUES ('acc-1', 'visit', $1, $2, '[2026-12-24, 2026-12-25)', true)
"""


@pytest.fixture
def buggy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that breaks for every id that begins with `bad`."""

    def broken(world: Any, command: Any, context: Any) -> Any:
        if getattr(command, "booking_id", "").startswith("bad"):
            raise ZeroDivisionError
        return decide(world, command, context)

    monkeypatch.setattr(fold, "decide", broken)


async def test_a_bug_in_a_rule(bench: Bench, buggy: None) -> None:
    """A command that breaks a rule is answered and kept as a dead letter; its neighbours are applied."""
    bad = record("create-booking", create("bad"), "c-1", ce_correlationid="k")
    found = await bench.apply(record("create-booking", create("b-1")), bad, record("create-booking", create("b-2")))
    assert summaries(found) == [
        ("booking-changed", "b-1", 1),
        ("command-refused", "bad", "internal_error"),
        ("dead-letter", "bad", "internal_error"),
        ("booking-changed", "b-2", 1),
    ]
    refused, letter = found[1:3]
    assert (refused.value["status"], refused.value["retryable"]) == (500, True)
    assert refused.headers["ce_correlationid"] == "k"
    assert (letter.bytes, letter.raw[: len(bad.headers)]) == (bad.value, bad.headers)
    assert (letter.headers["dlq_topic"], letter.headers["dlq_offset"]) == ("booking-commands", "1")
    assert letter.headers["dlq_failed_at"] == "2026-12-01T09:01:00Z"
    assert "ZeroDivisionError" in letter.headers["dlq_detail"]


async def test_an_internal_error_is_not_remembered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the bug is mended the same command is applied, and its answer does not look like the first one."""
    asked = record("create-booking", create("bad"), "c-1")
    with monkeypatch.context() as broken:
        broken.setattr(fold, "decide", lambda *_: 1 / 0)
        refused = (await bench.apply(asked))[0]
        assert await bench.count("inbox") == 1
    await bench.pool.execute("DELETE FROM aggregate WHERE kind = 'location'")
    other = (await bench.apply(asked))[0]
    assert [each.value["detail"] for each in (refused, other)] == ["internal_error", "location"]
    assert refused.headers["ce_id"] != other.headers["ce_id"]


async def test_a_state_that_a_rule_cannot_read(bench: Bench) -> None:
    """A stored state that breaks what is done with it, a refusal too, is one command's trouble alone."""
    await bench.apply(record("create-booking", create("b-1"), "c-1"))
    await bench.pool.execute(
        "UPDATE aggregate SET state = convert_to(replace(convert_from(state, 'UTF8'), 'instant', 'gone'), 'UTF8')"
        " WHERE aggregate_id = 'b-1'"
    )
    found = await bench.apply(
        record("update-booking", update("b-1", patch={"notes": "x"}), "c-1"),
        record("update-booking", update("b-1", patch={"notes": "x"}), ce_expirytime="2020-01-01T00:00:00Z"),
        record("create-booking", create("b-2")),
    )
    assert [row for row in summaries(found) if row[0] != "dead-letter"] == [
        ("command-refused", "b-1", "internal_error"),
        ("command-refused", "b-1", "internal_error"),
        ("booking-changed", "b-2", 1),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_constraint_of_the_database(bench: Bench, size: int, version: int) -> None:
    """A command that the database refuses is found and answered alone, wherever in the batch it stands."""
    await bench.pool.execute(NO_BAD.format(version))
    for place in range(size):
        names = [f"b-{place}-{n}" for n in range(size)]
        names[place] = f"bad-{place}"
        await bench.apply(*(record("create-booking", create(name)) for name in names if version == 2))
        made = (create(name) if version == 1 else update(name, patch={"notes": "x"}) for name in names)
        found = await bench.apply(
            *(record("create-booking" if version == 1 else "update-booking", each) for each in made)
        )
        changed = [row for row in summaries(found) if row[0] == "booking-changed"]
        assert changed == [("booking-changed", name, version) for name in names if not name.startswith("bad")]
        assert [row[0] for row in summaries(found) if row[1].startswith("bad")] == ["command-refused", "dead-letter"]


async def test_one_of_a_thousand(bench: Bench) -> None:
    """One bad command of a thousand is found by halving, and nothing of the rest is lost or reordered."""
    await bench.pool.execute(NO_BAD.format(1))
    records = [record("create-booking", create(f"b-{n}" if n != 617 else "bad")) for n in range(1000)]
    found = summaries(await bench.apply(*records))
    assert [row[1] for row in found if row[0] == "booking-changed"] == [f"b-{n}" for n in range(1000) if n != 617]
    assert [row for row in found if row[1] == "bad"] == [
        ("command-refused", "bad", "internal_error"),
        ("dead-letter", "bad", "internal_error"),
    ]


@pytest.mark.parametrize("won", [5, 6, 99])
async def test_races_that_are_always_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch, won: int) -> None:
    """A run that loses as often as it may is halved; a command that does so alone breaks a rule of ours."""
    await bench.begin(booking_allow_overbooking=False)
    rounds = Rival(monkeypatch, lambda: asyncio.sleep(0), times=0).rounds
    held = [("b-1", "r-1"), ("b-2", "r-2")]
    left = won

    async def contested(connection: Any, decisions: Any, *loaded: Any) -> Any:
        """Somebody holds what is claimed at the moment of saving, and neither before nor after."""
        nonlocal left
        claimed = {changed.after.id for decided in decisions for changed in decided.changes} & dict(held).keys()
        if not claimed or left == 0:
            return await save(connection, decisions, *loaded)
        left -= 1
        await bench.pool.executemany(HOLD, held)
        lost = await save(connection, decisions, *loaded)
        await bench.pool.execute("DELETE FROM slot WHERE kind = 'visit'")
        return lost

    monkeypatch.setattr(attempt, "save", contested)
    found = await bench.apply(
        *(record("create-booking", create(name, booking={"resource_id": resource})) for name, resource in held),
        record("create-booking", create("b-3")),
    )
    first, locked, alone = (2, False), (2, True), [*[(1, False)] * 3, *[(1, True)] * 3]
    tried = [(3, False), first, first, locked, locked, locked]
    assert rounds == tried + {5: [], 6: [(1, False)] * 2, 99: alone * 2}[won]
    changed = [("booking-changed", name, 1) for name in ("b-3", "b-1", "b-2")]
    broken = [(kind, name, "internal_error") for name, _ in held for kind in ("command-refused", "dead-letter")]
    assert summaries(found) == (changed if won < 99 else [changed[0], *broken])


@pytest.mark.parametrize("most", [4, 5])
async def test_a_run_that_reaches_too_many_bookings(bench: Bench, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Actions whose groups are too large to be loaded together are done one after the other, to the same end."""
    monkeypatch.setattr(load, "MOST_MEMBERS", most)
    for group, size in (("k", 3), ("m", 2)):
        await bench.apply(*(record("create-booking", create(f"{group}-{n}", bulk_id=group)) for n in range(size)))
    rounds = Rival(monkeypatch, lambda: asyncio.sleep(0), times=0).rounds
    found = await bench.apply(*(record("state-action", act(f"{group}-0", "cancel")) for group in ("k", "m")))
    assert summaries(found) == [("booking-changed", name, 2) for name in ("k-0", "k-1", "k-2", "m-0", "m-1")]
    assert rounds == ([(2, False)] if most == 5 else [(2, False), (2, False), (1, False), (1, False)])


async def test_an_action_that_alone_reaches_too_many(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that stands alone is carried out, however large its group."""
    monkeypatch.setattr(load, "MOST_MEMBERS", 1)
    await bench.apply(*(record("create-booking", create(f"b-{n}", bulk_id="k")) for n in range(3)))
    found = await bench.apply(record("state-action", act("b-0", "cancel")))
    assert [version for _, _, version in summaries(found)] == [2, 2, 2]


async def test_what_follows_on_a_command_that_breaks(bench: Bench) -> None:
    """Commands after a creation that breaks find nothing there, as if it had never been sent."""
    await bench.pool.execute(NO_BAD.format(1))
    found = await bench.apply(
        record("create-booking", create("bad", bulk_id="k")),
        record("create-booking", create("b-1", bulk_id="k")),
        record("update-booking", update("bad", patch={"notes": "x"})),
        record("state-action", act("b-1", "cancel")),
    )
    assert [row for row in summaries(found) if row[0] != "dead-letter"] == [
        ("command-refused", "bad", "internal_error"),
        ("booking-changed", "b-1", 1),
        ("command-refused", "bad", "booking"),
        ("booking-changed", "b-1", 2),
    ]
    assert await bench.pool.fetchval("SELECT size FROM booking_group") == 1


async def test_claims_that_depend_on_refusals(bench: Bench) -> None:
    """Any number of commands that each claim something new once the one before is refused are decided."""
    await bench.begin(booking_allow_overbooking=False)
    tables = [f"t-{n}" for n in range(30)]
    for n, table in enumerate(tables):
        await bench.apply(record("create-booking", create(f"b-{n}", booking={"resource_id": table})))
    await bench.apply(record("create-booking", create("guest")))
    found = await bench.apply(
        *(record("update-booking", update("guest", patch={"resource_id": t}, expected_version=1)) for t in tables),
        record("update-booking", update("guest", patch={"resource_id": "free"}, expected_version=1)),
    )
    assert summaries(found) == [
        *[("command-refused", "guest", "slot_taken")] * 30,
        ("booking-changed", "guest", 2),
    ]


async def test_a_customer_who_shows_only_as_it_is_decided(bench: Bench) -> None:
    """A visit in public mode is counted for the customer that earlier commands of its batch made of it."""
    await bench.begin(max_customer_visits=1)
    await bench.apply(record("create-visit", visit("other", phone="+4711111111")))

    def change(**members: Any) -> dict[str, Any]:
        return {"account_id": "acc-1", "visit_id": "v-1", **members}

    found = await bench.apply(
        record("create-visit", visit("v-1", phone="+4790090090")),
        record("update-visit", change(patch={"phone": "+4711111111"})),
        record("state-action", change(action="complete")),
        record("update-visit", change(patch={"state": "waiting"}, options={"public_mode": True})),
    )
    assert summaries(found)[-1] == ("command-refused", "v-1", "max_customer_visits")
