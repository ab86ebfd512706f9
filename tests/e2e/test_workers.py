"""Several worker processes of one `bookstream run`: one to start, to ask, to stop and to lose."""

import asyncio
import os
import signal

import pytest

from service.telemetry import names
from service.topics import CONSUMED_TOPICS
from tests.e2e.broker import PARTITIONS
from tests.e2e.crewed import WORKERS, Crewed
from tests.e2e.process import STOP_SECONDS, environment
from tests.e2e.stage import Stage, create, open_location, stop, update, versions
from tests.support.wait import until
from tests.telemetry.scrape import scrape, scrape_until

pytestmark = pytest.mark.timeout(150)

BOOKINGS = [f"b-{number}" for number in range(40)]


@pytest.fixture
def service(stage: Stage) -> Crewed:
    """A service that is not started yet."""
    return Crewed(environment(stage.broker, stage.database_url), stage.directory)


async def test_several_workers_are_one_service(stage: Stage, service: Crewed) -> None:
    """They share the partitions, are asked as one, drain together and leave nothing undone."""
    with service:
        await service.ready()
        others = service.others()
        assert len(others) == WORKERS - 1
        await open_location(stage)
        await stage.send(create(booking) for booking in BOOKINGS)
        await stage.send(
            update(booking, f"u-{number}-{booking}", notes=f"{number}") for number in range(20) for booking in BOOKINGS
        )
        await stage.settle()
        all_moving = len(CONSUMED_TOPICS) * PARTITIONS
        found = await scrape_until(
            service, lambda one: one.value(names.CONSUMER_PARTITIONS, state="moving") == all_moving
        )
        assert found.value(names.COMMANDS) == stage.sent
        assert found.value(names.COMMAND_LATENCY) == stage.sent
        assert found.value(names.RELAY_PUBLISHED, topic="booking-events") == stage.sent - 1
        assert found.value(names.RELAY_OWNER) == 1
        assert found.value(names.DEPENDENCY_UP, dependency="kafka") == 1
        assert found.value(names.DATABASE_POOL) == 4 * WORKERS
        resident = sum(process.memory_info().rss for process in others)
        assert found.samples["process_resident_memory_bytes", ()] > resident
        assert await stop(service) == 0, service.tail()
        assert not any(process.is_running() for process in others)
    events = await stage.events()
    assert versions(events) == {booking: list(range(1, 22)) for booking in BOOKINGS}
    assert "Traceback" not in service.log.read_text()


async def test_a_worker_process_that_stands_still_or_ends_is_told(stage: Stage, service: Crewed) -> None:
    """The probes name one that does not answer; when one is killed the others drain, and the exit code tells it."""
    with service:
        await service.ready()
        assert await asyncio.to_thread(service.get, "/livez") == (200, '{"status": "pass", "problems": []}')
        first, *rest = service.others()
        first.suspend()
        assert await asyncio.to_thread(service.problems) == ["worker process 2: does not answer"]
        status, _ = await asyncio.to_thread(service.get, "/livez")
        assert status == 503
        assert (await scrape(service)).value(names.RELAY_OWNER) == 1
        first.resume()
        await service.ready()
        first.kill()
        await until(lambda: service._running.exit_code is not None, STOP_SECONDS)
        assert service._running.exit_code == 1
        assert not any(process.is_running() for process in rest)
        assert "error: worker process 2 ended with -9" in service.tail()


async def test_no_worker_process_outlives_the_first(service: Crewed) -> None:
    """When the first process is killed the others end by themselves, one that stands still too."""
    with service:
        await service.ready()
        others = service.others()
        others[0].suspend()
        os.kill(service._running.pid, signal.SIGKILL)
        await until(lambda: not any(process.is_running() for process in others), 5)
