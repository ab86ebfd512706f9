"""What a rolling update of three workers does to the flow: `python -m tests.benchmarks.rollout KAFKA DATABASE_URL`.

Both servers are to be empty. Bookings come in at a steady pace meanwhile; for each way of rolling, it prints how often
the group rebalanced, the longest time without any event, and the longest time that any command waited for its event.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from service.store.migrate import migrate
from tests.e2e import broker as e2e_broker
from tests.e2e.broker import Broker
from tests.e2e.process import Service, environment
from tests.e2e.stage import Stage, create, open_location, staged, stop
from tests.kafka.harness import consume_all

WORKERS: Final = 3
PER_SECOND: Final = 40
# `minReadySeconds` of the Deployment.
SETTLED_SECONDS: Final = 15
GENERATION: Final = re.compile(r"Joined group .*? \(generation (\d+)\)")

Roll = Callable[[Stage, list[Service]], Awaitable[list[Service]]]


def worker(stage: Stage, instance: str = "") -> Service:
    """A worker that is not started yet."""
    settings = environment(stage.broker, stage.database_url, BOOKSTREAM_GROUP_INSTANCE_ID=instance)
    return Service(settings, stage.directory, "worker")


async def surge(stage: Stage, old: list[Service]) -> list[Service]:
    """All new ones come, then all old ones go."""
    new = [worker(stage) for _ in old]
    for service in new:
        service.start()
    await asyncio.gather(*(service.ready() for service in new))
    await asyncio.sleep(SETTLED_SECONDS)
    await asyncio.gather(*(stop(service) for service in old))
    return new


async def one_by_one(stage: Stage, old: list[Service]) -> list[Service]:
    """A new one comes, then an old one goes, and so on."""
    new = []
    for service in old:
        new.append(worker(stage))
        new[-1].start()
        await new[-1].ready()
        await asyncio.sleep(SETTLED_SECONDS)
        await stop(service)
    return new


async def in_place(stage: Stage, old: list[Service]) -> list[Service]:
    """Each goes and comes back under its name."""
    for service in old:
        await stop(service)
        service.start()
        await service.ready()
        await asyncio.sleep(SETTLED_SECONDS)
    return old


async def measure(kafka: str, url: str, name: str, roll: Roll, instances: Sequence[str]) -> None:
    """Rolls once under load and prints what it cost."""
    with tempfile.TemporaryDirectory() as directory:
        async with staged(kafka, f"{name}.", url, Path(directory)) as stage:
            await stage.connection.execute("TRUNCATE progress, inbox, aggregate, outbox, timer, slot")
            relay, workers = stage.service("relay"), [worker(stage, instance) for instance in instances]
            for service in (relay, *workers):
                service.start()
            await asyncio.gather(*(service.ready() for service in (relay, *workers)))
            await open_location(stage)
            await asyncio.sleep(SETTLED_SECONDS)
            before = generation(Path(directory))
            sending = asyncio.create_task(send(stage))
            await asyncio.sleep(5)
            workers = await roll(stage, workers)
            await asyncio.sleep(10)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await stage.settle()
            rebalances = generation(Path(directory)) - before
            await asyncio.gather(*(stop(service) for service in (relay, *workers)))
            print(f"{name:12} rebalances {rebalances:2}  {await gaps(stage.broker)}", flush=True)


async def send(stage: Stage) -> None:
    """Bookings at a steady pace, until cancelled."""
    number = 0
    async with stage.broker.producer() as producer:
        while True:
            number += 1
            acknowledged = await stage.broker.hand_over(producer, create(f"b-{number}"))
            await acknowledged
            stage.sent += 1
            await asyncio.sleep(1 / PER_SECOND)


def generation(directory: Path) -> int:
    """The newest generation of the group that a member has joined."""
    return max(int(found) for log in directory.glob("*.log") for found in GENERATION.findall(log.read_text()))


async def gaps(broker: Broker) -> str:
    """The longest silence, and the longest wait."""
    count = await broker.count(["booking-events"])
    events = await consume_all(broker.bootstrap, f"{broker.prefix}booking-events", count)
    published = sorted(event.timestamp / 1000 for event in events)
    silence = max(after - before for before, after in pairwise(published))
    waits = [one.timestamp / 1000 - appended(dict(one.headers)["ce_time"]) for one in events]
    return f"longest silence {silence:5.1f} s  longest wait of a command {max(waits):5.1f} s  ({len(events)} events)"


def appended(time: bytes) -> float:
    """When a command was appended."""
    return datetime.fromisoformat(time.decode()).timestamp()


async def main(kafka: str, url: str) -> None:
    """Measures each way."""
    e2e_broker.PARTITIONS = 12
    await migrate(url)
    await measure(kafka, url, "surge", surge, [""] * WORKERS)
    await measure(kafka, url, "one-by-one", one_by_one, [""] * WORKERS)
    await measure(kafka, url, "static", in_place, [f"worker-{number}" for number in range(WORKERS)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
