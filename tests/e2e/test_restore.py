"""Disasters, and what operators do about them: PostgreSQL restored from an older backup, records lost in Kafka."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from service.partitioner import partition
from tests.e2e.broker import PARTITIONS
from tests.e2e.checker import EVENTS, Seen
from tests.e2e.process import Service, environment, run_to_end
from tests.e2e.stage import Stage, booking_command, create, open_location, stop, update
from tests.e2e.test_resync import create_visit, fold, stored
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)

LOST = "b-0"  # what is sent about it after the backup is gone from Kafka too


async def backup(stage: Stage, name: str) -> None:
    """Copies the database, which nobody uses at that moment."""
    await stage.connection.close()
    database = urlsplit(stage.database_url).path.removeprefix("/")
    server = await asyncpg.connect(urlunsplit(urlsplit(stage.database_url)._replace(path="/postgres")))
    try:
        await server.execute(f'CREATE DATABASE "{database}{name}" TEMPLATE "{database}"')
    finally:
        await server.close()
    stage.connection = await asyncpg.connect(stage.database_url)


@asynccontextmanager
async def restored_from(stage: Stage, name: str) -> AsyncIterator[Stage]:
    """The stage as of a backup, while everything else is as it is now; the copy is dropped afterwards."""
    parts = urlsplit(stage.database_url)
    url = urlunsplit(parts._replace(path=f"{parts.path}{name}"))
    connection = await asyncpg.connect(url)
    try:
        yield replace(stage, database_url=url, connection=connection)
    finally:
        await connection.close()
        await stage.connection.execute(f'DROP DATABASE "{parts.path.removeprefix("/")}{name}" WITH (FORCE)')


async def call(stage: Stage, *arguments: str) -> Any:
    """What a subcommand says as JSON."""
    ended = await asyncio.to_thread(run_to_end, environment(stage.broker, stage.database_url), *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


async def lose_records(stage: Stage, topic: str, number: int) -> None:
    """Deletes what lies in a partition, as its retention would."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.broker.bootstrap)
    await admin.start()
    try:
        place = TopicPartition(stage.broker.prefix + topic, number)
        await admin.delete_records({place: RecordsToDelete(-1)})
    finally:
        await admin.close()


async def told(service: Service, *words: str) -> None:
    """Waits until readiness names all these words in one problem."""

    async def found() -> bool:
        problems = await asyncio.to_thread(service.problems)
        return any(all(word in problem for word in words) for problem in problems)

    await until(found, 40)


def by_id(records: Sequence[Seen]) -> dict[str, list[tuple[object, ...]]]:
    """Key, value and headers of all records with one id, but for the sequence."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for one in records:
        headers = tuple(pair for pair in one.headers if pair[0] != "ce_sequence")
        found.setdefault(one.header("ce_id"), []).append((one.key, one.value, headers))
    return found


async def before_the_disaster(stage: Stage) -> None:
    """Commands, a backup, and commands that come after it; those about one booking are then gone from Kafka."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send([*(create(f"b-{n}") for n in range(8)), create_visit("v-1")])
        await stage.settle()
        assert await stop(service) == 0, service.tail()
        await backup(stage, "_backup")
        service.start()
        await service.ready()
        cancel = booking_command("state-action", "b-1", "cancel-b-1", {"action": "cancel"})
        changes = [update(f"b-{n}", f"u-{n}-{m}", notes=f"{m}") for n in range(8) for m in range(2)]
        await stage.send([*changes, cancel, create("b-8"), create("b-9", ends_at="1999-01-01T00:00:00Z")])
        await stage.settle()
        assert await stop(service) == 0, service.tail()
    await lose_records(stage, "booking-commands", partition(LOST.encode(), PARTITIONS))


async def after_the_restore(stage: Stage) -> None:
    """The service goes back to the offsets of the backup; where the log has lost what comes next, it says so."""
    with stage.service() as service:
        name = f"booking-commands/{partition(LOST.encode(), PARTITIONS)}"
        await told(service, f"bookstream positions set {name} --to earliest", "offsets are gone")
        (moved,) = await call(stage, "positions", "set", name, "--to", "earliest", "--yes")
        assert f"{moved['topic']}/{moved['partition']}" == name
        await service.ready()
        await stage.settle()
        await stage.send([update(LOST, "u-after", comment="after")])
        await stage.settle()
        assert all(each["problem"] is None for each in await call(stage, "positions", "list"))
        assert await stop(service) == 0, service.tail()


async def test_restored_from_a_backup(stage: Stage) -> None:
    """In a new epoch consumers take what is applied again by their usual rule, and a resync settles the rest."""
    await before_the_disaster(stage)
    published = await stage.broker.read(EVENTS)
    async with restored_from(stage, "_backup") as after:
        begun = await call(after, "restored", "--yes")
        assert (begun["epoch"], begun["before"], begun["published"]) == (1, 0, 0)
        assert begun["events"] == len(published)
        await after_the_restore(after)
        events = await stage.broker.read(EVENTS)
        again = [one for one in events if one.header("ce_sequence").startswith("0001")]
        assert {one.header("ce_sequence")[:4] for one in events} == {"0000", "0001"}
        assert all(len(set(same)) == 1 for same in by_id(events).values()), "the same command, the same bytes"
        assert {one.key for one in again} >= {LOST.encode()}
        held = await stored(after)
        assert held["booking", LOST][0] == 2, "the backup had version 1, and the changes before the disaster are lost"
        assert fold(events)[0]["booking", LOST] == held["booking", LOST]
        with after.service() as service:
            await service.ready()
            await call(after, "resync")
            await after.settle()
            assert await stop(service) == 0, service.tail()
        assert fold(await stage.broker.read(EVENTS))[0] == held
        # The backup knows of no restore, the topics do.
        await after.connection.execute("DELETE FROM epoch WHERE epoch > 0")
        begun = await call(after, "restored", "--yes")
        assert (begun["epoch"], begun["before"], begun["published"]) == (2, 0, 1)


async def test_restored_and_nobody_said_so(stage: Stage) -> None:
    """Repeats are recognised by their ids and bytes, but what can't be applied again leaves consumers behind."""
    await before_the_disaster(stage)
    before = by_id(await stage.broker.read(EVENTS))
    async with restored_from(stage, "_backup") as after:
        await after_the_restore(after)
        events = await stage.broker.read(EVENTS)
        assert {one.header("ce_sequence")[:4] for one in events} == {"0000"}
        assert all(len(set(same)) == 1 for same in by_id(events).values())
        new = by_id(events).keys() - before.keys()
        held, seen = await stored(after), fold(events)[0]
    (change,) = [one for one in events if one.header("ce_id") in new]
    assert change.key == LOST.encode()
    # This is what the new epoch is for: the consumer has seen a version 3 and drops this version 2.
    assert (held["booking", LOST][0], seen["booking", LOST][0]) == (2, 3)
    assert held["booking", LOST][1]["comment"] == "after"
    assert seen["booking", LOST][1]["comment"] is None
    others = held.keys() - {("booking", f"b-{n}") for n in range(10) if same_partition(f"b-{n}")}
    assert {key: seen[key] for key in others} == {key: held[key] for key in others}


def same_partition(booking_id: str) -> bool:
    """Whether the commands of a booking lay where records were lost."""
    return partition(booking_id.encode(), PARTITIONS) == partition(LOST.encode(), PARTITIONS)
