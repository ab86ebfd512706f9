"""A process of the service from its start to its orderly end, alone and beside others."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.e2e.stage import Stage, create, open_location, stop, update, versions
from tests.support.wait import until

pytestmark = pytest.mark.timeout(150)

BOOKINGS = [f"b-{number}" for number in range(40)]


async def test_sigterm_drains(stage: Stage) -> None:
    """What was taken is finished and published, the exit code is 0, and the next process begins right after it."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send(create(booking) for booking in BOOKINGS)
        await stage.send(
            update(booking, f"u-{number}-{booking}", notes=f"{number}") for number in range(50) for booking in BOOKINGS
        )
        await stage.consumed(len(BOOKINGS) * 10)
        assert await stop(service) == 0, service.tail()
        consumed = await stage.connection.fetchval("SELECT sum(next_offset) FROM progress")
        remembered = await stage.connection.fetchval("SELECT count(*) FROM inbox")
        assert remembered == consumed, "every record of a clean stop was decided once"
        assert await stage.connection.fetchval("SELECT count(*) FROM outbox") == 0
        assert len(await stage.events()) == consumed - 1
        service.start()
        await service.ready()
        await stage.settle()
        assert await stop(service) == 0, service.tail()
    events = await stage.events()
    assert len({record.header("ce_id") for record in events}) == len(events), "nothing was delivered again"
    assert versions(events) == {booking: list(range(1, 52)) for booking in BOOKINGS}
    assert "Traceback" not in service.log.read_text()


async def test_roles_apart(stage: Stage) -> None:
    """Worker, relay and clock as three processes do what one does: a booking completes by itself."""
    services = [stage.service(role) for role in ("worker", "relay", "clock")]
    worker, relay, clock = services
    with worker, relay, clock:
        await asyncio.gather(*(service.ready() for service in services))
        await open_location(stage)
        await stage.send([create("b-1", starts_at="2020-01-01T12:00:00Z", ends_at="2020-01-01T13:00:00Z")])
        # Its timer is due at once, and becomes a third command.
        await stage.consumed(stage.sent + 1)
        stage.sent += 1
        await stage.settle()
        codes = [await stop(service) for service in services]
    assert codes == [0, 0, 0]
    events = [record.body for record in await stage.events()]
    assert [(event["version"], event["action"], event["actor"]) for event in events] == [
        (1, "create", "external"),
        (2, "complete", "system"),
    ]


async def test_without_a_relay_nothing_is_published_and_nothing_is_lost(stage: Stage) -> None:
    """A worker alone fills the outbox; a relay that comes later empties it in order."""
    worker, relay = stage.service("worker"), stage.service("relay")
    with worker:
        await worker.ready()
        await stage.send([create("b-1"), update("b-1", "u-1", notes="x")])
        await stage.consumed(2)
        assert await stop(worker) == 0
    assert await stage.connection.fetchval("SELECT count(*) FROM outbox") == 2
    assert await stage.results() == {}
    with relay:
        await relay.ready()
        await stage.settle()
        assert await stop(relay) == 0
    assert {command: body["detail"] for command, body in (await stage.results()).items()} == {
        "create-b-1": "location",
        "u-1": "booking",
    }


async def test_two_workers_share_the_partitions(stage: Stage) -> None:
    """Both take part, one may be killed, and every booking's versions stay gapless and in order."""
    first, second = stage.service("worker,relay"), stage.service("worker,relay")
    with first, second:
        await asyncio.gather(first.ready(), second.ready())
        await open_location(stage)
        await stage.send(create(booking) for booking in BOOKINGS)
        rounds = [[update(one, f"u-{number}-{one}", notes=f"{number}") for one in BOOKINGS] for number in range(50)]
        await stage.send(record for group in rounds[:25] for record in group)
        await stage.settle()
        await until(lambda: _share(stage))
        await stage.send(record for group in rounds[25:] for record in group)
        await asyncio.to_thread(first.kill)
        await stage.settle()
        assert await stop(second) == 0, second.tail()
    seen = versions(await stage.events())
    assert {booking: sorted(set(found)) for booking, found in seen.items()} == {
        booking: list(range(1, 52)) for booking in BOOKINGS
    }
    first_seen = {booking: list(dict.fromkeys(found)) for booking, found in seen.items()}
    assert all(found == sorted(found) for found in first_seen.values())


async def _share(stage: Stage) -> bool:
    """Whether the group has two members, each with partitions of its own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.broker.bootstrap)
    await admin.start()
    try:
        described = await admin.describe_consumer_groups([f"{stage.broker.prefix}bookstream"])
    finally:
        await admin.close()
    assignments = [member[4] for member in described[0].groups[0][5]]
    return len(assignments) == 2 and all(assignments)
