"""One round of one system: commands are waiting, the processes start, events appear."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.cpu import Cpu
from tests.benchmarks.servers import Counter, ask
from tests.benchmarks.systems import System
from tests.benchmarks.workload import LOCATIONS

EVENTS = ("booking-events",)
POLL_SECONDS = 0.025
SILENCE_SECONDS = 60.0
# Starting up, warming up and the first fetch are not what a command costs.
LEFT_OUT = 0.05


@dataclass(frozen=True, slots=True)
class Moment:
    """What was seen at a moment."""

    at: float
    events: int
    cpu: Cpu


@dataclass(frozen=True, slots=True)
class Round:
    """What a round measured, from the first events to the last."""

    system: str
    commands: int
    seconds: float
    cpu: Cpu

    @property
    def rate(self) -> float:
        """Commands per second."""
        return self.commands / self.seconds


class Watch:
    """Waits for events of a running system."""

    def __init__(self, system: System, counter: Counter, topics: Sequence[str] = EVENTS) -> None:
        """Watch some of the system's topics."""
        self._system = system
        self._counter = counter
        self._topics = [system.prefix + topic for topic in topics]

    async def count(self) -> int:
        """Return how many events there are."""
        return sum([await self._counter.count(topic) for topic in self._topics])

    async def until(self, events: int) -> Moment:
        """Wait until there are so many events; RuntimeError when none comes for a minute, or a process ends."""
        seen, heard = -1, time.monotonic()
        while True:
            count = await self.count()
            now = time.monotonic()
            if count >= events:
                return Moment(now, count, self._system.servers.spent(self._system.pids))
            if count > seen:
                seen, heard = count, now
            if now - heard > SILENCE_SECONDS:
                logs = "\n".join(process.tail() for process in self._system.processes)
                raise RuntimeError(f"{self._system.name} stopped at {count} of {events} events:\n{logs}")
            self._system.ensure_running()
            await asyncio.sleep(POLL_SECONDS)

    async def settled(self) -> Cpu:
        """Wait until the outbox is empty, so that clearing it up counts too."""
        async with asyncio.timeout(SILENCE_SECONDS):
            while await ask(self._system.database_url, "SELECT count(*) FROM outbox") != "0":  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
        return self._system.servers.spent(self._system.pids)


async def create_bookings(system: System, counter: Counter) -> list[str]:
    """Create locations and bookings through the system itself, and return the ids of the creations."""
    watch, servers, workload = Watch(system, counter), system.servers, system.workload
    await servers.produce(system.prefix + "internal-commands", workload.locations())
    system.start()
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            while await ask(system.database_url, "SELECT count(*) FROM aggregate") != str(LOCATIONS):  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
        ids = await servers.produce(system.prefix + "booking-commands", workload.creations())
        await watch.until(len(ids))
        await watch.settled()
    finally:
        await asyncio.to_thread(system.stop)
    return ids


async def measured(system: System, counter: Counter, commands: int, topics: Sequence[str] = EVENTS) -> Round:
    """Measure a round over commands that wait already, one event for each; the system runs only meanwhile."""
    watch = Watch(system, counter, topics)
    before = await watch.count()
    system.start()
    try:
        first = await watch.until(before + max(1, int(commands * LEFT_OUT)))
        last = await watch.until(before + commands)
        cpu = await watch.settled() - first.cpu
    finally:
        await asyncio.to_thread(system.stop)
    return Round(system.name, last.events - first.events, last.at - first.at, cpu)
