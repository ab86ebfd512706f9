"""A guard that no noise of a machine disturbs: how often a batch goes to the database."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg

from service.graphs.loader import load_graphs
from service.handle.batch import BatchTransaction
from service.handle.dedupe import RECALL
from service.record import Record, Span
from service.store import arrays
from tests.benchmarks.workload import Command, Workload

# BEGIN, progress, SAVEPOINT, bookings, locations, update, remember, COMMIT, and what the pool resets when it gets its
# connection back; the outbox is written by COPY, which the logger does not tell.
MOST = 9
SAVEPOINT_NAME = r"__asyncpg_savepoint_\w+__"


class Batches:
    """Applies commands as batches of one partition and counts what goes over the wire."""

    def __init__(self, database_url: str) -> None:
        """Use this database, which has been migrated; enter `pool` before use."""
        arrays.install()
        self.queries: list[str] = []
        self._offsets: dict[str, int] = {}
        self.pool: asyncpg.Pool[Any] = asyncpg.create_pool(database_url, min_size=1, max_size=1, setup=self._listen)
        self._transaction = BatchTransaction(
            self.pool, load_graphs(None), reply_topics=frozenset(), clock=lambda: datetime.now(UTC)
        )

    async def apply(self, topic: str, commands: Iterable[Command]) -> list[str]:
        """Apply one batch and return the statements that it took."""
        if topic not in self._offsets:
            await self.pool.execute("INSERT INTO progress VALUES ($1, 0, 0)", topic)
            self._offsets[topic] = 0
        start = self._offsets[topic]
        now = int(datetime.now(UTC).timestamp() * 1000)
        records = [
            Record(topic, 0, offset, command.key, command.value, tuple(command.headers), now)
            for offset, command in enumerate(commands, start)
        ]
        self._offsets[topic] += len(records)
        self.queries.clear()
        await self._transaction(records, [Span(topic, 0, start, start + len(records))])
        return list(self.queries)

    async def events(self) -> int:
        """Return how many events wait to be published."""
        return int(await self.pool.fetchval("SELECT count(*) FROM outbox WHERE topic = 'booking-events'"))

    async def _listen(self, connection: Any) -> None:
        connection.add_query_logger(self._note)

    def _note(self, query: Any) -> None:
        self.queries.append(re.sub(SAVEPOINT_NAME, "", query.query))


@asynccontextmanager
async def bookings(database_url: str, count: int) -> AsyncIterator[tuple[Batches, Workload]]:
    """Batches on a database with so many bookings; every statement has been prepared."""
    workload = Workload(count, seed=1)
    batches = Batches(database_url)
    async with batches.pool:
        await batches.apply("internal-commands", workload.locations())
        await batches.apply("booking-commands", workload.creations())
        await batches.apply("booking-commands", workload.updates(10))
        yield batches, workload


async def test_batch_of_updates_takes_the_same_few_statements(database_url: str) -> None:
    """A batch of updates takes the same statements whatever its size, also when bookings repeat within it."""
    async with bookings(database_url, 500) as (batches, workload):
        few = await batches.apply("booking-commands", workload.updates(100))
        many = await batches.apply("booking-commands", workload.updates(1_000))
        assert many == few
        assert len(many) <= MOST, "\n".join(many)
        assert await batches.events() == 500 + 10 + 100 + 1_000


async def test_inbox_is_asked_first_only_where_repeats_are_met(database_url: str) -> None:
    """A repeat shows when it is to be remembered; the run is decided again, and the batches after it ask first."""
    async with bookings(database_url, 50) as (batches, workload):
        once = list(workload.updates(20))
        assert RECALL not in await batches.apply("booking-commands", once)
        assert RECALL in await batches.apply("booking-commands", [*workload.updates(5), once[3]])
        assert RECALL in await batches.apply("booking-commands", workload.updates(5))
        assert await batches.events() == 50 + 10 + 20 + 5 + 5
