"""What else is measured of the service alone: kinds of load, sizes of groups, numbers of bookings, latency, memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import psutil

from tests.benchmarks.cpu import Cpu
from tests.benchmarks.latency import Latency, measure_latency
from tests.benchmarks.measure import Round, Watch, measured
from tests.benchmarks.servers import Counter, ask
from tests.benchmarks.systems import System
from tests.benchmarks.workload import ACCOUNT, Command, Workload

MIB = 1024 * 1024
WARM_UP = 1_000
SHARES = (0.1, 0.5, 0.8)
# More bookings like one that is there.
COPY = """
INSERT INTO aggregate (account_id, kind, aggregate_id, version, state)
SELECT account_id, kind, 'b-' || lpad(number::text, 7, '0'), 1, state
FROM aggregate, generate_series($2::integer, $3::integer - 1) AS number
WHERE account_id = $1 AND kind = 'booking' AND aggregate_id = 'b-0000000'
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Group:
    """An action on groups of one size: milliseconds for each booking that follows."""

    size: int
    bookings: int
    cpu: Cpu


@dataclass(frozen=True, slots=True)
class Scale:
    """Updates of one of so many bookings; bytes of the write-ahead log are for each command."""

    bookings: int
    round: Round
    wal: float


@dataclass(slots=True)
class Series:
    """All that was measured."""

    loads: dict[str, Round] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    scales: list[Scale] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each is measured."""

    commands: int
    siblings: int
    bookings: tuple[int, ...]
    seconds: float


async def measure_all(
    system: System, counter: Counter, sizes: Sizes, rate: float, say: Callable[[str], None]
) -> Series:
    """Measure everything of a system that has its bookings; `rate` is what it did in commands per second."""
    series = Series()
    for name, topic, commands in _loads(system.workload, sizes.commands):
        say(f"{name}: {len(commands):,} commands")
        await system.servers.produce(f"{system.prefix}{topic}-commands", commands)
        wanted = len({command.id for command in commands}) - sum(b'"guest_count":0,' in one.value for one in commands)
        async with _memory(system, series.memory, name):
            series.loads[name] = await measured(system, counter, wanted, f"{topic}-events")
    async with _running(system, counter) as watch:
        for size in (10, 100, 1_000):
            say(f"actions on groups of {size:,}")
            series.groups.append(await _groups(system, watch, size, max(1, sizes.siblings // size)))
        for share in SHARES:
            say(f"latency at {share:.0%} of {rate:,.0f} commands/s")
            series.latencies.append(await measure_latency(system, share, rate * share, sizes.seconds))
    for bookings in sizes.bookings:
        say(f"{bookings:,} bookings")
        series.scales.append(await _scale(system, counter, bookings, sizes.commands))
    return series


def _loads(workload: Workload, count: int) -> Iterator[tuple[str, str, list[Command]]]:
    yield "uniform keys", "booking", list(workload.updates(count))
    yield "hot keys (Zipf 1.1)", "booking", list(workload.updates(count, skew=1.1))
    yield "a tenth repeated", "booking", list(workload.with_repeats(count, 0.1))
    yield "a twentieth refused", "booking", list(workload.with_refusals(count, 0.05))
    yield "visits created", "visit", list(workload.visits(count))


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


async def _scale(system: System, counter: Counter, bookings: int, commands: int) -> Scale:
    connection = await asyncpg.connect(system.database_url)
    try:
        await connection.execute(COPY, ACCOUNT, 0, bookings, timeout=900)
        await connection.execute("VACUUM ANALYZE aggregate", timeout=900)
        await connection.execute("CHECKPOINT", timeout=300)
    finally:
        await connection.close()
    workload = Workload(bookings, seed=bookings)
    await system.servers.produce(system.prefix + "booking-commands", workload.updates(commands))
    before = int(await ask(system.database_url, "SELECT pg_current_wal_lsn() - '0/0'"))
    done = await measured(system, counter, commands)
    after = int(await ask(system.database_url, "SELECT pg_current_wal_lsn() - '0/0'"))
    return Scale(bookings, done, (after - before) / commands)


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


@asynccontextmanager
async def _memory(system: System, most: dict[str, float], name: str) -> AsyncIterator[None]:
    """Note the most memory (MiB) that all processes of the system had meanwhile, shared pages counted once."""

    async def look() -> None:
        while True:
            for pid in system.pids:
                most[name] = max(most.get(name, 0.0), _proportional(pid) / MIB)
            await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _proportional(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:
        return total
    return total
