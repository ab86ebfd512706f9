from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.clock.due import MOST_UNANSWERED, send_due
from service.outbox.row import uuid5
from service.record import Record
from tests.handle.harness import Bench, Rival, summaries
from tests.support.records import APPENDED, APPENDED_MS, act, create, record, update
from tests.support.rows import Sent

TIMERS = "SELECT action, timer_id, due_at, correlation_id, sent_at FROM timer ORDER BY action"
END = datetime(2026, 12, 24, 20, tzinfo=UTC)


async def timers(bench: Bench) -> list[tuple[str, datetime]]:
    """Which actions play when."""
    return [(row["action"], row["due_at"]) for row in await bench.pool.fetch(TIMERS)]


async def due(bench: Bench, *, all_of_them: bool = True) -> list[Sent]:
    """Lets the clock send what is due, all timers on request."""
    if all_of_them:
        await bench.pool.execute("UPDATE timer SET due_at = now() - interval '1 second'")
    async with bench.pool.acquire() as connection:
        await send_due(connection)  # type: ignore[arg-type]
    return await bench.sent()


def as_record(command: Sent, timestamp: int = APPENDED_MS + 600_000) -> Record:
    """A command of the clock as the broker hands it back."""
    return Record(command.topic, 0, 0, command.key, command.bytes, command.raw, timestamp)


async def test_a_timer_starts_with_its_state(bench: Bench) -> None:
    """A timer is a row of the transaction that made the state, with the correlation of its command."""
    await bench.apply(record("create-booking", create("b-1", graph="instant_payment"), ce_correlationid="order"))
    row = await bench.pool.fetchrow(TIMERS)
    assert row is not None
    assert (row["action"], row["due_at"], row["correlation_id"]) == (
        "timeout",
        APPENDED + timedelta(minutes=5),
        "order",
    )
    assert row["timer_id"] == uuid5(b"timer/acc-1/booking/b-1/timeout/1")


async def test_timers_of_a_state_that_is_left(bench: Bench) -> None:
    """Leaving a state ends its timers and starts those of the next; a final state has none."""
    await bench.apply(record("create-booking", create("b-1", graph="instant_payment")))
    await bench.apply(record("state-action", act("b-1", "pay", inputs={"payment_id": "p-1"})))
    assert await timers(bench) == [("complete", END + timedelta(hours=1))]
    await bench.apply(record("state-action", act("b-1", "cancel")))
    assert await timers(bench) == []


async def test_all_in_one_batch(bench: Bench) -> None:
    """Timers that start and end within a batch leave no row behind."""
    await bench.apply(
        record("create-booking", create("b-1", graph="instant_payment")),
        record("state-action", act("b-1", "pay", inputs={"payment_id": "p-1"})),
        record("create-booking", create("b-2")),
        record("state-action", act("b-2", "cancel")),
    )
    assert await timers(bench) == [("complete", END + timedelta(hours=1))]


async def test_a_timer_follows_its_time(bench: Bench) -> None:
    """A timer relative to the end moves with it, under an id of its own; other changes leave it."""
    await bench.apply(record("create-booking", create("b-1")))
    first = await bench.pool.fetchval("SELECT timer_id FROM timer")
    await bench.apply(record("update-booking", update("b-1", patch={"notes": "x"})))
    assert await bench.pool.fetchval("SELECT timer_id FROM timer") == first
    await bench.apply(record("update-booking", update("b-1", patch={"ends_at": "2026-12-24T22:00:00Z"})))
    assert await timers(bench) == [("complete", END + timedelta(hours=3))]
    assert await bench.pool.fetchval("SELECT timer_id FROM timer") == uuid5(b"timer/acc-1/booking/b-1/complete/3")


async def test_a_timer_that_fires(bench: Bench) -> None:
    """What a timer sends is applied by the system with the correlation of what started it, and the row is gone."""
    await bench.apply(record("create-booking", create("b-1", graph="instant_payment"), ce_correlationid="order"))
    (command,) = await due(bench)
    assert (command.topic, command.key, command.headers["ce_source"]) == ("internal-commands", b"b-1", "/bookstream")
    event, *more = await bench.apply(as_record(command))
    assert more == []
    assert (event.value["actor"], event.value["action"], event.value["to_state"]) == ("system", "timeout", "unpaid")
    assert event.headers["ce_correlationid"] == "order"
    assert await timers(bench) == []
    assert await bench.apply(as_record(command)) == []


async def test_a_timer_that_comes_too_late(bench: Bench) -> None:
    """A timer that fires after a manual action left its state is dropped in silence, in the same batch too."""
    await bench.apply(record("create-booking", create("b-1")), record("create-booking", create("b-2")))
    first, second = await due(bench)
    manual = [record("state-action", act(name, "cancel")) for name in ("b-1", "b-2")]
    assert summaries(await bench.apply(manual[0], as_record(first))) == [("booking-changed", "b-1", 2)]
    assert summaries(await bench.apply(manual[1])) == [("booking-changed", "b-2", 2)]
    before = await bench.count("inbox")
    assert await bench.apply(as_record(second)) == []
    assert await bench.count("inbox") == before


