"""Reads the next rows of the outbox in order, and deletes those that Kafka has."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

_READ = """
SELECT seq, topic, key, headers, value FROM (
    SELECT seq, topic, key, headers, value,
           sum(coalesce(octet_length(value), 0)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING)
               - coalesce(octet_length(value), 0) AS before
    FROM outbox WHERE seq >= $1 ORDER BY seq LIMIT $2
) AS rows
WHERE before < $3
"""
_HEAD = "SELECT max(seq) FROM (SELECT seq FROM outbox WHERE seq >= $1 ORDER BY seq LIMIT $2) AS head"
_DELETE = "DELETE FROM outbox WHERE seq = ANY($1::bigint[])"
_WRITERS = """
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
"""

ROWS = 2_000
MOST_ROWS = 16_000
_BYTES_PER_ROW = 8 * 1024
_RAISE_EVERY = 2.0
_FIRST_READ_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the outbox: `headers` as stored."""

    seq: int
    topic: str
    key: bytes | None
    headers: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class _Bound:
    """A candidate for the lower bound, and the transactions that may still commit a row below it."""

    seq: int
    writers: frozenset[str]


class Window:
    """The head of the outbox, as its owner sees it.

    Deleted rows stay in the index until vacuum, so reading begins at a lower bound. A row may commit later than rows
    with greater numbers, and the next version of its aggregate follows with a greater number still: a bound that passes
    such a row would publish versions out of order, even if the row were found later. So the bound is only raised to
    where nothing can appear below it: a transaction that has taken a number holds the table's ROW EXCLUSIVE lock from
    before that until its end, hence once all holders of that lock seen after a number was read have ended, and a read
    begun after that shows nothing smaller, nothing smaller will come. (The identity must not
    cache numbers in sessions.)
    """

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._low = 0
        self._limit = ROWS
        self._bound: _Bound | None = None
        self._released = False
        self._looked_at = 0.0

    @property
    def low(self) -> int:
        """The proven lower bound: no row with a smaller number exists or can appear."""
        return self._low

    async def read(self) -> list[Row]:
        """The first rows in order, fewer when they are large."""
        if time.monotonic() - self._looked_at >= _RAISE_EVERY:
            await self._look()
        # A new owner knows no bound yet, and may have to pass over millions of dead rows.
        seconds = _FIRST_READ_SECONDS if self._low == 0 else None
        found = await self._connection.fetch(
            _READ, self._low, self._limit, self._limit * _BYTES_PER_ROW, timeout=seconds
        )
        rows = [Row(*each) for each in found]
        self._raise(rows)
        return rows

    async def delete(self, confirmed: Sequence[int]) -> None:
        """Forget rows that Kafka has acknowledged."""
        await self._connection.execute(_DELETE, confirmed)

    def widen(self) -> None:
        """Read further next time: everything read now had to wait."""
        self._limit = min(self._limit * 2, MOST_ROWS)

    def narrow(self) -> None:
        """Back to the usual number of rows."""
        self._limit = ROWS

    async def _look(self) -> None:
        """Take a new candidate, or see whether the writers that stand in the way of the present one have ended."""
        if self._bound is None:
            seq = await self._connection.fetchval(_HEAD, self._low, ROWS)
            if seq is not None:
                self._bound = _Bound(seq, await self._writers())
                self._released = False
        else:
            self._released = self._bound.writers.isdisjoint(await self._writers())
        self._looked_at = time.monotonic()

    async def _writers(self) -> frozenset[str]:
        return frozenset(each["virtualtransaction"] for each in await self._connection.fetch(_WRITERS))

    def _raise(self, rows: Sequence[Row]) -> None:
        if self._bound is not None and self._released and (not rows or rows[0].seq >= self._bound.seq):
            self._low = self._bound.seq
            self._bound = None
            self._released = False
