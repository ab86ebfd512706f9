"""Commands that make every counter of the service move."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaProducer

from service.partitioner import partition
from tests.e2e.broker import PARTITIONS, Sent, headers
from tests.e2e.stage import ACCOUNT, LOCATION, Stage, booking_command, create, update
from tests.support.wait import until

_PAST: Final = {"starts_at": "2020-01-01T12:00:00Z", "ends_at": "2020-01-01T13:00:00Z"}
_LONG_AGO: Final = """
INSERT INTO inbox (account_id, command_key, content_hash, outcome, decided_at)
VALUES ('acc-1', 'long ago', 'x', 'x', now() - interval '1 year')
"""
_WAITING: Final = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> ALL($1::int[])
"""


async def remember_too_long(stage: Stage) -> None:
    """Leaves something to forget; before the clock starts, since it looks but once a minute."""
    await stage.connection.execute(_LONG_AGO)


async def wave(stage: Stage, number: int) -> None:
    """Commands of each outcome: a timer that is due, a group, refusals, repeats, and records that are no commands."""
    first, second, past = (f"b-{number}-{name}" for name in ("one", "two", "past"))
    group: dict[str, Any] = {"location_id": LOCATION, "graph": "instant", "bulk_id": f"g-{number}"}
    made = [create(past, **_PAST), *(_create(name, group) for name in (first, second)), _visit(f"v-{number}")]
    await stage.send(made)
    changes = list(_changes(number, first))
    await stage.send([*changes, changes[0], Sent("booking-commands", first.encode(), b"no json", changes[0].headers)])
    await _astray(stage, update(first, f"astray-{number}", notes="elsewhere"))


def _create(booking_id: str, data: dict[str, Any]) -> Sent:
    times = {"starts_at": "2099-12-24T18:00:00Z", "ends_at": "2099-12-24T20:00:00Z"}
    return booking_command("create-booking", booking_id, f"create-{booking_id}", {**data, "booking": times})


def _visit(visit_id: str) -> Sent:
    data = f'{{"account_id": "{ACCOUNT}", "visit_id": "{visit_id}", "location_id": "{LOCATION}", "customer_id": "c-1"}}'
    return Sent("visit-commands", visit_id.encode(), data.encode(), headers(f"create-{visit_id}", "create-visit"))


def _changes(number: int, booking_id: str) -> Iterator[Sent]:
    for again in range(2):
        # The second changes nothing.
        yield update(booking_id, f"change-{number}-{again}", notes=f"wave {number}")
    dry = {"patch": {"notes": "dry"}, "validate_only": True}
    yield booking_command("update-booking", booking_id, f"dry-{number}", dry)
    yield booking_command("state-action", booking_id, f"cancel-{number}", {"action": "cancel"})
    yield update("nobody", f"nobody-{number}", notes="x")


async def _astray(stage: Stage, record: Sent) -> None:
    """Sends a record to another partition than the one that its key names."""
    assert record.key is not None
    wrong = (partition(record.key, PARTITIONS) + 1) % PARTITIONS
    async with AIOKafkaProducer(bootstrap_servers=stage.broker.bootstrap) as producer:
        topic = stage.broker.prefix + record.topic
        await producer.send_and_wait(topic, record.value, record.key, wrong, headers=list(record.headers))
    stage.sent += 1


async def lose_a_race(stage: Stage) -> None:
    """Makes a batch lose first its session, and then a race against another transaction."""
    await stage.send([create("b-raced")])
    await stage.settle()
    rival = await asyncpg.connect(stage.database_url)
    try:
        async with rival.transaction():
            await rival.execute("UPDATE aggregate SET version = version + 1 WHERE aggregate_id = 'b-raced'")
            await stage.send([update("b-raced", "raced", notes="x")])
            first = await _blocked(stage.connection, [])
            await stage.connection.execute("SELECT pg_terminate_backend($1)", first)
            await _blocked(stage.connection, [first])
    finally:
        await rival.close()


async def _blocked(connection: "asyncpg.Connection[asyncpg.Record]", but: list[int]) -> int:
    """The session that waits for a lock, once there is one."""

    async def waiting() -> int | None:
        found: int | None = await connection.fetchval(_WAITING, but)
        return found

    pid = await until(waiting)
    assert pid is not None
    return pid


async def keep_going(stage: Stage, enough: asyncio.Event) -> None:
    """Sends one wave after the other: rates need traffic for as long as somebody looks at them."""
    numbers = count()
    while not enough.is_set():
        await wave(stage, next(numbers))
        await stage.settle()
