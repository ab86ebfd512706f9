"""What changes as something grows: the bookings, the inbox, the worker processes, what waits in Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from tests.benchmarks.measure import Round, measured
from tests.benchmarks.memory import looked_at
from tests.benchmarks.servers import Counter, ask
from tests.benchmarks.systems import Ours, System
from tests.benchmarks.workload import ACCOUNT, Workload

LOG = "SELECT pg_current_wal_lsn() - '0/0'"
# More bookings like one that is there.
COPY = """
INSERT INTO aggregate (account_id, kind, aggregate_id, version, state)
SELECT account_id, kind, 'b-' || lpad(number::text, 7, '0'), 1, state
FROM aggregate, generate_series($2::integer, $3::integer - 1) AS number
WHERE account_id = $1 AND kind = 'booking' AND aggregate_id = 'b-0000000'
ON CONFLICT DO NOTHING
"""
# Memories of commands nobody will send again.
REMEMBER = """
INSERT INTO inbox (account_id, command_key, content_hash, outcome)
SELECT $1, decode(md5('filler ' || number), 'hex'), decode(md5(number::text), 'hex'), '{"accepted":{"version":1}}'
FROM generate_series(1, $2::integer - (SELECT count(*)::integer FROM inbox)) AS number
"""
FILL_SECONDS = 1_800


@dataclass(frozen=True, slots=True)
class Point:
    """A round at one size; bytes of the write-ahead log are for each command."""

    size: int
    round: Round
    wal: float


@dataclass(frozen=True, slots=True)
class Drain:
    """A backlog that waited, and the memory of all processes meanwhile: after its first tenth, and at most, in MiB."""

    round: Round
    early: float
    most: float


async def by_bookings(system: System, counter: Counter, bookings: int, commands: int) -> Point:
    """Updates of so many bookings, chosen uniformly, right after a checkpoint."""
    await _fill(system, COPY, "aggregate", ACCOUNT, 0, bookings)
    return await _point(system, counter, bookings, Workload(bookings, seed=bookings), commands)


async def by_inbox(system: System, counter: Counter, rows: int, commands: int) -> Point:
    """Updates while the inbox remembers so many commands, right after a checkpoint."""
    await _fill(system, REMEMBER, "inbox", ACCOUNT, rows)
    return await _point(system, counter, rows, system.workload, commands)


async def by_workers(system: Ours, counter: Counter, workers: int, commands: int) -> Point:
    """Updates by so many worker processes."""
    before, system.workers = system.workers, workers
    try:
        return await _point(system, counter, workers, system.workload, commands)
    finally:
        system.workers = before


async def drain(system: System, counter: Counter, commands: int) -> Drain:
    """So many commands wait before the service starts."""
    await system.servers.produce(system.prefix + "booking-commands", system.workload.updates(commands))
    async with looked_at(system) as seen:
        done = await measured(system, counter, commands)
    early = seen[: max(1, len(seen) // 10)]
    return Drain(done, max(early), max(seen))


async def _point(system: System, counter: Counter, size: int, workload: Workload, commands: int) -> Point:
    await system.servers.produce(system.prefix + "booking-commands", workload.updates(commands))
    before = int(await ask(system.database_url, LOG))
    done = await measured(system, counter, commands)
    after = int(await ask(system.database_url, LOG))
    return Point(size, done, (after - before) / commands)


async def _fill(system: System, statement: str, table: str, *arguments: object) -> None:
    connection = await asyncpg.connect(system.database_url)
    try:
        await connection.execute(statement, *arguments, timeout=FILL_SECONDS)
        await connection.execute(f"VACUUM ANALYZE {table}", timeout=FILL_SECONDS)
        await connection.execute("CHECKPOINT", timeout=FILL_SECONDS)
    finally:
        await connection.close()


def shown(points: Sequence[Point]) -> list[str]:
    """The sizes as people read them."""
    return [f"{point.size:,}" for point in points]
