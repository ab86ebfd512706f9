"""Whether a system did its work: every command one event, versions without gaps and in order, nothing else."""

from collections.abc import Collection, Mapping
from typing import Any

import orjson

from tests.benchmarks.servers import Counter
from tests.benchmarks.systems import System
from tests.benchmarks.workload import FIELDS


class WrongResult(Exception):
    """A system that is wrong is not worth a figure."""


async def check(system: System, counter: Counter, ids: Collection[str], created: int) -> int:
    """Read all events and return how many were checked; raises WrongResult.

    Bookings begin at version `created`: 1 where their creation was an event too, else 2.
    """
    waiting = set(ids)
    if len(waiting) != len(ids):
        raise WrongResult("the workload repeats ids")
    versions: dict[str, int] = {}
    count = 0
    async for record in system.servers.read(system.prefix + "booking-events"):
        event = orjson.loads(record.value or b"null")
        booking_id, command_id = event["booking_id"], event["command_id"]
        expected = versions.get(booking_id, created - 1) + 1
        _check_event(event, (record.key or b"").decode(), expected)
        if command_id not in waiting:
            raise WrongResult(f"{system.name}: command {command_id} has two events, or was never sent")
        versions[booking_id] = expected
        waiting.remove(command_id)
        count += 1
    if waiting:
        raise WrongResult(f"{system.name}: {len(waiting)} commands have no event")
    for topic in ("command-results", "commands-dlq"):
        strays = await counter.count(system.prefix + topic)
        if strays:
            raise WrongResult(f"{system.name}: {strays} records on {topic}")
    return count


def _check_event(event: Mapping[str, Any], key: str, expected: int) -> None:
    booking_id, version = event["booking_id"], event["version"]
    if version != expected:
        raise WrongResult(f"{booking_id} has version {version} where {expected} is due")
    if key != booking_id:
        raise WrongResult(f"the event of {booking_id} has the key {key}")
    if version > 1 and len(event["changes"]) != FIELDS:
        raise WrongResult(f"version {version} of {booking_id} changed {sorted(event['changes'])}")
