"""Databases that released versions have written: each is brought to this version, and its rows live on."""

from pathlib import Path

import asyncpg
import orjson
import pytest

from service.store.migrate import migrate, shipped
from tests.handle.harness import Bench, graphs
from tests.support.records import record, update

DUMPS = sorted((Path(__file__).parent / "data").glob("*.sql"))
LEDGER = "SELECT name FROM schema_migration ORDER BY name"
STATES = "SELECT account_id, aggregate_id, version, state FROM aggregate WHERE kind = 'booking' ORDER BY 1, 2"


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
async def released_url(request: pytest.FixtureRequest, empty_database_url: str) -> str:
    """A database as a released version left it."""
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(request.param.read_text(encoding="utf-8"))
    await connection.close()
    return empty_database_url


async def test_a_released_database_is_brought_to_this_version(released_url: str) -> None:
    """What it lacks is applied; a migration that was edited since its release would be refused here."""
    connection = await asyncpg.connect(released_url)
    before = [row["name"] for row in await connection.fetch(LEDGER)]
    applied = await migrate(released_url)
    assert [*before, *applied] == [migration.name for migration in shipped()]
    await connection.close()


async def test_its_rows_live_on(released_url: str) -> None:
    """A booking of the release is changed by this version: the next version, the same members, the change."""
    await migrate(released_url)
    async with asyncpg.create_pool(released_url, min_size=0, max_size=2) as pool:
        found = [(*row[:3], orjson.loads(row["state"])) for row in await pool.fetch(STATES)]
        account_id, booking_id, version, state = next(row for row in found if row[3]["state"] == "registered")
        bench = Bench(pool, graphs())
        bench.read_up_to = await pool.fetchval("SELECT coalesce(max(seq), 0) FROM outbox")
        data = {**update(booking_id, patch={"notes": "upgraded"}), "account_id": account_id}
        await pool.execute("DELETE FROM progress")
        event = await bench.one(record("update-booking", data, topic="internal-commands"))
    assert event.value["version"] == version + 1
    assert event.value["changes"] == {"notes": [state["notes"], "upgraded"]}
    kept = {name: value for name, value in event.value["booking"].items() if name not in ("notes", "updated_at")}
    assert kept == {name: value for name, value in state.items() if name not in ("notes", "updated_at")}
