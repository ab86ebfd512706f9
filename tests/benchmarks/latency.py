"""From the moment that a command is due to be sent until its event can be consumed, at a constant rate (open loop).

A command that is sent late counts from when it was due, so a stall of anything, this program included, shows in every
command that it delayed: no coordinated omission. All values are kept, so percentiles are exact. Whoever sends and reads
shares the machine with what is measured, so neither asks the broker more often than it has to (`sender`).
"""

import asyncio
import os
import threading
import time
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Consumer, Message, TopicPartition

from tests.benchmarks.sender import send_steadily
from tests.benchmarks.servers import PARTITIONS, PATIENCE, ask
from tests.benchmarks.systems import System

WARM_UP = 0.2
CAUSE = "ce_causationid"


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
    """Reads the events topic from its end on, in a thread, and notes when each command's event was there."""

    def __init__(self, system: System) -> None:
        """Begin where the system's events end now."""
        self.at: dict[str, float] = {}
        self._ended = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": system.servers.bootstrap,
                "group.id": "arrivals",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 20,
            }
        )
        topic = system.prefix + "booking-events"
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        for each in partitions:
            each.offset = self._consumer.get_watermark_offsets(each, timeout=10)[1]
        self._consumer.assign(partitions)

    def read(self, wanted: int) -> None:
        """Read until so many have arrived, or `end` is called."""
        while len(self.at) < wanted and not self._ended.is_set():
            message = self._consumer.poll(0.05)
            if message is not None and message.error() is None:
                self.at[_cause(message)] = time.monotonic()
        self._consumer.close()

    def end(self) -> None:
        """Let `read` return."""
        self._ended.set()


async def measure_latency(system: System, share: float, rate: float, seconds: float) -> Latency:
    """Send at a rate to a running system, and wait for all events."""
    await _write_out(system)
    commands = list(system.workload.updates(int(rate * seconds)))
    arrivals = await asyncio.to_thread(Arrivals, system)
    reading = asyncio.create_task(asyncio.to_thread(arrivals.read, len(commands)))
    try:
        due = await send_steadily(system.servers.bootstrap, system.prefix + "booking-commands", commands, rate)
        await asyncio.wait_for(asyncio.shield(reading), PATIENCE)
    finally:
        arrivals.end()
        await reading
    counted = commands[int(len(commands) * WARM_UP) :]
    waited = sorted((arrivals.at[each.id] - due[each.id]) * 1000 for each in counted)
    p50, p99, p999 = (_at(waited, part) for part in (0.5, 0.99, 0.999))
    return Latency(share, rate, len(waited), p50, p99, p999, waited[-1])


async def _write_out(system: System) -> None:
    """What was measured before has left pages that the kernel writes half a minute later, while each commit waits."""
    await asyncio.wait_for(ask(system.servers.postgres_url, "CHECKPOINT"), PATIENCE)
    await asyncio.to_thread(os.sync)


def _cause(message: Message) -> str:
    return dict(cast("list[tuple[str, bytes]]", message.headers()))[CAUSE].decode()


def _at(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
