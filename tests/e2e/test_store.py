"""The check of the database notices what is missing, what waits and what differs."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.e2e.checker import Seen
from tests.e2e.model import Applied, Expected
from tests.e2e.store import check_store

SNAPSHOT = {"notes": "x", "state": "registered"}
SEEN = [
    Seen("booking-events", 0, version - 1, b"b-1", (), json.dumps(body).encode())
    for version, body in enumerate(
        (
            {"booking_id": "b-1", "version": 1, "booking": {**SNAPSHOT, "notes": "w"}},
            {"booking_id": "b-1", "version": 2, "booking": SNAPSHOT},
        ),
        1,
    )
]
SOUND = """
INSERT INTO inbox (account_id, command_key, content_hash, outcome)
    SELECT 'acc-1', number::text::bytea, '', '' FROM generate_series(1, 3) AS number;
INSERT INTO progress (topic, partition, next_offset) VALUES ('booking-commands', 0, 3), ('internal-commands', 1, 1);
"""


@pytest.fixture
def expected() -> Expected:
    """Two commands in three records, beside the location's."""
    outcomes = {f"c-{version}": Applied(("booking", "b-1"), version, {}) for version in (1, 2)}
    return Expected("acc-1", dict(outcomes), records=3)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A database in which everything is as it should be."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(SOUND)
    columns = "account_id, kind, aggregate_id, version, state"
    row = ("acc-1", "booking", "b-1", 2, json.dumps(SNAPSHOT).encode())
    await connection.execute(f"INSERT INTO aggregate ({columns}) VALUES ($1, $2, $3, $4, $5)", *row)  # noqa: S608
    yield connection
    await connection.close()


async def test_a_sound_database_passes(connection: "asyncpg.Connection[asyncpg.Record]", expected: Expected) -> None:
    """Nothing is reported where the state is that of the last event and nothing waits."""
    assert await check_store(connection, expected, SEEN, configured=1) == []


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM inbox WHERE command_key = '1'::bytea", "the inbox remembers 2 commands, sent were 3"),
        ("UPDATE progress SET next_offset = 2 WHERE partition = 0", "consumed were 3 records, sent were 4"),
        ("INSERT INTO outbox (topic, headers) VALUES ('booking-events', '[]')", "1 rows wait in the outbox"),
        ("DELETE FROM aggregate", "aggregates without events, or the reverse"),
        ("UPDATE aggregate SET aggregate_id = 'b-2'", "aggregates without events, or the reverse"),
        ("UPDATE aggregate SET version = 3", "the database has b-1 at (3,"),
        ('UPDATE aggregate SET state = \'{"notes": "w"}\'', "the database has b-1 at (2, {'notes': 'w'}"),
    ],
)
async def test_damage_is_told(
    connection: "asyncpg.Connection[asyncpg.Record]", expected: Expected, damage: str, told: str
) -> None:
    """Each kind of damage is found and named."""
    await connection.execute(damage)
    wrong = await check_store(connection, expected, SEEN, configured=1)
    assert any(text.startswith(told) for text in wrong), wrong
