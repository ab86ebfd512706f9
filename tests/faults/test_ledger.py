"""The comparison with the database notices what is missing, what waits and what differs."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.e2e.model import Applied
from tests.faults import ledger
from tests.faults.checker import Verdict
from tests.faults.ledger import Connection

STATE = {"notes": "x", "state": "confirmed"}
SOUND = """
INSERT INTO inbox (account_id, command_key, content_hash, outcome)
    SELECT 'acc-north', number::text::bytea, '', '' FROM generate_series(1, 2) AS number;
INSERT INTO progress (topic, partition, next_offset) VALUES ('booking-commands', 0, 2), ('visit-commands', 1, 0);
INSERT INTO timer (account_id, kind, aggregate_id, action, timer_id, due_at, correlation_id)
    VALUES ('acc-north', 'booking', 'b-1', 'complete', 't-1', now() + interval '1 day', 'c-1');
INSERT INTO booking_group (account_id, group_id, version, size) VALUES ('acc-north', 'g', 1, 1);
INSERT INTO group_member (account_id, group_id, booking_id) VALUES ('acc-north', 'g', 'b-1');
"""
ADD = "INSERT INTO aggregate (account_id, kind, aggregate_id, version, state) VALUES ($1, $2, $3, $4, $5)"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A database in which everything is as it should be."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(SOUND)
    await connection.execute(ADD, "acc-north", "booking", "b-1", 2, json.dumps(STATE).encode())
    yield connection
    await connection.close()


def _verdict() -> Verdict:
    aggregate = ("acc-north", ("booking", "b-1"))
    return Verdict(
        remembered=2,
        last={aggregate: (2, json.dumps(STATE).encode())},  # type: ignore[dict-item]
        aggregates={aggregate: Applied(("booking", "b-1"), 2, STATE, "instant")},  # type: ignore[dict-item]
        ends={("booking-commands", 0): 2},
    )


async def test_a_sound_database_passes(connection: Connection) -> None:
    """Nothing is reported where it holds what the topics say."""
    assert await ledger.check(connection, _verdict()) == []


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM inbox WHERE command_key = '1'::bytea", "inbox: it remembers 1 commands"),
        ("UPDATE progress SET next_offset = 1 WHERE partition = 0", "not consumed: ('booking-commands', 0)"),
        ("UPDATE progress SET next_offset = 3 WHERE partition = 0", "progress: the database has"),
        ("INSERT INTO outbox (topic, headers) VALUES ('booking-events', '[]')", "not published: 1 rows"),
        ("UPDATE timer SET due_at = now() - interval '1 hour'", "not fired: 1 timers"),
        ("DELETE FROM timer", "timers: ('acc-north', ('booking', 'b-1'), 'complete')"),
        ("DELETE FROM aggregate", "the database lacks ('acc-north', ('booking', 'b-1'))"),
        ("UPDATE aggregate SET account_id = 'acc-south'", "the database lacks ('acc-south', ('booking', 'b-1'))"),
        ("UPDATE aggregate SET version = 3", "the database has ('acc-north', ('booking', 'b-1')) at (3,"),
        ("DELETE FROM group_member", "groups: {'account_id': 'acc-north', 'group_id': 'g'"),
    ],
)
async def test_damage_is_told(connection: Connection, damage: str, told: str) -> None:
    """Each kind of damage is found and named."""
    await connection.execute(damage)
    wrong = await ledger.check(connection, _verdict())
    assert any(text.startswith(told) for text in wrong), wrong
