"""Counters agree with what was sent, on a real PostgreSQL."""

import asyncpg
import pytest

from service.domain.model import Reason
from service.handle import attempt
from service.telemetry import names
from service.telemetry.meters import Meters
from tests.handle.harness import NOW, Bench, Pool, Rival, graphs
from tests.support.records import APPENDED, act, create, record, update

LATENCY = (NOW - APPENDED).total_seconds()


@pytest.fixture
async def meters(bench: Bench) -> Meters:
    """What the bench's transaction counts, after the location's command."""
    found: Meters = bench.transaction._meters
    assert found.value(names.COMMANDS, "configure-location", "applied") == 1
    return found


async def test_each_outcome_counts_once(bench: Bench, meters: Meters) -> None:
    """Applied, unchanged, validated, refused, repeated, and what is no command."""
    again = record("update-booking", update(patch={"notes": "a"}), "u-1")
    await bench.apply(
        record("create-booking", create()),
        again,
        record("update-booking", update(patch={"notes": "a"}), "u-2"),
        record("update-booking", update(patch={"notes": "b"}, validate_only=True), "u-3"),
        record("update-booking", update("nobody"), "u-4"),
        again,
        record("update-booking", update(patch={"notes": "other"}), "u-1"),
        record("update-booking", b"no json"),
    )
    outcomes = {outcome: meters.value(names.COMMANDS, "update-booking", outcome) for outcome in names.OUTCOMES}
    assert outcomes == {"applied": 1, "unchanged": 1, "validated": 1, "refused": 2, "repeated": 1, "obsolete": 0}
    assert meters.value(names.COMMANDS, "create-booking", "applied") == 1
    assert meters.value(names.REFUSALS, "not_found", "booking") == 1
    assert meters.value(names.REFUSALS, "conflict", "command_id_reuse") == 1
    assert meters.value(names.INBOX_DUPLICATES) == 2
    assert meters.value(names.EVENTS, "booking-changed") == 2
    assert meters.value(names.EVENTS, "visit-changed") == 0
    assert meters.value(names.DEAD_LETTERS, "invalid_json") == 1
    assert meters.value(names.BATCH_SIZE) == 2
    assert meters.value(names.COMMAND_LATENCY) == 8
    assert {step: meters.value(names.BATCH_DURATION, step) for step in names.STEPS} == dict.fromkeys(names.STEPS, 2)


async def test_latency_is_from_append_to_commit(bench: Bench, meters: Meters) -> None:
    """By the broker's append time, not by what the sender says."""
    await bench.apply(record("create-booking", create()))
    text = meters.text().decode()
    assert f"bookstream_command_latency_seconds_sum {2 * LATENCY}" in text


async def test_a_timer_that_is_gone(bench: Bench, meters: Meters) -> None:
    """Its command has nothing to say, and is counted as that."""
    await bench.apply(record("create-booking", create()))
    stale = record("state-action", act("b-1", "complete"), topic="internal-commands", ce_source="/bookstream")
    assert await bench.apply(stale) == []
    assert meters.value(names.COMMANDS, "state-action", "obsolete") == 1


async def test_a_broken_rule_is_a_refusal_and_a_dead_letter(
    bench: Bench, meters: Meters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are sent, both are counted."""

    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("service.handle.fold.decide", broken)
    await bench.apply(record("create-booking", create()))
    assert meters.value(names.REFUSALS, "internal_error", Reason.INTERNAL_ERROR) == 1
    assert meters.value(names.DEAD_LETTERS, "internal_error") == 1


async def test_lost_races(bench: Bench, meters: Meters, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost and what was decided again is counted, the outcome once."""
    await bench.apply(record("create-booking", create("b-1")), record("create-booking", create("b-2")))
    other = Bench(pool, graphs())
    rival = record("update-booking", update("b-1", patch={"notes": "rival"}), "rival")

    async def overtake() -> None:
        await other.apply(rival, partition=1)

    Rival(monkeypatch, overtake)
    patches = [record("update-booking", update(one, patch={"notes": "mine"}), one) for one in ("b-1", "b-2")]
    await bench.apply(*patches)
    assert meters.value(names.VERSION_CONFLICTS) == 1
    assert meters.value(names.REDECIDED) == 1
    assert meters.value(names.COMMANDS, "update-booking", "applied") == 2


async def test_what_is_not_committed_is_not_counted(
    bench: Bench, meters: Meters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that fails counts as tried again, and with its outcome only when it is through."""
    records, spans = await bench.placed([record("create-booking", create())])
    with monkeypatch.context() as patched:

        async def deadlocked(*_: object) -> None:
            raise asyncpg.DeadlockDetectedError("deadlock detected")

        patched.setattr(attempt, "append", deadlocked)
        with pytest.raises(Exception, match="again and again"):
            await bench.transaction(records, spans)
    assert meters.value(names.BATCH_RETRIES, "race") == 5
    assert meters.value(names.COMMANDS, "create-booking", "applied") == 0
    await bench.transaction(records, spans)
    assert meters.value(names.COMMANDS, "create-booking", "applied") == 1
    with pytest.raises(Exception, match="expected offset"):
        await bench.transaction(records, spans)
    assert meters.value(names.BATCH_RETRIES, "partition_lost") == 1
    assert meters.value(names.COMMANDS, "create-booking", "applied") == 1
