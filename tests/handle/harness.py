"""The transaction of batches over a database of the test's own, and a reader of its outbox."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self, TypeAlias

import asyncpg
import pytest

from service.domain.graph import Graph
from service.graphs.loader import load_graphs
from service.handle import attempt
from service.handle.batch import BatchTransaction
from service.handle.load import load
from service.handle.save import save
from service.outbox.row import Row
from service.record import Record, Span
from tests.support.records import REPLY_TOPICS, Log, location
from tests.support.rows import Sent, sent
from tests.support.wait import until

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Hook = Callable[[], Awaitable[None]]
NOW = datetime(2026, 12, 1, 9, 1, tzinfo=UTC)
POSITIONS = "INSERT INTO progress (topic, partition, next_offset) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING"
READ = "SELECT seq, topic, key, headers, value FROM outbox WHERE seq > $1 ORDER BY seq"


class Bench:
    """Applies records as the consumer would, and reads what they sent."""

    def __init__(self, pool: Pool, graphs: Mapping[str, Graph], now: datetime = NOW) -> None:
        self.pool = pool
        self.log = Log()
        self.read_up_to = 0
        self.now = now
        self.transaction = BatchTransaction(pool, graphs, reply_topics=REPLY_TOPICS, clock=lambda: self.now)

    async def placed(self, records: Sequence[Record], partition: int = 0) -> tuple[list[Record], list[Span]]:
        """Puts records at the ends of partitions that progress knows."""
        made, spans = self.log.append(records, partition)
        await self.pool.executemany(POSITIONS, [(span.topic, span.partition) for span in spans])
        return made, spans

    async def apply(self, *records: Record, partition: int = 0) -> list[Sent]:
        """Applies one batch and gives what it sent."""
        await self.transaction(*await self.placed(records, partition))
        return await self.sent()

    async def sent(self) -> list[Sent]:
        """What was sent since the last time."""
        rows = await self.pool.fetch(READ, self.read_up_to)
        self.read_up_to = max([self.read_up_to, *(row["seq"] for row in rows)])
        return [sent(Row(*tuple(row)[1:])) for row in rows]

    async def one(self, record: Record) -> Sent:
        """Applies one record that sends one row."""
        (found,) = await self.apply(record)
        return found

    async def begin(self, **settings: Any) -> Self:
        """Configures the location `oslo`."""
        assert await self.apply(location(**settings)) == []
        return self

    async def count(self, table: str, where: str = "true") -> int:
        """How many rows a table has."""
        found: int = await self.pool.fetchval(f"SELECT count(*) FROM {table} WHERE {where}")  # noqa: S608
        return found


def graphs() -> Mapping[str, Graph]:
    """The shipped graphs."""
    return load_graphs(None)


def summary(found: Sent) -> tuple[str, str, str | int]:
    """What a row says in short: type, aggregate, and version, detail, outcome or reason."""
    if found.type == "dead-letter":
        return "dead-letter", (found.key or b"").decode("latin-1"), found.headers["dlq_reason"]
    value = found.value
    key = (found.key or b"").decode()
    if found.type.endswith("-changed"):
        return found.type, key, value["version"]
    return found.type, key, value["detail"] if found.type == "command-refused" else value["outcome"]


def summaries(rows: Sequence[Sent]) -> list[tuple[str, str, str | int]]:
    """What rows say in short."""
    return [summary(each) for each in rows]


def details(rows: Sequence[Sent]) -> list[str]:
    """What was refused and why, `applied` for what was not."""
    return [str(detail) if kind == "command-refused" else "applied" for kind, _, detail in summaries(rows)]


async def statements_of(pool: Pool, work: Awaitable[Any]) -> list[str]:
    """The statements that a piece of work sends through the pool.

    Without those of the driver, those by which keys are looked at now and then, and COPY.
    """
    found: list[str] = []

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        text = query.query.strip()
        if text.partition(";")[0] not in ("BEGIN", "COMMIT", "ROLLBACK") and not any(mark in text for mark in ASIDE):
            found.append(text)

    await _each_connection(pool, lambda connection: connection.add_query_logger(note))
    await work
    await _each_connection(pool, lambda connection: connection.remove_query_logger(note))
    return found


ASIDE = ("pg_advisory_unlock_all", "typeinfo_tree", "'jit'", "link_key", "client_revision")


async def _each_connection(pool: Pool, act: Callable[[Any], None]) -> None:
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    for connection in held:
        act(connection)
    for connection in held:
        await pool.release(connection)


class Rival:
    """Runs something of another connection between decision and save of the next batch, `times` in all.

    `rounds` tells for each round of loading how many commands were decided, and whether the rows were locked.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rival: Hook, times: int = 1) -> None:
        self.rounds: list[tuple[int, bool]] = []
        self._left = times
        self._rival = rival
        self._load, self._save = load, save
        monkeypatch.setattr(attempt, "load", self._loaded)
        monkeypatch.setattr(attempt, "save", self._saved)

    async def _loaded(self, connection: Any, questions: Sequence[Any], known: Any, *, lock: bool) -> Any:
        self.rounds.append((len(questions), lock))
        return await self._load(connection, questions, known, lock=lock)

    async def _saved(self, *decided: Any) -> Any:
        if self._left > 0 and decided[1] and not self.rounds[-1][1]:
            self._left -= 1
            await self._rival()
        return await self._save(*decided)


async def gather_all(*work: Awaitable[Any]) -> None:
    """Runs everything at once and fails with the first that fails."""
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(_plainly(each))


async def _plainly(work: Awaitable[Any]) -> None:
    await work


def rival(bench: Bench, *records: Record) -> Any:
    """Applies records from another partition when it is called."""

    async def apply() -> None:
        await bench.transaction(*await bench.placed(records, 1))

    return apply


async def wait_for_waiters(pool: Pool) -> None:
    """Returns when somebody waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    await until(lambda: pool.fetchval(waiting))
