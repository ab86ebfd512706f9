"""What else is measured of the service alone: kinds of load, groups, latency, memory, and what changes as it grows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.benchmarks import growth
from tests.benchmarks.cpu import Cpu
from tests.benchmarks.growth import Drain, Point
from tests.benchmarks.latency import Latency, measure_latency
from tests.benchmarks.loads import loads
from tests.benchmarks.measure import Round, Watch, measured
from tests.benchmarks.memory import looked_at
from tests.benchmarks.servers import Counter
from tests.benchmarks.systems import Ours, System

WARM_UP = 1_000
SHARES = (0.1, 0.5, 0.8)


@dataclass(frozen=True, slots=True)
class Group:
    """An action on groups of one size: milliseconds for each booking that follows."""

    size: int
    bookings: int
    cpu: Cpu


@dataclass(slots=True)
class Series:
    """All that was measured; `memory` is what all processes had at most, in MiB."""

    loads: dict[str, Round] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    workers: list[Point] = field(default_factory=list)
    drains: list[Drain] = field(default_factory=list)
    bookings: list[Point] = field(default_factory=list)
    inbox: list[Point] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each is measured."""

    commands: int
    siblings: int
    seconds: float
    workers: tuple[int, ...]
    drains: tuple[int, ...]
    bookings: tuple[int, ...]
    inbox: tuple[int, ...]


async def measure_all(system: Ours, counter: Counter, sizes: Sizes, rate: float, say: Callable[[str], None]) -> Series:
    """Measure everything of a system that has its bookings; `rate` is what it did in commands per second."""
    series = Series()
    await _measure_loads(system, counter, sizes, series, say)
    async with _running(system, counter) as watch:
        for size in (10, 100, 1_000):
            say(f"actions on groups of {size:,}")
            series.groups.append(await _groups(system, watch, size, max(1, sizes.siblings // size)))
        for share in SHARES:
            say(f"latency at {share:.0%} of {rate:,.0f} commands/s")
            series.latencies.append(await measure_latency(system, share, rate * share, sizes.seconds))
    for workers in sizes.workers:
        say(f"worker processes: {workers}")
        series.workers.append(await growth.by_workers(system, counter, workers, sizes.commands))
    for waiting in sizes.drains:
        say(f"{waiting:,} commands wait")
        series.drains.append(await growth.drain(system, counter, waiting))
    for bookings in sizes.bookings:
        say(f"{bookings:,} bookings")
        series.bookings.append(await growth.by_bookings(system, counter, bookings, sizes.commands))
    for rows in sizes.inbox:
        say(f"an inbox of {rows:,}")
        series.inbox.append(await growth.by_inbox(system, counter, rows, sizes.commands))
    return series


async def _measure_loads(
    system: Ours, counter: Counter, sizes: Sizes, series: Series, say: Callable[[str], None]
) -> None:
    for load in loads(system, sizes.commands):
        say(f"{load.name}: {load.count:,} commands")
        for topic, commands in load.commands.items():
            await system.servers.produce(system.prefix + topic, commands)
        system.signing = load.signed
        async with looked_at(system) as seen:
            series.loads[load.name] = await measured(system, counter, sum(load.events.values()), tuple(load.events))
        series.memory[load.name] = max(seen)
        system.signing = False


async def _groups(system: System, watch: Watch, size: int, count: int) -> Group:
    """Actions on groups that were made before, while the system runs and has nothing else to do."""
    groups = list(system.workload.groups(count, size, f"g{size}"))
    topic = system.prefix + "booking-commands"
    before = await watch.count()
    await system.servers.produce(topic, (command for creations, _ in groups for command in creations))
    await watch.until(before + size * count)
    begun = await watch.settled()
    await system.servers.produce(topic, (action for _, action in groups))
    # Without looking whether all is settled, which would cost a connection for each look at so little work.
    done = await watch.until(before + 2 * size * count)
    return Group(size, size * count, done.cpu - begun)


@asynccontextmanager
async def _running(system: System, counter: Counter) -> AsyncIterator[Watch]:
    """Run the system, warmed up."""
    watch = Watch(system, counter)
    before = await watch.count()
    await system.servers.produce(system.prefix + "booking-commands", system.workload.updates(WARM_UP))
    system.start()
    try:
        await watch.until(before + WARM_UP)
        yield watch
    finally:
        await asyncio.to_thread(system.stop)
