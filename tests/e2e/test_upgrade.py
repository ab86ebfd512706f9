"""An update as it rolls: the database is brought to this version while the first release still works on it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.e2e.process import Service, environment, run_to_end
from tests.e2e.stage import Stage, create, open_location, staged, stop, update, versions
from tests.support.released import first_release, unpack

pytestmark = pytest.mark.timeout(240)

BOOKINGS = [f"b-{number}" for number in range(12)]


@pytest.fixture
def released_code(tmp_path: Path) -> Path:
    """Folder with the code of the first release."""
    folder = tmp_path / "released"
    unpack(first_release(), folder)
    return folder


async def test_both_versions_work_on_one_database(
    kafka: str, topic_prefix: str, empty_database_url: str, tmp_path: Path, released_code: Path
) -> None:
    """Before, during and after the migration, with either process or both, every change is made once and published."""
    async with staged(kafka, topic_prefix, empty_database_url, tmp_path) as stage:
        theirs = environment(stage.broker, empty_database_url, PYTHONPATH=str(released_code))
        ours = environment(stage.broker, empty_database_url)
        migrated = await asyncio.to_thread(run_to_end, theirs, "migrate")
        assert migrated.returncode == 0, migrated.stderr
        old, new = (Service(settings, tmp_path, "worker,relay,clock") for settings in (theirs, ours))
        with old:
            await old.ready()
            await open_location(stage)
            await stage.send(create(booking) for booking in BOOKINGS)
            updating = asyncio.create_task(_updates(stage, 0, 20))
            upgraded = await asyncio.to_thread(run_to_end, ours, "migrate", "--json")
            assert upgraded.returncode == 0, upgraded.stderr
            assert "0006_inbox_age.sql" in json.loads(upgraded.stdout)["applied"]
            await updating
            await stage.settle()
            with new:
                await new.ready()
                await _updates(stage, 20, 40)
                await stage.settle()
                assert await stop(old) == 0, old.tail()
                await _updates(stage, 40, 50)
                await stage.settle()
                assert await stop(new) == 0, new.tail()
    assert versions(await stage.events()) == {booking: list(range(1, 52)) for booking in BOOKINGS}
    outcomes = {body["outcome"] for body in (await stage.results()).values() if "outcome" in body}
    assert "rejected" not in outcomes


async def _updates(stage: Stage, first: int, last: int) -> None:
    for number in range(first, last):
        await stage.send(update(booking, f"u-{number}-{booking}", notes=f"{number}") for booking in BOOKINGS)
