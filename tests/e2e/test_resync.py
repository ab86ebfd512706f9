"""A consumer that starts late, or lost its store, rebuilds everything from snapshots and later changes."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from schemas import BookingSnapshotMessage, SequenceFilter, VisitSnapshotMessage, event
from tests.cli.command_line import finished
from tests.e2e.broker import PARTITIONS, Sent, headers
from tests.e2e.checker import EVENTS, Seen
from tests.e2e.process import environment
from tests.e2e.stage import ACCOUNT, LOCATION, Stage, create, open_location, stop, update
from tests.support.wait import until

pytestmark = pytest.mark.timeout(150)

BOOKINGS = [f"b-{number}" for number in range(300)]
VISITS = [f"v-{number}" for number in range(60)]
Fold = dict[tuple[str, str], tuple[int, dict[str, Any]]]


def create_visit(visit_id: str) -> Sent:
    """The command that makes a visit."""
    data = {"account_id": ACCOUNT, "visit_id": visit_id, "location_id": LOCATION, "customer_id": "c-1", "visit": {}}
    return Sent("visit-commands", visit_id.encode(), json.dumps(data).encode(), headers(visit_id, "create-visit"))


def fold(records: Iterable[Seen]) -> tuple[Fold, int]:
    """What a consumer derives with the helpers of the contract; and how many snapshots it met."""
    known, state, snapshots = SequenceFilter(), Fold(), 0
    for record in sorted(records, key=lambda one: (one.topic, one.partition, one.offset)):
        found = event(record.headers, record.value or b"")
        snapshots += isinstance(found, BookingSnapshotMessage | VisitSnapshotMessage)
        if known.is_new(record.headers, found):
            body = record.body
            kind = "booking" if "booking" in body else "visit"
            state[kind, body[f"{kind}_id"]] = body["version"], body[kind]
            known.done(record.headers, found)
    return state, snapshots


def out_of_order(records: Iterable[Seen]) -> list[str]:
    """Snapshots that do not stand right behind the change which they show."""
    wrong, last = [], dict[bytes | None, str]()
    for record in sorted(records, key=lambda one: (one.topic, one.partition, one.offset)):
        sequence = record.header("ce_sequence")
        if record.header("ce_type").endswith("-snapshot") and sequence != last.get(record.key, sequence):
            wrong.append(f"{record.key!r}: {sequence} after {last[record.key]}")
        last[record.key] = sequence
    return wrong


async def stored(stage: Stage) -> Fold:
    """What the database holds."""
    rows = await stage.connection.fetch("SELECT * FROM aggregate WHERE kind <> 'location'")
    return {(row["kind"], row["aggregate_id"]): (row["version"], orjson.loads(row["state"])) for row in rows}


async def ends(stage: Stage) -> Mapping[tuple[str, int], int]:
    """Where a consumer begins that starts now."""
    found = {(topic, number): 0 for topic in EVENTS for number in range(PARTITIONS)}
    for record in await stage.broker.read(EVENTS):
        found[record.topic, record.partition] = max(found[record.topic, record.partition], record.offset + 1)
    return found


@asynccontextmanager
async def changing(stage: Stage) -> AsyncIterator[None]:
    """Commands on the same bookings, all the time."""
    dice, ending = random.Random(5), asyncio.Event()  # noqa: S311

    async def change() -> None:
        number = 0
        while not ending.is_set():
            number += 1
            chosen = dice.sample(BOOKINGS, 40)
            await stage.send(update(booking, f"u-{number}-{booking}", notes=f"{number}") for booking in chosen)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(change())
    try:
        yield
    finally:
        ending.set()
        await task


async def run(stage: Stage, *arguments: str, interrupt: Awaitable[object] | None = None) -> tuple[int, str, str]:
    """Runs `bookstream resync` as a process of its own."""
    settings = environment(stage.broker, stage.database_url)
    return await finished(settings, ["resync", *arguments], interrupt=interrupt)


async def under_way(stage: Stage) -> bool:
    """Whether a good part of the snapshots has been written."""
    return bool(await stage.connection.fetchval("SELECT published >= 60 FROM resync"))


async def test_a_late_consumer_has_everything(stage: Stage) -> None:
    """Snapshots and later changes fold to what the database holds, while commands keep changing the same bookings.

    The resync is interrupted once and gone on with; each aggregate has one snapshot, in order with its changes.
    """
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send([*map(create, BOOKINGS), *map(create_visit, VISITS)])
        await stage.settle()
        start = await ends(stage)
        async with changing(stage):
            code, _, said = await run(stage, "--rate", "100/s", interrupt=until(lambda: under_way(stage)))
            assert (code, "--resume" in said) == (1, True), said
            code, out, said = await run(stage, "--resume", "--rate", "400/s", "--json")
            assert code == 0, said
        await stage.settle()
        assert await stop(service) == 0, service.tail()
    everything = await stage.broker.read(EVENTS)
    late = [record for record in everything if record.offset >= start[record.topic, record.partition]]
    state, snapshots = fold(late)
    assert state == await stored(stage)
    assert snapshots == len(BOOKINGS) + len(VISITS) == json.loads(out)["published"]
    assert out_of_order(everything) == []
    changed = sum(record.header("ce_type").endswith("-changed") for record in late)
    assert changed > 500, "the bookings changed meanwhile"
    assert fold(everything)[0] == state, "whoever has read from the beginning has the same"


async def test_a_consumer_that_was_there_keeps_what_it_has(stage: Stage) -> None:
    """A resync of what did not change leaves a consumer's state as it was, and the next change comes through."""
    with stage.service() as service:
        await service.ready()
        await open_location(stage)
        await stage.send([create("b-1"), update("b-1", "u-1", notes="x")])
        await stage.settle()
        before, _ = fold(await stage.broker.read(EVENTS))
        code, _, said = await run(stage, "--account", ACCOUNT, "--kind", "booking")
        assert code == 0, said
        await stage.settle()
        between, snapshots = fold(await stage.broker.read(EVENTS))
        assert (between, snapshots) == (before, 1)
        await stage.send([update("b-1", "u-2", notes="y")])
        await stage.settle()
        after, _ = fold(await stage.broker.read(EVENTS))
        assert after == await stored(stage) != before
        assert await stop(service) == 0, service.tail()
