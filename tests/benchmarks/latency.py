"""From the moment that a command is due to be sent until its event can be consumed, at a constant rate (open loop).

A command that is sent late counts from when it was due, so a stall of anything, this program included, shows in every
command that it delayed: no coordinated omission. All values are kept, so percentiles are exact.
"""

import asyncio
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.benchmarks.servers import PARTITIONS
from tests.benchmarks.systems import System

TICK = 0.002
PATIENCE = 60.0
WARM_UP = 0.2


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds by share of the commands."""

    share: float
    rate: float
    commands: int
    p50: float
    p99: float
    p999: float
    longest: float


class Arrivals:
    """Reads the events topic from its end on and notes when each command's event was there."""

    def __init__(self, system: System) -> None:
        """Read the system's events."""
        self.at: dict[str, float] = {}
        self._topic = system.prefix + "booking-events"
        self._bootstrap = system.servers.bootstrap

    async def read(self, begun: asyncio.Event, wanted: int) -> None:
        """Return when so many have arrived."""
        partitions = [TopicPartition(self._topic, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False) as consumer:
            consumer.assign(partitions)
            await consumer.seek_to_end(*partitions)
            for each in partitions:
                await consumer.position(each)
            begun.set()
            while len(self.at) < wanted:
                found = await consumer.getmany(timeout_ms=1000)
                now = time.monotonic()
                for records in found.values():
                    for record in records:
                        self.at[dict(record.headers)["ce_causationid"].decode()] = now


async def measure_latency(system: System, share: float, rate: float, seconds: float) -> Latency:
    """Send at a rate to a running system, and wait for all events."""
    commands = list(system.workload.updates(int(rate * seconds)))
    arrivals, begun = Arrivals(system), asyncio.Event()
    reading = asyncio.create_task(arrivals.read(begun, len(commands)))
    await begun.wait()
    due: dict[str, float] = {}
    topic = system.prefix + "booking-commands"
    async with AIOKafkaProducer(bootstrap_servers=system.servers.bootstrap, enable_idempotence=True) as producer:
        start = time.monotonic()
        for place, command in enumerate(commands):
            due[command.id] = start + place / rate
            if (early := due[command.id] - time.monotonic()) > 0:
                await asyncio.sleep(max(early, TICK))
            await producer.send(topic, key=command.key, value=command.value, headers=command.headers)
    async with asyncio.timeout(PATIENCE):
        await reading
    counted = commands[int(len(commands) * WARM_UP) :]
    waited = sorted((arrivals.at[each.id] - due[each.id]) * 1000 for each in counted)
    p50, p99, p999 = (_at(waited, part) for part in (0.5, 0.99, 0.999))
    return Latency(share, rate, len(waited), p50, p99, p999, waited[-1])


def _at(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