async def test_a_timer_that_was_set_anew(bench: Bench) -> None:
    """A timer that fired before its time was moved is dropped, and the new one stays."""
    await bench.apply(record("create-booking", create("b-1")))
    (command,) = await due(bench)
    await bench.apply(record("update-booking", update("b-1", patch={"ends_at": "2026-12-24T22:00:00Z"})))
    assert await bench.apply(as_record(command)) == []
    assert await timers(bench) == [("complete", END + timedelta(hours=3))]


async def test_a_timer_that_is_refused(bench: Bench) -> None:
    """A timer whose action the state no longer takes is answered once and never fires again."""
    await bench.apply(record("create-booking", create("b-1", graph="instant_payment")))
    (command,) = await due(bench)
    await bench.pool.execute(
        "UPDATE aggregate SET state = convert_to(replace(convert_from(state, 'UTF8'), 'tentative', 'unpaid'), 'UTF8')"
        " WHERE kind = 'booking'"
    )
    assert summaries(await bench.apply(as_record(command))) == [("command-refused", "b-1", "action_not_available")]
    assert await timers(bench) == []


async def test_a_timer_that_is_set_anew_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that was spent takes its own row with it, never the one that another transaction has put there."""
    await bench.apply(record("create-booking", create("b-1", graph="instant_payment")))
    (command,) = await due(bench)
    await bench.pool.execute(
        "UPDATE aggregate SET state = convert_to(replace(convert_from(state, 'UTF8'), 'tentative', 'unpaid'), 'UTF8')"
        " WHERE kind = 'booking'"
    )

    async def set_anew() -> None:
        await bench.pool.execute("UPDATE timer SET timer_id = 'another'")

    Rival(monkeypatch, set_anew)
    assert summaries(await bench.apply(as_record(command))) == [("command-refused", "b-1", "action_not_available")]
    assert await bench.pool.fetchval("SELECT timer_id FROM timer") == "another"


@pytest.mark.parametrize(
    "forged",
    [
        {"data": act("b-1", "timeout"), "command_id": "made-up"},
        {"data": update("b-1", patch={"notes": "x"}), "command_id": "made-up"},
        {"data": act("b-9", "timeout"), "command_id": "made-up"},
    ],
)
async def test_nobody_is_the_system_without_a_timer(bench: Bench, forged: dict[str, Any]) -> None:
    """A command in the service's name that no timer proves is dropped in silence."""
    await bench.apply(record("create-booking", create("b-1", graph="instant_payment")))
    kind = "state-action" if "action" in forged["data"] else "update-booking"
    made = record(kind, forged["data"], forged["command_id"], topic="internal-commands", ce_source="/bookstream")
    assert await bench.apply(made) == []


async def test_members_of_a_group_have_timers_of_their_own(bench: Bench) -> None:
    """A timer of one booking of a group does nothing to the others."""
    await bench.apply(*(record("create-booking", create(f"b-{n}", bulk_id="k")) for n in (1, 2)))
    commands = await due(bench)
    assert summaries(await bench.apply(as_record(commands[0])))[0][2] == 2
    assert await bench.count("timer") == 1


async def test_the_clock_sends_what_is_due(bench: Bench) -> None:
    """Only timers that are due are sent, once while their answer may still come, and again after that."""
    await bench.apply(record("create-booking", create("b-1")), record("create-booking", create("b-2")))
    await bench.pool.execute("UPDATE timer SET due_at = now() + interval '1 hour'")
    assert await due(bench, all_of_them=False) == []
    await bench.pool.execute("UPDATE timer SET due_at = now() WHERE aggregate_id = 'b-1'")
    (first,) = await due(bench, all_of_them=False)
    assert first.key == b"b-1"
    assert await due(bench, all_of_them=False) == []
    await bench.pool.execute("UPDATE timer SET sent_at = sent_at - interval '31 seconds'")
    (again,) = await due(bench, all_of_them=False)
    assert (again.bytes, again.raw) == (first.bytes, first.raw)


async def test_the_clock_never_floods(bench: Bench) -> None:
    """No more timers are sent than may be unanswered; the earliest come first."""
    await bench.pool.execute(
        "INSERT INTO timer (account_id, kind, aggregate_id, action, timer_id, due_at, correlation_id)"
        " SELECT 'acc-1', 'booking', 'b-' || n, 'complete', 't-' || n, now() - n * interval '1 second', 'k'"
        " FROM generate_series(1, $1::int) AS n",
        MOST_UNANSWERED + 500,
    )
    first = await due(bench, all_of_them=False)
    assert len(first) == MOST_UNANSWERED
    assert b"b-1" not in {each.key for each in first}
    assert await due(bench, all_of_them=False) == []
    await bench.pool.execute(
        "DELETE FROM timer WHERE aggregate_id IN (SELECT 'b-' || n FROM generate_series(2401, 2500) n)"
    )
    assert len(await due(bench, all_of_them=False)) == 100
