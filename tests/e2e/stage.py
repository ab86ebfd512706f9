"""What the tests of this folder begin with: topics, a location, bookings; and what they wait for."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tests.e2e.broker import Broker, Sent, configure, headers
from tests.e2e.checker import RESULTS, Seen
from tests.e2e.process import Service, environment
from tests.e2e.store import is_settled, progress
from tests.support.wait import until

ACCOUNT = "acc-1"
LOCATION = "oslo"
SETTLED_SECONDS = 40.0
_TIMES = {"starts_at": "2099-12-24T18:00:00Z", "ends_at": "2099-12-24T20:00:00Z"}


@dataclass(slots=True)
class Stage:
    """A broker with topics, a database, and how many records were sent so far."""

    broker: Broker
    database_url: str
    connection: "asyncpg.Connection[asyncpg.Record]"
    directory: Path
    sent: int = 0

    def service(self, roles: str = "worker,relay,clock") -> Service:
        """A process of the service that is not started yet."""
        return Service(environment(self.broker, self.database_url), self.directory, roles)

    async def send(self, records: Iterable[Sent]) -> None:
        """Sends records and counts them."""
        wanted = list(records)
        self.sent += len(wanted)
        await self.broker.send(wanted)

    async def settle(self) -> None:
        """Waits until everything that was sent is consumed, and everything that follows is published."""
        await until(lambda: is_settled(self.connection, self.sent), SETTLED_SECONDS)

    async def consumed(self, records: int) -> None:
        """Waits until so many records are consumed."""

        async def enough() -> bool:
            return await progress(self.connection) >= records

        await until(enough, SETTLED_SECONDS)

    async def events(self) -> list[Seen]:
        """Change events of bookings, by aggregate and in order."""
        return await self.broker.read(["booking-events"])

    async def results(self) -> dict[str, dict[str, Any]]:
        """Bodies of the results, by command."""
        return {record.body["command_id"]: record.body for record in await self.broker.read([RESULTS])}


@asynccontextmanager
async def staged(bootstrap: str, prefix: str, database_url: str, directory: Path) -> AsyncIterator[Stage]:
    """Makes the topics; nothing runs yet, and a location waits to be configured."""
    broker = Broker(bootstrap, prefix)
    await broker.make_topics()
    stage = Stage(broker, database_url, await asyncpg.connect(database_url), directory)
    try:
        yield stage
    finally:
        await stage.connection.close()


async def open_location(stage: Stage) -> None:
    """Configures the location and waits for it, since between channels there is no order."""
    await stage.send([configure(ACCOUNT, LOCATION)])
    await stage.settle()


def create(booking_id: str, **members: Any) -> Sent:
    """The command that makes a booking."""
    data = {"location_id": LOCATION, "graph": "instant", "booking": {**_TIMES, **members}}
    return booking_command("create-booking", booking_id, f"create-{booking_id}", data)


def update(booking_id: str, command_id: str, **patch: Any) -> Sent:
    """The command that changes a booking."""
    return booking_command("update-booking", booking_id, command_id, {"patch": patch})


def booking_command(name: str, booking_id: str, command_id: str, data: dict[str, Any]) -> Sent:
    """Any command about a booking, from outside."""
    value = json.dumps({"account_id": ACCOUNT, "booking_id": booking_id, **data}).encode()
    return Sent("booking-commands", booking_id.encode(), value, headers(command_id, name))


def versions(events: Iterable[Seen]) -> dict[str, list[int]]:
    """The versions on the topic, for each booking in the order of its partition."""
    found: dict[str, list[int]] = {}
    for record in sorted(events, key=lambda one: (one.partition, one.offset)):
        found.setdefault(record.body["booking_id"], []).append(record.body["version"])
    return found


async def stop(service: Service) -> int | None:
    """Drains a process and gives its exit code."""
    return await asyncio.to_thread(service.stop)
