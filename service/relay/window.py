"""Reads the outbox page by page in order, and deletes what Kafka has."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

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
_LAST = "SELECT max(seq) FROM outbox WHERE seq >= $1"
_DELETE = "DELETE FROM outbox WHERE seq = ANY($1::bigint[])"
_WRITERS = """
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
"""

ROWS = 2_000
MOST_WHILE_FULL = 4_000
MOST_ROWS = 16_000
_BYTES_PER_ROW = 8 * 1024
_LOOK_EVERY = 2.0
_LOOK_EVERY_IN_A_HURRY = 0.02
_FIRST_READ_SECONDS = 120.0


class Row(NamedTuple):
    """A row of the outbox: `headers` as stored."""

    seq: int
    topic: str
    key: bytes | None
    headers: bytes
    value: bytes | None


_VALUE: Final = attrgetter("value")


@dataclass(frozen=True, slots=True)
class Page:
    """All rows from `begin` up to `end`, infinite where the outbox ended; nothing new appears below `settled`."""

    begin: int
    rows: Sequence[Row]
    end: float
    settled: int


@dataclass(frozen=True, slots=True)
class _Bound:
    """A candidate for what is settled, and the transactions that may still commit a row below it."""

    seq: int
    writers: frozenset[str]


class Window:
    """The outbox as its owner sees it: read from a place on that moves behind what was published or has to wait.

    Deleted rows stay in the index until vacuum, and rows that Kafka does not take stay in front, so neither may be read
    again each time. But a row may commit later than rows with greater numbers, and the next version of its aggregate
    follows with a greater number still: a place beyond such a row would publish versions out of order, even if the row
    were found later. So the place moves no further than where nothing can appear below it: a transaction that has taken
    a number holds the table's ROW EXCLUSIVE lock from before that until its end, hence once all holders of that lock
    seen after a number was read have ended, a read begun after that shows all that will ever be below the number. (The
    identity must not cache numbers in sessions.) Beyond that each page is one statement: a row that it does not show
    has no successor in it either.
    """

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._at = 0
        self._settled = 0
        self._limit = ROWS
        self._highest = 0
        self._bound: _Bound | None = None
        self._looked_at = 0.0
        self._hurry = False
        self._first = True

    @property
    def at(self) -> int:
        """Where reading goes on: every row with a smaller number was left behind as one that has to wait."""
        return self._at

    async def read(self, start: int | None = None) -> Page:
        """The next rows in order, fewer when they are large; from `start` on, where that is before the place."""
        if time.monotonic() - self._looked_at >= (_LOOK_EVERY_IN_A_HURRY if self._hurry else _LOOK_EVERY):
            await self._look()
        begin = self._at if start is None else min(start, self._at)
        # A new owner may have to pass over millions of dead rows.
        seconds = _FIRST_READ_SECONDS if self._first else None
        most_bytes = (self._limit if self._hurry else ROWS) * _BYTES_PER_ROW
        found = await self._connection.fetch(_READ, begin, self._limit, most_bytes, timeout=seconds)
        self._first = False
        rows = list(map(Row._make, found))
        self._highest = max(self._highest, rows[-1].seq if rows else 0)
        full = len(rows) == self._limit or sum(map(len, filter(None, map(_VALUE, rows)))) >= most_bytes
        return Page(begin, rows, rows[-1].seq + 1 if full else math.inf, self._settled)

    async def delete(self, confirmed: Sequence[int]) -> None:
        """Forget rows that Kafka has acknowledged."""
        await self._connection.execute(_DELETE, confirmed)

    def pass_by(self, page: Page, *, waiting: bool) -> bool:
        """Go on behind a page whose rows are deleted or `waiting`, if nothing can appear below; whether it did."""
        reached = int(min(page.end, page.settled))
        moved, self._at = reached > self._at, max(reached, self._at)
        self._hurry = waiting and not moved and self._at < page.end < math.inf
        # A writer that takes its time holds the place: what it leaves in sight is all that can be sent meanwhile. And
        # where rows come faster than they go, each page waits for batches that share the process: fewer, larger ones.
        most = MOST_ROWS if self._hurry else MOST_WHILE_FULL if page.end < math.inf else ROWS
        self._limit = min(self._limit * 2, most)
        return moved

    def back_to(self, page: Page) -> None:
        """Go on behind this page at the latest: what was left behind further on need not wait any more."""
        self._at = int(min(self._at, page.end))

    async def _look(self) -> None:
        """Take a new candidate, or see whether the writers that stand in the way of the present one have ended."""
        self._looked_at = time.monotonic()
        if self._bound is None:
            # Rows far behind the place are only of interest when much has to be passed by.
            last = await self._connection.fetchval(_LAST, self._at) if self._hurry else None
            highest = max(self._highest, last or 0)
            if highest < max(self._settled, 1):
                return
            self._bound = _Bound(highest + 1, await self._writers())
            ended = not self._bound.writers
        else:
            ended = self._bound.writers.isdisjoint(await self._writers())
        if ended:
            self._settled, self._bound = self._bound.seq, None

    async def _writers(self) -> frozenset[str]:
        return frozenset(each["virtualtransaction"] for each in await self._connection.fetch(_WRITERS))
